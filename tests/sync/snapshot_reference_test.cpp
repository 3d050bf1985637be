// What names a snapshot: a number, a time, and counting from the newest.
#include "sync/world.h"

#include <fmt/format.h>

namespace lockstep::test {
namespace {

class SnapshotReferences : public ::testing::Test {
 protected:
  // Three snapshots with data, and one of maintenance between the last two.
  void SetUp() override {
    world_.configure(
        "hub: {catalog: \"sqlite:hub/catalog.sqlite\", data: hub/data}\n"
        "sources: {a: {type: files, path: \"in/*.csv\", mode: upsert}}\n"
        "datasets: {d: {from: [a], key: [id], columns: {id: int, x: float}}}\n");
    world_.open();
    for (int file = 1; file <= 3; ++file) {
      if (file == 3) maintain();
      world_.put(fmt::format("in/{}.csv", file), fmt::format("id,x\n{},10\n", file));
      world_.sync();
      snapshots_.push_back(number(world_.hub().latest_snapshot()));
      times_.push_back(world_.hub().commits({.count = 1}).value().front().time);
    }
  }

  void maintain() {
    CommitRequest request;
    request.kind = CommitKind::kMaintenance;
    TableDefinition table;
    table.name = {Layer::kRaw, fmt::format("kept{}", number(world_.hub().latest_snapshot()))};
    table.schema = Schema({{"id", Type::kInt}});
    table.key = {"id"};
    request.create.push_back(table);
    const Result<Committed> done = world_.hub().commit(request);
    ASSERT_TRUE(done.ok()) << done.error().message;
    maintenance_ = number(*done.value().snapshot);
  }

  std::int64_t named(const std::string& text) {
    const Result<std::int64_t> found = resolve_snapshot(world_.hub(), text);
    EXPECT_TRUE(found.ok()) << text << ": " << found.error().message;
    return found.ok() ? found.value() : -1;
  }

  Error refused(const std::string& text) {
    const Result<std::int64_t> found = resolve_snapshot(world_.hub(), text);
    EXPECT_FALSE(found.ok()) << text << " is " << found.value();
    return found.ok() ? Error{} : found.error();
  }

  World world_;
  std::vector<std::int64_t> snapshots_;
  std::vector<Timestamp> times_;
  std::int64_t maintenance_ = 0;
};

TEST_F(SnapshotReferences, CountFromTheNewestOverMaintenance) {
  ASSERT_EQ(snapshots_[2], maintenance_ + 1);
  EXPECT_EQ(named("latest"), snapshots_[2]);
  EXPECT_EQ(named("-1"), snapshots_[2]);
  EXPECT_EQ(named("-2"), snapshots_[1]);
  EXPECT_EQ(named("-3"), snapshots_[0]);
  maintain();
  EXPECT_EQ(named("latest"), snapshots_[2]);
  EXPECT_EQ(named("-2"), snapshots_[1]);
  for (const char* text : {"-99", "-9223372036854775808"}) {
    EXPECT_NE(refused(text).message.find("fewer snapshots"), std::string::npos);
  }
}

TEST_F(SnapshotReferences, NameOneByItsNumberWhateverItsKind) {
  EXPECT_EQ(named("0"), 0);
  EXPECT_EQ(named(std::to_string(maintenance_)), maintenance_);
  const Error error = refused("999");
  EXPECT_EQ(error.code, Code::kNotFound);
  EXPECT_NE(error.message.find(fmt::format("newest is {}", snapshots_[2])), std::string::npos);
  EXPECT_EQ(refused("baseline").code, Code::kUsage);
}

TEST_F(SnapshotReferences, NameTheNewestWithDataAtOrBeforeATime) {
  const auto text = [](Timestamp time) { return value_text(Value(time)); };
  for (std::size_t index = 0; index < times_.size(); ++index) {
    EXPECT_EQ(named(text(times_[index])), snapshots_[index]);
    if (index > 0) {
      EXPECT_EQ(named(text({times_[index].us - 1})), snapshots_[index - 1]);
    }
  }
  EXPECT_EQ(named("2999-01-01"), snapshots_[2]);
  EXPECT_EQ(named("2999-01-01T08:00"), snapshots_[2]);
  EXPECT_EQ(named("2999-01-01 08:00:00.5+01:00"), snapshots_[2]);
  EXPECT_EQ(refused("1999-01-01T08:00Z").code, Code::kNotFound);
  EXPECT_EQ(refused("1999-01-01T08:61").code, Code::kUsage);
}

TEST_F(SnapshotReferences, PassOverThoseThatExpired) {
  const CollectionLimits newest_two{
      .policy = {.keep_us = std::int64_t{1} << 60U, .snapshots_max = 2, .then_us = 0},
      .grace_us = 0};
  ASSERT_TRUE(world_.hub().set_tag("first", SnapshotId{snapshots_[0]}, "me").ok());
  // What the engine began beside its commits comes first: a step of compaction, and a round of
  // collection by its own limits.
  while (world_.hub().compact({}).value().state != CompactionState::kNothing) {
  }
  for (int rounds = 0; rounds < 2;) {
    const Result<CollectionStep> step = world_.hub().collect(newest_two);
    ASSERT_TRUE(step.ok()) << step.error().message;
    rounds += step.value().more ? 0 : 1;
  }
  EXPECT_EQ(named("-1"), snapshots_[2]);
  EXPECT_EQ(named("-2"), snapshots_[0]);
  EXPECT_EQ(named(value_text(Value(times_[1]))), snapshots_[0]);
  EXPECT_NE(refused("-3").message.find("fewer snapshots"), std::string::npos);
}

TEST_F(SnapshotReferences, ReadAnOffsetFromUtc) {
  constexpr std::int64_t kHourUs = 3'600'000'000;
  const std::string utc = value_text(Value(Timestamp{times_[0].us + 2 * kHourUs}));
  const std::string bare = utc.substr(0, utc.size() - 3);  // as it stands two hours east of UTC
  EXPECT_EQ(named(bare), snapshots_[2]);
  EXPECT_EQ(named(bare + "+02:00"), snapshots_[0]);
}

}  // namespace
}  // namespace lockstep::test
