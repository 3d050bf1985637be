// Each kind of damage: that the doctor tells it, and that repair mends what is a cache and no more.
#include "hub/inspect.h"

#include "hub/hub_support.h"

#include <fmt/format.h>

#include <filesystem>

namespace lockstep {
namespace {

namespace files = std::filesystem;

class Damage : public testing::Test {
 protected:
  void SetUp() override {
    const auto hub = ground_.open({.inline_rows_max = 10, .index = {.recent_max = 8}});
    CommitRequest request;
    request.create.push_back(small_table());
    request.changes.push_back({small_table().name, numbered_rows(0, 100)});  // a Parquet file
    must(hub->commit(request));
    commit(*hub, 100, 105);  // inlined
    CommitRequest removing;
    removing.changes.push_back({small_table().name, numbered_rows(3, 6, -1)});
    must(hub->commit(removing));
    CheckpointRecord state;
    state.model = "bp";
    state.definition = "d";
    state.snapshot = hub->latest_snapshot();
    must(hub->write_checkpoint(state, "the bytes of a state"));
  }

  static void commit(Hub& hub, std::int64_t first, std::int64_t end) {
    CommitRequest request;
    request.changes.push_back({small_table().name, numbered_rows(first, end)});
    must(hub.commit(request));
  }

  std::string path(const std::string& name) const { return ground_.folder() + "/" + name; }

  std::string file_below(const std::string& folder) {
    for (const auto& entry : files::recursive_directory_iterator(path(folder))) {
      if (entry.is_regular_file()) return entry.path();
    }
    return "";
  }

  void flip(const std::string& file, std::size_t at) {
    std::string bytes = must(read_file(ground_.io(), file, 1 << 30));
    bytes[at] ^= 0x20;
    must(write_file_atomically(ground_.io(), file, bytes));
  }

  void run_sql(const std::string& sql) {
    const auto catalog =
        must(open_sqlite(ground_.io(), path("catalog.sqlite"), CatalogMode::kWrite));
    must(catalog->execute(sql));
  }

  // "files fail, orphans warn": what is not well.
  std::string found() {
    std::string text;
    for (const Finding& finding : must(inspect_hub(ground_.io(), ground_.place()))) {
      if (finding.level == FindingLevel::kOk) continue;
      const char* level = finding.level == FindingLevel::kWarn ? "warn" : "fail";
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", finding.what, level);
      EXPECT_FALSE(finding.hint.empty()) << finding.message;
      EXPECT_FALSE(finding.message.empty());
    }
    return text;
  }

  std::size_t mended(const RepairOptions& options = {}) {
    return must(repair_hub(ground_.io(), ground_.place(), options)).size();
  }

  // Whatever was done, the rows are what they were.
  void expect_rows() {
    const auto hub = ground_.open();
    EXPECT_EQ(must(hub->row_count(small_table().name, hub->latest_snapshot())), 102);
    commit(*hub, 500, 501);
  }

