// What waits is gathered: whatever the groups, the same rows, versions and weights come out, a
// source is told in order once they are durable, and a group is there as a whole or not at all.
#include "base/one_failure.h"
#include "sync/gather.h"
#include "sync/stream_source.h"
#include "sync/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lockstep::test {
namespace {

const char* const kYaml = R"(
hub: {{snapshot_per: {}}}
sources:
  s: {{type: files, path: "none/*.csv", mode: upsert}}
datasets:
  d:
    from: [s]
    key: [id]
    columns: {{id: int, x: float, w: text, y: float}}
    clean:
      - range: {{columns: [y], min: -1000, max: 1000, otherwise: reject}}
    train: [split: {{by: id, test: 0.3}}]
models:
  m:
    dataset: d
    features: [x, w]
    targets: [y]
    expand: [one_hot: [w], indicators, impute: {{with: mean}}, standardize, splines: 2]
    learner: {{type: ridge, l2: 1}}
    calibrate_after: 20 rows
)";

Schema columns() {
  return Schema({{"id", Type::kInt}, {"x", Type::kFloat}, {"w", Type::kText}, {"y", Type::kFloat}});
}

SourceBatch transaction(Dice& dice, std::size_t row_count) {
  static const char* const kWords[] = {"east", "west", "north"};
  BatchBuilder rows(columns());
  SourceBatch batch;
  for (std::size_t row = 0; row < row_count; ++row) {
    const auto id = static_cast<std::int64_t>(dice.below(120));
    const auto x = static_cast<double>(dice.below(100)) / 4;
    const std::size_t word = dice.below(3);
    rows.append_int(0, id);
    rows.append(1, dice.one_in(12) ? Value() : Value(x));
    rows.append_text(2, kWords[word]);
    const double noise = static_cast<double>(dice.below(20)) / 4;
    rows.append_float(3,
                      dice.one_in(25) ? 5'000.0 : 3 * x + 10 * static_cast<double>(word) + noise);
    rows.append_sign(1);
    // A delete of a key that is not there ends in rejected.
    batch.operations.push_back(dice.one_in(5) ? Operation::kDelete : Operation::kUpsert);
    batch.positions.push_back(fmt::format("row {}", row));
  }
  batch.rows = rows.finish().value();
  batch.origin = "stream";
  return batch;
}

// The first is large enough to calibrate on.
std::vector<SourceBatch> transactions(std::uint64_t seed, int count) {
  Dice dice(seed);
  std::vector<SourceBatch> out = {transaction(dice, 60)};
  for (int index = 1; index < count; ++index)
    out.push_back(transaction(dice, dice.one_in(10) ? 0 : 1 + dice.below(6)));
  return out;
}

EngineOptions options_of(Stream& stream) {
  EngineOptions options;
  options.make_source = [&stream](Io&, const SourceRequest&) {
    return Result<std::unique_ptr<Source>>(std::make_unique<StreamSource>(stream));
  };
  return options;
}

struct Outcome {
  std::vector<std::string> raw;
  std::vector<std::string> clean;
  std::vector<std::string> train;
  std::vector<std::string> rejected;
  std::vector<std::string> versions;
  bool operator==(const Outcome&) const = default;
};

// What a version is, but for its hub's own key and clock.
std::string version_text(const ModelVersionRecord& version) {
  return fmt::format("{} {} {} {} {} {} {} {} {}",
                     version.version,
                     version_kind_name(version.kind),
                     version_status_name(version.status),
                     version.reason,
                     version.folded,
                     version.tested,
                     version.refused,
                     version.weights_sha256,
                     version.metrics);
}

Outcome outcome_of(World& world) {
  Outcome out{world.lines(Layer::kRaw, "d"),
              world.lines(Layer::kClean, "d"),
              world.lines(Layer::kTrain, "d"),
              world.lines(Layer::kRejected, "d"),
              {}};
  for (const ModelVersionRecord& version : world.versions("m"))
    out.versions.push_back(version_text(version));
  return out;
}

// Reads all that the stream holds, `in_flight_max` at a time.
Outcome play(Stream& stream, const std::string& snapshot_per) {
  World world;
  world.configure(fmt::format(fmt::runtime(kYaml), snapshot_per));
  world.open(options_of(stream));
  if (!world.is_open()) return {};
  world.sync();
  EXPECT_EQ(stream.acknowledged, static_cast<std::int64_t>(stream.transactions.size()));
  world.expect_exact();
  return outcome_of(world);
}

TEST(Group, OfTransactionsGivesTheVersionsThatOneAfterAnotherGives) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Stream single{.transactions = transactions(seed, 60), .in_flight_max = 1};
    const Outcome expected = play(single, "transaction");
    EXPECT_GT(expected.versions.size(), 40U);
    Stream grouped{.transactions = transactions(seed, 60),
                   .in_flight_max = static_cast<std::int64_t>(2 + seed * 7 % 50)};
    EXPECT_EQ(play(grouped, "transaction"), expected);
  }
}

TEST(Group, InOneSnapshotGivesTheSameRows) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Stream single{.transactions = transactions(seed, 60), .in_flight_max = 1};
    const Outcome expected = play(single, "commit");
    Stream gathered{.transactions = transactions(seed, 60),
                    .in_flight_max = static_cast<std::int64_t>(2 + seed * 7 % 50)};
    const Outcome made = play(gathered, "commit");
    EXPECT_EQ(made.raw, expected.raw);
    EXPECT_EQ(made.clean, expected.clean);
    EXPECT_EQ(made.train, expected.train);
    EXPECT_EQ(made.rejected, expected.rejected);
    EXPECT_LT(made.versions.size(), expected.versions.size());
  }
}

