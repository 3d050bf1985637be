// What SQLite on the machine's own files does beyond the conformance tests: several connections at
// a time.
#include "base/thread.h"
#include "catalog/worlds.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <vector>

namespace lockstep {
namespace {

std::int64_t count_rows(Catalog& catalog) {
  return std::get<std::int64_t>(must(catalog.single("SELECT count(*) FROM t")));
}

std::unique_ptr<Catalog> make_table(World& world) {
  auto catalog = must(world.open(CatalogMode::kCreate));
  EXPECT_TRUE(catalog->execute("CREATE TABLE IF NOT EXISTS t(id BIGINT)").ok());
  return catalog;
}

TEST(QuoteIdentifier, DoublesQuotes) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "\"\""}, {"name", "\"name\""}, {"na\"me", "\"na\"\"me\""}, {"a; --", "\"a; --\""}};
  for (const auto& [name, quoted] : cases)
    EXPECT_EQ(quote_identifier(name), quoted);
}

TEST(Sqlite, LetsAReaderSeeACommitOnlyWhenItIsDone) {
  SystemWorld world;
  auto writer = make_table(world);
  auto reader = must(world.open(CatalogMode::kRead));
  auto transaction = must(writer->begin());
  ASSERT_TRUE(writer->execute("INSERT INTO t VALUES (1)").ok());
  EXPECT_EQ(count_rows(*reader), 0);
  ASSERT_TRUE(transaction->commit().ok());
  EXPECT_EQ(count_rows(*reader), 1);
}

TEST(Sqlite, KeepsAReadersViewUntilItEnds) {
  SystemWorld world;
  auto writer = make_table(world);
  auto reader = must(world.open(CatalogMode::kRead));
  {
    auto view = must(reader->begin_read());
    ASSERT_TRUE(writer->execute("INSERT INTO t VALUES (1)").ok());
    EXPECT_EQ(count_rows(*reader), 0);
    ASSERT_TRUE(writer->checkpoint().ok());
    EXPECT_GT(writer->log_bytes(), 0U) << "the reader still needs the log";
    EXPECT_EQ(count_rows(*reader), 0);
  }
  EXPECT_EQ(count_rows(*reader), 1);
  ASSERT_TRUE(writer->checkpoint().ok());
  EXPECT_EQ(writer->log_bytes(), 0U);
}

TEST(Sqlite, MovesItsLogBesideTheCommits) {
  SystemWorld world;
  auto writer = make_table(world);
  constexpr std::uint64_t kMax = std::uint64_t{1} << 20;
  constexpr int kCommits = 4'000;
  int moves = 0;
  for (int id = 0; id < kCommits; ++id) {
    ASSERT_TRUE(writer->execute("INSERT INTO t VALUES (" + std::to_string(id) + ")").ok());
    if (writer->log_bytes() <= kMax) continue;
    ASSERT_TRUE(writer->checkpoint_beside().ok());
    ++moves;
  }
  EXPECT_GT(moves, 1);
  EXPECT_LT(std::filesystem::file_size(world.path() + "-wal"), 4 * kMax)
      << "the log starts anew, however many commits come";
  ASSERT_TRUE(writer->checkpoint().ok());
  EXPECT_EQ(writer->log_bytes(), 0U);
  EXPECT_EQ(count_rows(*writer), kCommits);
  writer.reset();
  auto reader = must(world.open(CatalogMode::kRead));
  EXPECT_EQ(count_rows(*reader), kCommits);
}

TEST(Sqlite, IsClosedWhileItsLogIsBeingMoved) {
  SystemWorld world;
  auto writer = make_table(world);
  ASSERT_TRUE(writer->execute("INSERT INTO t VALUES (1)").ok());
  ASSERT_TRUE(writer->checkpoint_beside().ok());
  writer.reset();
  auto reader = must(world.open(CatalogMode::kRead));
  EXPECT_EQ(count_rows(*reader), 1);
}

TEST(Sqlite, ReadsACatalogWithoutItsLogBesideIt) {
  SystemWorld world;
  make_table(world).reset();
  EXPECT_FALSE(std::filesystem::exists(world.path() + "-wal"));
  EXPECT_EQ(count_rows(*must(world.open(CatalogMode::kRead))), 0);
}