  HubPlayground ground_;
};

TEST_F(Damage, IsNotFoundInAHubThatIsWhole) {
  EXPECT_EQ(found(), "");
  EXPECT_EQ(mended(), 0U);
  const auto writer = ground_.open();
  EXPECT_EQ(found(), "");
}

TEST_F(Damage, OfAMissingShorterOrUnreadableDataFileIsTold) {
  const std::string file = file_below("data/raw");
  const std::string whole = must(read_file(ground_.io(), file, 1 << 30));
  must(write_file_atomically(ground_.io(), file, whole.substr(0, whole.size() / 2)));
  EXPECT_EQ(found(), "files fail");
  must(write_file_atomically(ground_.io(), file, std::string(whole.size(), 'x')));
  EXPECT_EQ(found(), "files fail");
  files::remove(file);
  EXPECT_EQ(found(), "files fail");
  EXPECT_EQ(mended(), 0U) << "rows are no cache";
  must(write_file_atomically(ground_.io(), file, whole));
  run_sql("UPDATE ducklake_data_file SET record_count = record_count + 1");
  EXPECT_NE(found().find("files fail"), std::string::npos);
}

TEST_F(Damage, OfAStateIsMendedByForgettingIt) {
  flip(file_below("data/_states"), 3);
  EXPECT_EQ(found(), "states warn");
  EXPECT_EQ(mended({.dry_run = true}), 1U);
  EXPECT_EQ(found(), "states warn");
  EXPECT_EQ(mended(), 1U);
  EXPECT_EQ(found(), "");
  expect_rows();
}

TEST_F(Damage, ThatAStateIsGoneIsMendedToo) {
  files::remove(file_below("data/_states"));
  EXPECT_EQ(found(), "states warn");
  EXPECT_EQ(mended(), 1U);
  EXPECT_EQ(found(), "");
}

TEST_F(Damage, OfFilesThatNoSnapshotNamesIsMendedByRemovingThem) {
  must(write_file_atomically(ground_.io(), path("data/raw/vitals/left.parquet"), "half a file"));
  must(write_file_atomically(ground_.io(), path("data/_states/left"), "a state"));
  EXPECT_EQ(found(), "orphans warn");
  {
    const auto writer = ground_.open();
    EXPECT_EQ(found(), "") << "they may belong to the commit in hand";
    EXPECT_EQ(repair_hub(ground_.io(), ground_.place(), {}).error().code, Code::kLocked);
  }
  EXPECT_EQ(mended(), 2U);
  EXPECT_FALSE(files::exists(path("data/raw/vitals/left.parquet")));
  EXPECT_EQ(found(), "");
  expect_rows();
}

TEST_F(Damage, OfAKeyIndexIsMendedByForgettingIt) {
  const auto run = [this] {
    for (const auto& entry : files::directory_iterator(path("catalog.sqlite.index"))) {
      if (entry.path().extension() == ".run") return entry.path().string();
    }
    return std::string();
  };
  const std::string whole = must(read_file(ground_.io(), run(), 1 << 30));
  for (std::size_t at = 0; at < whole.size(); at += 97) {
    flip(run(), at);
    EXPECT_EQ(found(), "indexes warn") << at;
    flip(run(), at);
  }
  EXPECT_EQ(found(), "");
  files::remove(run());
  EXPECT_EQ(found(), "indexes warn");
  EXPECT_EQ(mended({.dry_run = true}), 1U);
  EXPECT_EQ(mended(), 1U);
  EXPECT_EQ(found(), "");
  expect_rows();
}

TEST_F(Damage, OfAnOrderedIndexIsMendedByForgettingIt) {
  {
    const auto writer = ground_.open();
    const Batch groups = batch_of(Schema({{"name", Type::kText}}), {{std::string("name 1")}});
    must(writer->lookup_groups(
        small_table().name, {{"name"}, {"x"}}, {.groups = groups, .rows_max = 100}));
    EXPECT_EQ(found(), "") << "while it is in use";
  }
  EXPECT_EQ(found(), "");
  std::string index;
  for (const auto& entry : files::directory_iterator(path("catalog.sqlite.index"))) {
    if (entry.path().extension() == ".ordered") index = entry.path().string();
  }
  const auto size = files::file_size(index);
  for (std::size_t at = 0; at < size; at += 197) {
    flip(index, at);
    EXPECT_EQ(found(), "indexes warn") << at;
    flip(index, at);
  }
  EXPECT_EQ(found(), "");
  flip(index, size / 2);
  EXPECT_EQ(mended({.dry_run = true}), 1U);
  EXPECT_EQ(mended(), 1U);
  EXPECT_FALSE(files::exists(index));
  EXPECT_EQ(found(), "");
  expect_rows();
}

TEST_F(Damage, OfTheCatalogsRowsIsToldAndNotMended) {
  struct Case {
    const char* sql;
    const char* found;
  };

  const Case cases[] = {
      {"UPDATE ducklake_snapshot SET snapshot_time = '1999-01-01 00:00:00+00' WHERE snapshot_id = "
       "3",
       "snapshots fail"},
      {"DELETE FROM ducklake_snapshot_changes WHERE snapshot_id = 3", "snapshots fail"},
      {"DELETE FROM lockstep_commit WHERE snapshot_id = 3", "snapshots fail"},
      {"UPDATE lockstep_commit SET commit_time = 1 WHERE commit_id = 2", "snapshots fail"},
      {"UPDATE ducklake_snapshot SET next_file_id = 0", "snapshots fail"},
      {"UPDATE ducklake_snapshot SET next_catalog_id = 0", "snapshots fail"},
      {"INSERT INTO lockstep_table VALUES (99, 'raw', 'ghost', '[\"id\"]')", "tables fail"},
      {"UPDATE ducklake_data_file SET end_snapshot = begin_snapshot", "tables fail"},
      {"UPDATE ducklake_table_stats SET next_row_id = 3", "tables fail"},
      {"INSERT INTO lockstep_model_version SELECT 'bp', 1, 2, 'none', 'increment', 'ready', '', 1, "
       "1, "
       "0, 0, 'f', 'w', '{}', NULL, 1, 'weights'",
       "models fail, models fail"},
      {"INSERT INTO lockstep_definition VALUES ('abc', 'bp', '{}')", "models fail"},
      {"INSERT INTO lockstep_alias_event VALUES (1, 'bp', 'champion', 0, 7, 1, 'me', '')",
       "models fail"},
      {"INSERT INTO lockstep_tag VALUES ('ghost', 999, 1, 'me', '')", "tags fail"},
  };
  const std::string whole = must(read_file(ground_.io(), path("catalog.sqlite"), 1 << 30));
  for (const Case& one : cases) {
    run_sql(one.sql);
    EXPECT_EQ(found(), one.found) << one.sql;
    EXPECT_EQ(mended(), 0U) << one.sql;
    must(write_file_atomically(ground_.io(), path("catalog.sqlite"), whole));
    for (const char* ending : {"-wal", "-shm"})
      files::remove(path("catalog.sqlite") + ending);
  }
  EXPECT_EQ(found(), "");
}

TEST_F(Damage, OfTheCatalogsPagesIsToldAndNothingIsTouched) {
  std::string bytes = must(read_file(ground_.io(), path("catalog.sqlite"), 1 << 30));
  constexpr std::size_t kPageBytes = 4096;
  for (std::size_t page = 10; page * kPageBytes < bytes.size(); page += 7)
    bytes.replace(page * kPageBytes, 16, std::string(16, '\x7f'));
  must(write_file_atomically(ground_.io(), path("catalog.sqlite"), bytes));
  EXPECT_NE(found().find("catalog fail"), std::string::npos);
  EXPECT_FALSE(repair_hub(ground_.io(), ground_.place(), {}).ok());
  must(write_file_atomically(ground_.io(), path("catalog.sqlite"), "no database at all"));
  EXPECT_EQ(found(), "catalog fail");
}

TEST_F(Damage, IsNotLookedForWhereNoHubIs) {
  files::remove(path("catalog.sqlite"));
  EXPECT_EQ(inspect_hub(ground_.io(), ground_.place()).error().code, Code::kNoHub);
  EXPECT_EQ(repair_hub(ground_.io(), ground_.place(), {}).error().code, Code::kNoHub);
}

}  // namespace
}  // namespace lockstep
