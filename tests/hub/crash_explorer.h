// Power losses in a hub's life: a random history on a simulated disk, and at each operation of the
// disk several of the states that a power loss may leave there, each started again and judged.
#pragma once

#include "hub/fault_support.h"
#include "hub/hub_history.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace lockstep {

struct CrashOptions {
  std::uint64_t seed = 0;
  int actions = 10;             // commits and what stands between them
  int survivals = 6;            // power losses tried at each operation
  std::int64_t states_max = 0;  // then it stops
  bool makes_hub = false;       // begins with no hub
};

struct CrashCounts {
  std::int64_t states = 0;  // each another disk, or another number of commits done
  std::int64_t judged = 0;  // of them, as hubs: the others recovered to the bytes of one of these
  std::int64_t operations = 0;  // at which power was lost
  std::int64_t alike = 0;       // disks that had been judged before
  std::int64_t in_flight = 0;   // states in which the commit under way was there
  std::int64_t twice = 0;       // lost power again while it started
  std::int64_t killed = 0;      // besides: lost power only after another process had gone on
  std::int64_t commits = 0;
  std::int64_t upkeeps = 0;  // steps of compaction and rounds of retention
};

// The history goes on while its states are judged: each on a copy of the disk.
class CrashExplorer final {
 public:
  CrashExplorer(const CrashOptions& options, CrashCounts& counts)
      : options_(options),
        hub_options_(options_of(options.seed)),
        counts_(counts),
        dice_(~options.seed),
        io_(make_simulated_machine(options.seed)) {}

  void play() {
    empty_ = must(image_of(*must(open_on(*hub_machine().copy(0)))));
    if (options_.makes_hub) {
      observe();
      must(Hub::create(*io_, simulated_place(), "configuration: here"));
    } else {
      io_ = hub_machine().copy(options_.seed);
      observe();
    }
    done(empty_);
    hub_ = must(open_on(*io_, hub_options_));
    RandomHistory history(*hub_, options_.seed);
    history.before_commit = [this](CommitRequest& request, const ModelHub& after) {
      begin(request, after);
    };
    for (int action = 0; action < options_.actions && !full(); ++action)
      act(history, action);
    hub_.reset();
    look();
    io_->observe({});
  }

 private:
  // Files and inlined rows, and the log moved every few commits. In an eighth of the histories the
  // key index is written every few rows too: its files, which are not synced, come out of a power
  // loss in so many ways that nearly every state has to be judged.
  static HubOptions options_of(std::uint64_t seed) {
    HubOptions options{.inline_rows_max = 6, .log_bytes_max = 200 << 10, .inlined_deletes_max = 2};
    if (seed % 8 == 0) options.index.recent_max = 20;
    return options;
  }

  // With an empty hub: made once, since that takes as long as many commits.
  static const SimulatedMachine& hub_machine() {
    static const std::unique_ptr<SimulatedMachine> machine = simulated_machine(0);
    return *machine;
  }

  void observe() {
    io_->observe([this](IoOperation, std::string_view) -> Result<void> {
      look();
      return {};
    });
  }

  bool full() const {
    return testing::Test::HasFailure() ||
           (options_.states_max > 0 && counts_.states >= options_.states_max);
  }

  std::size_t below(std::size_t end) { return static_cast<std::size_t>(dice_() % end); }

  void act(RandomHistory& history, int action) {
    const std::size_t choice = action < 2 ? 9 : below(12);
    if (choice == 0) {
      open_anew(history);
    } else if (choice == 1) {
      checkpoint();
    } else if (choice == 2) {
      open_anew(history);
      compact();
    } else if (choice == 3) {
      open_anew(history);
      collect();
    } else if (choice < 7) {
      compact_beside();
    } else {
      history.commit();
      done(under_way_.value_or(acknowledged_));
      counts_.commits += 1;
      must(hub_->tend_log());
    }
  }

  void open_anew(RandomHistory& history) {
    hub_.reset();
    hub_ = must(open_on(*io_, hub_options_));
    history.use(*hub_);
  }

  // Upkeep by a hub that was just opened. What it comes to is found on a copy of the disk.
  void keep_up(const std::function<Result<void>(Hub&)>& step,
               const std::function<void(const HubImage& after)>& expect) {
    HubImage after;
    {
      const auto twin = io_->copy(dice_());
      const auto hub = must(open_on(*twin, hub_options_));
      must(step(*hub));
      after = must(image_of(*hub));
    }
    expect(after);
    under_way_ = after;
    must(step(*hub_));
    done(std::move(after));
    counts_.upkeeps += 1;
  }

