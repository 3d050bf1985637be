// Loads at the hub: stages of random changes are one snapshot, the one that a plain map has.
#include "hub/fault_support.h"
#include "hub/inspect.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace lockstep {
namespace {

using Rows = std::map<std::int64_t, double>;

Rows rows_of(Hub& hub, SnapshotId at) {
  Rows rows;
  const Batch all = must(hub.read(small_table().name, at));
  for (std::int64_t row = 0; row < all.row_count(); ++row) {
    const bool added = rows.emplace(all.int_at(0, row), all.float_at(2, row)).second;
    EXPECT_TRUE(added) << all.int_at(0, row) << " is there twice";
  }
  return rows;
}

void append(BatchBuilder& builder, std::int64_t id, double x, int sign) {
  builder.append_row(std::vector<Value>{id, std::string("name"), x}, sign);
}

// Changes that fit `rows`, and become of them.
Batch random_changes(std::mt19937& random, Rows& rows, int key_count) {
  BatchBuilder builder(small_table().schema);
  for (std::int64_t id = 0; id < key_count; ++id) {
    if (random() % 3 != 0) continue;
    const auto there = rows.find(id);
    if (there != rows.end()) append(builder, id, there->second, -1);
    if (there != rows.end() && random() % 3 == 0) {
      rows.erase(there);
    } else {
      rows[id] = static_cast<double>(random() % 1000);
      append(builder, id, rows[id], 1);
    }
  }
  return must(builder.finish());
}

std::unique_ptr<Hub> with_table(HubPlayground& ground) {
  auto hub = ground.open({.inline_rows_max = 5});
  CommitRequest request;
  request.create.push_back(small_table());
  must(hub->commit(request));
  return hub;
}

CommitRequest changing(const Batch& rows) {
  CommitRequest request;
  if (rows.row_count() > 0) request.changes.push_back({small_table().name, rows});
  return request;
}

// hub-13
TEST(HubLoad, OfRandomStagesIsOneSnapshotWithWhatAMapHas) {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    HubPlayground ground;
    auto hub = with_table(ground);
    Rows rows;
    std::map<std::int64_t, Rows> snapshots;
    for (int round = 0; round < 4; ++round) {
      const Committed small = must(hub->commit(changing(random_changes(random, rows, 12))));
      if (small.snapshot) snapshots[number(*small.snapshot)] = rows;
      const SnapshotId before = hub->latest_snapshot();
      const Rows shown = rows_of(*hub, before);
      for (unsigned stage = 0; stage < 1 + random() % 5; ++stage) {
        must(hub->stage("load", {{small_table().name, random_changes(random, rows, 40)}}, "note"));
        EXPECT_EQ(rows_of(*hub, before), shown) << "a staged row shows";
        EXPECT_EQ(must(hub->has_rows(small_table().name)), !rows.empty());
      }
      if (random() % 3 == 0) {
        hub.reset();
        hub = ground.open({.inline_rows_max = 5});
        EXPECT_EQ(rows_of(*hub, hub->latest_snapshot()), shown);
        ASSERT_TRUE(must(hub->left_load("load")).has_value());
        must(hub->resume_load());
      }
      const Committed done = must(hub->commit(changing(random_changes(random, rows, 40))));
      ASSERT_TRUE(done.snapshot.has_value());
      EXPECT_EQ(number(*done.snapshot), number(before) + 1);
      snapshots[number(*done.snapshot)] = rows;
    }
    for (const bool anew : {false, true}) {
      if (anew) hub.reset();
      if (anew) hub = ground.open();
      for (const auto& [snapshot, expected] : snapshots)
        EXPECT_EQ(rows_of(*hub, SnapshotId{snapshot}), expected) << snapshot;
      EXPECT_EQ(must(hub->row_count(small_table().name, hub->latest_snapshot())),
                static_cast<std::int64_t>(rows.size()));
    }
    // The index knows where each row lies: a delete of all of them finds them.
    BatchBuilder all(small_table().schema);
    for (const auto& [id, x] : rows)
      append(all, id, x, -1);
    must(hub->commit(changing(must(all.finish()))));
    EXPECT_EQ(rows_of(*hub, hub->latest_snapshot()), Rows());
  }
}

