#include "sync/sweep.h"

#include "base/hash.h"
#include "sync/winner.h"

#include <algorithm>
#include <memory>
#include <optional>

namespace lockstep {
namespace {

const KeyedHash& key_hash() {
  static const KeyedHash kHash("keys of a copy");
  return kHash;
}

SourceBatch deletes_of(Batch rows, int target, const std::string& origin) {
  const auto count = static_cast<std::size_t>(rows.row_count());
  SourceBatch batch;
  batch.target = target;
  batch.origin = origin;
  batch.rows = std::move(rows);
  batch.operations.assign(count, Operation::kDelete);
  batch.positions.assign(count, "not in the copy");
  batch.has_more = true;
  batch.whole = true;
  return batch;
}

}  // namespace

Result<void> Sweep::add(const DatasetFlow& flow,
                        const std::string& source,
                        const SourceBatch& batch) {
  if (batch.origin != origin_) return {};
  const Batch keys = TRY(keys_of(flow, {std::span(&batch, 1), source}));
  const std::vector<int> columns = all_columns(keys.schema());
  for (std::int64_t row = 0; row < keys.row_count(); ++row)
    seen_.push_back(key_hash().hash128(encode_key(keys, columns, row)));
  return {};
}

Result<void> Sweep::scan_keys(Hub& hub, const DatasetFlow& flow, const EachRows& each) {
  const std::vector<std::string> names = raw_key(flow.key());
  ScanOptions options;
  options.columns = names;
  options.columns.emplace_back("_origin");
  const std::unique_ptr<Scan> scan =
      TRY(hub.scan(flow.table(Layer::kRaw), hub.latest_snapshot(), options));
  while (const std::optional<Batch> rows = TRY(scan->next()))
    TRY(each(*rows,
             {TRY(rows->schema().require_all(names)), TRY(rows->schema().require("_origin"))}));
  return {};
}

// Of a row of the source.
bool Sweep::is_gone(const Batch& rows, const Columns& columns, std::int64_t row) const {
  if (rows.text_at(columns.origin, row) != origin_) return false;
  return !std::ranges::binary_search(seen_, key_hash().hash128(encode_key(rows, columns.key, row)));
}

// Before the first delete is made: a table that was emptied by mistake may have millions.
Result<void> Sweep::check_count(Hub& hub,
                                const DatasetFlow& flow,
                                const std::string& source) const {
  if (!max_delete_) return {};
  std::int64_t of_source = 0;
  std::int64_t gone = 0;
  TRY(scan_keys(hub, flow, [&](const Batch& rows, const Columns& columns) -> Result<void> {
    for (std::int64_t row = 0; row < rows.row_count(); ++row) {
      if (rows.text_at(columns.key[0], row) != source) continue;
      ++of_source;
      if (is_gone(rows, columns, row)) ++gone;
    }
    return {};
  }));
  return check_max_delete({origin_, gone, of_source}, *max_delete_);
}

Result<std::vector<SourceBatch>> Sweep::rest(Hub& hub,
                                             const DatasetFlow& flow,
                                             const std::string& source,
                                             int target) {
  std::ranges::sort(seen_);
  TRY(check_count(hub, flow, source));
  std::vector<SourceBatch> out;
  TRY(scan_keys(hub, flow, [&](const Batch& rows, const Columns& columns) -> Result<void> {
    BatchBuilder gone(flow.columns());
    std::int64_t gone_count = 0;
    for (std::int64_t row = 0; row < rows.row_count(); ++row) {
      if (rows.text_at(columns.key[0], row) != source || !is_gone(rows, columns, row)) continue;
      for (int column = 0; column < flow.columns().size(); ++column) {
        const auto part = std::ranges::find(flow.key(), flow.columns().field(column).name);
        if (part == flow.key().end()) {
          gone.append_null(column);
        } else {
          const auto place = static_cast<std::size_t>(part - flow.key().begin());
          gone.append_from(column, rows, columns.key[place + 1], row);
        }
      }
      gone.append_sign(1);
      ++gone_count;
    }
    if (gone_count > 0) out.push_back(deletes_of(TRY(gone.finish()), target, origin_));
    return {};
  }));
  return out;
}

}  // namespace lockstep