  // All that there was, and perhaps a snapshot with the rows of the one before it.
  void compact() {
    const CompactionLimits limits{.rows_min = 1,
                                  .rows_max = 1 + static_cast<std::int64_t>(below(12)),
                                  .older_rows_min = 1 + static_cast<std::int64_t>(below(3))};
    const std::int64_t newest = number(hub_->latest_snapshot());
    keep_up(
        [&](Hub& hub) -> Result<void> {
          TRY(hub.compact(limits));
          return {};
        },
        [&](const HubImage& after) {
          EXPECT_TRUE(std::ranges::includes(after, acknowledged_))
              << image_difference(after, acknowledged_);
          for (const TableDefinition& table : RandomHistory::definitions()) {
            const auto moved = after.find(rows_line(table.name, newest + 1));
            if (moved == after.end()) continue;
            EXPECT_EQ(moved->second, acknowledged_.at(rows_line(table.name, newest)));
          }
        });
  }

  // A call of compaction beside commits: it begins something, does nothing since that is not done
  // yet, or finishes what an earlier call began.
  void compact_beside() {
    upkeep_after_ = number(hub_->latest_snapshot());
    must(hub_->compact({.rows_min = 1,
                        .rows_max = 1 + static_cast<std::int64_t>(below(12)),
                        .older_rows_min = 1 + static_cast<std::int64_t>(below(3)),
                        .files_min = 2,
                        .background = true}));
    HubImage after = must(image_of(*hub_));
    expect_acknowledged(after);
    upkeep_after_.reset();
    if (after != acknowledged_) counts_.upkeeps += 1;
    done(std::move(after));
  }

  // Whether nothing came but a snapshot of upkeep behind the one of this number, with its rows.
  static bool is_moved_only(const HubImage& before, const HubImage& after, std::int64_t newest) {
    HubImage expected = before;
    const auto snapshot = after.find(fmt::format("snapshot {}", newest + 1));
    if (snapshot == after.end()) return false;
    const bool is_upkeep = snapshot->second.starts_with("compacted ") ||
                           snapshot->second.starts_with("merged files of ") ||
                           snapshot->second.starts_with("moved deletes");
    expected.insert(*snapshot);
    for (const TableDefinition& table : RandomHistory::definitions()) {
      const auto rows = before.find(rows_line(table.name, newest));
      if (rows != before.end()) expected[rows_line(table.name, newest + 1)] = rows->second;
    }
    return is_upkeep && after == expected;
  }

  // A round of retention: nothing but what there was.
  void collect() {
    const CollectionLimits limits{
        .policy = {.snapshots_max = 1 + static_cast<std::int64_t>(below(6)), .then_us = 0},
        .grace_us = 0};
    keep_up(
        [&](Hub& hub) -> Result<void> {
          while (TRY(hub.collect(limits)).more) {
          }
          return {};
        },
        [&](const HubImage& after) {
          EXPECT_TRUE(std::ranges::includes(acknowledged_, after))
              << image_difference(after, acknowledged_);
        });
  }

  // A cache: what hub-7 and the image tell does not change by it.
  void checkpoint() {
    CheckpointRecord record;
    record.model = "m";
    record.definition = definition().sha256;
    record.snapshot = hub_->latest_snapshot();
    states_under_way_ = {state_,
                         std::string(500 + below(3000), static_cast<char>('a' + below(26)))};
    must(hub_->write_checkpoint(record, states_under_way_.back()));
    state_ = states_under_way_.back();
    states_under_way_ = {state_};
    forget_seen();
  }

  void done(HubImage image) {
    acknowledged_ = std::move(image);
    under_way_.reset();
    forget_seen();
  }

  void forget_seen() {
    seen_.clear();
    recovered_.clear();
  }

  static DefinitionRecord definition() { return {std::string(64, 'd'), "m", "{}"}; }

