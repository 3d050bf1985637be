// The power goes while sources are synced: the hub has the rows of the files that its positions
// name, and the model version that they owe; and started again it comes to the same versions, bit
// for bit, as a run that lost nothing. Everything is on a simulated disk (base/io.h). As many
// states as a hundredth of LOCKSTEP_CRASH_STATES, from the history of LOCKSTEP_SEED on.
#include "base/simulated_io.h"
#include "hub/hub_support.h"
#include "sync/small_model.h"
#include "sync/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <unordered_set>

namespace lockstep::test {
namespace {

constexpr int kFiles = 5;
constexpr std::uint64_t kStatesOfAShortRun = 15'000;  // of LOCKSTEP_CRASH_STATES

using Rows = std::map<std::int64_t, std::string>;  // id -> the whole line

// What files bring, and what is there after each: file 0 calibrates, one is large enough for
// Parquet.
struct Script {
  explicit Script(std::uint64_t seed) {
    Dice dice(seed);
    Rows now;
    for (int file = 0; file < kFiles; ++file) {
      const std::uint64_t count = file == 0 ? 40 : file == 2 ? 520 : 1 + dice.below(9);
      std::string text = "id,x,y\n";
      for (std::uint64_t row = 0; row < count; ++row) {
        const auto id = static_cast<std::int64_t>(file == 2 ? row : dice.below(60));
        const std::string line = fmt::format("{},{},{}", id, dice.below(90), dice.below(300));
        if (file == 0 && now.contains(id)) continue;
        text += line + "\n";
        now[id] = line;
      }
      files.push_back(text);
      after.push_back(now);
    }
  }

  std::vector<std::string> files;
  std::vector<Rows> after;
};

// A machine with lockstep.yaml, and the engine on it.
class PowerWorld final {
 public:
  explicit PowerWorld(std::unique_ptr<SimulatedMachine> io)
      : io_(std::move(io)), log_(make_silent_log()) {}

  static std::unique_ptr<SimulatedMachine> new_machine(std::uint64_t seed) {
    auto io = make_simulated_machine(seed);
    EXPECT_TRUE(io->make_directories("/in").ok());
    EXPECT_TRUE(write_file_atomically(*io, "/lockstep.yaml", kSmallModel).ok());
    return io;
  }

  SimulatedMachine& io() { return *io_; }

  // The catalog is on the simulated disk too.
  Result<Configuration> configuration() {
    Configuration configuration = TRY(load_configuration(*io_, "/lockstep.yaml"));
    configuration.hub.catalog = "sqlite-on-io:/hub/catalog.sqlite";
    return configuration;
  }

  Result<void> start() {
    engine_.reset();
    engine_ = TRY(Engine::open(*io_, *log_, TRY(configuration()), {}));
    return {};
  }

  void stop() { engine_.reset(); }

  // Does not return an error of a source: it shows by what is missing.
  Result<void> sync() {
    TRY(engine_->sync());
    return {};
  }

  Hub& hub() { return engine_->hub(); }

  Result<std::unique_ptr<Hub>> bare_hub() {
    const Configuration configuration = TRY(this->configuration());
    return Hub::open(*io_, {configuration.hub.catalog, configuration.hub.data}, HubMode::kWrite);
  }

