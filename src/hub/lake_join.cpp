#include "hub/lake_join.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

namespace {

Result<std::string> metadata(Catalog& catalog, const std::string& key) {
  const Cell value = TRY(catalog.single(
      "SELECT \"value\" FROM ducklake_metadata WHERE \"key\" = ? AND \"scope\" IS NULL", {key}));
  const auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? std::string() : *text;
}

Result<void> check_place(Catalog& catalog, Io& io, const std::string& data_path) {
  const std::string written = TRY(metadata(catalog, "data_path"));
  std::string there = TRY(io.absolute(written));
  if (!there.ends_with('/')) there += '/';
  if (there == data_path) return {};
  return make_error(Code::kRefused,
                    fmt::format("the lake's files lie in {}, not in {}", there, data_path),
                    fmt::format("set data: {} under hub", there));
}

// A layer's tables lie in the folder that bears its name.
Result<void> check_schemas(Catalog& catalog) {
  const Cell elsewhere =
      TRY(catalog.single("SELECT schema_name FROM ducklake_schema WHERE end_snapshot IS NULL AND "
                         "path_is_relative = 0 AND schema_name IN ('raw', 'clean', 'train', "
                         "'rejected')"));
  const auto* name = std::get_if<std::string>(&elsewhere);
  if (name == nullptr) return {};
  return make_error(Code::kUnsupported,
                    fmt::format("the lake has a schema {} outside of its folder of files", *name),
                    "rename it, or name another lake");
}

}  // namespace

Result<LakeSnapshot> join_lake(Catalog& catalog, Io& io, const std::string& data_path) {
  TRY(check_lake_version(catalog));
  if (TRY(metadata(catalog, "encrypted")) == "true") {
    return make_error(Code::kUnsupported,
                      "the lake's files are encrypted, which Lockstep does not read",
                      "make a lake without ENCRYPTED, and copy the tables there");
  }
  TRY(check_place(catalog, io, data_path));
  TRY(check_schemas(catalog));
  TRY(add_lake_indexes(catalog));
  LakeSnapshot next = TRY(newest_snapshot(catalog));
  const LakeSnapshot newest = next;
  ++next.id;
  ++next.schema_version;
  next.time = {std::max(io.now_us(), newest.time.us + 1)};
  const std::string changes = TRY(insert_layer_schemas(catalog, io, next));
  if (changes.empty()) return newest;
  TRY(insert_snapshot(catalog, next, {changes, "the layers", ""}));
  return next;
}

Result<void> refuse_name_of_others(Catalog& catalog, const TableName& name) {
  const Cell found = TRY(catalog.single(
      "SELECT t.table_name FROM ducklake_schema s JOIN (SELECT table_id, schema_id, table_name, "
      "end_snapshot FROM ducklake_table UNION ALL SELECT view_id, schema_id, view_name, "
      "end_snapshot FROM ducklake_view) t ON t.schema_id = s.schema_id "
      "WHERE s.schema_name = ? AND t.end_snapshot IS NULL AND lower(t.table_name) = lower(?) "
      "AND NOT EXISTS (SELECT 1 FROM lockstep_table l WHERE l.table_id = t.table_id)",
      {std::string(layer_name(name.layer)), name.dataset}));
  const auto* other = std::get_if<std::string>(&found);
  if (other == nullptr) return {};
  return make_error(
      Code::kRefused,
      fmt::format(
          "{}.{} is there already, and another program made it", layer_name(name.layer), *other),
      fmt::format("give the dataset another name, or rename it: ALTER TABLE {} RENAME TO ...",
                  quoted_table({name.layer, *other})));
}

}  // namespace lockstep