  // A version of a model, its state and a position go with each commit; an alias event now and
  // then.
  void begin(CommitRequest& request, const ModelHub& after) {
    HubImage image = acknowledged_;
    const bool has_rows =
        !request.changes.empty() || !request.create.empty() || !request.drop.empty();
    const SnapshotId snapshot = has_rows ? hub_->next_snapshot() : hub_->latest_snapshot();
    if (has_rows) {
      image[fmt::format("snapshot {}", number(snapshot))] = request.message;
      for (const auto& [name, table] : after)
        image[rows_line(name, number(snapshot))] = rows_digest(batch_of_table(table));
    }
    request.definitions.push_back(definition());
    add_version(snapshot, request, image);
    const std::string part = std::to_string(below(3));
    request.positions["source"][part] = request.message;
    image[position_line("source", part)] = request.message;
    under_way_ = std::move(image);
  }

  void add_version(SnapshotId snapshot, CommitRequest& request, HubImage& image) {
    ModelVersionRecord version;
    version.model = "m";
    version.version = ++version_;
    version.snapshot = snapshot;
    version.definition = definition().sha256;
    version.weights = std::string(8 + below(2000), static_cast<char>('a' + below(26)));
    version.weights_sha256 = std::string(64, 'w');
    version.fingerprint = std::to_string(dice_());
    version.metrics = "{}";
    image[fmt::format("m v{}", version_)] = version_digest(version);
    request.model_states.push_back({"m", fmt::format("{{\"version\":{}}}", version_)});
    image["state of m"] = request.model_states.back().json;
    request.versions.push_back(std::move(version));
    if (below(4) != 0) return;
    AliasEvent event;
    event.model = "m";
    event.alias = "champion";
    event.version = version_;
    event.why = request.message;
    image[fmt::format("alias event {}", ++alias_event_)] =
        fmt::format("m champion v{} {}", version_, event.why);
    request.aliases.push_back(std::move(event));
  }

  static Batch batch_of_table(const ModelTable& table) {
    BatchBuilder rows(all_types().schema);
    for (const auto& [id, row] : table)
      rows.append_row(row, 1);
    return must(rows.finish());
  }

  // Right before an operation of the disk.
  void look() {
    if (full()) return;
    counts_.operations += 1;
    for (int survival = 0; survival < options_.survivals && !full(); ++survival) {
      SCOPED_TRACE(fmt::format(
          "seed {}, operation {}, survival {}", options_.seed, counts_.operations, survival));
      const auto machine = io_->copy(dice_());
      if (below(64) == 0) {
        go_on_and_lose(*machine);
        continue;
      }
      machine->crash();
      if (!seen_.insert(machine->content_hash()).second) {
        counts_.alike += 1;
        continue;
      }
      counts_.states += 1;
      if (below(16) == 0) {
        if (below(2) == 0) lose_again(*machine);
        judge(*machine);
      } else if (recover(*machine)) {
        judge(*machine);
      }
    }
  }

  // SQLite takes what it finds in its log over into the catalog's file. What a hub reads is the
  // same before and after, and many states end alike here: each of those is judged once. false:
  // this one was. A sixteenth of all states is judged as the power loss left it.
  bool recover(SimulatedMachine& machine) {
    if (!machine.info("/hub/catalog.sqlite").ok()) return true;
    {
      const auto catalog =
          must(open_sqlite(machine, "/hub/catalog.sqlite", CatalogMode::kWrite, SqliteFiles::kIo));
      must(catalog->checkpoint());
    }
    return recovered_.insert(machine.content_hash()).second;
  }

  // The process was killed, not the machine: another one commits before the power goes, over names
  // and bytes that the first one left without making them durable.
  void go_on_and_lose(SimulatedMachine& machine) {
    auto hub = start(machine);
    ASSERT_NE(hub, nullptr);
    expect_acknowledged(must(image_of(*hub)));
    expect_goes_on(machine, std::move(hub));
    counts_.killed += 1;
  }

  // While it starts again: all operations from one on fail.
  void lose_again(SimulatedMachine& machine) {
    counts_.twice += 1;
    const std::size_t last = 1 + below(60);
    std::size_t count = 0;
    machine.observe([&](IoOperation, std::string_view) -> Result<void> {
      if (++count < last) return {};
      return make_error(Code::kIo, "the machine is off");
    });
    {
      const auto hub = open_on(machine, hub_options_);
    }
    machine.observe({});
    machine.crash();
  }

