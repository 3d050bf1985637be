// What must hold of the catalog's rows, one question each.
#include "base/hash.h"
#include "hub/inspection.h"
#include "hub/record_store_query.h"

#include <fmt/format.h>

#include <array>

namespace lockstep {

namespace {

// `sql` counts, or lists, what is wrong; the first column of its rows names it.
struct Question {
  const char* what;
  const char* message;  // "{}" is what was found
  std::string_view sql;
};

constexpr std::array kQuestions = {
    Question{"snapshots",
             "snapshots whose time is not after that of the one before: {}",
             "SELECT snapshot_id FROM (SELECT snapshot_id, snapshot_time, lag(snapshot_time) OVER "
             "(ORDER BY snapshot_id) AS before FROM ducklake_snapshot) WHERE before >= "
             "snapshot_time"},
    Question{"snapshots",
             "snapshots without a row of changes: {}",
             "SELECT snapshot_id FROM ducklake_snapshot s WHERE NOT EXISTS (SELECT 1 FROM "
             "ducklake_snapshot_changes c WHERE c.snapshot_id = s.snapshot_id)"},
    Question{"snapshots",
             "foreign commits, made by another program: snapshots {}",
             "SELECT snapshot_id FROM ducklake_snapshot s WHERE s.snapshot_id > (SELECT "
             "min(snapshot_id) FROM lockstep_commit) AND NOT EXISTS (SELECT 1 FROM lockstep_commit "
             "c WHERE c.snapshot_id = s.snapshot_id)"},
    Question{
        "snapshots",
        "commits whose time is not after that of the one before: {}",
        "SELECT commit_id FROM (SELECT commit_id, commit_time, lag(commit_time) OVER (ORDER BY "
        "commit_id) AS before FROM lockstep_commit) WHERE before >= commit_time"},
    Question{"snapshots",
             "the newest snapshot counts files or tables that are there already: {}",
             "SELECT snapshot_id FROM ducklake_snapshot WHERE snapshot_id = (SELECT "
             "max(snapshot_id) FROM ducklake_snapshot) AND (next_file_id <= (SELECT "
             "coalesce(max(data_file_id), -1) FROM ducklake_data_file) OR next_file_id <= (SELECT "
             "coalesce(max(delete_file_id), -1) FROM ducklake_delete_file) OR next_catalog_id <= "
             "(SELECT coalesce(max(table_id), -1) FROM ducklake_table))"},
    Question{"tables",
             "tables that Lockstep does not find in DuckLake's catalog: {}",
             "SELECT layer || '.' || dataset FROM lockstep_table r WHERE NOT EXISTS (SELECT 1 FROM "
             "ducklake_table t WHERE t.table_id = r.table_id)"},
    Question{"tables",
             "data files that end before they begin: {}",
             "SELECT data_file_id FROM ducklake_data_file WHERE end_snapshot <= begin_snapshot"},
    Question{"tables",
             "files with deletes of a data file that is not there: {}",
             "SELECT delete_file_id FROM ducklake_delete_file d WHERE NOT EXISTS (SELECT 1 FROM "
             "ducklake_data_file f WHERE f.data_file_id = d.data_file_id)"},
    Question{
        "models",
        "versions whose definition is not there: {}",
        "SELECT model || '@' || version FROM lockstep_model_version v WHERE NOT EXISTS (SELECT "
        "1 FROM lockstep_definition d WHERE d.sha256 = v.definition)"},
    Question{"models",
             "aliases of a version that is not there: {}",
             "SELECT model || '@' || alias FROM lockstep_alias_event e WHERE e.version IS NOT NULL "
             "AND NOT EXISTS (SELECT 1 FROM lockstep_model_version v WHERE v.model = e.model AND "
             "v.version = e.version)"},
    Question{
        "models",
        "versions of a snapshot that was never made: {}",
        "SELECT model || '@' || version FROM lockstep_model_version WHERE snapshot_id > (SELECT "
        "max(snapshot_id) FROM ducklake_snapshot)"},
};

constexpr Question kTagQuestion = {
    "tags",
    "tags of a snapshot that is not there: {}",
    "SELECT name FROM lockstep_tag t WHERE NOT EXISTS (SELECT 1 FROM ducklake_snapshot s WHERE "
    "s.snapshot_id = t.snapshot_id)"};

// "3, 4, 5 and 12 more"
std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 5;
  const std::size_t shown = std::min(names.size(), kShown);
  std::string text = fmt::format(
      "{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

Result<void> ask(Catalog& catalog, const Question& question, std::vector<Finding>& out) {
  const std::vector<std::string> found = TRY(read_rows(catalog, question.sql, {}, text_row));
  if (found.empty()) return {};
  out.push_back({FindingLevel::kFail,
                 question.what,
                 fmt::format(fmt::runtime(question.message), listed(found)),
                 kRestore});
  return {};
}

// Of one table's inlined rows and of deletes beside its files.
Result<void> ask_of_table(Catalog& catalog, std::int64_t table_id, std::vector<Finding>& out) {
  const auto inlined = TRY(read_rows(
      catalog,
      "SELECT table_name FROM ducklake_inlined_data_tables WHERE table_id = ? ORDER BY table_name",
      {table_id},
      text_row));
  for (const std::string& name : inlined) {
    const std::string quoted = quote_identifier(name);
    TRY(ask(catalog,
            {"tables",
             "inlined rows that end before they begin: {}",
             fmt::format("SELECT row_id FROM {} WHERE end_snapshot <= begin_snapshot", quoted)},
            out));
    TRY(ask(catalog,
            {"tables",
             "inlined rows that stand there twice: {}",
             fmt::format("SELECT row_id FROM {} WHERE end_snapshot IS NULL GROUP BY row_id HAVING "
                         "count(*) > 1",
                         quoted)},
            out));
    TRY(ask(catalog,
            {"tables",
             "inlined rows with an id that is given again: {}",
             fmt::format("SELECT row_id FROM {} WHERE row_id >= (SELECT next_row_id FROM "
                         "ducklake_table_stats WHERE table_id = {})",
                         quoted,
                         table_id)},
            out));
  }
  const std::string deletes = inlined_deletes_name(table_id);
  if (!catalog.table_exists(deletes)) return {};
  return ask(catalog,
             {"tables",
              "deletes of rows that no file has: {}",
              fmt::format("SELECT file_id FROM {} d WHERE NOT EXISTS (SELECT 1 FROM "
                          "ducklake_data_file f WHERE f.data_file_id = d.file_id AND d.row_id >= 0 "
                          "AND d.row_id < f.record_count) AND NOT EXISTS (SELECT 1 FROM "
                          "ducklake_files_scheduled_for_deletion s WHERE s.data_file_id = "
                          "d.file_id)",
                          quote_identifier(deletes))},
             out);
}

Result<void> check_hashes(Catalog& catalog, std::vector<Finding>& out) {
  std::vector<std::string> wrong;
  const auto weights = [&](const Statement& row) -> Result<bool> {
    const bool same = row.text(2) == sha256_hex(row.text(3));
    if (!same) wrong.push_back(fmt::format("{}@{}", row.text(0), row.integer(1)));
    return same;
  };
  TRY(read_rows(catalog,
                "SELECT model, version, weights_sha256, weights FROM lockstep_model_version WHERE "
                "length(weights) > 0",
                {},
                weights));
  if (!wrong.empty()) {
    out.push_back({FindingLevel::kFail,
                   "models",
                   fmt::format("versions whose weights are not what was stored: {}", listed(wrong)),
                   kRestore});
  }
  wrong.clear();
  const auto definition = [&](const Statement& row) -> Result<bool> {
    const bool same = row.text(0) == sha256_hex(row.text(1));
    if (!same) wrong.emplace_back(row.text(0));
    return same;
  };
  TRY(read_rows(catalog, "SELECT sha256, json FROM lockstep_definition", {}, definition));
  if (wrong.empty()) return {};
  out.push_back({FindingLevel::kFail,
                 "models",
                 fmt::format("definitions that are not what was stored: {}", listed(wrong)),
                 kRestore});
  return {};
}

Result<void> add_count(Catalog& catalog,
                       const char* what,
                       const char* message,
                       const std::string& sql,
                       std::vector<Finding>& out) {
  for (const Finding& other : out) {
    if (other.what == what) return {};
  }
  const Cell count = TRY(catalog.single(sql));
  const auto* const number = std::get_if<std::int64_t>(&count);
  out.push_back({FindingLevel::kOk,
                 what,
                 fmt::format(fmt::runtime(message), number == nullptr ? 0 : *number),
                 ""});
  return {};
}

}  // namespace

Result<std::vector<Finding>> inspect_catalog(Catalog& catalog) {
  std::vector<Finding> out;
  for (const Question& question : kQuestions)
    TRY(ask(catalog, question, out));
  const auto id = [](const Statement& row) -> Result<std::int64_t> { return row.integer(0); };
  for (const std::int64_t table_id :
       TRY(read_rows(catalog, "SELECT table_id FROM lockstep_table ORDER BY table_id", {}, id))) {
    TRY(ask_of_table(catalog, table_id, out));
  }
  TRY(check_hashes(catalog, out));
  const bool tags = catalog.table_exists("lockstep_tag");
  if (tags) TRY(ask(catalog, kTagQuestion, out));
  TRY(add_count(
      catalog, "snapshots", "{} snapshots", "SELECT count(*) FROM ducklake_snapshot", out));
  TRY(add_count(catalog, "tables", "{} tables", "SELECT count(*) FROM lockstep_table", out));
  TRY(add_count(catalog,
                "models",
                "{} versions of models",
                "SELECT count(*) FROM lockstep_model_version",
                out));
  if (tags) TRY(add_count(catalog, "tags", "{} tags", "SELECT count(*) FROM lockstep_tag", out));
  return out;
}

Result<std::vector<std::string>> page_damage(Catalog& catalog) {
  std::vector<std::string> texts =
      TRY(read_rows(catalog, "PRAGMA integrity_check(20)", {}, text_row));
  if (texts == std::vector<std::string>{"ok"}) texts.clear();
  return texts;
}

}  // namespace lockstep
