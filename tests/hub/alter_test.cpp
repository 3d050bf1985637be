// Columns that come, go, widen and change their names: every snapshot keeps its own.
#include "hub/alter.h"

#include "hub/alter_history.h"
#include "hub/change_scan.h"
#include "hub/lake_tables.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>
#include <set>

namespace lockstep {
namespace {

constexpr HubOptions kMixed{
    .inline_rows_max = 6, .log_bytes_max = 1 << 20, .inlined_deletes_max = 3};
constexpr CompactionLimits kSmallSteps{
    .rows_min = 1, .rows_max = 5, .older_rows_min = 1, .files_min = 2};

std::multiset<std::string> rows_of(const Batch& batch) {
  std::multiset<std::string> rows;
  for (std::int64_t row = 0; row < batch.row_count(); ++row) {
    std::string bytes;
    append_row_bytes(batch, row, bytes);
    rows.insert(std::move(bytes));
  }
  return rows;
}

Batch expected_changes(const AlteredModel& from,
                       const AlteredModel& to,
                       const AlteredModel& later) {
  const std::vector<Batch> both = {rows_as(from, later).with_all_signs(-1), rows_as(to, later)};
  const Schema schema = later.definition({}).schema;
  return must(in_key_order(must(net(must(concatenate(schema, both)), std::vector<int>{0})), {0}));
}

void expect_snapshots(Hub& hub, const AlterHistory& history) {
  for (const auto& [snapshot, model] : history.snapshots()) {
    const SnapshotId at{snapshot};
    const auto definition = must(hub.table(AlterHistory::table(), at));
    ASSERT_TRUE(definition.has_value());
    ASSERT_EQ(*definition, model.definition(AlterHistory::table())) << "snapshot " << snapshot;
    const Batch rows = must(hub.read(AlterHistory::table(), at));
    ASSERT_EQ(rows_of(rows), rows_of(rows_as(model, model))) << "snapshot " << snapshot;
    ASSERT_EQ(must(hub.row_count(AlterHistory::table(), at)),
              static_cast<std::int64_t>(model.rows.size()));
  }
}

void expect_differences(Hub& hub, AlterHistory& history) {
  std::vector<std::int64_t> ids;
  for (const auto& [snapshot, model] : history.snapshots())
    ids.push_back(snapshot);
  for (int pair = 0; pair < 15; ++pair) {
    const std::int64_t from = ids[history.below(ids.size())];
    const std::int64_t to = ids[history.below(ids.size())];
    const AlteredModel& later = history.snapshots().at(std::max(from, to));
    const Batch changes =
        must(hub.changes(AlterHistory::table(), SnapshotId{from}, SnapshotId{to}));
    const Batch expected =
        expected_changes(history.snapshots().at(from), history.snapshots().at(to), later);
    ASSERT_TRUE(changes.equals(expected)) << from << " to " << to;
  }
}

void expect_lookups(Hub& hub, const AlterHistory& history) {
  const AlteredModel& model = history.snapshots().rbegin()->second;
  BatchBuilder keys(Schema({model.columns.front().field}));
  for (std::int64_t key = 0; key < 40; ++key)
    keys.append_row(std::vector<Value>{key});
  const Lookup found = must(hub.lookup(AlterHistory::table(), must(keys.finish())));
  for (std::int64_t key = 0; key < 40; ++key) {
    const auto row = model.rows.find(key);
    const std::int64_t at = found.row_of_key[static_cast<std::size_t>(key)];
    ASSERT_EQ(at >= 0, row != model.rows.end()) << key;
    if (at < 0) continue;
    const Batch one = batch_of(found.rows.schema(), {row_as(row->second, model)});
    ASSERT_TRUE(rows_equal(found.rows, at, one, 0)) << key;
  }
}

// hub-10
TEST(Alter, EverySnapshotDifferenceAndLookupIsThatOfTheModel) {
  const char* named = getenv("LOCKSTEP_SEED");
  const std::uint64_t first = named != nullptr ? std::stoull(named) : 1;
  const std::uint64_t count = named != nullptr ? 1 : 10;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE(fmt::format("LOCKSTEP_SEED={}", seed));
    HubPlayground ground;
    auto hub = ground.open(kMixed);
    AlterHistory history(*hub, seed);
    for (int step = 0; step < 25; ++step) {
      history.commit();
      // Rows and files of every form that the table had move too (hub-8).
      if (history.below(3) == 0) must(hub->compact(kSmallSteps));
      if (history.below(6) != 0) continue;
      hub.reset();
      hub = ground.open(kMixed);
      history.use(*hub);
    }
    expect_snapshots(*hub, history);
    expect_differences(*hub, history);
    expect_lookups(*hub, history);
    const auto reader = ground.open(kMixed, HubMode::kRead);
    expect_snapshots(*reader, history);
    if (HasFatalFailure()) return;
  }
}

Schema with(const Schema& schema, const std::string& name, Type type) {
  std::vector<Field> fields = schema.fields();
  for (Field& field : fields) {
    if (field.name != name) continue;
    field.type = type;
    return Schema(std::move(fields));
  }
  fields.push_back({name, type});
  return Schema(std::move(fields));
}

TEST(Alter, RefusesWhatATableCannotTakeInPlace) {
  HubPlayground ground;
  auto hub = ground.open();
  CommitRequest request;
  request.create.push_back(all_types());
  must(hub->commit(request));
  const SnapshotId before = hub->latest_snapshot();
  const Schema schema = all_types().schema;

  struct Case {
    TableDefinition after;
    std::map<std::string, std::string> renamed;
    const char* message;
  };

  const TableName name = all_types().name;
  const std::vector<Field> fields = schema.fields();
  const Case cases[] = {
      {{name, with(schema, "amount", Type::kInt), {"id"}},
       {},
       "raw.types: column amount is float and cannot become int"},
      {{name, with(schema, "flag", Type::kInt), {"id"}},
       {},
       "raw.types: column flag is bool and cannot become int"},
      {{name, with(schema, "day", Type::kTimestamp), {"id"}},
       {},
       "raw.types: column day is date and cannot become timestamp"},
      {{name, with(schema, "id", Type::kFloat), {"id"}},
       {},
       "raw.types: column id is int and cannot become float, since it is part of the key"},
      {{name, Schema({fields.begin() + 1, fields.end()}), {"note"}},
       {},
       "raw.types: column id is part of the key and cannot be dropped"},
      {{name, schema, {"id", "note"}}, {}, "raw.types: its key cannot become another"},
      {{name, with(schema, "row_id", Type::kInt), {"id"}}, {}, nullptr},
      {{name, with(schema, "fresh", Type::kInt), {"id"}}, {{"fresh", "gone"}}, nullptr},
      {{{Layer::kRaw, "other"}, schema, {"id"}}, {}, nullptr},
  };
  for (const Case& wrong : cases) {
    CommitRequest altering;
    altering.alter.push_back({wrong.after, wrong.renamed});
    const auto done = hub->commit(altering);
    ASSERT_FALSE(done.ok());
    if (wrong.message != nullptr) {
      EXPECT_EQ(done.error().message, wrong.message);
      EXPECT_EQ(done.error().code, Code::kUnsupported);
      EXPECT_FALSE(done.error().hint.empty());
    }
    EXPECT_EQ(hub->latest_snapshot(), before);
    EXPECT_EQ(must(hub->table(name, before))->schema, schema);
  }
}

// hub-8, hub-10
TEST(Alter, LeavesRowsFromBeforeItToCompaction) {
  HubPlayground ground;
  auto hub = ground.open();
  const TableName name = small_table().name;
  const TableDefinition after = {
      name, Schema({{"id", Type::kInt}, {"label", Type::kText}, {"y", Type::kFloat}}), {"id"}};
  CommitRequest create;
  create.create.push_back(small_table());
  must(hub->commit(create));
  const auto put = [&](const Batch& rows) {
    CommitRequest request;
    request.changes.push_back({name, rows});
    return *must(hub->commit(request)).snapshot;
  };
  // Files of 20 rows each, then inlined ones of which some are dead.
  for (std::int64_t first = 0; first < 80; first += 20) {
    put(numbered_rows(first, first + 20));
    must(hub->compact({.rows_min = 1, .files_min = 0}));
  }
  put(numbered_rows(80, 90));
  const SnapshotId old = put(numbered_rows(85, 87, -1));
  const Batch old_rows = must(hub->read(name, old));
  CommitRequest alter;
  alter.alter.push_back({after, {{"label", "name"}}});
  const SnapshotId altered = *must(hub->commit(alter)).snapshot;
  put(batch_of(after.schema, {{std::int64_t{3}, Value{}, Value{}}}, {-1}));
  const SnapshotId last =
      put(batch_of(after.schema, {{std::int64_t{200}, std::string("new"), 1.5}}));
  const Batch changes = must(hub->changes(name, altered, last));
  while (must(hub->compact({.rows_min = 1, .older_rows_min = 1, .files_min = 4})).state !=
         CompactionState::kNothing) {
  }
  const DiskUse use = must(hub->disk_use());
  EXPECT_EQ(use.inlined_rows, 0);
  EXPECT_EQ(use.data_files, 3) << "four of one size became one, and each form flushed one";
  EXPECT_EQ(rows_of(must(hub->read(name, old))), rows_of(old_rows));
  EXPECT_EQ(must(hub->read(name, altered)).row_count(), 88);
  EXPECT_EQ(must(hub->read(name, last)).row_count(), 88);
  EXPECT_TRUE(must(hub->changes(name, altered, last)).equals(changes));
  BatchBuilder keys(Schema({{"id", Type::kInt}}));
  for (std::int64_t id = 0; id < 300; ++id)
    keys.append_row(std::vector<Value>{id}, 1);
  const Batch asked = must(keys.finish());
  EXPECT_EQ(must(hub->lookup(name, asked)).rows.row_count(), 88);
  hub.reset();
  hub = ground.open();
  EXPECT_EQ(must(hub->lookup(name, asked)).rows.row_count(), 88);
}

TEST(Alter, ToTheSameColumnsIsNoSnapshot) {
  HubPlayground ground;
  auto hub = ground.open();
  CommitRequest request;
  request.create.push_back(all_types());
  must(hub->commit(request));
  CommitRequest same;
  same.alter.push_back({all_types(), {}});
  EXPECT_FALSE(must(hub->commit(same)).snapshot.has_value());
}

// DuckDB 1.5.5 would take bounds of floats for older snapshots too, where the column is whole.
TEST(Alter, AColumnThatBecameFloatHasNoBoundsInTheCatalog) {
  HubPlayground ground;
  auto hub = ground.open();
  const TableName name = small_table().name;
  const TableDefinition before = {name, Schema({{"id", Type::kInt}, {"x", Type::kInt}}), {"id"}};
  const TableDefinition after = {name, Schema({{"id", Type::kInt}, {"x", Type::kFloat}}), {"id"}};
  CommitRequest request;
  request.create.push_back(before);
  request.changes.push_back({name, batch_of(before.schema, {{std::int64_t{1}, std::int64_t{7}}})});
  must(hub->commit(request));
  for (const std::int64_t id : {2, 3}) {
    CommitRequest next;
    if (id == 2) next.alter.push_back({after, {}});
    next.changes.push_back({name, batch_of(after.schema, {{id, -INFINITY}})});
    must(hub->commit(next));
    const auto catalog =
        must(open_sqlite(ground.io(), ground.folder() + "/catalog.sqlite", CatalogMode::kRead));
    EXPECT_EQ(must(catalog->single("SELECT coalesce(min_value, max_value, contains_nan) FROM "
                                   "ducklake_table_column_stats WHERE column_id = 2")),
              Cell(std::int64_t{1}));
    hub = nullptr;
    hub = ground.open();
  }
}

// Fails an altering commit at each of its file operations: the columns, the rows and the lookups
// are those from before, or those from after.
TEST(Alter, IsThereWholeOrNotAtAllWhateverOperationFails) {
  for (int fail_at = 1; fail_at < 200; ++fail_at) {
    HubPlayground ground;
    auto hub = ground.open(kMixed);
    CommitRequest create;
    create.create.push_back(
        {{Layer::kRaw, "t"}, Schema({{"id", Type::kInt}, {"x", Type::kInt}}), {"id"}});
    BatchBuilder old_rows(create.create[0].schema);
    for (std::int64_t id = 0; id < 12; ++id)
      old_rows.append_row(std::vector<Value>{id, id * 2});
    create.changes.push_back({create.create[0].name, must(old_rows.finish())});
    must(hub->commit(create));
    const SnapshotId before = hub->latest_snapshot();
    CommitRequest altering;
    altering.alter.push_back(
        {{create.create[0].name,
          Schema({{"key", Type::kInt}, {"x", Type::kFloat}, {"n", Type::kText}}),
          {"key"}},
         {{"key", "id"}}});
    int seen = 0;
    ground.io().observe([&](IoOperation, std::string_view) -> Result<void> {
      if (++seen == fail_at) return make_error(Code::kIo, "the test's disk failed");
      return {};
    });
    const auto done = hub->commit(altering);
    ground.io().observe({});
    const auto expect_state = [&](Hub& now) {
      const bool stored = now.latest_snapshot() != before;
      const auto table = must(now.table(create.create[0].name, now.latest_snapshot()));
      ASSERT_EQ(table->schema.size(), stored ? 3 : 2) << fail_at;
      const Batch rows = must(now.read(create.create[0].name, now.latest_snapshot()));
      ASSERT_EQ(rows.row_count(), 12);
      ASSERT_EQ(rows.number_at(1, 5), 10) << fail_at;
    };
    // A commit whose last step failed leaves the writer ignorant, and it says so.
    if (done.ok() || hub->commit({}).ok()) expect_state(*hub);
    hub.reset();
    hub = ground.open(kMixed);
    expect_state(*hub);
    if (seen < fail_at) {
      EXPECT_TRUE(done.ok());
      EXPECT_GT(fail_at, 8);
      return;
    }
  }
  FAIL() << "the commit never ended";
}

// The rows that DuckDB writes for ALTER TABLE ... ADD COLUMN extra BIGINT DEFAULT 7, and then for
// RENAME COLUMN x TO y: old rows, inlined and in files, have the default.
TEST(Alter, ByAnotherClientIsReadWithItsDefault) {
  HubPlayground ground;
  auto hub = ground.open(kMixed);
  CommitRequest create;
  create.create.push_back(
      {{Layer::kRaw, "t"}, Schema({{"id", Type::kInt}, {"x", Type::kFloat}}), {"id"}});
  const TableName name = create.create[0].name;
  must(hub->commit(create));
  for (const auto& [first, end] : {std::pair(0, 10), std::pair(10, 13)}) {  // a file, inlined rows
    BatchBuilder rows(create.create[0].schema);
    for (std::int64_t id = first; id < end; ++id)
      rows.append_row(std::vector<Value>{id, static_cast<double>(id) / 2});
    CommitRequest insert;
    insert.changes.push_back({name, must(rows.finish())});
    must(hub->commit(insert));
  }
  const SnapshotId before = hub->latest_snapshot();
  hub.reset();
  const auto catalog =
      must(open_sqlite(ground.io(), ground.folder() + "/catalog.sqlite", CatalogMode::kWrite));
  const std::int64_t id = std::get<std::int64_t>(
      must(catalog->single("SELECT table_id FROM ducklake_table WHERE table_name = 't'")));
  LakeSnapshot next = must(newest_snapshot(*catalog));
  ++next.id;
  ++next.schema_version;
  must(insert_snapshot(*catalog, next, {fmt::format("altered_table:{}", id), "", ""}));
  must(catalog->execute(fmt::format(
      "CREATE TABLE ducklake_inlined_data_{0}_{1}(row_id BIGINT, begin_snapshot BIGINT, "
      "end_snapshot BIGINT, id BIGINT, y VARCHAR, extra BIGINT);"
      "INSERT INTO ducklake_column VALUES(3, {2}, NULL, {0}, 3, 'extra', 'int64', '7', '7', 1, "
      "NULL, 'literal', 'duckdb');"
      "UPDATE ducklake_column SET end_snapshot = {2} WHERE table_id = {0} AND column_id = 2;"
      "INSERT INTO ducklake_column VALUES(2, {2}, NULL, {0}, 2, 'y', 'float64', NULL, 'NULL', 1, "
      "NULL, 'literal', 'duckdb');"
      "INSERT INTO ducklake_inlined_data_tables VALUES({0}, 'ducklake_inlined_data_{0}_{1}', {1});"
      "INSERT INTO ducklake_schema_versions VALUES({2}, {1}, {0});"
      "INSERT INTO ducklake_inlined_data_{0}_{1} VALUES(13, {2}, NULL, 13, '6.5', 8);",
      id,
      next.schema_version,
      next.id)));
  const auto reader = ground.open(kMixed, HubMode::kRead);
  EXPECT_EQ(must(reader->read(name, before)).schema().size(), 2);
  const Batch rows = must(reader->read(name, SnapshotId{next.id}));
  EXPECT_EQ(rows.schema().names(), (std::vector<std::string>{"id", "y", "extra"}));
  ASSERT_EQ(rows.row_count(), 14);
  for (std::int64_t row = 0; row < rows.row_count(); ++row) {
    EXPECT_EQ(rows.float_at(1, row), static_cast<double>(rows.int_at(0, row)) / 2);
    EXPECT_EQ(rows.int_at(2, row), rows.int_at(0, row) == 13 ? 8 : 7);
  }
}

nlohmann::json json_of(const Value& value) {
  if (is_null(value)) return nullptr;
  if (const bool* flag = std::get_if<bool>(&value)) return *flag;
  if (const std::int64_t* number = std::get_if<std::int64_t>(&value)) return *number;
  if (const double* number = std::get_if<double>(&value)) return *number;
  if (const Timestamp* time = std::get_if<Timestamp>(&value)) return time->us;
  return value_text(value);
}

// tests/e2e/ducklake_alter_test.py names a folder and compares what DuckDB reads there.
TEST(Alter, IsWrittenOutForAnotherClient) {
  const char* named = getenv("LOCKSTEP_HUB_DUMP");
  const HubPlayground scratch;
  const std::string folder = named != nullptr ? named : scratch.folder() + "/dump";
  for (std::uint64_t seed = 101; seed <= 104; ++seed) {
    const std::string hub_folder = fmt::format("{}/{}", folder, seed);
    std::filesystem::create_directories(hub_folder);
    HubPlayground ground(hub_folder);
    auto hub = ground.open(kMixed);
    AlterHistory history(*hub, seed);
    for (int step = 0; step < 18; ++step)
      history.commit();
    std::ofstream out(hub_folder + "/expected.ndjson");
    for (const auto& [snapshot, model] : history.snapshots()) {
      nlohmann::json columns = nlohmann::json::array();
      for (const ModelColumn& column : model.columns)
        columns.push_back({column.id, column.field.name, type_name(column.field.type)});
      nlohmann::json rows = nlohmann::json::array();
      for (const auto& [key, cells] : model.rows) {
        nlohmann::json line = nlohmann::json::array();
        for (const Value& value : row_as(cells, model))
          line.push_back(json_of(value));
        rows.push_back(std::move(line));
      }
      out << nlohmann::json{{"snapshot", snapshot}, {"columns", columns}, {"rows", rows}}.dump()
          << "\n";
    }
    EXPECT_GT(history.snapshots().size(), 8U);
  }
}

}  // namespace
}  // namespace lockstep
