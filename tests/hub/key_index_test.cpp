// The key index beside a map that is right by itself: over random commits, restarts, crashes of the
// disk, and files that are damaged, lost or somebody else's.
#include "hub/key_index.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace lockstep {
namespace {

using Places = std::map<std::string, RowPlace>;

constexpr std::int64_t kTable = 7;
constexpr const char* kFolder = "/hub/catalog.sqlite.index";

std::string key_of(std::int64_t number) {
  // Long and short ones, some with a byte that ends texts elsewhere.
  return fmt::format("key {}{}", number, std::string(static_cast<std::size_t>(number % 40), '\0'));
}

// A table's rows, its commits, and the index that follows them.
class IndexedModel {
 public:
  IndexedModel(std::uint64_t seed, const KeyIndexLimits& limits)
      : random_(seed), limits_(limits), io_(make_simulated_io(seed)) {
    commits_.emplace_back();
    open();
  }

  std::size_t below(std::size_t end) { return static_cast<std::size_t>(random_() % end); }

  // The process ended without a word, and another begins.
  void open() {
    index_.reset();
    moving_.reset();
    folder_ = std::make_unique<KeyIndexFolder>(*io_, kFolder, hub_id, "a secret");
    folder_->limits = limits_;
    index_ = std::make_unique<KeyIndex>();
    index_->attach(*folder_, kTable, [this](const TakePlace& take) -> Result<void> {
      ++rebuild_count;
      for (const auto& [key, place] : now())
        TRY(take(key, place));
      return {};
    });
    const auto stamp = index_->load();
    loaded = stamp.has_value();
    if (!stamp) {
      const auto row_count = index_->rebuild();
      if (row_count.ok()) {
        EXPECT_EQ(row_count.value(), static_cast<std::int64_t>(now().size()));
      }
      return;
    }
    ASSERT_LT(static_cast<std::size_t>(stamp->snapshot), commits_.size());
    const Places& from = commits_[static_cast<std::size_t>(stamp->snapshot)];
    EXPECT_EQ(stamp->row_count, static_cast<std::int64_t>(from.size()));
    replay(from);
  }

  void commit() {
    commits_.push_back(now());
    Places& next = commits_.back();
    const std::size_t kind = below(14);
    if (kind == 0) {
      add_file(next, below(3) == 0 ? 300 : 40);
    } else if (kind == 1) {
      compact(next);
    } else if (kind < 5) {
      move(next);
    } else {
      change_some(next, kind < 7 ? 60 : 4);
    }
    index_->settle(stamp(), below(3) == 0 ? SettlePace::kNone : SettlePace::kShare);
  }

  void close() { index_->settle(stamp(), SettlePace::kAll); }

  void expect_all() {
    std::vector<std::string> keys;
    for (std::int64_t number = 0; number < kKeys; ++number)
      keys.push_back(key_of(number));
    keys.push_back(keys[below(keys.size())]);  // asked twice
    const auto found = index_->find_all(keys);
    ASSERT_TRUE(found.ok()) << found.error().message;
    for (std::size_t index = 0; index < keys.size(); ++index)
      ASSERT_EQ(found.value()[index], model_place(keys[index])) << keys[index];
    const std::string& one = keys[below(keys.size())];
    const auto single = index_->find(one);
    ASSERT_TRUE(single.ok()) << single.error().message;
    ASSERT_EQ(single.value(), model_place(one));
  }

  std::vector<std::string> files() {
    std::vector<std::string> paths;
    const auto listed = io_->list(kFolder);
    if (!listed.ok()) return paths;
    for (const FileInfo& file : listed.value())
      paths.push_back(file.path);
    return paths;
  }

  // Changes a byte, cuts, or removes some file of the index. false: there is none.
  bool damage() {
    const auto paths = files();
    if (paths.empty()) return false;
    const std::string& path = paths[below(paths.size())];
    if (below(3) == 0) return io_->remove(path).ok();
    const auto file = io_->open(path, OpenMode::kReadWrite);
    const std::uint64_t size = file.value()->size_bytes().value();
    if (size == 0) return false;
    if (below(2) == 0) return file.value()->truncate(below(size)).ok();
    std::array<std::byte, 1> byte{};
    const std::uint64_t at = below(size);
    EXPECT_TRUE(file.value()->read_at(at, byte).ok());
    byte[0] ^= static_cast<std::byte>(1U << below(8));
    return file.value()->write_at(at, byte).ok();
  }

  const Places& now() const { return commits_.back(); }

  std::int64_t snapshot() const { return static_cast<std::int64_t>(commits_.size()) - 1; }

  IndexStamp stamp() const {
    return {.snapshot = snapshot(),
            .time_us = 1000 + snapshot(),
            .next_file_id = next_file_,
            .row_count = static_cast<std::int64_t>(now().size())};
  }

  SimulatedIo& io() { return *io_; }

