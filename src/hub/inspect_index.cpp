// Whether the files of the key indexes are what their records say, and those of the ordered ones
// whole databases. An index is a cache (hub-7).
#include "hub/inspection.h"
#include "hub/key_index_folder.h"
#include "hub/ordered_indexes.h"

#include <fmt/format.h>

namespace lockstep {

namespace {

Result<void> read_run(KeyIndexFolder& folder, std::int64_t table_id, const KeyRunInfo& info) {
  const auto run = TRY(folder.open_run(table_id, info));
  KeyPage page;
  for (std::int64_t number = 0; number < run->page_count(); ++number)
    TRY(run->read_page(number, page));
  return {};
}

Result<void> read_runs(KeyIndexFolder& folder, std::int64_t table_id, const IndexRecord& record) {
  for (const KeyRunInfo& info : record.runs)
    TRY(read_run(folder, table_id, info));
  return {};
}

// nullopt: whole, or there is none. A writer may put other runs in the place of these meanwhile,
// and then writes another record.
std::optional<std::string> fault_of_index(KeyIndexFolder& folder, std::int64_t table_id) {
  constexpr int kAttempts = 10;
  std::optional<IndexRecord> record = folder.read_record(table_id);
  for (int attempt = 0; attempt < kAttempts && record; ++attempt) {
    const Result<void> read = read_runs(folder, table_id, *record);
    if (read.ok()) return std::nullopt;
    std::optional<IndexRecord> now = folder.read_record(table_id);
    if (now && now->number == record->number) return read.error().message;
    record = std::move(now);
  }
  return std::nullopt;
}

Result<std::unique_ptr<KeyIndexFolder>> folder_of(Io& io, const HubPaths& paths, Catalog& catalog) {
  RecordStore records(catalog);
  return std::make_unique<KeyIndexFolder>(
      io, paths.catalog + ".index", TRY(records.hub_id()), TRY(records.fingerprint_key()));
}

OrderedIndexFolder ordered_folder_of(Io& io, const HubPaths& paths) {
  return {io, paths.catalog + ".index", {}, paths.files};
}

// nullopt: whole, or a writer took it away.
std::optional<std::string> fault_of_ordered(Io& io,
                                            const HubPaths& paths,
                                            const std::string& path) {
  const auto index = open_sqlite(io, path, CatalogMode::kRead, paths.files, SqliteUse::kCache);
  if (!index.ok() && index.error().code == Code::kNoHub) return std::nullopt;
  if (!index.ok()) return index.error().message;
  const auto damage = page_damage(*index.value());
  if (!damage.ok()) return damage.error().message;
  if (damage.value().empty()) return std::nullopt;
  return damage.value().front();
}

}  // namespace

Result<std::vector<BadIndex>> bad_indexes(Io& io, const HubPaths& paths, Catalog& catalog) {
  const auto folder = TRY(folder_of(io, paths, catalog));
  const auto ordered = ordered_folder_of(io, paths).files();
  std::vector<BadIndex> bad;
  for (const TableRecord& table : TRY(RecordStore(catalog).tables())) {
    const std::string name = fmt::format("{}.{}", table.layer, table.dataset);
    const auto why = fault_of_index(*folder, table.table_id);
    if (why) bad.push_back({table.table_id, "the keys of " + name, *why});
    for (const auto& [path, table_id] : ordered) {
      if (table_id != table.table_id) continue;
      const auto fault = fault_of_ordered(io, paths, path);
      if (fault) bad.push_back({table_id, "the groups of " + name, *fault});
    }
  }
  return bad;
}

Result<void> forget_indexes(Io& io,
                            const HubPaths& paths,
                            Catalog& catalog,
                            const std::vector<BadIndex>& indexes) {
  const auto folder = TRY(folder_of(io, paths, catalog));
  for (const BadIndex& index : indexes) {
    folder->clean(index.table_id, std::nullopt);
    ordered_folder_of(io, paths).remove(index.table_id);
  }
  return {};
}

}  // namespace lockstep