 private:
  std::unique_ptr<SimulatedMachine> io_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Engine> engine_;
};

Result<Rows> raw_rows(Hub& hub) {
  Rows rows;
  const auto definition = TRY(hub.table({Layer::kRaw, "d"}, hub.latest_snapshot()));
  if (!definition) return rows;
  const Batch batch = TRY(hub.read({Layer::kRaw, "d"}, hub.latest_snapshot(), {"id", "x", "y"}));
  for (std::int64_t row = 0; row < batch.row_count(); ++row) {
    rows[batch.int_at(0, row)] = fmt::format("{},{},{}",
                                             value_text(batch.value(0, row)),
                                             value_text(batch.value(1, row)),
                                             value_text(batch.value(2, row)));
  }
  return rows;
}

// Oldest first.
Result<std::vector<std::string>> version_bits(Hub& hub) {
  std::vector<std::string> bits;
  for (const ModelVersionRecord& version : TRY(hub.versions("m", 1'000'000))) {
    bits.insert(bits.begin(),
                fmt::format("v{} at {} {} {}",
                            version.version,
                            number(version.snapshot),
                            version_status_name(version.status),
                            version.weights_sha256));
  }
  return bits;
}

struct PowerCounts {
  std::int64_t states = 0;
  std::int64_t operations = 0;
  std::int64_t ahead = 0;  // the file under way was in the hub
};

class PowerLosses final {
 public:
  PowerLosses(std::uint64_t seed, std::int64_t states_max, PowerCounts& counts)
      : seed_(seed), states_max_(states_max), counts_(counts), script_(seed), dice_(seed + 1'000) {}

  void play() {
    learn_the_right_bits();
    PowerWorld world(PowerWorld::new_machine(seed_));
    world.io().observe([&](IoOperation, std::string_view path) -> Result<void> {
      if (path.find("/hub") != std::string_view::npos) look(world.io());
      return {};
    });
    for (int file = 0; file < kFiles && !full(); ++file) {
      put(world.io(), file);
      if (file == 0 || dice_.one_in(3)) must_do(world.start());
      must_do(world.sync());
      synced_ = file + 1;
      seen_.clear();
    }
    world.io().observe({});
  }

 private:
  static void must_do(const Result<void>& result) {
    ASSERT_TRUE(result.ok()) << result.error().message;
  }

  bool full() const { return testing::Test::HasFailure() || counts_.states >= states_max_; }

  void put(SimulatedMachine& io, int file) {
    must_do(write_file_atomically(io, fmt::format("/in/{}.csv", file), script_.files[file]));
    files_put_ = file + 1;
  }

  void learn_the_right_bits() {
    PowerWorld world(PowerWorld::new_machine(seed_));
    for (int file = 0; file < kFiles; ++file) {
      put(world.io(), file);
      if (file == 0) must_do(world.start());
      must_do(world.sync());
      right_bits_.push_back(must(version_bits(world.hub())));
    }
    ASSERT_GT(right_bits_.back().size(), 3U);
    files_put_ = 0;
  }

  void look(const SimulatedMachine& io) {
    if (full() || files_put_ == 0) return;
    counts_.operations += 1;
    if (!dice_.one_in(3)) return;  // a restart of an engine costs as much as ten of a hub
    auto lost = io.copy(dice_.below(1'000'000'000));
    lost->crash();
    if (!seen_.insert(lost->content_hash()).second) return;
    SCOPED_TRACE(fmt::format("seed {}, operation {}", seed_, counts_.operations));
    counts_.states += 1;
    judge(std::move(lost));
  }

  void judge(std::unique_ptr<SimulatedMachine> machine) {
    PowerWorld world(std::move(machine));
    {
      const auto hub = world.bare_hub();
      const bool none = !hub.ok() && hub.error().code == Code::kNoHub && synced_ == 0;
      ASSERT_TRUE(none || hub.ok()) << hub.error().message;
      if (!none) expect_whole(*hub.value());
    }
    const Result<void> started = world.start();
    ASSERT_TRUE(started.ok()) << started.error().message;
    const Result<void> synced = world.sync();
    ASSERT_TRUE(synced.ok()) << synced.error().message;
    EXPECT_EQ(must(raw_rows(world.hub())), script_.after[files_put_ - 1]);
    EXPECT_EQ(must(version_bits(world.hub())), right_bits_[files_put_ - 1]);
    if (counts_.states % 8 != 0) return;
    const Result<Json> verified = verify(world.hub(), "", {});
    ASSERT_TRUE(verified.ok()) << verified.error().message;
    for (const Json& version : verified.value())
      EXPECT_TRUE(version.at("exact").get<bool>()) << version.dump();
  }

  // Before anybody went on.
  void expect_whole(Hub& hub) {
    const auto positions = must(hub.positions());
    const auto found = positions.find("a");
    // One part a file, and one without a name that says where the next begins.
    const int read = found == positions.end() ? 0 : static_cast<int>(found->second.size()) - 1;
    ASSERT_TRUE(read == synced_ || read == files_put_) << read << " files of " << files_put_;
    counts_.ahead += read > synced_ ? 1 : 0;
    EXPECT_EQ(must(raw_rows(hub)), read == 0 ? Rows() : script_.after[read - 1]);
    const std::vector<std::string> bits = must(version_bits(hub));
    const std::vector<std::string> none;
    EXPECT_EQ(bits, read == 0 ? none : right_bits_[read - 1]);
  }

  const std::uint64_t seed_;
  const std::int64_t states_max_;
  PowerCounts& counts_;
  const Script script_;
  Dice dice_;
  std::vector<std::vector<std::string>> right_bits_;  // by the number of files, less one
  std::unordered_set<std::uint64_t> seen_;
  int synced_ = 0;  // files
  int files_put_ = 0;
};

std::uint64_t number_of_environment(Io& io, const std::string& name, std::uint64_t fallback) {
  const std::optional<std::string> text = io.environment(name);
  std::uint64_t value = fallback;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

TEST(PowerLosses, AnywhereInASyncLoseAndDoubleNothing) {
  const std::unique_ptr<Io> io = make_system_io();
  // A commit's log is written in one piece: of a hundred states one has the file under way.
  const std::int64_t goal =
      std::max<std::int64_t>(500,
                             static_cast<std::int64_t>(number_of_environment(
                                 *io, "LOCKSTEP_CRASH_STATES", kStatesOfAShortRun)) /
                                 100);
  const std::uint64_t first = number_of_environment(*io, "LOCKSTEP_SEED", 1);
  const std::int64_t started = io->monotonic_us();
  PowerCounts counts;
  std::uint64_t seed = first;
  for (; counts.states < goal && !HasFailure(); ++seed)
    PowerLosses(seed, goal, counts).play();
  ASSERT_FALSE(HasFailure()) << "replay with LOCKSTEP_SEED=" << seed - 1;
  const double seconds = static_cast<double>(io->monotonic_us() - started) / 1e6;
  fmt::print(
      "{} power-loss states of an engine at {} operations in {:.1f} s, {:.0f} a second: {} with "
      "the file under way; seeds {} to {}\n",
      counts.states,
      counts.operations,
      seconds,
      static_cast<double>(counts.states) / seconds,
      counts.ahead,
      first,
      seed - 1);
  EXPECT_GT(counts.ahead, 0);
}

}  // namespace
}  // namespace lockstep::test