  std::unique_ptr<Hub> start(SimulatedMachine& machine) {
    auto hub = open_on(machine, hub_options_);
    const bool none = !hub.ok() && hub.error().code == Code::kNoHub && acknowledged_.empty();
    if (none) {
      const Result<void> made = Hub::create(machine, simulated_place(), "configuration: here");
      EXPECT_TRUE(made.ok()) << made.error().message;
      hub = open_on(machine, hub_options_);
    }
    EXPECT_TRUE(hub.ok()) << hub.error().message;
    return hub.ok() ? std::move(hub).value() : nullptr;
  }

  void judge(SimulatedMachine& machine) {
    counts_.judged += 1;
    auto hub = start(machine);
    ASSERT_NE(hub, nullptr);
    const auto image = image_of(*hub);
    ASSERT_TRUE(image.ok()) << image.error().message;
    expect_acknowledged(image.value());
    expect_state(*hub);
    expect_lookups(*hub, image.value());
    if (below(8) == 0) {
      expect_goes_on(machine, std::move(hub));
    } else {
      must(probe(*hub, "goes on"));
      leave(machine, std::move(hub));
    }
  }

  // Without what closing would write.
  static void leave(SimulatedMachine& machine, std::unique_ptr<Hub> hub) {
    machine.observe([](IoOperation, std::string_view) -> Result<void> {
      return make_error(Code::kIo, "the machine is off");
    });
    hub.reset();
  }

  void expect_acknowledged(const HubImage& image) {
    const HubImage& least = acknowledged_.empty() ? empty_ : acknowledged_;
    if (image == least) return;
    counts_.in_flight += 1;
    if (upkeep_after_ && is_moved_only(least, image, *upkeep_after_)) return;
    ASSERT_TRUE(under_way_.has_value()) << image_difference(image, least);
    ASSERT_EQ(image_difference(image, *under_way_), "");
  }

  // The index finds each current row of a history, whose keys lie in this range.
  static void expect_lookups(Hub& hub, const HubImage& image) {
    BatchBuilder keys(Schema({{"id", Type::kInt}}));
    for (std::int64_t id = -6; id < 56; ++id)
      keys.append_row(std::vector<Value>{id}, 1);
    const Batch asked = must(keys.finish());
    for (const TableDefinition& table : must(hub.tables(hub.latest_snapshot()))) {
      const auto found = hub.lookup(table.name, asked);
      ASSERT_TRUE(found.ok()) << found.error().message;
      ASSERT_EQ(rows_digest(found.value().rows),
                image.at(rows_line(table.name, number(hub.latest_snapshot()))));
    }
  }

  void expect_state(Hub& hub) {
    if (state_.empty()) return;
    const auto found = must(hub.read_checkpoint("m", definition().sha256, hub.latest_snapshot()));
    ASSERT_TRUE(found.has_value());
    const auto known = std::find(states_under_way_.begin(), states_under_way_.end(), found->second);
    ASSERT_NE(known, states_under_way_.end());
  }

  // Another commit, to a file in a new folder, which is there after the next power loss.
  void expect_goes_on(SimulatedMachine& machine, std::unique_ptr<Hub> hub) {
    CommitRequest request;
    request.create.push_back(small_table(Layer::kTrain));
    request.changes.push_back({request.create.front().name, numbered_rows(0, 9)});
    const auto committed = hub->commit(request);
    ASSERT_TRUE(committed.ok()) << committed.error().message;
    const HubImage image = must(image_of(*hub));
    machine.crash();
    hub.reset();
    hub = must(open_on(machine, hub_options_));
    ASSERT_EQ(image_difference(must(image_of(*hub)), image), "") << "after going on";
  }

  const CrashOptions options_;
  const HubOptions hub_options_;
  CrashCounts& counts_;
  std::mt19937_64 dice_;
  std::unique_ptr<SimulatedMachine> io_;
  std::unique_ptr<Hub> hub_;
  HubImage empty_;
  HubImage acknowledged_;  // empty: no hub yet
  std::optional<HubImage> under_way_;
  std::optional<std::int64_t> upkeep_after_;     // the newest snapshot when a call of it began
  std::unordered_set<std::uint64_t> seen_;       // disks, since the newest acknowledged commit
  std::unordered_set<std::uint64_t> recovered_;  // likewise, once SQLite has recovered
  std::int64_t version_ = 0;
  std::int64_t alias_event_ = 0;
  std::string state_;                          // of the model, checkpointed last
  std::vector<std::string> states_under_way_;  // of which one must be there
};

}  // namespace lockstep
