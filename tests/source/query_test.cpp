// Tables of a database, read every so often: over real SQLite files, with a clock that tests move.
#include "source/query/query.h"

#include "source/world.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::test {
namespace {

constexpr std::int64_t kMinuteUs = 60'000'000;

// A SQLite file of a test's own, and the source that reads it.
class QueryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir();
    file_ = std::string("query_") +
            ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".db";
    std::remove((directory_ + file_).c_str());
    ASSERT_EQ(sqlite3_open((directory_ + file_).c_str(), &database_), SQLITE_OK);
    run("CREATE TABLE vitals (id INTEGER PRIMARY KEY, sbp REAL, seen TEXT)");
  }

  void TearDown() override {
    sqlite3_close(database_);
    std::remove((directory_ + file_).c_str());
  }

  void run(const std::string& sql) {
    char* message = nullptr;
    EXPECT_EQ(sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK)
        << sql << ": " << (message == nullptr ? "" : message);
    sqlite3_free(message);
  }

  void put(int id, const std::string& sbp, const std::string& seen) {
    run("INSERT OR REPLACE INTO vitals VALUES (" + std::to_string(id) + ", " + sbp + ", '" + seen +
        "')");
  }

  // `more`: settings behind type and url.
  SourceRequest request(const std::string& more = "", const Schema& schema = kVitals) {
    SourceRequest out = World::request("{type: query, url: \"sqlite:" + file_ + "\"" + more + "}");
    out.directory = directory_;
    out.targets = {{.table = "vitals", .schema = schema, .key = {"id"}}};
    return out;
  }

  std::unique_ptr<Source> open(const std::string& more = "") {
    return world_.open(request(more), position_);
  }

  // What it gives now, as rows "U 1 120.5"; what it gave counts as committed.
  std::vector<std::string> look(Source& source, std::int64_t row_count_max = 10'000) {
    batches_.clear();
    std::vector<std::string> out;
    for (;;) {
      Result<std::optional<SourceBatch>> given = source.next({.row_count_max = row_count_max});
      EXPECT_TRUE(given.ok()) << (given.ok() ? "" : given.error().message);
      if (!given.ok() || !given.value()) return out;
      const SourceBatch& batch = *given.value();
      EXPECT_LE(batch.rows.row_count(), row_count_max);  // source-3
      EXPECT_TRUE(batch.whole);                          // source-7
      EXPECT_EQ(batch.has_more, batch.position_changes.empty());
      for (std::int64_t row = 0; row < batch.rows.row_count(); ++row) {
        EXPECT_EQ(batch.operations[static_cast<std::size_t>(row)], Operation::kUpsert);
        out.push_back(value_text(batch.rows.value(0, row)) + " " +
                      value_text(batch.rows.value(1, row)));
      }
      for (const Refusal& refusal : batch.refusals)
        out.push_back("refused " + refusal.position + ": " + refusal.reason);
      move_position(position_, batch.position_changes);
      batches_.push_back(batch);
    }
  }

  std::vector<std::string> later(Source& source) {
    world_.io().sleep_us(kMinuteUs);
    return look(source);
  }

  bool compared() const { return !batches_.empty() && batches_.front().replaces_origin; }

  std::string failure_of(const std::string& more, const Schema& schema = kVitals) {
    const auto source = world_.open(request(more, schema));
    const auto given = source->next({});
    return given.ok() ? "" : given.error().message + " (" + given.error().hint + ")";
  }

  inline static const Schema kVitals{{{"id", Type::kInt}, {"sbp", Type::kFloat}}};
  using Rows = std::vector<std::string>;

  World world_;
  std::string directory_;
  std::string file_;
  sqlite3* database_ = nullptr;
  Position position_;
  std::vector<SourceBatch> batches_;
};

TEST_F(QueryTest, ALookComparesAllRowsAndOneThatFindsTheSameGivesNothing) {
  put(1, "120.5", "");
  put(2, "130", "");
  const auto source = open();
  EXPECT_EQ(look(*source), (Rows{"1 120.5", "2 130"}));
  EXPECT_TRUE(compared());
  EXPECT_EQ(later(*source), Rows{});
  EXPECT_TRUE(batches_.empty());
  run("DELETE FROM vitals WHERE id = 1");
  EXPECT_EQ(later(*source), Rows{"2 130"});
  EXPECT_TRUE(compared());
  run("DELETE FROM vitals");
  EXPECT_EQ(later(*source), Rows{});
  EXPECT_TRUE(compared());
  EXPECT_EQ(source->describe(position_), "vitals with 0 rows");
}

