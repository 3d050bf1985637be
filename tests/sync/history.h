// A random history of one dataset, played on a hub and, beside it, on a few maps that say what must
// come out.
#pragma once

#include "sync/world.h"

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::test {

struct HistoryRow {
  std::int64_t at = 0;  // rises with every row that is made up: which row is the latest
  std::optional<std::int64_t> x_quarters;
  std::optional<std::string> w;
  std::optional<std::int64_t> y_quarters;

  bool operator==(const HistoryRow&) const = default;
};

struct StoredRow {
  HistoryRow row;
  int file = 0;  // that brought it

  bool operator==(const StoredRow&) const = default;
};

using HistoryKey = std::pair<std::string, std::int64_t>;  // source, id
using HistoryState = std::map<HistoryKey, StoredRow>;

struct HistoryOptions {
  std::uint64_t seed = 0;
  bool reopens = false;  // the engine is closed and opened again between commits, now and then
};

class History final {
 public:
  explicit History(const HistoryOptions& options)
      : options_(options), dice_(options.seed), reopen_dice_(options.seed + 1) {
    two_sources_ = dice_.one_in(4);
    chunked_ = dice_.one_in(5);
    id_count_ = std::vector<std::uint64_t>{40, 150, 900}[dice_.below(3)];
    yaml_ = make_yaml();
  }

  World& world() { return world_; }

  const std::string& yaml() const { return yaml_; }

  void play() {
    world_.configure(yaml_);
    world_.open(quiet());
    if (!world_.is_open()) return;
    remember_state();
    const int commits = 5 + static_cast<int>(dice_.below(8));
    for (int commit = 0; commit < commits && !::testing::Test::HasFailure(); ++commit) {
      if (options_.reopens && reopen_dice_.one_in(2)) world_.open(quiet());
      act(commit == 0);
    }
  }

  std::vector<std::string> expected_raw() const {
    std::vector<std::string> out;
    for (const auto& [key, stored] : state_) {
      out.push_back(fmt::format("{}|{}|{}|{}|{}|{}",
                                key.first,
                                key.second,
                                stored.row.at,
                                quarters(stored.row.x_quarters, "NULL"),
                                stored.row.w.value_or("NULL"),
                                quarters(stored.row.y_quarters, "NULL")));
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  // The rows of a source at the end, as one file of inserts.
  std::string final_file(const std::string& source) const {
    std::string out = kHeader;
    for (const auto& [key, stored] : state_) {
      if (key.first == source) out += line_of("I", key.second, stored.row);
    }
    return out;
  }

  std::vector<std::string> sources() const {
    return two_sources_ ? std::vector<std::string>{"a", "b"} : std::vector<std::string>{"a"};
  }

  Dice& dice() { return dice_; }

 private:
  static constexpr const char* kHeader = "_op,id,at,x,w,y\n";

  static std::string quarters(const std::optional<std::int64_t>& value, const char* null) {
    return value ? value_text(static_cast<double>(*value) / 4) : null;
  }

  static std::string line_of(const char* operation, std::int64_t id, const HistoryRow& row) {
    return fmt::format("{},{},{},{},{},{}\n",
                       operation,
                       id,
                       row.at,
                       quarters(row.x_quarters, ""),
                       csv_cell(row.w.value_or("")),
                       quarters(row.y_quarters, ""));
  }

  std::string make_yaml() {
    std::string yaml = "hub: {commit_rows_max: " + std::string(chunked_ ? "9" : "5000") + "}\n";
    yaml += "sources:\n";
    for (const std::string& source : sources()) {
      yaml += fmt::format(
          "  {0}: {{type: files, path: \"{0}/*.csv\", mode: upsert, operation: _op}}\n", source);
    }
    yaml += "datasets:\n  d:\n";
    yaml += two_sources_ ? "    from: [a, b]\n    latest: at\n" : "    from: [a]\n";
    yaml +=
        "    key: [id]\n"
        "    columns: {id: int, at: int, x: float, w: text, y: float}\n"
        "    clean:\n"
        "      - filter: \"is_null(x) or x >= 0\"\n"
        "      - range: {columns: [y], min: -1000, max: 1000, otherwise: reject}\n";
    if (!dice_.one_in(4)) yaml += "    train:\n      - split: {by: id, test: 0.2}\n";
    yaml +=
        "models:\n  m:\n    dataset: d\n    features: [x, w]\n    targets: [y]\n"
        "    expand:\n      - one_hot: [w]\n      - indicators\n      - impute: {with: mean}\n"
        "      - standardize\n      - splines: 3\n      - fourier: {features: 6, gamma: 0.1}\n"
        "    learner: {type: ridge, l2: auto}\n    calibrate_after: 20 rows\n";
    if (dice_.one_in(6)) yaml += "    trigger: {changes: 15}\n";
    if (dice_.one_in(6)) yaml += "    outside: reject\n";
    if (dice_.one_in(6)) yaml += "    per_target: true\n";
    if (dice_.one_in(3)) yaml += "    gate: off\n";
    return yaml;
  }

  // Rows that are moved make snapshots, and when is a matter of time.
  static EngineOptions quiet() {
    EngineOptions options;
    options.upkeep = false;
    return options;
  }

  void remember_state() { states_[number(world_.hub().latest_snapshot())] = state_; }

  void act(bool first) {
    const std::uint64_t choice = first ? 99 : dice_.below(100);
    if (choice < 14) {
      revert(dice_.one_in(3) ? random_snapshot() : number(world_.hub().latest_snapshot()));
    } else if (choice < 18) {
      command({{"command", "recalibrate"}, {"model", "m"}});
    } else if (choice < 22) {
      command({{"command", "rollback"}, {"model", "m"}});
    } else if (choice < 28) {
      command({{"command", "accept"}, {"model", "m"}});
    } else {
      deliver(first);
    }
    if (::testing::Test::HasFailure()) return;
    remember_state();
  }

  // May be refused: there is no version yet, or nothing to accept.
  void command(const Json& command) {
    const Result<Json> done = world_.try_run(command);
    if (done.ok()) return;
    const Code code = done.error().code;
    EXPECT_TRUE(code == Code::kNotFound || code == Code::kRefused || code == Code::kInvalid)
        << command.dump() << ": " << done.error().message;
  }

  std::size_t batch_size(bool first) {
    if (first) return 25 + dice_.below(40);
    static constexpr std::size_t kSizes[] = {1, 1, 2, 3, 5, 8, 13, 30};
    if (dice_.one_in(40)) return 600;
    if (dice_.one_in(15)) return 100 + dice_.below(100);
    return kSizes[dice_.below(std::size(kSizes))];
  }

  HistoryRow make_row(bool poisoned) {
    static const char* const kTexts[] = {"east", "west", "say \"hi\"", "a,b", "two\nlines", "icu"};
    HistoryRow row;
    row.at = ++at_;
    const auto x = static_cast<std::int64_t>(dice_.below(400));
    const std::uint64_t text = dice_.below(std::size(kTexts));
    if (!dice_.one_in(10)) row.x_quarters = dice_.one_in(12) ? -x - 1 : x;
    if (!dice_.one_in(10)) row.w = kTexts[text];
    if (!dice_.one_in(20)) {
      const auto noise = static_cast<std::int64_t>(dice_.below(40));
      row.y_quarters =
          2 * x + 10 * static_cast<std::int64_t>(text) + noise + (poisoned ? 2'000 : 0);
      if (dice_.one_in(25)) row.y_quarters = 20'000;
    }
    return row;
  }

  void deliver(bool first) {
    const std::vector<std::string> from = sources();
    const std::string source = from[dice_.below(from.size())];
    const std::size_t size = batch_size(first);
    const bool poisoned = dice_.one_in(8);
    ++file_;
    std::string text = kHeader;
    HistoryState now = state_;
    std::set<std::int64_t> used;
    for (std::size_t index = 0; index < size; ++index) {
      const auto id = static_cast<std::int64_t>(dice_.below(id_count_));
      if (chunked_ && !used.insert(id).second) continue;
      text += operate(now, {source, id}, first, poisoned);
    }
    settle(std::move(now));
    world_.put(fmt::format("{}/{:04}.csv", source, file_), text);
    world_.sync();
  }

  std::string operate(HistoryState& now, const HistoryKey& key, bool first, bool poisoned) {
    const auto old = now.find(key);
    const bool present = old != now.end();
    const std::uint64_t choice = dice_.below(20);
    const char* operation = choice < 8 || first ? "U" : choice < 13 ? "I" : "D";
    if (choice >= 13 && !present && !dice_.one_in(10)) operation = "I";
    HistoryRow row = make_row(poisoned);
    // What was there before comes again: a correction that corrects nothing, or a reverted row.
    const auto reverted = overrides_.find(key);
    if (dice_.one_in(3) && reverted != overrides_.end() && reverted->second)
      row = *reverted->second;
    if (present && dice_.one_in(12)) row = old->second.row;
    take(now, key, *operation, row);
    return line_of(operation, key.second, row);
  }

  void take(HistoryState& now, const HistoryKey& key, char operation, const HistoryRow& row) {
    if (const auto found = overrides_.find(key); found != overrides_.end()) {
      const bool same = operation == 'D' ? !found->second : found->second == row;
      if (same) return;
      overrides_.erase(found);
    }
    if (operation == 'D') {
      now.erase(key);
    } else {
      now[key] = {row, file_};
    }
  }

  // A row that came again as it was stays the older row.
  void settle(HistoryState now) {
    for (auto& [key, stored] : now) {
      const auto old = state_.find(key);
      if (old != state_.end() && old->second.row == stored.row) stored = old->second;
    }
    state_ = std::move(now);
  }

  std::int64_t random_snapshot() {
    auto found = states_.begin();
    std::advance(found, static_cast<std::ptrdiff_t>(dice_.below(states_.size())));
    return found->first;
  }

  static std::optional<StoredRow> at(const HistoryState& state, const HistoryKey& key) {
    const auto found = state.find(key);
    return found == state.end() ? std::nullopt : std::optional(found->second);
  }

  void revert(std::int64_t snapshot) {
    if (!states_.contains(snapshot) || !states_.contains(snapshot - 1)) return;
    const HistoryState& before = states_.at(snapshot - 1);
    const HistoryState& after = states_.at(snapshot);
    static const char* const kPolicies[] = {"refuse", "keep-later", "overwrite"};
    const std::string policy = kPolicies[dice_.below(3)];
    HistoryState now = state_;
    std::map<HistoryKey, std::optional<HistoryRow>> overrides;
    std::set<HistoryKey> keys;
    for (const HistoryState* side : {&before, &after}) {
      for (const auto& [key, stored] : *side)
        keys.insert(key);
    }
    bool refused = false;
    for (const HistoryKey& key : keys) {
      const auto old = at(before, key);
      const auto made = at(after, key);
      const auto current = at(state_, key);
      if (old == made || current == old) continue;
      if (current != made && policy == "refuse") refused = true;
      if (current != made && policy != "overwrite") continue;
      overrides[key] = made ? std::optional(made->row) : std::nullopt;
      if (old) {
        now[key] = *old;
      } else {
        now.erase(key);
      }
    }
    run_revert(snapshot, policy, refused || overrides.empty(), std::move(now), overrides);
  }

  void run_revert(std::int64_t snapshot,
                  const std::string& policy,
                  bool refused,
                  HistoryState now,
                  const std::map<HistoryKey, std::optional<HistoryRow>>& overrides) {
    const auto commit = world_.hub().commit_of_snapshot(SnapshotId{snapshot}).value();
    if (commit->kind != CommitKind::kChanges && commit->kind != CommitKind::kRevert) refused = true;
    const bool newest = snapshot == number(world_.hub().latest_snapshot());
    const Result<Json> done = world_.try_run(
        {{"command", "revert"}, {"snapshot", std::to_string(snapshot)}, {"conflicts", policy}});
    ASSERT_EQ(done.ok(), !refused) << "revert " << snapshot << " " << policy << ": "
                                   << (done.ok() ? "done" : done.error().message);
    if (refused) return;
    state_ = std::move(now);
    for (const auto& [key, row] : overrides) {
      if (commit->kind == CommitKind::kRevert) {
        overrides_.erase(key);
      } else {
        overrides_[key] = row;
      }
    }
    if (newest) expect_bits_from_before(snapshot);
  }

  // The newest version has the weights of the one that stood before `snapshot`.
  void expect_bits_from_before(std::int64_t snapshot) {
    const std::vector<ModelVersionRecord> all = world_.versions("m");
    if (all.empty() || number(all.back().snapshot) <= snapshot) return;
    const ModelVersionRecord* before = nullptr;
    for (const ModelVersionRecord& version : all) {
      if (number(version.snapshot) < snapshot) before = &version;
    }
    if (before == nullptr || before->definition != all.back().definition) return;
    // Under a trigger of N changes the version before may be of an older snapshot than the last.
    if (yaml_.find("trigger") != std::string::npos) return;
    EXPECT_EQ(before->weights_sha256, all.back().weights_sha256);
    EXPECT_EQ(before->fingerprint, all.back().fingerprint);
    ++reverts_proven;
  }

 public:
  int reverts_proven = 0;

 private:
  HistoryOptions options_;
  Dice dice_;
  Dice reopen_dice_;
  bool two_sources_ = false;
  bool chunked_ = false;
  std::uint64_t id_count_ = 0;
  std::string yaml_;
  World world_;
  HistoryState state_;
  std::map<std::int64_t, HistoryState> states_;                // by snapshot
  std::map<HistoryKey, std::optional<HistoryRow>> overrides_;  // nullopt: a reverted delete
  std::int64_t at_ = 0;
  int file_ = 0;
};

}  // namespace lockstep::test
