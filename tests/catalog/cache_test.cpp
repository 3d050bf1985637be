// A database that is a cache: its commits wait for no disk, and what is left of it is whole.
#include "base/simulated_io.h"
#include "catalog/worlds.h"

#include <gtest/gtest.h>

#include <set>

namespace lockstep {
namespace {

void make_table(Catalog& cache) {
  must_do(cache.execute("CREATE TABLE item(id INTEGER PRIMARY KEY, text VARCHAR)"));
}

void insert(Catalog& cache, std::int64_t id) {
  const auto transaction = must(cache.begin());
  must_do(must(cache.cached("INSERT INTO item VALUES (?, ?)"))->run({id, std::string(300, 'x')}));
  must_do(transaction->commit());
}

std::int64_t count(Catalog& cache) {
  return std::get<std::int64_t>(must(cache.single("SELECT count(*) FROM item")));
}

// Readers and the mover of the log have files of their own: what one connection committed stands
// there at once.
TEST(SqliteCache, ShowsItsCommitsToOthersAndSyncsNone) {
  SystemWorld world;
  Io& io = world.io();
  const std::string path = world.path();
  {
    const auto cache =
        must(open_sqlite(io, path, CatalogMode::kCreate, SqliteFiles::kSystem, SqliteUse::kCache));
    make_table(*cache);
    const auto reader = must(open_sqlite(io, path, CatalogMode::kRead));
    int syncs = 0;
    io.observe([&](IoOperation operation, std::string_view) -> Result<void> {
      syncs += operation == IoOperation::kSync ? 1 : 0;
      return {};
    });
    for (std::int64_t id = 0; id < 200; ++id) {
      insert(*cache, id);
      ASSERT_EQ(count(*reader), id + 1);
    }
    EXPECT_EQ(syncs, 0);
    while (cache->log_bytes() > 0)
      must_do(cache->checkpoint_beside());
    EXPECT_GT(syncs, 0);
    io.observe({});
    insert(*cache, 200);
    EXPECT_EQ(count(*reader), 201);
  }
  EXPECT_EQ(count(*must(open_sqlite(io, path, CatalogMode::kRead))), 201);
}

// The first so many transactions are there, and none in part.
TEST(SqliteCache, IsWholeAfterAPowerLossAtAnyOperation) {
  const auto machine = make_simulated_machine(5);
  must_do(machine->make_directories("/c"));
  std::int64_t done = 0;
  int states = 0;
  int behind = 0;
  std::uint64_t dice = 0;
  machine->observe([&](IoOperation, std::string_view) -> Result<void> {
    for (int survival = 0; survival < 3; ++survival) {
      const auto copy = machine->copy(++dice);
      copy->crash();
      ++states;
      const auto cache =
          open_sqlite(*copy, "/c/x", CatalogMode::kWrite, SqliteFiles::kIo, SqliteUse::kCache);
      // Before its first sync it may be no database.
      if (!cache.ok() || !cache.value()->table_exists("item")) continue;
      EXPECT_EQ(must(cache.value()->single("PRAGMA integrity_check")), Cell(std::string("ok")));
      const std::int64_t left = count(*cache.value());
      EXPECT_LE(left, done + 1);
      behind += left < done ? 1 : 0;
      const Cell last = must(cache.value()->single("SELECT max(id) FROM item"));
      if (left > 0) {
        EXPECT_EQ(last, Cell(left - 1));
      }
    }
    return {};
  });
  {
    const auto cache = must(
        open_sqlite(*machine, "/c/x", CatalogMode::kCreate, SqliteFiles::kIo, SqliteUse::kCache));
    make_table(*cache);
    for (; done < 40; ++done) {
      insert(*cache, done);
      if (done % 9 == 8) must_do(cache->checkpoint());
    }
  }
  machine->observe({});
  EXPECT_GT(states, 500);
  EXPECT_GT(behind, 20);
}

// Any byte of it: whoever reads the page is told, and nobody is told anything else.
TEST(SqliteCache, TellsAPageThatIsNotWhatWasWritten) {
  const auto machine = make_simulated_machine(6);
  must_do(machine->make_directories("/c"));
  {
    const auto cache = must(
        open_sqlite(*machine, "/c/x", CatalogMode::kCreate, SqliteFiles::kIo, SqliteUse::kCache));
    make_table(*cache);
    for (std::int64_t id = 0; id < 20; ++id)
      insert(*cache, id);
    must_do(cache->checkpoint());
  }
  const std::string whole = must(read_file(*machine, "/c/x", 1'000'000));
  ASSERT_GT(whole.size(), 4'096U);
  for (std::size_t at = 0; at < whole.size(); at += 61) {
    const auto copy = machine->copy(at);
    const auto file = must(copy->open("/c/x", OpenMode::kReadWrite));
    const std::byte flipped{static_cast<unsigned char>(whole[at] ^ 0x10)};
    must_do(file->write_at(at, {&flipped, 1}));
    const auto cache =
        open_sqlite(*copy, "/c/x", CatalogMode::kWrite, SqliteFiles::kIo, SqliteUse::kCache);
    const auto sum = cache.ok() ? cache.value()->single("SELECT sum(length(text)) FROM item")
                                : Result<Cell>(cache.error());
    ASSERT_FALSE(sum.ok()) << at;
    EXPECT_EQ(sum.error().code, Code::kCorrupt) << at << ": " << sum.error().message;
  }
}

}  // namespace
}  // namespace lockstep
