// What the product promises, over random histories: the incremental model is the full retrain, a
// revert gives the bits back, and nothing depends on when the program was started.
#include "sync/history.h"

#include "base/hash.h"
#include "learn/learn.h"
#include "sync/dataset_flow.h"
#include "sync/model_track.h"

#include <gtest/gtest.h>

#include <charconv>

namespace lockstep::test {
namespace {

std::uint64_t number_of_environment(Io& io, const std::string& name, std::uint64_t fallback) {
  const std::optional<std::string> text = io.environment(name);
  std::uint64_t value = fallback;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

std::vector<std::string> of_steps(const std::vector<std::string>& rejected) {
  std::vector<std::string> out;
  for (const std::string& line : rejected) {
    if (line.find("|clean[") != std::string::npos || line.find("|train[") != std::string::npos) {
      out.push_back(line);
    }
  }
  return out;
}

// Rows of rejected keep every column in lines(): it has no columns that tell of the way.
std::vector<std::string> rejected_lines(World& world) {
  const Batch rows = world.read(Layer::kRejected, "d");
  std::vector<std::string> out;
  for (std::int64_t row = 0; row < rows.row_count(); ++row) {
    std::string line;
    for (int column = 0; column < rows.schema().size(); ++column) {
      line += std::string(rows.text_at(column, row)) + "|";
    }
    out.push_back(std::move(line));
  }
  std::sort(out.begin(), out.end());
  return of_steps(out);
}

struct Bits {
  std::string fingerprint;
  std::string weights_sha256;
};

// The train rows of another hub, folded under a version's definition with its hub's key.
Bits fold_elsewhere(World& world, const ModelVersionRecord& version, const Batch& train) {
  const DefinitionRecord record = *world.hub().definition(version.definition).value();
  const auto learner = make_sum_learner({record.json, record.sha256}, train.schema()).value();
  ModelState state = learner->make_state();
  const KeyedHash hash = fingerprint_hash(world.hub()).value();
  EXPECT_TRUE(learner->fold(state, train, hash).ok());
  Bits bits{fingerprint_text(state), ""};
  const Result<Solution> solution = learner->solve(state);
  if (solution.ok()) bits.weights_sha256 = sha256_hex(serialize_solution(solution.value()));
  return bits;
}

// A new hub that loads what the history ended with, each source in one commit.
void expect_as_a_fresh_hub(History& history) {
  World fresh;
  std::string yaml = history.yaml();
  if (const auto at = yaml.find("commit_rows_max: 9}"); at != std::string::npos) {
    yaml.replace(at, 19, "commit_rows_max: 5000}");
  }
  fresh.configure(yaml);
  for (const std::string& source : history.sources()) {
    fresh.put(source + "/all.csv", history.final_file(source));
  }
  fresh.open();
  ASSERT_TRUE(fresh.is_open());
  fresh.sync();
  World& world = history.world();
  EXPECT_EQ(world.lines(Layer::kRaw, "d"), fresh.lines(Layer::kRaw, "d"));
  EXPECT_EQ(world.lines(Layer::kClean, "d"), fresh.lines(Layer::kClean, "d"));
  EXPECT_EQ(world.lines(Layer::kTrain, "d"), fresh.lines(Layer::kTrain, "d"));
  EXPECT_EQ(rejected_lines(world), rejected_lines(fresh));
  const std::vector<ModelVersionRecord> versions = world.versions("m");
  // A version that a trigger has not made yet says nothing about the newest rows.
  if (versions.empty() || history.yaml().find("trigger") != std::string::npos) return;
  const Bits bits = fold_elsewhere(world, versions.back(), fresh.read(Layer::kTrain, "d"));
  EXPECT_EQ(bits.fingerprint, versions.back().fingerprint);
  EXPECT_EQ(bits.weights_sha256, versions.back().weights_sha256);
}

void expect_exact_versions(History& history) {
  World& world = history.world();
  const std::vector<ModelVersionRecord> versions = world.versions("m");
  if (versions.empty()) return;
  world.expect_exact();
  const std::uint64_t old = history.dice().below(versions.size());
  world.expect_exact("m@" + std::to_string(versions[old].version));
}

// What of a version may not depend on the process that made it. Fingerprints are keyed by the hub.
std::string story_of(const ModelVersionRecord& version) {
  return fmt::format("{} at {} {} {} '{}' of {}: {} {} {} {} weights {} metrics {}",
                     version.version,
                     number(version.snapshot),
                     version_kind_name(version.kind),
                     version_status_name(version.status),
                     version.reason,
                     version.definition,
                     version.folded,
                     version.tested,
                     version.refused,
                     version.unlabelled,
                     version.weights_sha256,
                     version.metrics);
}

std::vector<std::string> stories(World& world) {
  std::vector<std::string> out;
  for (const ModelVersionRecord& version : world.versions("m"))
    out.push_back(story_of(version));
  const Result<std::vector<AliasEvent>> events = world.hub().alias_history("m");
  EXPECT_TRUE(events.ok());
  for (const AliasEvent& event : events.value()) {
    out.push_back(fmt::format("{} -> {} {} by {}: {}",
                              event.alias,
                              event.version.value_or(0),
                              event.follow,
                              event.who,
                              event.why));
  }
  return out;
}

void expect_the_same_when_reopened(std::uint64_t seed, World& kept_open) {
  History reopened({.seed = seed, .reopens = true});
  reopened.play();
  ASSERT_TRUE(reopened.world().is_open());
  EXPECT_EQ(stories(kept_open), stories(reopened.world()));
}

TEST(History, EveryVersionIsTheFullRetrainOfItsRows) {
  const std::unique_ptr<Io> io = make_system_io();
  const std::uint64_t first = number_of_environment(*io, "LOCKSTEP_SEED", 0);
  // A seed alone is one history; with LOCKSTEP_HISTORIES it is the first of so many.
  const bool replay = io->environment("LOCKSTEP_SEED").has_value() &&
                      !io->environment("LOCKSTEP_HISTORIES").has_value();
  const std::uint64_t count = replay ? 1 : number_of_environment(*io, "LOCKSTEP_HISTORIES", 1'000);
  const std::int64_t started = io->monotonic_us();
  std::size_t versions = 0;
  int reverts = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE(fmt::format("replay with LOCKSTEP_SEED={}", seed));
    History history({.seed = seed, .reopens = false});
    history.play();
    ASSERT_TRUE(history.world().is_open());
    ASSERT_FALSE(HasFailure());
    EXPECT_EQ(history.world().lines(Layer::kRaw, "d"), history.expected_raw());
    expect_exact_versions(history);
    expect_as_a_fresh_hub(history);
    if (replay || seed % 4 == 0) expect_the_same_when_reopened(seed, history.world());
    versions += history.world().versions("m").size();
    reverts += history.reverts_proven;
    ASSERT_FALSE(HasFailure());
  }
  const double seconds = static_cast<double>(io->monotonic_us() - started) / 1e6;
  RecordProperty("histories_per_second", std::to_string(static_cast<double>(count) / seconds));
  RecordProperty("versions", std::to_string(versions));
  fmt::print(
      "{} histories in {:.1f} s, {:.1f} a second; {} versions, {} reverts of the newest snapshot\n",
      count,
      seconds,
      static_cast<double>(count) / seconds,
      versions,
      reverts);
  // A run that proves nothing must not pass.
  if (replay || count < 100) return;
  EXPECT_GT(versions, 2 * count);
  EXPECT_GT(reverts, 0);
}

}  // namespace
}  // namespace lockstep::test
