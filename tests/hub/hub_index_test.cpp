// The hub with a key index that is behind the catalog, ahead of it, of another line of commits,
// damaged or gone (hub-7): every look-up and commit is as if it were whole.
#include "hub/hub_history.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace lockstep {
namespace {

// So small that every few commits write runs and merge them.
constexpr HubOptions kSmallIndex{
    .inline_rows_max = 6, .log_bytes_max = 1 << 20, .index = {.recent_max = 8, .build_max = 16}};

void expect_lookups(Hub& hub, const RandomHistory& history) {
  BatchBuilder keys(Schema({{"id", Type::kInt}}));
  for (std::int64_t id = -6; id < 56; ++id)
    keys.append_row(std::vector<Value>{id});
  const Batch asked = must(keys.finish());
  const auto& [snapshot, model] = *history.snapshots().rbegin();
  for (const auto& [name, table] : model) {
    const Lookup found = must(hub.lookup(name, asked));
    ASSERT_EQ(found.rows.row_count(), static_cast<std::int64_t>(table.size()));
    ASSERT_EQ(must(hub.row_count(name, SnapshotId{snapshot})), found.rows.row_count());
    for (std::int64_t row = 0; row < asked.row_count(); ++row) {
      const auto expected = table.find(asked.int_at(0, row));
      const std::int64_t at = found.row_of_key[static_cast<std::size_t>(row)];
      ASSERT_EQ(at >= 0, expected != table.end());
      if (at < 0) continue;
      ASSERT_TRUE(rows_equal(found.rows, at, batch_of(all_types().schema, {expected->second}), 0));
    }
  }
}

// A hub, its history, and copies of its folders from earlier.
class IndexedHub {
 public:
  explicit IndexedHub(std::uint64_t seed) : history_(*open(), seed) {}

  Hub* open() {
    hub_ = ground_.open(kSmallIndex);
    return hub_.get();
  }

  void reopen() {
    hub_.reset();
    history_.use(*open());
  }

  void close() { hub_.reset(); }

  void commit(std::size_t count) {
    for (std::size_t step = 0; step < count; ++step)
      history_.commit();
  }

  void compact() {
    const CompactionLimits all{.rows_min = 1, .rows_max = 20, .older_rows_min = 1};
    while (must(hub_->compact(all)).state != CompactionState::kNothing) {
    }
  }

  void check() {
    history_.use(*hub_);
    expect_lookups(*hub_, history_);
  }

  // Copies of the index alone, or of all else.
  void keep_index(const std::string& as) { copy(index(), kept(as)); }

  void put_index_back(const std::string& as) { copy(kept(as), index()); }

  void keep_hub(const std::string& as) {
    hub_.reset();
    copy(ground_.folder() + "/data", kept(as) + "/data");
    for (const char* file : {"catalog.sqlite", "catalog.sqlite-wal"}) {
      const std::string path = ground_.folder() + "/" + file;
      if (std::filesystem::exists(path)) std::filesystem::copy(path, kept(as) + "/" + file);
    }
    history_.use(*open());
  }

  void put_hub_back(const std::string& as) {
    hub_.reset();
    for (const char* file : {"catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"}) {
      const std::string path = ground_.folder() + "/" + file;
      std::filesystem::remove(path);
      if (std::filesystem::exists(kept(as) + "/" + file))
        std::filesystem::copy(kept(as) + "/" + file, path);
    }
    copy(kept(as) + "/data", ground_.folder() + "/data");
  }

  std::string index() const { return ground_.folder() + "/catalog.sqlite.index"; }

  RandomHistory& history() { return history_; }

 private:
  std::string kept(const std::string& as) const { return ground_.folder() + "/kept-" + as; }

  static void copy(const std::string& from, const std::string& to) {
    std::filesystem::remove_all(to);
    std::filesystem::create_directories(to);
    if (std::filesystem::exists(from))
      std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
  }

  HubPlayground ground_;
  std::unique_ptr<Hub> hub_;
  RandomHistory history_;
};

// As after a crash between a commit and the index's write.
TEST(HubIndex, BehindTheCatalogFollowsWhatCameSince) {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    IndexedHub hub(seed);
    hub.commit(6 + hub.history().below(10));
    hub.check();
    hub.reopen();
    hub.keep_index("early");
    for (int round = 0; round < 3; ++round) {
      hub.commit(1 + hub.history().below(12));
      hub.close();
      hub.put_index_back("early");
      hub.open();
      hub.check();
    }
    hub.commit(5);
    hub.reopen();
    hub.check();
  }
}

