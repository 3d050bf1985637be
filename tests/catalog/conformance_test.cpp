// What every catalog does, wherever its files are.
#include "catalog/worlds.h"

#include <gtest/gtest.h>

#include <limits>

namespace lockstep {
namespace {

constexpr std::int64_t kRows = 16;  // over several pages, so that a transaction is many writes

// The state before: generation 0 and 1 row of it. The change makes it generation 1 with kRows rows.
void make_base(Catalog& catalog) {
  must_do(
      catalog.execute("CREATE TABLE generation(number BIGINT);"
                      "CREATE TABLE item(id BIGINT PRIMARY KEY, generation BIGINT, text VARCHAR)"));
  auto transaction = must(catalog.begin());
  must_do(
      catalog.execute("INSERT INTO generation VALUES (0); INSERT INTO item VALUES (0, 0, 'a')"));
  must_do(transaction->commit());
}

Result<void> change(Catalog& catalog) {
  auto transaction = TRY(catalog.begin());
  TRY(catalog.execute("UPDATE generation SET number = 1; UPDATE item SET generation = 1"));
  for (std::int64_t id = 1; id < kRows; ++id) {
    Statement* insert = TRY(catalog.cached("INSERT INTO item VALUES (?, 1, ?)"));
    TRY(insert->run({id, std::string(500, 'x')}));
  }
  TRY(transaction->commit());
  return {};
}

// The file of a catalog in the state before, so that the many rounds below need not make it anew.
std::string base_file(World& world) {
  make_base(*must(world.open(CatalogMode::kCreate)));
  return must(read_file(world.io(), world.path(), 1'000'000));
}

// 0 or 1, when all of the catalog is of that generation.
std::int64_t whole_generation(Catalog& catalog) {
  const auto integer = [&](const char* sql) {
    return std::get<std::int64_t>(must(catalog.single(sql)));
  };
  EXPECT_EQ(must(catalog.single("PRAGMA integrity_check")), Cell(std::string("ok")));
  const std::int64_t generation = integer("SELECT number FROM generation");
  EXPECT_EQ(integer("SELECT count(*) FROM item"), generation == 0 ? 1 : kRows);
  EXPECT_EQ(integer("SELECT count(DISTINCT generation) FROM item"), 1);
  EXPECT_EQ(integer("SELECT max(generation) FROM item"), generation);
  return generation;
}

class CatalogConformance : public testing::TestWithParam<WorldMaker> {
 protected:
  std::unique_ptr<World> make_world(std::uint64_t seed = 1) { return GetParam().make(seed); }
};

TEST_P(CatalogConformance, ReadsBackEveryKindOfCell) {
  const Cell cells[] = {
      Cell{},
      Cell{std::int64_t{0}},
      Cell{std::numeric_limits<std::int64_t>::min()},
      Cell{std::numeric_limits<std::int64_t>::max()},
      Cell{0.1},
      Cell{-std::numeric_limits<double>::infinity()},
      Cell{std::string()},
      Cell{std::string("it's \"quoted\", \xc3\xa9")},
      Cell{std::string("a\0b", 3)},
      Cell{Blob{}},
      Cell{Blob{std::string("\0\xff\0", 3)}},
      Cell{Blob{std::string(100'000, 'z')}},
  };
  auto world = make_world();
  auto catalog = must(world->open(CatalogMode::kCreate));
  must_do(catalog->execute("CREATE TABLE cells(value)"));
  auto insert = must(catalog->prepare("INSERT INTO cells VALUES (?)"));
  auto select = must(catalog->prepare("SELECT value FROM cells ORDER BY rowid DESC LIMIT 1"));
  for (const Cell& cell : cells) {
    must_do(insert->run({cell}));
    ASSERT_TRUE(must(select->step()));
    EXPECT_EQ(select->cell(0), cell);
    EXPECT_EQ(select->is_null(0), cell == Cell{});
    select->reset();
  }
}

TEST_P(CatalogConformance, KeepsWhatWasCommittedAndNothingElse) {
  auto world = make_world();
  {
    auto catalog = must(world->open(CatalogMode::kCreate));
    make_base(*catalog);
    {
      auto dropped = must(catalog->begin());
      must_do(catalog->execute("UPDATE generation SET number = 7"));
    }
    EXPECT_EQ(whole_generation(*catalog), 0);
    must_do(change(*catalog));
  }
  auto catalog = must(world->open(CatalogMode::kWrite));
  EXPECT_EQ(whole_generation(*catalog), 1);
}

TEST_P(CatalogConformance, RefusesWhatIsNotThereOrNoDatabase) {
  auto world = make_world();
  for (const CatalogMode mode : {CatalogMode::kRead, CatalogMode::kWrite}) {
    const auto missing = world->open(mode);
    ASSERT_FALSE(missing.ok());
    EXPECT_EQ(missing.error().code, Code::kNoHub);
  }
  world->write_file(std::string(5000, 'x'));
  for (const CatalogMode mode : {CatalogMode::kRead, CatalogMode::kWrite, CatalogMode::kCreate}) {
    const auto no_database = world->open(mode);
    ASSERT_FALSE(no_database.ok());
    EXPECT_EQ(no_database.error().code, Code::kCorrupt) << no_database.error().message;
    EXPECT_NE(no_database.error().message.find(world->path()), std::string::npos);
  }
}

TEST_P(CatalogConformance, ReadsButNeverWritesWhenOpenedToRead) {
  auto world = make_world();
  {
    auto catalog = must(world->open(CatalogMode::kCreate));
    make_base(*catalog);
  }
  auto catalog = must(world->open(CatalogMode::kRead));
  EXPECT_EQ(whole_generation(*catalog), 0);
  const auto written = catalog->execute("UPDATE generation SET number = 7");
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, Code::kDenied);
}

TEST_P(CatalogConformance, TellsWrongSqlFromTrouble) {
  auto world = make_world();
  auto catalog = must(world->open(CatalogMode::kCreate));
  make_base(*catalog);

  struct Case {
    const char* sql;
    const char* why;
  };

  const Case cases[] = {
      {"SELEKT 1", "syntax error"},
      {"SELECT * FROM missing", "no such table"},
      {"INSERT INTO item VALUES (0, 0, 'again')", "UNIQUE"},
  };
  for (const Case& c : cases) {
    const auto result = catalog->execute(c.sql);
    ASSERT_FALSE(result.ok()) << c.sql;
    EXPECT_EQ(result.error().code, Code::kInvalid);
    EXPECT_NE(result.error().message.find(c.why), std::string::npos) << result.error().message;
  }
  const auto two = catalog->prepare("SELECT 1; DELETE FROM item");
  ASSERT_FALSE(two.ok());
  EXPECT_EQ(two.error().code, Code::kInvalid);
  EXPECT_TRUE(catalog->prepare("SELECT 1;\n").ok());
  EXPECT_EQ(whole_generation(*catalog), 0);
}

TEST_P(CatalogConformance, HandsOutACachedStatementReset) {
  auto world = make_world();
  auto catalog = must(world->open(CatalogMode::kCreate));
  make_base(*catalog);
  Statement* const first = must(catalog->cached("SELECT id FROM item WHERE id >= ?"));
  first->bind_integer(0, 0);
  ASSERT_TRUE(must(first->step()));
  Statement* const again = must(catalog->cached("SELECT id FROM item WHERE id >= ?"));
  EXPECT_EQ(first, again);
  again->bind_integer(0, 5);
  EXPECT_FALSE(must(again->step()));
}

TEST_P(CatalogConformance, CountsTheLogAndEmptiesItInACheckpoint) {
  auto world = make_world();
  auto catalog = must(world->open(CatalogMode::kCreate));
  make_base(*catalog);
  EXPECT_GT(catalog->log_bytes(), 0U);
  must_do(catalog->checkpoint());
  EXPECT_EQ(catalog->log_bytes(), 0U);
  must_do(change(*catalog));
  EXPECT_GT(catalog->log_bytes(), static_cast<std::uint64_t>(kRows * 500));
  must_do(catalog->checkpoint());
  EXPECT_EQ(catalog->log_bytes(), 0U);
  EXPECT_EQ(whole_generation(*catalog), 1);
}

bool puts_files_in_doubt(IoOperation operation) {
  return operation == IoOperation::kWrite || operation == IoOperation::kSync ||
         operation == IoOperation::kTruncate;
}

// Fails one operation of open, change and checkpoint. Whatever it is, the catalog is whole when it
// is opened anew.
TEST_P(CatalogConformance, IsWholeAfterAnyOneOperationFailed) {
  bool is_past_the_end = false;
  int doubts = 0;
  const std::string base = base_file(*make_world());
  for (int failing = 1; !is_past_the_end; ++failing) {
    SCOPED_TRACE(failing);
    ASSERT_LT(failing, 1000);
    auto world = make_world();
    world->write_file(base);
    int count = 0;
    std::optional<IoOperation> failed;
    world->io().observe([&](IoOperation operation, std::string_view) -> Result<void> {
      if (++count != failing) return {};
      failed = operation;
      return make_error(Code::kIo, "the test's failure");
    });
    bool was_committed = false;
    auto catalog = world->open(CatalogMode::kWrite);
    if (catalog.ok()) {
      was_committed = change(*catalog.value()).ok();
      const bool was_moved = catalog.value()->checkpoint().ok();
      const bool is_in_doubt = failed.has_value() && puts_files_in_doubt(*failed);
      if (is_in_doubt) {
        const auto refused = catalog.value()->begin();
        ASSERT_FALSE(refused.ok());
        EXPECT_EQ(refused.error().code, Code::kIo);
        EXPECT_FALSE(was_moved);
        doubts += 1;
      }
    }
    is_past_the_end = !failed.has_value();
    if (is_past_the_end) {
      EXPECT_TRUE(was_committed);
    }
    catalog = Error{};  // closes it
    world->io().observe({});
    auto reopened = must(world->open(CatalogMode::kWrite));
    const std::int64_t generation = whole_generation(*reopened);
    if (was_committed) {
      EXPECT_EQ(generation, 1);
    }
    if (generation == 0) must_do(change(*reopened));
    EXPECT_EQ(whole_generation(*reopened), 1);
  }
  EXPECT_GT(doubts, 3) << "the failures missed the commit";
}

TEST_P(CatalogConformance, NamesTheFailureOfIo) {
  auto world = make_world();
  auto catalog = must(world->open(CatalogMode::kCreate));
  make_base(*catalog);
  world->io().observe([](IoOperation operation, std::string_view) -> Result<void> {
    if (operation != IoOperation::kWrite) return {};
    return make_error(Code::kIo, "disk full", "make room");
  });
  const auto failed = change(*catalog);
  world->io().observe({});
  ASSERT_FALSE(failed.ok());
  EXPECT_NE(failed.error().message.find("disk full"), std::string::npos) << failed.error().message;
  EXPECT_EQ(failed.error().hint, "make room");
  const auto later = catalog->execute("SELECT 1");
  ASSERT_FALSE(later.ok());
  EXPECT_NE(later.error().message.find("opened anew"), std::string::npos);
}

// Dies before each operation of a change and of the checkpoint after it, down to the last.
TEST_P(CatalogConformance, IsWholeWheneverItDies) {
  int generations[2] = {0, 0};
  const std::string base = base_file(*make_world());
  for (int seed = 1; seed <= GetParam().seed_count; ++seed) {
    bool died = true;
    for (int operation = 1; died; ++operation) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", operation " << operation);
      ASSERT_LT(operation, 1000);
      auto world = make_world(static_cast<std::uint64_t>(seed));
      world->write_file(base);
      bool was_committed = false;  // of the simulated world, which does not fork
      died = world->run_and_die_at(operation, [&] {
        auto catalog = world->open(CatalogMode::kWrite);
        if (!catalog.ok()) return;
        was_committed = change(*catalog.value()).ok();
        const auto moved = catalog.value()->checkpoint();
        if (!moved.ok()) {
          EXPECT_EQ(moved.error().code, Code::kIo);
        }
      });
      auto reopened = must(world->open(CatalogMode::kWrite));
      const std::int64_t generation = whole_generation(*reopened);
      if (was_committed || !died) {
        EXPECT_EQ(generation, 1);
      }
      generations[generation] += 1;
    }
  }
  EXPECT_GT(generations[0], 0);
  EXPECT_GT(generations[1], 0);
}

INSTANTIATE_TEST_SUITE_P(Catalogs,
                         CatalogConformance,
                         testing::ValuesIn(kWorlds),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace lockstep
