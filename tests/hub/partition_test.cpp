// Partitions: which file a row goes to, that nothing a snapshot reads depends on it, and that scans
// pass over files by it.
#include "hub/partition.h"

#include "hub/fault_support.h"
#include "hub/hub_support.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <map>
#include <random>

namespace lockstep {
namespace {

struct ValueCase {
  const char* key;
  Value value;
  const char* text;
};

const auto kDay = Date{20'517};                          // 2026-03-05
const auto kTime = Timestamp{1'772'753'400'000'000};     // 2026-03-05 23:30:00
const auto kBefore = Timestamp{-500'000};                // 1969-12-31 23:59:59.5
const auto kIceberg = Timestamp{1'510'871'468'000'000};  // 2017-11-16 22:31:08

// As DuckDB 1.5.5 wrote them into ducklake_file_partition_value.
// clang-format off
const ValueCase kValues[] = {
    {"x", std::int64_t{-7}, "-7"},
    {"x", std::string("a b/c=%Ü"), "a b/c=%Ü"},
    {"x", std::string(), ""},
    {"x", kDay, "2026-03-05"},
    {"x", kBefore, "1969-12-31 23:59:59.5+00"},
    {"x", true, "true"},
    {"bucket(16, x)", std::int64_t{1}, "4"},
    {"bucket(16, x)", std::int64_t{-7}, "5"},
    {"bucket(16, x)", std::int64_t{34}, "3"},
    {"bucket(16, x)", std::string("a b/c=%Ü"), "5"},
    {"bucket(16, x)", std::string(), "0"},
    {"bucket(16, x)", std::string("iceberg"), "9"},
    {"bucket(16, x)", kDay, "13"},
    {"bucket(16, x)", Date{-1}, "8"},
    {"bucket(16, x)", kTime, "2"},
    {"bucket(16, x)", kBefore, "15"},
    {"bucket(16, x)", kIceberg, "7"},
    {"bucket(16, x)", true, "4"},
    {"bucket(16, x)", false, "12"},
    {"bucket(16, x)", 1.5, "11"},
    {"bucket(16, x)", std::numeric_limits<double>::quiet_NaN(), "13"},
    {"bucket(16, x)", -0.0, "12"},
    {"year(x)", kTime, "2026"},
    {"year(x)", kBefore, "1969"},
    {"month(x)", kTime, "3"},
    {"month(x)", kBefore, "12"},
    {"month(x)", kDay, "3"},
    {"day(x)", kTime, "5"},
    {"day(x)", kBefore, "31"},
    {"day(x)", kIceberg, "16"},
    {"hour(x)", kTime, "23"},
    {"hour(x)", kBefore, "23"},
    {"hour(x)", kIceberg, "22"},
    {"year(x)", Date{-719'529}, "-1"},
    {"month(x)", Date{11'016}, "2"},
    {"day(x)", Date{11'016}, "29"},
};
// clang-format on

TEST(Partition, HasTheValuesOfDuckDB) {
  for (const ValueCase& one : kValues) {
    SCOPED_TRACE(std::string(one.key) + " of " + value_text(one.value));
    const auto keys = must(parse_partition(one.key));
    ASSERT_EQ(keys.size(), 1U);
    EXPECT_EQ(partition_value(keys[0], one.value), one.text);
    EXPECT_EQ(partition_value(keys[0], Value{}), std::nullopt);
    EXPECT_EQ(partition_text(keys[0]), one.key);
    EXPECT_EQ(must(partition_key(partition_transform(keys[0]), "x")), keys[0]);
  }
}

TEST(Partition, IsReadFromTextOrRefusedWithTheWayOut) {
  const auto keys = must(parse_partition("ward,  bucket( 8 , two words),month(seen)"));
  ASSERT_EQ(keys.size(), 3U);
  EXPECT_EQ(partition_text(keys[0]), "ward");
  EXPECT_EQ(partition_text(keys[1]), "bucket(8, two words)");
  EXPECT_EQ(partition_text(keys[2]), "month(seen)");
  for (const char* wrong : {"",
                            "a,",
                            "bucket(8)",
                            "bucket(0, a)",
                            "bucket(-1, a)",
                            "bucket(4096, a)",
                            "bucket(x, a)",
                            "bucket(8, )",
                            "bucket(8, a",
                            "week(a)",
                            "month()",
                            "a, a"}) {
    const auto parsed = parse_partition(wrong);
    ASSERT_FALSE(parsed.ok()) << wrong;
    EXPECT_FALSE(parsed.error().hint.empty()) << wrong;
  }
}

TEST(Partition, FitsSomeTypes) {
  const auto fits = [](const char* text, Type type) {
    const auto checked = check_partition_type(must(parse_partition(text))[0], type);
    EXPECT_TRUE(checked.ok() || !checked.error().hint.empty());
    return checked.ok();
  };
  EXPECT_TRUE(fits("x", Type::kText));
  EXPECT_FALSE(fits("x", Type::kFloat));
  EXPECT_TRUE(fits("bucket(4, x)", Type::kFloat));
  EXPECT_TRUE(fits("month(x)", Type::kDate));
  EXPECT_TRUE(fits("hour(x)", Type::kTimestamp));
  EXPECT_FALSE(fits("hour(x)", Type::kDate));
  EXPECT_FALSE(fits("month(x)", Type::kText));
}

TEST(Partition, NamesFoldersAsDuckDBDoes) {
  const Schema schema({{"s", Type::kText}, {"i", Type::kInt}, {"a b", Type::kDate}});
  const std::vector<int> ids = {1, 2, 3};
  const auto bound = [&](const char* text) {
    return must(bind_partition(must(parse_partition(text)), schema, ids));
  };
  EXPECT_EQ(partition_folder(bound("s"), {"a b/c=%Ü"}), "s=a%20b%2Fc%3D%25%C3%9C/");
  EXPECT_EQ(partition_folder(bound("s"), {""}), "s=/");
  EXPECT_EQ(partition_folder(bound("s"), {std::nullopt}), "s=__HIVE_DEFAULT_PARTITION__/");
  EXPECT_EQ(
      partition_folder(bound("month(a b), bucket(3, i), bucket(4, s), s"), {"1", "2", "3", "x"}),
      "month=1/bucket=2/bucket_s=3/s=x/");
  EXPECT_EQ(partition_folder({}, {}), "");
  // A file system takes no name of thousands of bytes; two long values have two folders.
  const std::string folder = partition_folder(bound("s"), {std::string(5'000, '/') + "1"});
  EXPECT_LT(folder.size(), 255U);
  EXPECT_NE(folder, partition_folder(bound("s"), {std::string(5'000, '/') + "2"}));
}

TEST(Partition, SplitsRowsByTheirValueAndSortsThem) {
  const Schema schema({{"id", Type::kInt}, {"x", Type::kInt}});
  const Batch rows = batch_of(
      schema,
      {{Value{1}, Value{30}}, {Value{2}, Value{}}, {Value{1}, Value{10}}, {Value{1}, Value{}}});
  const std::vector<int> ids = {1, 2};
  const Partitioning partition = must(bind_partition(must(parse_partition("id")), schema, ids));
  const std::vector<std::int64_t> chosen = {0, 1, 2, 3};
  auto parts = split_rows(partition, rows, chosen);
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].value, PartitionValue{"1"});
  EXPECT_EQ(parts[0].places, (std::vector<std::int64_t>{0, 2, 3}));
  EXPECT_EQ(parts[1].places, (std::vector<std::int64_t>{1}));
  sort_places(rows, std::vector{1}, chosen, parts[0].places);
  EXPECT_EQ(parts[0].places, (std::vector<std::int64_t>{2, 0, 3})) << "null stands last";
}

// ---- in a hub

TableDefinition visits() {
  return {{Layer::kRaw, "visits"},
          Schema({{"id", Type::kInt}, {"ward", Type::kText}, {"seen", Type::kDate}}),
          {"id"},
          must(parse_partition("ward, bucket(4, id), month(seen)")),
          {"seen"}};
}

Value random_ward(std::mt19937& random) {
  if (random() % 6 == 0) return {};
  return std::string(1, static_cast<char>('a' + random() % 3));
}

using Rows = std::map<std::int64_t, std::vector<Value>>;

Rows rows_of(const Batch& batch) {
  Rows rows;
  for (std::int64_t row = 0; row < batch.row_count(); ++row) {
    const bool added = rows.emplace(batch.int_at(0, row), batch.row(row)).second;
    EXPECT_TRUE(added) << batch.int_at(0, row) << " is there twice";
  }
  return rows;
}

// Changes that fit `rows`, and become of them.
Batch random_changes(std::mt19937& random, Rows& rows, std::int64_t key_count) {
  BatchBuilder builder(visits().schema);
  for (std::int64_t id = 0; id < key_count; ++id) {
    if (random() % 3 != 0) continue;
    const auto there = rows.find(id);
    if (there != rows.end()) builder.append_row(there->second, -1);
    if (there != rows.end() && random() % 3 == 0) {
      rows.erase(there);
    } else {
      rows[id] = {Value{id}, random_ward(random), Date{static_cast<std::int32_t>(random() % 90)}};
      builder.append_row(rows[id], 1);
    }
  }
  return must(builder.finish());
}

void make_visits(Hub& hub, const TableDefinition& table) {
  CommitRequest request;
  request.create.push_back(table);
  must(hub.commit(request));
}

std::optional<SnapshotId> put(Hub& hub, const Batch& rows) {
  CommitRequest request;
  if (rows.row_count() > 0) request.changes.push_back({visits().name, rows});
  return must(hub.commit(request)).snapshot;
}

void expect_found(Hub& hub, const Rows& rows) {
  BatchBuilder keys(Schema({{"id", Type::kInt}}));
  for (const auto& [id, row] : rows)
    keys.append_row(std::vector<Value>{id});
  EXPECT_EQ(rows_of(must(hub.lookup(visits().name, must(keys.finish()))).rows), rows);
}

Rows scanned(Hub& hub, const std::vector<Predicate>& where, ScanCounters& counters) {
  auto scan = must(hub.scan(visits().name, hub.latest_snapshot(), {.columns = {}, .where = where}));
  std::vector<Batch> parts;
  while (auto part = must(scan->next()))
    parts.push_back(*part);
  counters = scan->counters();
  return rows_of(must(concatenate(visits().schema, parts)));
}

// Every file has one value, in the folder of its name.
void expect_laid_out(HubPlayground& ground) {
  const auto catalog =
      must(open_sqlite(ground.io(), ground.folder() + "/catalog.sqlite", CatalogMode::kRead));
  auto rows = must(catalog->prepare(
      "SELECT f.path, group_concat(coalesce(v.partition_value, '?'), '/') FROM (SELECT * FROM "
      "ducklake_file_partition_value ORDER BY data_file_id, partition_key_index) v JOIN "
      "ducklake_data_file f ON f.data_file_id = v.data_file_id GROUP BY f.data_file_id"));
  int count = 0;
  while (must(rows->step())) {
    ++count;
    std::string values;
    std::string path(rows->text(0));
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/')) {
      const std::string value = path.substr(path.find('=') + 1, slash - path.find('=') - 1);
      values += (values.empty() ? "" : "/") + (value.starts_with("__") ? std::string("?") : value);
      path.erase(0, slash + 1);
    }
    EXPECT_EQ(values, rows->text(1));
  }
  EXPECT_GT(count, 3);
}

constexpr CompactionLimits kAtOnce{
    .rows_min = 1, .rows_max = 1'000, .older_rows_min = 1, .files_min = 2};

// hub-2, hub-3, hub-8
TEST(PartitionedTable, HoldsWhatAMapHoldsThroughCommitsLoadsAndCompaction) {
  for (unsigned seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    HubPlayground ground;
    auto hub = ground.open({.inline_rows_max = 6});
    make_visits(*hub, visits());
    Rows rows;
    std::map<std::int64_t, Rows> snapshots;
    for (int round = 0; round < 8; ++round) {
      if (random() % 3 == 0) {
        for (int stage = 0; stage < 2; ++stage)
          must(hub->stage("load", {{visits().name, random_changes(random, rows, 60)}}, "note"));
        if (random() % 2 == 0) {
          hub.reset();
          hub = ground.open({.inline_rows_max = 6});
          ASSERT_TRUE(must(hub->left_load("load")).has_value());
          must(hub->resume_load());
        }
      }
      const auto made = put(*hub, random_changes(random, rows, random() % 2 == 0 ? 8 : 60));
      if (made) snapshots[number(*made)] = rows;
      while (random() % 2 == 0 && must(hub->compact(kAtOnce)).state != CompactionState::kNothing) {
      }
      expect_found(*hub, rows);
    }
    while (must(hub->compact(kAtOnce)).state != CompactionState::kNothing) {
    }
    hub.reset();
    hub = ground.open();
    for (const auto& [snapshot, expected] : snapshots)
      EXPECT_EQ(rows_of(must(hub->read(visits().name, SnapshotId{snapshot}))), expected)
          << snapshot;
    expect_found(*hub, rows);
    expect_laid_out(ground);
    EXPECT_EQ(must(hub->table(visits().name, hub->latest_snapshot())), visits());
  }
}

TEST(PartitionedTable, IsScannedWithoutTheFilesOfOtherValues) {
  HubPlayground ground;
  auto hub = ground.open({.inline_rows_max = 0});
  TableDefinition table = visits();
  table.partition = must(parse_partition("bucket(8, id), month(seen)"));
  make_visits(*hub, table);
  Rows rows;
  std::mt19937 random(1);
  while (rows.size() < 100)
    put(*hub, random_changes(random, rows, 150));
  for (std::int64_t id = 0; id < 40; ++id) {
    ScanCounters counters;
    const Rows found = scanned(*hub, {{"id", Comparison::kEqual, Value{id}}}, counters);
    EXPECT_EQ(found.size(), rows.count(id));
    EXPECT_GT(counters.files_skipped_by_partition, 6 * counters.files_read);
    EXPECT_GE(counters.files_skipped, counters.files_skipped_by_partition);
  }
  ScanCounters counters;
  const Rows in_march = scanned(*hub, {{"seen", Comparison::kEqual, Date{60}}}, counters);
  for (const auto& [id, row] : rows)
    EXPECT_EQ(in_march.contains(id), row[2] == Value{Date{60}});
  EXPECT_GT(counters.files_skipped_by_partition, counters.files_read);
}

TEST(PartitionedTable, MergesOnlyFilesOfOneValue) {
  HubPlayground ground;
  auto hub = ground.open({.inline_rows_max = 0});
  TableDefinition table = visits();
  table.partition = must(parse_partition("ward"));
  make_visits(*hub, table);
  for (std::int64_t id = 0; id < 8; ++id)
    put(*hub, batch_of(table.schema, {{Value{id}, std::string(id % 2 == 0 ? "a" : "b"), Date{1}}}));
  EXPECT_EQ(must(hub->disk_use()).data_files, 8);
  while (must(hub->compact(kAtOnce)).state != CompactionState::kNothing) {
  }
  EXPECT_EQ(must(hub->disk_use()).data_files, 2);
  ScanCounters counters;
  EXPECT_EQ(scanned(*hub, {{"ward", Comparison::kEqual, Value{std::string("b")}}}, counters).size(),
            4U);
  EXPECT_EQ(counters.files_read, 1);
}

TEST(PartitionedTable, GetsAnotherPartitionForNewFiles) {
  HubPlayground ground;
  auto hub = ground.open({.inline_rows_max = 3});
  TableDefinition table = visits();
  table.partition = {};
  table.sort = {};
  make_visits(*hub, table);
  Rows rows;
  std::mt19937 random(3);
  std::map<std::int64_t, Rows> snapshots;
  for (const char* partition : {"ward", "bucket(4, id)", "bucket(4, ward)", "month(seen), ward"}) {
    for (int round = 0; round < 3; ++round) {
      const auto made = put(*hub, random_changes(random, rows, round == 1 ? 4 : 30));
      if (made) snapshots[number(*made)] = rows;
    }
    const std::int64_t files = must(hub->disk_use()).data_files;
    table.partition = must(parse_partition(partition));
    CommitRequest request;
    request.alter.push_back({table, {}});
    const Committed done = must(hub->commit(request));
    snapshots[number(*done.snapshot)] = rows;
    EXPECT_EQ(must(hub->table(table.name, *done.snapshot))->partition, table.partition);
    // DuckDB finds no row in a file that names no bucket.
    ScanCounters counters;
    EXPECT_EQ(scanned(*hub, {}, counters), rows);
    const bool has_buckets = std::string(partition).starts_with("bucket");
    if (has_buckets) {
      EXPECT_LE(counters.files_read, 4) << partition;
    } else {
      EXPECT_EQ(must(hub->disk_use()).data_files, files) << partition;
    }
    expect_found(*hub, rows);
  }
  for (const auto& [snapshot, expected] : snapshots)
    EXPECT_EQ(rows_of(must(hub->read(table.name, SnapshotId{snapshot}))), expected) << snapshot;
}

TEST(PartitionedTable, RefusesMoreFilesThanACommitMayWrite) {
  HubPlayground ground;
  auto hub = ground.open({.inline_rows_max = 0});
  TableDefinition table = visits();
  table.partition = must(parse_partition("id"));
  make_visits(*hub, table);
  BatchBuilder builder(table.schema);
  for (std::int64_t id = 0; id <= kPartitionsMax; ++id)
    builder.append_row(std::vector<Value>{id, Value{}, Value{}}, 1);
  CommitRequest request;
  request.changes.push_back({table.name, must(builder.finish())});
  const auto done = hub->commit(request);
  ASSERT_FALSE(done.ok());
  EXPECT_EQ(done.error().code, Code::kUnsupported);
  EXPECT_NE(done.error().hint.find("bucket(16, id)"), std::string::npos);
  EXPECT_EQ(must(hub->row_count(table.name, hub->latest_snapshot())), 0);
}

TEST(PartitionedTable, IsRefusedWithAColumnThatIsNotThere) {
  HubPlayground ground;
  auto hub = ground.open();
  for (const char* partition : {"nobody", "month(ward)"}) {
    TableDefinition table = visits();
    table.partition = must(parse_partition(partition));
    CommitRequest request;
    request.create.push_back(table);
    EXPECT_FALSE(hub->commit(request).ok()) << partition;
  }
}

// The rows of a file stand in order, so that row groups and pages have narrow bounds.
TEST(SortedTable, WritesTheRowsOfEachFileInOrder) {
  HubPlayground ground;
  auto hub = ground.open({.inline_rows_max = 20});
  TableDefinition table = visits();
  table.partition = {};
  make_visits(*hub, table);
  Rows rows;
  std::mt19937 random(5);
  put(*hub, random_changes(random, rows, 200));
  put(*hub, random_changes(random, rows, 20));
  must(hub->compact({.rows_min = 1, .rows_max = 1'000, .older_rows_min = 1, .files_min = 0}));
  auto scan = must(hub->scan(table.name, hub->latest_snapshot(), {}));
  int falls = 0;
  std::optional<Date> last;
  while (const auto batch = must(scan->next())) {
    for (std::int64_t row = 0; row < batch->row_count(); ++row) {
      const auto date = std::get<Date>(batch->value(2, row));
      falls += last && date < *last ? 1 : 0;
      last = date;
    }
  }
  EXPECT_LT(falls, must(hub->disk_use()).data_files);
  expect_found(*hub, rows);
}

}  // namespace
}  // namespace lockstep