TEST_F(QueryTest, ItLooksEverySoOftenAndAtOnceWhenItIsAsked) {
  put(1, "120", "");
  const auto source = open(", every: 15m");
  EXPECT_TRUE(source->wait(0).value());
  EXPECT_EQ(look(*source).size(), 1u);
  put(2, "130", "");
  EXPECT_FALSE(source->wait(0).value());
  EXPECT_EQ(later(*source), Rows{});
  // The clock ticks when it is asked, too.
  const std::int64_t before_us = world_.io().monotonic_us();
  const auto waited_s = [&] {
    return (world_.io().monotonic_us() - before_us + 500'000) / 1'000'000;
  };
  EXPECT_FALSE(source->wait(kMinuteUs).value());
  EXPECT_EQ(waited_s(), 60);
  EXPECT_TRUE(source->wait(20 * kMinuteUs).value());
  EXPECT_EQ(waited_s(), 14 * 60);  // not longer than needed
  EXPECT_EQ(look(*source).size(), 2u);
  put(3, "140", "");
  EXPECT_EQ(look(*source), Rows{});
  source->look_now();
  EXPECT_EQ(look(*source).size(), 3u);
  world_.io().sleep_us(kMinuteUs);
  EXPECT_EQ(source->lag().us.value() / 1'000'000, 60);
}

TEST_F(QueryTest, AReopenedSourceKnowsWhatTheHubHas) {  // source-1
  put(1, "120", "");
  EXPECT_EQ(look(*open()).size(), 1u);
  EXPECT_EQ(look(*open()), Rows{});
  put(2, "130", "");
  EXPECT_EQ(look(*open()).size(), 2u);
}

TEST_F(QueryTest, ManyRowsAreOneRunOfBatchesAndAreOnlyGivenWhereTheyDiffer) {
  for (int id = 1; id <= 10; ++id)
    put(id, "120", "");
  const auto source = open();
  EXPECT_EQ(look(*source, 3).size(), 10u);
  ASSERT_EQ(batches_.size(), 4u);
  for (std::size_t index = 0; index < batches_.size(); ++index) {
    EXPECT_EQ(batches_[index].replaces_origin, index == 0);
    EXPECT_EQ(batches_[index].has_more, index < 3);
  }
  world_.io().sleep_us(kMinuteUs);
  EXPECT_EQ(look(*source, 3), Rows{});
  EXPECT_TRUE(batches_.empty());
  put(9, "121", "");
  world_.io().sleep_us(kMinuteUs);
  EXPECT_EQ(look(*source, 3).size(), 10u);
  EXPECT_EQ(batches_.size(), 4u);
  world_.io().sleep_us(kMinuteUs);
  EXPECT_EQ(look(*source, 5), Rows{});  // the sum of the rows' hashes knows no batches
  world_.io().sleep_us(kMinuteUs);
  run("UPDATE vitals SET sbp = 120 WHERE id = 9; UPDATE vitals SET sbp = 121 WHERE id = 8");
  EXPECT_EQ(look(*source, 5).size(), 10u);
}

TEST_F(QueryTest, AWatermarkFindsWhatIsNewAndWhatCameLateWithinTheOverlap) {
  put(1, "120", "2026-01-01 08:00:00");
  put(2, "130", "2026-01-01 09:00:00.250");
  const auto source = open(", watermark: seen, overlap: 10m");
  EXPECT_EQ(look(*source).size(), 2u);
  EXPECT_TRUE(compared());
  EXPECT_EQ(source->describe(position_), "vitals up to 2026-01-01 09:00:00.250");
  EXPECT_EQ(later(*source), Rows{"2 130"});  // read again, of which the hub knows
  EXPECT_FALSE(compared());
  EXPECT_EQ(later(*source), Rows{});         // and this source now, too
  put(3, "140", "2026-01-01 09:00:00.250");  // of the same moment
  put(4, "150", "2026-01-01 08:51:00");      // late
  put(5, "160", "2026-01-01 08:45:00");      // too late
  EXPECT_EQ(later(*source), (Rows{"4 150", "2 130", "3 140"}));
  put(1, "125", "2026-01-01 10:00:00");
  EXPECT_EQ(later(*source), (Rows{"4 150", "2 130", "3 140", "1 125"}));
  EXPECT_EQ(source->describe(position_), "vitals up to 2026-01-01 10:00:00");
  run("DELETE FROM vitals WHERE id = 1");
  EXPECT_EQ(later(*source), Rows{});
  EXPECT_FALSE(compared());
  EXPECT_EQ(source->describe(position_), "vitals up to 2026-01-01 10:00:00");
}

TEST_F(QueryTest, AComparisonNowAndThenFindsDeletes) {
  put(1, "120", "2026-01-01 08:00:00");
  put(2, "130", "2026-01-01 09:00:00");
  const std::string settings = ", watermark: seen, full: 1h";
  auto source = open(settings);
  look(*source);
  run("DELETE FROM vitals WHERE id = 1");
  later(*source);
  EXPECT_FALSE(compared());
  world_.io().sleep_us(57 * kMinuteUs);
  source = open(settings);  // the time of the last comparison is in the position
  look(*source);
  EXPECT_FALSE(compared());
  EXPECT_EQ(later(*source), Rows{});
  EXPECT_EQ(later(*source), Rows{"2 130"});
  EXPECT_TRUE(compared());
  later(*source);
  EXPECT_FALSE(compared());
}

TEST_F(QueryTest, RowsWithoutAWatermarkAreReadByEveryLook) {
  put(1, "120", "2026-01-01 08:00:00");
  put(2, "130", "2026-01-01 09:00:00");
  const auto source = open(", watermark: seen, overlap: 0");
  look(*source);
  run("INSERT INTO vitals VALUES (3, 140, NULL), (4, 150, 'yesterday')");
  EXPECT_EQ(later(*source),
            (Rows{"3 140",
                  "2 130",
                  "refused at yesterday: column 'seen': 'yesterday' is no "
                  "watermark"}));
  run("UPDATE vitals SET sbp = 141 WHERE id = 3");
  EXPECT_EQ(later(*source).front(), "3 141");
  EXPECT_EQ(source->describe(position_), "vitals up to 2026-01-01 09:00:00");
}

TEST_F(QueryTest, AWatermarkInTheFutureDoesNotHideWhatComesAfter) {
  put(1, "120", "9999-01-01 08:00:00");
  const auto source = open(", watermark: seen");
  look(*source);
  run("INSERT INTO vitals VALUES (2, 130, datetime('now'))");
  EXPECT_EQ(later(*source), (Rows{"2 130", "1 120"}));
}

TEST_F(QueryTest, AnIntegerIsAWatermark) {
  run("CREATE TABLE visits (id INTEGER PRIMARY KEY, cost REAL, version INTEGER);"
      "INSERT INTO visits VALUES (1, 1, 10), (2, 2, 200), (3, 3, 9007199254740993)");
  SourceRequest asked = request(", watermark: version, overlap: 1",
                                Schema({{"id", Type::kInt}, {"cost", Type::kFloat}}));
  asked.targets.front().table = "visits";
  const auto source = world_.open(asked);
  EXPECT_EQ(look(*source).size(), 3u);
  run("INSERT INTO visits VALUES (4, 4, 9007199254740992), (5, 5, 9007199254740991)");
  EXPECT_EQ(later(*source), (Rows{"4 4", "3 3"}));
  EXPECT_EQ(source->describe(position_), "visits up to 9007199254740993");
}

TEST_F(QueryTest, AnEmptyTableIsReadWhenItsFirstRowsCome) {
  const auto source = open(", watermark: seen");
  EXPECT_EQ(look(*source), Rows{});
  put(1, "120", "2026-01-01 08:00:00");
  EXPECT_EQ(later(*source), Rows{"1 120"});
  EXPECT_EQ(source->describe(position_), "vitals up to 2026-01-01 08:00:00");
}

TEST_F(QueryTest, AnotherQueryOrOtherColumnsAreComparedAnew) {
  put(1, "120", "2026-01-01 08:00:00");
  put(2, "130", "2026-01-01 09:00:00");
  look(*open(", watermark: seen"));
  look(*open(", watermark: seen"));
  EXPECT_FALSE(compared());
  EXPECT_EQ(look(*open(", watermark: seen, queries: {vitals: \"SELECT * FROM vitals WHERE id > 1 "
                       "-- the others are tests;\"}")),
            Rows{"2 130"});
  EXPECT_TRUE(compared());
}

TEST_F(QueryTest, SeveralTablesHavePositionsOfTheirOwn) {
  put(1, "120", "");
  run("CREATE TABLE wards (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO wards VALUES (7, 'A')");
  SourceRequest asked = request();
  asked.targets.push_back({.table = "wards",
                           .schema = Schema({{"id", Type::kInt}, {"name", Type::kText}}),
                           .key = {"id"}});
  const auto source = world_.open(asked);
  EXPECT_EQ(look(*source), (Rows{"1 120", "7 A"}));
  EXPECT_EQ(batches_.back().target, 1);
  run("UPDATE wards SET name = 'B'");
  EXPECT_EQ(later(*source), Rows{"7 B"});
  EXPECT_EQ(position_.size(), 2u);
  EXPECT_EQ(source->describe(position_), "vitals with 1 rows, wards with 1 rows");
}

TEST_F(QueryTest, WhatCannotBecomeARowIsRefused) {  // source-2
  run("CREATE TABLE t (id, x); INSERT INTO t VALUES (1, 1.0), (2, 1.5), (3, 'many'), (4, x'00'), "
      "(NULL, 5), (6, '17'), ('seven', 7), (8, NULL), (9, 'a' || char(0))");
  SourceRequest asked = request("", Schema({{"id", Type::kInt}, {"x", Type::kInt}}));
  asked.targets.front().table = "t";
  EXPECT_EQ(look(*world_.open(asked)),
            (Rows{"1 1",
                  "6 17",
                  "8 ",
                  "refused row 2: column 'x': a real number 1.5 is no int",
                  "refused row 3: column 'x': 'many' is not an int",
                  "refused row 4: column 'x': it is a blob",
                  "refused row 5: a column of the key is null",
                  "refused row 7: column 'id': 'seven' is not an int",
                  "refused row 9: column 'x': 'a" + std::string(1, '\0') + "' is not an int"}));
  EXPECT_TRUE(batches_.front().refusals.front().key.has_value());
}

TEST_F(QueryTest, EveryTypeOfACellIsRead) {
  run("CREATE TABLE t (id INTEGER, truth BOOLEAN, day DATE, seen DATETIME, note TEXT, any);"
      "INSERT INTO t VALUES (1, 1, '2026-01-31', '2026-01-31T08:00:00Z', 5, 2.5)");
  SourceRequest asked = request("", Schema());
  asked.targets.front().table = "t";
  auto source = make_source(world_.io(), asked).value();
  const Schema schema = source->infer_schema(0).value();
  std::string types;
  for (const Field& field : schema.fields())
    types += field.name + " " + std::string(type_name(field.type)) + ", ";
  EXPECT_EQ(types, "id int, truth bool, day date, seen timestamp, note text, any float, ");
  asked.targets.front().schema = schema;
  source = world_.open(asked);
  const SourceBatch batch = source->next({}).value().value();
  std::string row;
  for (int column = 0; column < schema.size(); ++column)
    row += value_text(batch.rows.value(column, 0)) + " | ";
  EXPECT_EQ(row, "1 | true | 2026-01-31 | 2026-01-31 08:00:00+00 | 5 | 2.5 | ");
}

TEST_F(QueryTest, ATypeThatNoRowShowsIsNotKnownYet) {
  run("CREATE TABLE t (id INTEGER, x)");
  SourceRequest asked = request("", Schema());
  asked.targets.front().table = "t";
  const auto source = make_source(world_.io(), asked).value();
  EXPECT_EQ(source->infer_schema(0).error().code, Code::kNotFound);
  EXPECT_EQ(source->infer_newest_schema(0).value().size(), 1);
  run("INSERT INTO t VALUES (1, x'00')");
  EXPECT_EQ(source->infer_schema(0).error().message, "column 'x' of table t has type blob");
}

TEST_F(QueryTest, ItSaysWhatIsWrong) {
  put(1, "120", "2026-01-01 08:00:00");
  EXPECT_EQ(failure_of("", Schema({{"id", Type::kInt}, {"spb", Type::kFloat}})),
            "vitals: table vitals has no column 'spb' (did you mean 'sbp'?)");
  EXPECT_EQ(failure_of(", watermark: sen"),
            "vitals: table vitals has no column 'sen' (did you mean 'seen'?)");
  EXPECT_EQ(failure_of(", watermark: sbp"),
            "vitals: column 'sbp' holds a real number, which is no watermark (take a column of "
            "integers, or of times as texts: 2026-11-26 08:00:00)");
  EXPECT_EQ(failure_of(", queries: {vitals: \"SELECT * FROM vital\"}"),
            "vitals: SQLite database " + directory_ + file_ + ": no such table: vital ()");
  const std::string path = directory_ + "not_there.db";
  EXPECT_EQ(make_source(world_.io(), World::request("{type: query, url: \"sqlite:" + path + "\"}"))
                .value()
                ->infer_schema(0)
                .error()
                .message,
            "a dataset does not say which table of source 'drop' it reads");
  auto asked = request();
  asked.settings = World::request("{type: query, url: \"sqlite:" + path + "\"}").settings;
  EXPECT_EQ(world_.open(asked)->next({}).error().message,
            "opening SQLite database " + path + ": unable to open database file");
}

TEST_F(QueryTest, AnOverlapMustBeOfTheWatermarksKind) {
  put(1, "120", "2026-01-01 08:00:00");
  const auto source = open(", watermark: seen, overlap: 100");
  look(*source);
  world_.io().sleep_us(kMinuteUs);
  EXPECT_EQ(source->next({}).error().message,
            "vitals: the watermark is a time, and 'overlap' a number");
}

TEST_F(QueryTest, SettingsThatSayNothingAreRefused) {
  const auto refused = [&](const std::string& more) {
    const auto made = make_source(world_.io(), request(more));
    return made.ok() ? "" : made.error().message;
  };
  EXPECT_NE(refused(", overlap: 5m").find("'overlap' says nothing without a watermark"),
            std::string::npos);
  EXPECT_NE(refused(", full: 5m").find("'full' says nothing without a watermark"),
            std::string::npos);
  EXPECT_NE(refused(", watermark: seen, overlap: soon").find("'soon' is no overlap"),
            std::string::npos);
  EXPECT_NE(refused(", queries: {vital: \"SELECT 1\"}").find("query 'vital' feeds no dataset"),
            std::string::npos);
  EXPECT_NE(refused(", queries: [a]").find("'queries' is no map"), std::string::npos);
  EXPECT_EQ(refused(", watermark: seen, overlap: 0, full: 24h, every: 15m"), "");
  const auto url = [&](const std::string& text) {
    const auto made =
        make_source(world_.io(), World::request("{type: query, url: \"" + text + "\"}"));
    return made.ok() ? "" : made.error().message;
  };
  EXPECT_EQ(url("oracle://secret@host"), "the url of the database is not one");
  EXPECT_EQ(url("sqlite:"), "the url of the database names no file");
  EXPECT_EQ(url("mariadb://reader@host/shop"), "");
  EXPECT_EQ(url("postgresql://reader@host/shop"), "");
}

TEST_F(QueryTest, CheckTellsWhatAWatermarkLacks) {
  put(1, "120", "2026-01-01 08:00:00");
  run("INSERT INTO vitals VALUES (2, 130, NULL)");
  const auto told = [&](const std::string& more, const Schema& schema = kVitals) {
    std::string out;
    for (const SourceFinding& found :
         make_source(world_.io(), request(more, schema)).value()->check()) {
      constexpr std::string_view kLevels = "ow!";
      out += kLevels[static_cast<std::size_t>(found.level)];
      out += " " + found.text + (found.hint.empty() ? "" : " (" + found.hint + ")") + "\n";
    }
    return out;
  };
  EXPECT_EQ(told(""), "o table vitals has 3 columns\n");
  EXPECT_EQ(told(", watermark: seen"),
            "o table vitals has 3 columns\n"
            "w deleted rows of vitals are not found: a watermark tells of none (write full: 24h in "
            "the source, for a comparison of all rows once a day)\n"
            "w rows of vitals have no seen: every look reads them all (let inserts and updates set "
            "it, and declare it NOT NULL)\n"
            "w no index of vitals begins with seen: every look reads the whole table (run: CREATE "
            "INDEX \"vitals_seen\" ON \"vitals\" (\"seen\");)\n");
  run("CREATE INDEX \"vitals_seen\" ON \"vitals\" (\"seen\"); DELETE FROM vitals WHERE id = 2");
  EXPECT_EQ(told(", watermark: seen, full: 24h"), "o table vitals has 3 columns\n");
  EXPECT_EQ(told("", Schema({{"id", Type::kInt}, {"spb", Type::kFloat}})),
            "! vitals: table vitals has no column 'spb' (did you mean 'sbp'?)\n");
}

TEST_F(QueryTest, ASampleIsOfAFewRows) {
  for (int id = 1; id <= 5; ++id)
    put(id, "120", "");
  const auto source = make_source(world_.io(), request()).value();
  EXPECT_EQ(source->sample(0, 3).value().value().rows.row_count(), 3);
}

TEST_F(QueryTest, TheDatabaseIsNeverWrittenTo) {
  put(1, "120", "");
  EXPECT_NE(
      failure_of(", queries: {vitals: \"SELECT 1 AS id, 2.0 AS sbp) ; DELETE FROM vitals; --\"}"),
      "");
  run("CREATE TABLE seen_once AS SELECT count(*) AS n FROM vitals");
  EXPECT_EQ(look(*open()).size(), 1u);
}

}  // namespace
}  // namespace lockstep::test