TEST(HubLoad, CountsWhatChangedAgainstTheSnapshotBefore) {
  HubPlayground ground;
  auto hub = with_table(ground);
  must(hub->commit(changing(numbered_rows(0, 4))));
  const TableName table = small_table().name;
  must(hub->stage("load", {{table, numbered_rows(10, 20)}}, "note"));  // ten new
  must(hub->stage(
      "load", {{table, numbered_rows(10, 13, -1)}}, "note"));            // three of them gone again
  must(hub->stage("load", {{table, numbered_rows(0, 2, -1)}}, "note"));  // two old ones gone
  const Committed done = must(hub->commit(changing(numbered_rows(0, 1))));  // one of them back
  const auto record = must(hub->commit_of_snapshot(*done.snapshot));
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->inserted, 8);
  EXPECT_EQ(record->deleted, 2);
  EXPECT_EQ(must(hub->row_count(table, *done.snapshot)), 10);
}

TEST(HubLoad, OfAnOlderSnapshotIsTakenAwayWithoutTouchingCommittedFiles) {
  HubPlayground ground;
  auto hub = with_table(ground);
  const TableName table = small_table().name;
  must(hub->stage("load", {{table, numbered_rows(0, 50)}}, "note"));
  must(hub->commit({}));
  must(hub->stage("load", {{table, numbered_rows(50, 90)}}, "note"));
  hub.reset();
  hub = ground.open();
  EXPECT_FALSE(must(hub->left_load("another")).has_value());
  must(hub->commit(changing(numbered_rows(100, 130))));
  hub.reset();
  hub = ground.open();
  EXPECT_FALSE(must(hub->left_load("load")).has_value());
  EXPECT_FALSE(std::filesystem::exists(ground.folder() + "/data/_load.journal"));
  std::size_t files = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(ground.folder() + "/data")) {
    files += entry.path().extension() == ".parquet" ? 1 : 0;
  }
  EXPECT_EQ(files, 1U);
  EXPECT_EQ(rows_of(*hub, hub->latest_snapshot()).size(), 80U);
}

TEST(HubLoad, WhoseFilesWereTakenAwayBeginsAnew) {
  HubPlayground ground;
  const TableName table = small_table().name;
  auto hub = with_table(ground);
  must(hub->stage("load", {{table, numbered_rows(0, 20)}}, "note"));
  hub.reset();
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(ground.folder() + "/data")) {
    if (entry.path().extension() == ".parquet") std::filesystem::remove(entry.path());
  }
  hub = ground.open();
  EXPECT_FALSE(must(hub->left_load("load")).has_value());
  must(hub->stage("load", {{table, numbered_rows(0, 30)}}, "note"));
  must(hub->commit({}));
  EXPECT_EQ(rows_of(*hub, hub->latest_snapshot()).size(), 30U);
}

TEST(HubLoad, GoesOnBehindTheLastWholeLineOfItsJournal) {
  HubPlayground ground;
  const TableName table = small_table().name;
  auto hub = with_table(ground);
  must(hub->stage("load", {{table, numbered_rows(0, 20)}}, "first"));
  must(hub->stage("load", {{table, numbered_rows(20, 40)}}, "second"));
  hub.reset();
  const std::string journal = ground.folder() + "/data/_load.journal";
  std::filesystem::resize_file(journal, std::filesystem::file_size(journal) - 3);
  hub = ground.open();
  const auto left = must(hub->left_load("load"));
  ASSERT_TRUE(left.has_value());
  must(hub->resume_load());
  EXPECT_EQ(left->stage_count, 1);
  EXPECT_EQ(left->note, "first");
  EXPECT_EQ(must(hub->staged(table, 0)).row_count(), 20);
  must(hub->commit(changing(numbered_rows(20, 30))));
  EXPECT_EQ(rows_of(*hub, hub->latest_snapshot()).size(), 30U);
}

// What repair and gc would take away else: sync goes on with it.
TEST(HubLoad, ThatIsNotFinishedIsNoGarbage) {
  HubPlayground ground;
  auto hub = with_table(ground);
  must(hub->stage("load", {{small_table().name, numbered_rows(0, 20)}}, "note"));
  hub.reset();
  bool told = false;
  for (const Finding& finding : must(inspect_hub(ground.io(), ground.place()))) {
    EXPECT_EQ(finding.level, FindingLevel::kOk) << finding.message;
    told = told || finding.what == "load";
  }
  EXPECT_TRUE(told);
  EXPECT_TRUE(must(repair_hub(ground.io(), ground.place(), {})).empty());
  hub = ground.open();
  EXPECT_TRUE(must(hub->left_load("load")).has_value());
}