// Compaction moves rows to files whose first snapshots are older than the index.
TEST(HubIndex, BehindACompactionFollowsTheRowsThatMoved) {
  for (const std::uint64_t seed : {11U, 12U, 13U}) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    IndexedHub hub(seed);
    hub.commit(12);
    hub.reopen();
    hub.keep_index("early");
    for (int round = 0; round < 3; ++round) {
      hub.commit(hub.history().below(8));
      hub.compact();
      hub.check();
      hub.commit(hub.history().below(4));
      hub.close();
      hub.put_index_back("early");
      hub.history().use(*hub.open());
      hub.check();
    }
  }
}

TEST(HubIndex, AheadOfARestoredCatalogIsMadeAgain) {
  for (const std::uint64_t seed : {5U, 6U}) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    IndexedHub hub(seed);
    hub.commit(8);
    hub.keep_hub("backup");
    const RandomHistory then = hub.history();
    hub.commit(6);
    hub.close();
    hub.put_hub_back("backup");
    hub.history() = then;
    hub.open();
    hub.check();
    hub.commit(8);
    hub.reopen();
    hub.check();
  }
}

// The restored hub went on without that index, beyond its stamp.
TEST(HubIndex, OfAnotherLineOfCommitsIsMadeAgain) {
  IndexedHub hub(7);
  hub.commit(8);
  hub.keep_hub("backup");
  const RandomHistory then = hub.history();
  hub.commit(6);
  hub.close();
  hub.keep_index("other");
  hub.put_hub_back("backup");
  std::filesystem::remove_all(hub.index());
  hub.history() = then;
  hub.history().use(*hub.open());
  static_cast<void>(hub.history().below(2));  // another course of random numbers
  hub.commit(14);
  hub.close();
  hub.put_index_back("other");
  hub.open();
  hub.check();
}

TEST(HubIndex, ThatIsGoneOrDamagedIsMadeAgain) {
  IndexedHub hub(9);
  hub.commit(10);
  hub.close();
  std::filesystem::remove_all(hub.index());
  hub.open();
  hub.check();
  hub.commit(10);
  hub.close();
  int damaged = 0;
  for (const auto& file : std::filesystem::directory_iterator(hub.index())) {
    std::fstream bytes(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(40);
    bytes.put('\x7f');
    ++damaged;
  }
  EXPECT_GT(damaged, 2);
  hub.open();
  hub.check();
  hub.commit(5);
  hub.check();
}

TEST(HubIndex, ADroppedTableLeavesNoFilesBehind) {
  HubPlayground ground;
  auto hub = ground.open(kSmallIndex);
  CommitRequest load;
  load.create.push_back(small_table());
  load.changes.push_back({small_table().name, numbered_rows(0, 100)});
  must(hub->commit(load));
  const std::string index = ground.folder() + "/catalog.sqlite.index";
  EXPECT_FALSE(std::filesystem::is_empty(index));
  CommitRequest drop;
  drop.drop.push_back(small_table().name);
  must(hub->commit(drop));
  EXPECT_TRUE(std::filesystem::is_empty(index));
}

TEST(HubIndex, TextsAndSeveralColumnsAreKeys) {
  HubPlayground ground;
  const TableDefinition table{
      {Layer::kRaw, "visits"},
      Schema({{"ward", Type::kText}, {"bed", Type::kInt}, {"x", Type::kFloat}}),
      {"ward", "bed"}};
  std::vector<std::vector<Value>> rows;
  for (std::int64_t bed = 0; bed < 300; ++bed)
    rows.push_back({std::string(bed % 2 == 0 ? "é" : ""), bed / 2, 0.5 * static_cast<double>(bed)});
  auto hub = ground.open(kSmallIndex);
  CommitRequest load;
  load.create.push_back(table);
  load.changes.push_back({table.name, batch_of(table.schema, rows)});
  must(hub->commit(load));
  hub.reset();
  hub = ground.open(kSmallIndex);
  const Schema keys({{"ward", Type::kText}, {"bed", Type::kInt}});
  const Batch asked = batch_of(keys,
                               {{std::string("é"), std::int64_t{70}},
                                {std::string(""), std::int64_t{149}},
                                {std::string("e"), std::int64_t{70}},
                                {std::string(""), std::int64_t{150}}});
  const Lookup found = must(hub->lookup(table.name, asked));
  ASSERT_EQ(found.rows.row_count(), 2);
  EXPECT_EQ(found.row_of_key[2], -1);
  EXPECT_EQ(found.row_of_key[3], -1);
  EXPECT_EQ(found.rows.float_at(2, found.row_of_key[0]), 70.0);
  EXPECT_EQ(found.rows.float_at(2, found.row_of_key[1]), 149.5);
}

}  // namespace
}  // namespace lockstep