// Leaves the log as a dead writer does.
TEST(Sqlite, ReadsWhatADeadWriterCommitted) {
  SystemWorld world;
  make_table(world).reset();
  world.run_and_die_at(1'000'000, [&] {
    auto catalog = must(world.open(CatalogMode::kWrite));
    EXPECT_TRUE(catalog->execute("INSERT INTO t VALUES (1)").ok());
    _exit(77);
  });
  EXPECT_GT(std::filesystem::file_size(world.path() + "-wal"), 0U);
  EXPECT_EQ(count_rows(*must(world.open(CatalogMode::kRead))), 1);
  EXPECT_GT(std::filesystem::file_size(world.path() + "-wal"), 0U) << "a reader wrote";
}

// The simulated clock, so that the five seconds of waiting cost nothing.
TEST(Sqlite, RefusesASecondWriterAtTheStart) {
  SystemWorld world;
  const auto clock = make_simulated_io(1);
  auto first = must(open_sqlite(*clock, world.path(), CatalogMode::kCreate));
  auto second = must(open_sqlite(*clock, world.path(), CatalogMode::kCreate));
  auto transaction = must(first->begin());
  const std::int64_t before_us = clock->now_us();
  const auto refused = second->begin();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kLocked);
  EXPECT_GE(clock->now_us() - before_us, 4'500'000);
  ASSERT_TRUE(transaction->commit().ok());
  EXPECT_TRUE(second->begin().ok());
}

TEST(Sqlite, RefusesASecondConnectionOnASimulatedDisk) {
  SimulatedWorld world(1);
  auto first = make_table(world);
  const auto second = world.open(CatalogMode::kRead);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, Code::kLocked);
  first.reset();
  EXPECT_TRUE(world.open(CatalogMode::kRead).ok());
}

TEST(Sqlite, SaysThatTheDiskIsFull) {
  auto io = make_simulated_io(1);
  auto catalog = must(open_sqlite(*io, "/catalog", CatalogMode::kCreate, SqliteFiles::kIo));
  ASSERT_TRUE(catalog->execute("CREATE TABLE t(id BIGINT)").ok());
  io->set_free_bytes(1000);
  const auto failed = catalog->execute("INSERT INTO t VALUES (1)");
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Code::kIo);
  EXPECT_NE(failed.error().message.find("pace"), std::string::npos) << failed.error().message;
}

TEST(Sqlite, TellsIoOfEveryKindOfFileOperation) {
  SystemWorld world;
  std::map<IoOperation, int> seen;
  world.io().observe([&](IoOperation operation, std::string_view path) -> Result<void> {
    EXPECT_NE(path.find("catalog.sqlite"), std::string_view::npos);
    seen[operation] += 1;
    return {};
  });
  auto catalog = make_table(world);
  ASSERT_TRUE(catalog->checkpoint().ok());
  catalog.reset();
  make_table(world).reset();
  for (const IoOperation operation : {IoOperation::kOpen,
                                      IoOperation::kRead,
                                      IoOperation::kWrite,
                                      IoOperation::kSync,
                                      IoOperation::kRemove,
                                      IoOperation::kLock}) {
    EXPECT_GT(seen[operation], 0) << io_operation_name(operation);
  }
}

TEST(Sqlite, ServesSeveralIosFromSeveralThreads) {
  std::atomic<int> done = 0;
  std::vector<std::unique_ptr<Thread>> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.push_back(std::make_unique<Thread>([&done, thread] {
      for (int round = 0; round < 5; ++round) {
        SystemWorld world;
        auto writer = make_table(world);
        auto reader = must(world.open(CatalogMode::kRead));
        for (int row = 0; row < thread + 1; ++row) {
          EXPECT_TRUE(writer->execute("INSERT INTO t VALUES (1)").ok());
        }
        EXPECT_EQ(count_rows(*reader), thread + 1);
        done += 1;
      }
    }));
  }
  threads.clear();  // waits for them
  EXPECT_EQ(done, 20);
}

}  // namespace
}  // namespace lockstep
