#include "base/hash.h"
#include "hub/hub_over_ducklake.h"

#include <fmt/format.h>

namespace lockstep {

namespace {

constexpr const char* kStatesFolder = "_states/";
constexpr std::uint64_t kStateBytesMax = std::uint64_t{4} << 30;

}  // namespace

Result<void> HubOverDuckLake::write_checkpoint(const CheckpointRecord& record,
                                               std::string_view bytes) {
  TRY(check_writable());
  CheckpointRecord stored = record;
  stored.sha256 = sha256_hex(bytes);
  stored.path = kStatesFolder + stored.sha256;
  stored.size_bytes = static_cast<std::int64_t>(bytes.size());
  TRY(io_.make_directories(paths_.data + kStatesFolder));
  TRY(write_file_atomically(io_, paths_.data + stored.path, bytes));
  const auto transaction = TRY(catalog_->begin());
  TRY(check_fence());
  const std::vector<std::string> gone = TRY(records_->add_checkpoint(stored));
  TRY(transaction->commit());
  for (const std::string& path : gone) {
    const auto removed = io_.remove(paths_.data + path);
    if (!removed.ok() && removed.error().code != Code::kNotFound) return removed.error();
  }
  return {};
}

Result<std::optional<std::pair<CheckpointRecord, std::string>>> HubOverDuckLake::read_checkpoint(
    const std::string& model, const std::string& definition, SnapshotId at) {
  for (const CheckpointRecord& record : TRY(records_->checkpoints(model, definition, at))) {
    auto bytes = read_file(io_, paths_.data + record.path, kStateBytesMax);
    // A state is a cache: one that cannot be read is made anew from the rows, which the caller
    // does.
    if (!bytes.ok() || sha256_hex(bytes.value()) != record.sha256) continue;
    return std::optional(std::pair(record, std::move(bytes).value()));
  }
  return std::optional<std::pair<CheckpointRecord, std::string>>{};
}

}  // namespace lockstep
