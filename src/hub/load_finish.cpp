// The end of a load: what was staged becomes what the catalog is told, and what was left behind
// goes.
#include "hub/inlined_rows.h"
#include "hub/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

namespace lockstep {

namespace {

// The rows of a batch but for the dead ones; rising.
std::vector<std::int64_t> survivors(std::int64_t row_count, const std::vector<std::int64_t>& dead) {
  std::vector<std::int64_t> rows;
  auto next = dead.begin();
  for (std::int64_t row = 0; row < row_count; ++row) {
    if (next != dead.end() && *next == row) {
      ++next;
    } else {
      rows.push_back(row);
    }
  }
  return rows;
}

}  // namespace

// Read by place, so that each row group is decoded once; in no other order.
Result<Batch> Load::leaving_rows(const LakeTable& table, const LoadPart& part) {
  std::vector<RowPlace> places = part.leaving;
  std::ranges::sort(places, {}, [](const RowPlace& place) {
    return std::tuple(place.file_id, place.position, place.row_id);
  });
  const Before& before = tables_.at(table.id);
  BatchBuilder rows(table.definition.schema);
  for (const RowPlace& place : places) {
    if (place.is_inlined()) {
      TRY(before.table->inlined.read_row(ground_.files.catalog(), table, place.row_id, rows));
      continue;
    }
    const auto piece = pieces_.find(place.file_id);
    const DataFile& file =
        piece != pieces_.end() ? piece->second.file : before.touched.at(place.file_id);
    TRY(ground_.files.fetch(table, file, {&place.position, 1}, {rows, 1}));
  }
  const Batch read = TRY(rows.finish());
  return read.with_all_signs(-1);
}

Result<Batch> Load::staged(const LakeTable& table, std::size_t stage) {
  LOCKSTEP_ASSERT(!writing_, "hub: staged rows are read before they are written");
  std::vector<Batch> changes;
  for (const LoadPart& part : stages_.at(stage).parts) {
    if (part.table_id != table.id) continue;
    changes.push_back(TRY(leaving_rows(table, part)));
    for (const WrittenFile& file : part.files)
      changes.push_back(TRY(piece_rows(file.file, table.columns)));
  }
  return concatenate(table.definition.schema, changes);
}

// A row that entered in one stage and left in another was never there: its file is written anew
// without it.
Result<void> Load::rewrite(Before& before, std::int64_t file_id, std::vector<std::int64_t> dead) {
  const WrittenFile old = pieces_.at(file_id);
  TableState& table = *before.table;
  const LakeTable& lake = table.lake;
  std::ranges::sort(dead);
  replaced_.push_back(old.file.path);
  pieces_.erase(file_id);
  table.files.erase(file_id);
  if (static_cast<std::int64_t>(dead.size()) == old.file.row_count) return {};
  std::vector<ParquetColumn> columns = lake.columns;
  const int id_column = static_cast<int>(columns.size());
  columns.push_back({{kRowIdColumn, Type::kInt}, kRowIdField});
  const Batch all = TRY(piece_rows(old.file, columns));
  const std::vector<std::int64_t> rows = survivors(all.row_count(), dead);
  const Batch kept = all.select_columns(first_columns(lake.columns.size())).select_rows(rows);
  TablePlan plan;
  plan.table = &table;
  plan.rows = &kept;
  const std::int64_t new_id = next_file_id_++;
  plan.files.push_back({.count = rows.size(),
                        .partition = old.file.partition,
                        .explicit_row_ids = true,
                        .row_id_start = old.file.row_id_start,
                        .id = new_id,
                        .name = next_piece_name()});
  for (std::size_t index = 0; index < rows.size(); ++index) {
    const std::int64_t row = rows[index];
    const std::int64_t row_id =
        all.is_null(id_column, row) ? old.file.row_id_start + row : all.int_at(id_column, row);
    const auto position = static_cast<std::int64_t>(index);
    plan.entering.emplace_back(position, row_id);
    table.index.set(encode_key(kept, lake.key, position), {row_id, new_id, position});
  }
  WrittenFiles written =
      TRY(write_data_files(ground_.io, ground_.files.data_path(), plan, ground_.base.id + 1));
  LOCKSTEP_ASSERT(written.size() == 1, "hub: one file was written anew as several");
  table.files[new_id] = written.front().file;
  pieces_[new_id] = std::move(written.front());
  return {};
}

// What the stages did to one table, by where the rows lie that leave.
struct Load::Tally {
  std::map<std::int64_t, std::vector<std::int64_t>> dead;  // of the load's own files
  std::map<std::int64_t, std::int64_t> leaving;            // of each older file
  std::set<std::int64_t> own;                              // the table's files of this load
};

void Load::tally_part(const LoadPart& part, Tally& tally, TablePlan& plan) const {
  plan.inserted += part.inserted;
  plan.updated += part.updated;
  plan.removed += part.removed;
  for (const WrittenFile& file : part.files)
    tally.own.insert(file.file.id);
  for (const RowPlace& place : part.leaving) {
    if (pieces_.contains(place.file_id)) {
      tally.dead[place.file_id].push_back(place.position);
    } else if (place.is_inlined()) {
      plan.ended_inlined.push_back(place.row_id);
    } else {
      plan.deleted.emplace_back(place.file_id, place.position);
      ++tally.leaving[place.file_id];
    }
  }
}

// A file that loses all its rows at once ends as a whole.
void Load::end_files(const Before& before, const Tally& tally, TablePlan& plan) {
  const auto ends = [&](std::int64_t file) {
    return tally.leaving.at(file) == before.touched.at(file).row_count;
  };
  for (const auto& [file, count] : tally.leaving) {
    if (ends(file)) plan.ended_files.push_back(file);
  }
  std::erase_if(plan.deleted, [&](const auto& deleted) { return ends(deleted.first); });
}

Result<void> Load::finish_table(Before& before) {
  TableState& table = *before.table;
  LoadedTable out;
  out.plan.table = &table;
  Tally tally;
  for (const LoadStage& stage : stages_) {
    for (const LoadPart& part : stage.parts) {
      if (part.table_id == table.lake.id) tally_part(part, tally, out.plan);
    }
  }
  end_files(before, tally, out.plan);
  for (auto& [file_id, positions] : tally.dead) {
    tally.own.erase(file_id);
    const std::int64_t rewritten = next_file_id_;
    TRY(rewrite(before, file_id, std::move(positions)));
    if (next_file_id_ > rewritten) tally.own.insert(rewritten);
  }
  out.after = before.statistics;
  for (const std::int64_t file_id : tally.own) {
    const WrittenFile& file = pieces_.at(file_id);
    out.files.push_back(file);
    out.after.stored = true;
    out.after.record_count += file.file.row_count;
    out.after.file_bytes += static_cast<std::int64_t>(file.info.size_bytes);
    for (std::size_t column = 0; column < out.after.columns.size(); ++column)
      out.after.columns[column].widen(bounds_of(file.info.columns[column]));
  }
  // The plan says that rows went to files; which ones stand in `files`.
  out.plan.files.resize(out.files.size());
  out.after.next_row_id = table.statistics.next_row_id;
  // Until it is committed the table is, for the catalog, as it was.
  table.statistics = before.statistics;
  loaded_.push_back(std::move(out));
  return {};
}

Result<void> Load::finish() {
  TRY(settle());
  LOCKSTEP_ASSERT(loaded_.empty(), "hub: a load is finished once");
  for (auto& [id, before] : tables_)
    TRY(finish_table(before));
  return {};
}

void Load::publish() {
  for (LoadedTable& loaded : loaded_) {
    TableState& table = *loaded.plan.table;
    table.statistics = std::move(loaded.after);
    table.has_inlined_deletes = table.has_inlined_deletes || !loaded.plan.deleted.empty();
    for (const std::int64_t file : loaded.plan.ended_files)
      table.files.erase(file);
  }
}

Result<void> Load::end() {
  for (const std::string& path : replaced_) {
    const Result<void> removed = ground_.io.remove(path);
    if (!removed.ok() && removed.error().code != Code::kNotFound) return removed.error();
  }
  return ground_.io.remove(load_journal_path(ground_.files.data_path()));
}

Result<void> apply_loaded(Catalog& catalog, const LoadedTable& loaded, std::int64_t snapshot) {
  const TableState& table = *loaded.plan.table;
  TRY(apply_table(catalog, loaded.plan, {}, snapshot));
  for (const WrittenFile& file : loaded.files)
    TRY(insert_data_file(catalog, table.lake, file));
  if (loaded.files.empty()) return {};
  return store_statistics(catalog, table.lake, table.statistics, loaded.after);
}

namespace {

Result<bool> is_named(Catalog& catalog, const std::string& name) {
  for (const char* table : {"ducklake_data_file", "ducklake_files_scheduled_for_deletion"}) {
    // A file that is scheduled stands there with its whole path.
    const Cell found = TRY(catalog.single(
        fmt::format("SELECT 1 FROM {} WHERE path = ?1 OR path LIKE '%/' || ?1 LIMIT 1", table),
        {name}));
    if (!std::holds_alternative<std::monostate>(found)) return true;
  }
  return false;
}

}  // namespace

Result<void> remove_pieces(Io& io,
                           Catalog& catalog,
                           const std::string& data_path,
                           const LoadJournalContent& content,
                           bool keeps_whole) {
  std::set<std::string> kept;
  for (const LoadStage& stage : content.stages) {
    for (const LoadPart& part : stage.parts) {
      for (const WrittenFile& file : part.files) {
        if (keeps_whole) kept.insert(file_name(file.name));
      }
    }
  }
  const std::string prefix = load_prefix(content.id);
  // A layer, a table, and the folders of its partition.
  std::vector<std::string> folders = {data_path};
  while (!folders.empty()) {
    const std::string folder = std::move(folders.back());
    folders.pop_back();
    for (const FileInfo& file : TRY(io.list(folder))) {
      const std::string name = file_name(file.path);
      if (file.is_directory) folders.push_back(file.path);
      if (file.is_directory || !name.starts_with(prefix) || kept.contains(name)) continue;
      if (!TRY(is_named(catalog, name))) TRY(io.remove(file.path));
    }
  }
  return {};
}

Result<void> discard_load(Io& io, Catalog& catalog, const std::string& data_path) {
  const std::string path = load_journal_path(data_path);
  const auto content = TRY(read_load_journal(io, path));
  if (content) TRY(remove_pieces(io, catalog, data_path, *content, false));
  const Result<void> removed = io.remove(path);
  if (removed.ok() || removed.error().code == Code::kNotFound) return {};
  return removed;
}

}  // namespace lockstep