  KeyIndex& index() { return *index_; }

  std::string hub_id = "11111111-2222-3333-4444-555555555555";
  int rebuild_count = 0;
  int moves = 0;  // that were finished
  bool loaded = false;

 private:
  static constexpr std::int64_t kKeys = 900;

  std::optional<RowPlace> model_place(const std::string& key) const {
    const auto found = now().find(key);
    return found == now().end() ? std::nullopt : std::optional<RowPlace>(found->second);
  }

  void replay(const Places& from) {
    for (const auto& [key, place] : from) {
      if (!now().contains(key)) index_->erase(key);
    }
    for (const auto& [key, place] : now()) {
      const auto before = from.find(key);
      if (before != from.end() && before->second == place) continue;
      if (index_->wants_room()) index_->make_room();
      index_->set(key, place);
    }
    index_->settle(stamp(), SettlePace::kShare);
  }

  void change_some(Places& next, std::size_t count_max) {
    const std::size_t count = 1 + below(count_max);
    for (std::size_t change = 0; change < count; ++change) {
      const std::string key = key_of(static_cast<std::int64_t>(below(kKeys)));
      if (below(3) == 0) {
        next.erase(key);
        index_->erase(key);
      } else {
        next[key] = {.row_id = next_row_++};
        index_->set(key, next[key]);
      }
    }
  }

  void add_file(Places& next, std::size_t count) {
    std::vector<std::string> keys;
    std::vector<std::int64_t> row_ids;
    std::int64_t number = static_cast<std::int64_t>(below(kKeys));
    const std::int64_t first = static_cast<std::int64_t>(below(1000)) << 24U;
    for (std::size_t row = 0; row < count; ++row) {
      keys.push_back(key_of(number++ % kKeys));
      row_ids.push_back(next_row_++);
      next[keys.back()] = {.row_id = row_ids.back(),
                           .file_id = next_file_,
                           .position = first + static_cast<std::int64_t>(row)};
    }
    index_->add_file(
        {.file_id = next_file_, .first_position = first, .keys = keys, .row_ids = row_ids});
    ++next_file_;
  }

  // Every row moves to one new file.
  void compact(Places& next) {
    std::int64_t position = 0;
    for (auto& [key, place] : next) {
      place.file_id = next_file_;
      place.position = position++;
      index_->set(key, place);
    }
    ++next_file_;
  }

  // All rows as they are begin to move, or those that were begun with have moved, but for those
  // that changed meanwhile.
  void move(Places& next) {
    if (!moving_) {
      moving_ = next;
      moving_file_ = next_file_++;
      index_->begin_move();
      return;
    }
    if (below(5) != 0) return;  // it takes a while
    const Places moving = *std::exchange(moving_, std::nullopt);
    const auto run = write_moved(moving);
    if (moving.empty() || !run.ok() || !index_->can_finish_move()) {
      index_->abandon_move();
      return;
    }
    std::int64_t position = 0;
    for (const auto& [key, place] : moving) {
      const auto known = next.find(key);
      if (known != next.end() && known->second == place)
        known->second = moved_place(place, position);
      ++position;
    }
    index_->finish_move({.run = run.value(), .file_id = moving_file_});
    ++moves;
  }

  RowPlace moved_place(const RowPlace& place, std::int64_t position) const {
    return {.row_id = place.row_id, .file_id = moving_file_, .position = position};
  }

  Result<KeyRunInfo> write_moved(const Places& moving) {
    std::vector<KeyEntry> entries;
    for (const auto& [key, place] : moving) {
      const auto position = static_cast<std::int64_t>(entries.size());
      entries.push_back(entry_of(folder_->hash(key), moved_place(place, position)));
    }
    std::ranges::sort(entries, {}, &KeyEntry::key);
    const auto writer = TRY(folder_->create_run(kTable));
    for (const KeyEntry& entry : entries)
      TRY(writer->add(entry));
    return writer->finish();
  }