std::int64_t committed_transactions(World& world) {
  const std::map<std::string, PositionParts> positions = world.hub().positions().value();
  const auto found = positions.find("s");
  return found == positions.end() ? 0 : std::stoll(found->second.at(""));
}

TEST(Group, WhoseDiskFailsIsThereAsAWholeAndWhatWasAcknowledgedIsThere) {
  Stream whole{.transactions = transactions(7, 30)};
  const Outcome expected = play(whole, "transaction");
  int failed = 0;
  // Every operation of a group is alike, so that one of eleven says as much in a tenth of the time.
  for (int operation = 0; operation < 2'000; operation += 11) {
    SCOPED_TRACE(fmt::format("operation {}", operation));
    Stream stream{.transactions = transactions(7, 30), .in_flight_max = 10};
    World world;
    world.configure(fmt::format(fmt::runtime(kYaml), "transaction"));
    world.open(options_of(stream));
    ASSERT_TRUE(world.is_open());
    {
      const OneFailure failure(world.io(), operation);
      failed += world.engine().sync().ok() ? 0 : 1;
      if (!failure.happened()) break;
    }
    const std::int64_t heard = stream.acknowledged;
    world.open(options_of(stream));
    ASSERT_TRUE(world.is_open());
    const std::int64_t there = committed_transactions(world);
    EXPECT_GE(there, heard);
    world.sync();
    EXPECT_EQ(outcome_of(world), expected);
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  EXPECT_GT(failed, 5);
}

TEST(Group, ASourceThatFailsIsTriedAgainAtOnceThenLaterAndWhenSomebodyAsks) {
  Stream stream{.transactions = transactions(3, 20), .reads_left = 0};
  World world;
  world.configure(fmt::format(fmt::runtime(kYaml), "commit"));
  world.open(options_of(stream));
  ASSERT_TRUE(world.is_open());
  std::vector<std::int64_t> reads;
  for (int look = 0; look < 4; ++look) {
    const std::int64_t before = stream.reads_left;
    const Json report = world.engine().sync().value();
    EXPECT_EQ(report.at("errors").size(), 1U);  // told though it was not tried
    reads.push_back(before - stream.reads_left);
  }
  EXPECT_EQ(reads, (std::vector<std::int64_t>{1, 1, 0, 0}));
  stream.reads_left = 100;
  EXPECT_EQ(world.run({{"command", "sync"}}).at("errors").size(), 0U);
  EXPECT_EQ(stream.acknowledged, 20);
}

TEST(Group, KeepsWhatASourceGaveBeforeItFailed) {
  Stream stream{.transactions = transactions(3, 20), .reads_left = 12};
  World world;
  world.configure(fmt::format(fmt::runtime(kYaml), "commit"));
  world.open(options_of(stream));
  ASSERT_TRUE(world.is_open());
  const Json report = world.engine().sync().value();
  ASSERT_EQ(report.at("errors").size(), 1U);
  EXPECT_EQ(report.at("errors")[0].at("message"), "source 's': the stream broke off");
  EXPECT_EQ(committed_transactions(world), 12);
  EXPECT_EQ(stream.acknowledged, 12);
  stream.reads_left = 100;
  world.sync();
  EXPECT_EQ(stream.acknowledged, 20);
}

TEST(Pace, FollowsWhatARowCosts) {
  Pace pace;
  const std::int64_t start = pace.rows();
  pace.took(1, 10'000);  // a commit of one row: most of it is the commit
  EXPECT_EQ(pace.rows(), start);
  pace.took(start, kGroupUs / 4);
  EXPECT_EQ(pace.rows(), 2 * start);  // twice at most
  pace.took(10'000, 10 * kGroupUs);
  EXPECT_EQ(pace.rows(), 1'000);
  pace.took(1'000, 10 * kGroupUs);
  EXPECT_EQ(pace.rows(), kPaceRowsMin);  // fewer are no faster
  pace.took(1, 100 * kGroupUs);
  EXPECT_EQ(pace.rows(), kPaceRowsMin);
  pace.took(kPaceRowsMin, kGroupUs / 100);
  EXPECT_EQ(pace.rows(), 2 * kPaceRowsMin);
}

TEST(Gather, TakesABatchThatReplacesItsOriginAlone) {
  std::vector<SourceBatch> batches(5);
  batches[2].replaces_origin = true;
  std::span<SourceBatch> rest = batches;
  std::vector<std::size_t> runs;
  while (!rest.empty()) {
    runs.push_back(front_run(rest).size());
    rest = rest.subspan(runs.back());
  }
  EXPECT_EQ(runs, (std::vector<std::size_t>{2, 1, 2}));
}

TEST(Gather, NamesWhereItsRowsCameFrom) {
  std::vector<SourceBatch> batches(3);
  for (SourceBatch& batch : batches)
    batch.origin = "a.csv";
  EXPECT_EQ(origins_text(batches), "a.csv");
  batches[2].origin = "b.csv";
  EXPECT_EQ(origins_text(batches), "a.csv and 1 more");
}

}  // namespace
}  // namespace lockstep::test