constexpr HubOptions kSmallFiles{.inline_rows_max = 5, .log_bytes_max = 1 << 24};
constexpr int kStages = 3;

// Rows inlined and in a file. The load brings rows, takes some of each away, and some of its own.
std::unique_ptr<SimulatedMachine> machine_with_rows() {
  auto machine = simulated_machine(1);
  auto hub = must(open_on(*machine, kSmallFiles));
  CommitRequest first = changing(numbered_rows(0, 20));
  first.create.push_back(small_table());
  must(hub->commit(first));
  must(hub->commit(changing(numbered_rows(20, 23))));
  return machine;
}

Batch stage_rows(int stage) {
  if (stage == 0) return numbered_rows(100, 112);
  const std::vector<Batch> parts = {numbered_rows(100 + stage, 101 + stage, -1),    // of the load
                                    numbered_rows(5 + stage, 7 + stage - 1, -1),    // in a file
                                    numbered_rows(20 + stage - 1, 20 + stage, -1),  // inlined
                                    numbered_rows(200 + 10 * stage, 208 + 10 * stage)};
  return must(concatenate(small_table().schema, parts));
}

// From a stage on to its end.
Result<void> load_from(Hub& hub, int stage) {
  for (; stage < kStages; ++stage)
    TRY(hub.stage("load", {{small_table().name, stage_rows(stage)}}, std::to_string(stage)));
  CommitRequest last = changing(numbered_rows(300, 304));
  last.message = "loaded";
  last.positions["source"] = {{"", "2"}};
  TRY(hub.commit(last));
  return {};
}

TEST(HubLoad, InWhichAnyOperationFailsLeavesAllOfItOrNothing) {
  const auto base = machine_with_rows();
  const FaultCounts counts = fail_each_operation(
      {"a load", *base, [](Hub& hub) { return load_from(hub, 0); }, kSmallFiles});
  EXPECT_GT(counts.operations, 60);
  EXPECT_GT(counts.told, 50);
}

// Right before an operation of the load the power goes, or the process is killed.
void go_on_after(SimulatedMachine& machine,
                 const HubImage& before,
                 const HubImage& after,
                 int& resumed) {
  auto hub = must(open_on(machine, kSmallFiles));
  const HubImage image = must(image_of(*hub));
  if (image == after) return;
  ASSERT_EQ(image_difference(image, before), "");
  int stage = 0;
  if (const auto left = must(hub->left_load("load"))) {
    must(hub->resume_load());
    stage = static_cast<int>(left->stage_count);
    EXPECT_EQ(left->note, std::to_string(stage - 1));
    ++resumed;
  }
  must(load_from(*hub, stage));
  EXPECT_EQ(image_difference(must(image_of(*hub)), after), "");
  hub.reset();
  hub = must(open_on(machine, kSmallFiles));
  EXPECT_EQ(image_difference(must(image_of(*hub)), after), "");
  EXPECT_FALSE(machine.info("/hub/data/_load.journal").ok());
}

TEST(HubLoad, GoesOnAfterAPowerLossAtAnyOperation) {
  const auto base = machine_with_rows();
  HubImage before;
  HubImage after;
  {
    const auto machine = base->copy(0);
    auto hub = must(open_on(*machine, kSmallFiles));
    before = must(image_of(*hub));
    must(load_from(*hub, 0));
    after = must(image_of(*hub));
  }
  const auto machine = base->copy(0);
  auto hub = must(open_on(*machine, kSmallFiles));
  int resumed = 0;
  int operations = 0;
  machine->observe([&](IoOperation operation, std::string_view path) -> Result<void> {
    ++operations;
    for (int survival = 0; survival < 3 && !testing::Test::HasFailure(); ++survival) {
      SCOPED_TRACE(fmt::format("operation {}: {} {}, survival {}",
                               operations,
                               io_operation_name(operation),
                               path,
                               survival));
      const auto copy = machine->copy(static_cast<std::uint64_t>(operations * 3 + survival));
      if (survival > 0) copy->crash();
      go_on_after(*copy, before, after, resumed);
    }
    return {};
  });
  must(load_from(*hub, 0));
  machine->observe({});
  EXPECT_GT(operations, 60);
  EXPECT_GT(resumed, 60);
}

}  // namespace
}  // namespace lockstep