  std::mt19937_64 random_;
  const KeyIndexLimits limits_;
  std::unique_ptr<SimulatedIo> io_;
  std::unique_ptr<KeyIndexFolder> folder_;
  std::unique_ptr<KeyIndex> index_;
  std::vector<Places> commits_;
  std::int64_t next_row_ = 1;
  std::int64_t next_file_ = 1;
  std::optional<Places> moving_;  // as they were when their move began
  std::int64_t moving_file_ = 0;
};

constexpr KeyIndexLimits kTiny{.recent_max = 20, .build_max = 64};

TEST(KeyIndex, FindsWhatAMapFindsOverCommitsAndRestarts) {
  int moves = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    IndexedModel model(seed, kTiny);
    for (int step = 0; step < 120; ++step) {
      model.commit();
      if (model.below(10) == 0) model.expect_all();
      if (model.below(20) != 0) continue;
      if (model.below(2) == 0) model.close();
      model.open();
    }
    model.expect_all();
    moves += model.moves;
    if (testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(moves, 100);
}

TEST(KeyIndex, IsFoundAgainAfterARestart) {
  IndexedModel model(3, kTiny);
  for (int step = 0; step < 100; ++step)
    model.commit();
  model.rebuild_count = 0;
  model.open();
  EXPECT_TRUE(model.loaded);
  model.expect_all();
  EXPECT_EQ(model.rebuild_count, 0);
}

TEST(KeyIndex, IsRightAfterACrashOfTheDiskThatLostWhatWasNotSynced) {
  int loaded = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    IndexedModel model(seed, kTiny);
    for (int crash = 0; crash < 4; ++crash) {
      const std::size_t steps = model.below(40);
      for (std::size_t step = 0; step < steps; ++step)
        model.commit();
      model.io().crash();
      model.open();
      loaded += model.loaded ? 1 : 0;
      model.expect_all();
      if (testing::Test::HasFatalFailure()) return;
    }
  }
  EXPECT_GT(loaded, 0);
}

// Files are damaged both while the index is open and while it is not.
TEST(KeyIndex, IsMadeAgainWhenAFileIsDamagedOrGone) {
  int rebuilt = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    IndexedModel model(seed, kTiny);
    const std::size_t steps = 10 + model.below(60);
    for (std::size_t step = 0; step < steps; ++step)
      model.commit();
    model.rebuild_count = 0;
    model.damage();
    if (model.below(2) == 0) model.open();
    model.expect_all();
    for (int step = 0; step < 20; ++step)
      model.commit();
    model.open();
    model.expect_all();
    rebuilt += model.rebuild_count > 0 ? 1 : 0;
    if (testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(rebuilt, 20);
}

TEST(KeyIndex, IsRightWhicheverDiskOperationFails) {
  for (int failing = 0; failing < 400; ++failing) {
    SCOPED_TRACE(fmt::format("operation {}", failing));
    IndexedModel model(5, kTiny);
    int count = 0;
    model.io().observe([&](IoOperation, std::string_view path) -> Result<void> {
      if (count++ != failing) return {};
      return make_error(Code::kIo, fmt::format("no {}", path));
    });
    for (int step = 0; step < 40; ++step)
      model.commit();
    model.open();
    model.io().observe({});
    model.expect_all();
    model.open();
    model.expect_all();
    if (testing::Test::HasFatalFailure()) return;
    if (count <= failing) break;
  }
}

TEST(KeyIndex, OfAnotherHubIsNotTaken) {
  IndexedModel model(4, kTiny);
  for (int step = 0; step < 60; ++step)
    model.commit();
  model.close();
  model.hub_id.front() = '9';
  model.open();
  EXPECT_FALSE(model.loaded);
  model.expect_all();
}

TEST(KeyIndex, KeepsFewRunsAndRemovesWhatItReplaced) {
  IndexedModel model(8, kTiny);
  for (int step = 0; step < 1200; ++step)
    model.commit();
  // Two files of the record, the runs, and those that merges are writing.
  EXPECT_LT(model.files().size(), 16U);
  model.index().discard();
  EXPECT_TRUE(model.files().empty());
}

TEST(KeyIndex, TellsWhenTwoRowsHaveOneKey) {
  const auto io = make_simulated_io(1);
  KeyIndexFolder folder(*io, kFolder, std::string(36, 'h'), "a secret");
  folder.limits = kTiny;
  for (const int row_count : {10, 1000}) {
    KeyIndex index;
    index.attach(folder, kTable, [&](const TakePlace& take) -> Result<void> {
      for (std::int64_t row = 0; row < row_count; ++row)
        TRY(take(key_of(row), {.row_id = row}));
      return take(key_of(3), {.row_id = 5000});
    });
    const auto built = index.rebuild();
    ASSERT_FALSE(built.ok());
    EXPECT_EQ(built.error().code, Code::kCorrupt);
  }
}

TEST(KeyIndex, HoldsTheWidestPlaces) {
  const RowPlace widest{.row_id = (std::int64_t{1} << 48) - 1,
                        .file_id = (std::int64_t{1} << 40) - 3,
                        .position = (std::int64_t{1} << 40) - 1};
  EXPECT_TRUE(fits_entry(widest));
  EXPECT_EQ(entry_of({1, 2}, widest).place(), widest);
  EXPECT_FALSE(fits_entry({.row_id = widest.row_id + 1}));
  EXPECT_FALSE(fits_entry({.file_id = widest.file_id + 1}));
  EXPECT_FALSE(fits_entry({.file_id = 0, .position = widest.position + 1}));
  EXPECT_TRUE(gone_entry({1, 2}).is_gone());
  EXPECT_FALSE(entry_of({1, 2}, {.row_id = 0}).is_gone());
}

}  // namespace
}  // namespace lockstep
