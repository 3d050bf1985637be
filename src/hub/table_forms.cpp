#include "hub/table_forms.h"

#include <algorithm>

namespace lockstep {

namespace {

struct Version {
  std::int64_t begin = 0;
  std::string inlined;
};

Result<std::vector<Version>> older_versions(Catalog& catalog, const LakeTable& newest) {
  Statement* row = TRY(catalog.cached(
      "SELECT v.begin_snapshot, coalesce(i.table_name, '') FROM ducklake_schema_versions v LEFT "
      "JOIN "
      "ducklake_inlined_data_tables i ON i.table_id = v.table_id AND i.schema_version = "
      "v.schema_version WHERE v.table_id = ? AND v.begin_snapshot < ? ORDER BY v.begin_snapshot"));
  row->bind_integer(0, newest.id);
  row->bind_integer(1, newest.begin);
  std::vector<Version> versions;
  while (TRY(row->step()))
    versions.push_back({row->integer(0), std::string(row->text(1))});
  row->reset();
  return versions;
}

}  // namespace

Result<std::vector<TableForm>> older_forms(Catalog& catalog,
                                           const std::vector<TableRecord>& records,
                                           const LakeTable& newest) {
  std::vector<TableForm> forms;
  const std::vector<Version> versions = TRY(older_versions(catalog, newest));
  for (std::size_t index = 0; index < versions.size(); ++index) {
    auto tables = load_tables(catalog, records, versions[index].begin);
    // Another program's table may have had columns that it had to lose before the hub took it.
    const bool unknown = !tables.ok() && (tables.error().code == Code::kUnsupported ||
                                          tables.error().code == Code::kCorrupt);
    if (unknown) continue;
    for (LakeTable& table : TRY(std::move(tables))) {
      if (table.id != newest.id) continue;
      table.inlined = versions[index].inlined;
      const bool last = index + 1 == versions.size();
      forms.push_back({std::move(table), last ? newest.begin : versions[index + 1].begin});
      break;
    }
  }
  return forms;
}

}  // namespace lockstep
