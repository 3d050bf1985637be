// Transactions of PostgreSQL as batches: keys that change, cells that did not, truncates, and
// tables that are altered in mid-stream.
#include "source/postgres/postgres_changes.h"

#include "source/postgres_bytes.h"
#include "source/world.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lockstep::test {
namespace {

const Schema kNotes({{"id", Type::kInt}, {"hr", Type::kFloat}, {"note", Type::kText}});
const std::vector<ColumnBytes> kNotesColumns = {{"id", 20, true}, {"hr", 701}, {"note", 25}};

PostgresTarget target_of(int index, std::string table, Schema schema = kNotes) {
  return {.index = index,
          .schema_name = "public",
          .table = std::move(table),
          .schema = std::move(schema),
          .key = {0}};
}

class Changes : public ::testing::Test {
 protected:
  Changes() : Changes(PostgresPosition{.system = "1", .lsn = 0x100}) {}

  explicit Changes(const PostgresPosition& position)
      : changes_({target_of(0, "vitals"), target_of(1, "stays")}, position) {}

  Result<void> try_take(const std::string& message, std::int64_t row_count_max = 1'000) {
    return changes_.take(message, row_count_max);
  }

  void take(const std::string& message, std::int64_t row_count_max = 1'000) {
    const Result<void> taken = try_take(message, row_count_max);
    ASSERT_TRUE(taken.ok()) << taken.error().message;
  }

  void take_tables() {
    take(relation_bytes(7, "vitals", kNotesColumns));
    take(relation_bytes(8, "stays", kNotesColumns));
  }

  // A transaction of these, and what it gives.
  std::vector<SourceBatch> transaction(const std::vector<std::string>& messages,
                                       Lsn commit = 0x200) {
    take(begin_bytes(commit));
    take_tables();
    for (const std::string& message : messages)
      take(message);
    take(commit_bytes(commit, commit + 0x10));
    return give_all();
  }

  std::vector<SourceBatch> give_all() {
    std::vector<SourceBatch> out;
    while (auto batch = changes_.give())
      out.push_back(*std::move(batch));
    return out;
  }

  static Story story(const std::vector<SourceBatch>& batches) {
    Story out;
    for (const SourceBatch& batch : batches) {
      if (batch.truncates) out.push_back("truncate " + batch.origin);
      for (std::string& line : story_of(batch))
        out.push_back(std::move(line));
    }
    return out;
  }

  PostgresChanges changes_;
};

TEST_F(Changes, ATransactionIsOneBatchThatMovesThePosition) {
  const auto batches = transaction({insert_bytes(7, {"1", "60.5", "a"}),
                                    update_bytes(7, {"1", "61", std::nullopt}),
                                    delete_bytes(7, 'K', {"1", std::nullopt, std::nullopt})});
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(story(batches),
            (Story{"U public.vitals 0/200 row 1: 1,60.5,a",
                   "U public.vitals 0/200 row 2: 1,61,",
                   "D public.vitals 0/200 row 3: 1,,"}));
  EXPECT_TRUE(batches[0].whole);
  EXPECT_FALSE(batches[0].has_more);
  EXPECT_EQ(batches[0].position_changes, (Position{{"lsn", "0/210"}}));
  EXPECT_EQ(batches[0].source_time, Timestamp{946'684'801'000'000});
}

TEST_F(Changes, ATransactionOverTwoTablesIsARunOfBatchesThatIsWhole) {  // source-7
  const auto batches =
      transaction({insert_bytes(8, {"1", "1", "s"}), insert_bytes(7, {"2", "2", "v"})});
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0].target, 0);
  EXPECT_EQ(batches[1].target, 1);
  EXPECT_TRUE(batches[0].whole && batches[0].has_more);
  EXPECT_TRUE(batches[0].position_changes.empty());
  EXPECT_TRUE(batches[1].whole && !batches[1].has_more);
  EXPECT_EQ(batches[1].position_changes, (Position{{"lsn", "0/210"}}));
}

TEST_F(Changes, NothingOfASmallTransactionIsGivenBeforeItsCommit) {
  take(begin_bytes(0x200));
  take_tables();
  take(insert_bytes(7, {"1", "1", "a"}));
  EXPECT_TRUE(give_all().empty());
  EXPECT_TRUE(changes_.in_transaction());
  take(commit_bytes(0x200, 0x210));
  EXPECT_EQ(give_all().size(), 1u);
  EXPECT_FALSE(changes_.in_transaction());
}

TEST_F(Changes, AHugeTransactionIsGivenAsItArrives) {  // source-3
  take(begin_bytes(0x200));
  take_tables();
  std::vector<SourceBatch> batches;
  for (int row = 0; row < 95; ++row) {
    take(insert_bytes(row % 2 == 0 ? 7 : 8, {std::to_string(row), "1", "a"}), 10);
    while (auto batch = changes_.give())
      batches.push_back(*std::move(batch));
  }
  EXPECT_GE(batches.size(), 17u);  // what was given before the commit
  take(commit_bytes(0x200, 0x210), 10);
  for (SourceBatch& batch : give_all())
    batches.push_back(std::move(batch));
  std::int64_t rows = 0;
  for (std::size_t index = 0; index < batches.size(); ++index) {
    EXPECT_LE(batches[index].rows.row_count(), 10);
    EXPECT_TRUE(batches[index].whole);
    const bool is_last = index + 1 == batches.size();
    EXPECT_EQ(batches[index].has_more, !is_last);
    EXPECT_EQ(batches[index].position_changes.empty(), !is_last);
    rows += batches[index].rows.row_count();
  }
  EXPECT_EQ(rows, 95);
}

TEST_F(Changes, AKeyThatChangesLeavesItsOldRow) {
  const auto batches =
      transaction({update_bytes(7, 'K', {"1", std::nullopt, std::nullopt}, {"2", "61", "b"}),
                   update_bytes(7, 'O', {"3", "1", "x"}, {"3", "2", "y"})});  // FULL, the same key
  EXPECT_EQ(story(batches),
            (Story{"D public.vitals 0/200 row 1: 1,,",
                   "U public.vitals 0/200 row 1: 2,61,b",
                   "U public.vitals 0/200 row 2: 3,2,y"}));
}

TEST_F(Changes, AnUnchangedCellIsOneOfTheRowOfBefore) {
  const auto batches =
      transaction({update_bytes(7, {"1", "61", "~"}),
                   update_bytes(7, 'K', {"1", std::nullopt, std::nullopt}, {"2", "61", "~"}),
                   update_bytes(7, 'O', {"5", "1", "long"}, {"5", "2", "~"})});
  ASSERT_EQ(batches.size(), 1u);
  const SourceBatch& batch = batches[0];
  EXPECT_EQ(story(batches).back(), "U public.vitals 0/200 row 3: 5,2,long");
  ASSERT_EQ(batch.unchanged.size(), 2u);
  // Its own row.
  EXPECT_EQ(batch.unchanged[0].row, 0);
  EXPECT_EQ(batch.unchanged[0].column, 2);
  EXPECT_EQ(batch.unchanged[0].key_row, 0);
  // The row of the key that it had.
  EXPECT_EQ(batch.unchanged[1].row, 2);
  EXPECT_EQ(batch.unchanged[1].key_row, 1);
  EXPECT_EQ(batch.operations[1], Operation::kDelete);
  EXPECT_TRUE(batch.rows.is_null(2, 2));
}

TEST_F(Changes, ATruncateComesBeforeTheRowsThatFollowIt) {
  const auto batches = transaction({insert_bytes(7, {"1", "1", "a"}),
                                    insert_bytes(8, {"1", "1", "a"}),
                                    truncate_bytes({7, 8}),
                                    insert_bytes(7, {"2", "2", "b"})});
  EXPECT_EQ(story(batches),
            (Story{"U public.vitals 0/200 row 1: 1,1,a",
                   "U public.stays 0/200 row 2: 1,1,a",
                   "truncate public.vitals",
                   "U public.vitals 0/200 row 3: 2,2,b",
                   "truncate public.stays"}));
}

TEST_F(Changes, TransactionsUpToThePositionAreNotGivenAgain) {
  EXPECT_TRUE(transaction({insert_bytes(7, {"1", "1", "a"})}, 0xF0).empty());
  EXPECT_EQ(transaction({insert_bytes(7, {"1", "1", "a"})}, 0x100).size(), 1u);
}

class ChangesAfterACopy : public Changes {
 protected:
  ChangesAfterACopy()
      : Changes({.system = "1", .lsn = 0x100, .tables = {{"public.vitals", {0x300, "other"}}}}) {}
};

TEST_F(ChangesAfterACopy, RowsThatTheCopyHasAreNotGivenAgain) {
  const auto before =
      transaction({insert_bytes(7, {"1", "1", "a"}), insert_bytes(8, {"1", "1", "a"})});
  EXPECT_EQ(story(before), (Story{"U public.stays 0/200 row 2: 1,1,a"}));
  EXPECT_TRUE(changes_.stale().empty());
  EXPECT_EQ(transaction({insert_bytes(7, {"1", "1", "a"})}, 0x300).size(), 1u);
}

TEST_F(ChangesAfterACopy, ATableOfAnotherShapeThanItsCopyIsStaleUntilItIsCopiedAnew) {
  EXPECT_EQ(transaction({insert_bytes(7, {"1", "1", "a"})}, 0x300).size(), 1u);
  EXPECT_EQ(changes_.stale(), (std::set<std::string>{"public.vitals"}));
  changes_.copied("public.vitals", {0x400, "new"});
  EXPECT_TRUE(changes_.stale().empty());
  take(begin_bytes(0x350));
  take(insert_bytes(7, {"1", "2", "a"}));
  take(commit_bytes(0x350, 0x360));
  EXPECT_TRUE(give_all().empty());
}

TEST_F(ChangesAfterACopy, AFormThatNoLongerFitsIsPassedOverUpToTheCopy) {
  take(begin_bytes(0x200));
  take(relation_bytes(7, "vitals", {{"id", 20, true}}));
  take(insert_bytes(7, {"1"}));
  take(commit_bytes(0x200, 0x210));
  EXPECT_TRUE(give_all().empty());
  EXPECT_EQ(transaction({insert_bytes(7, {"1", "1", "a"})}, 0x300).size(), 1u);
}

TEST_F(Changes, ATransactionWithoutRowsForUsMovesOnlyWhatWasSeen) {
  EXPECT_TRUE(transaction({}).empty());
  EXPECT_EQ(changes_.seen(), 0x210u);
}

TEST_F(Changes, ARowThatCannotBeStoredIsARefusalWithItsPlaceAndKey) {  // source-2
  const auto batches = transaction({insert_bytes(7, {"1", "not", "a"}),
                                    insert_bytes(7, {"2", "NaN", "b"}),
                                    insert_bytes(7, {"3", "1", "\xFF"}),
                                    insert_bytes(7, {std::nullopt, "1", "c"})});
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0].rows.row_count(), 1);
  ASSERT_EQ(batches[0].refusals.size(), 3u);
  const Refusal& first = batches[0].refusals[0];
  EXPECT_EQ(first.position, "0/200 row 1");
  EXPECT_EQ(first.stage, "decode");
  EXPECT_EQ(first.reason, "column 'hr': 'not' is not a float");
  EXPECT_EQ(first.text, "id=1, hr=not, note=a");
  EXPECT_EQ(first.key, (std::vector<Value>{std::int64_t{1}}));
  EXPECT_EQ(batches[0].refusals[1].reason, "column 'note': it is not UTF-8");
  EXPECT_EQ(batches[0].refusals[1].text, "id=3, hr=1, note=?");
  EXPECT_EQ(batches[0].refusals[2].stage, "key");
}

TEST_F(Changes, AnUpdateThatCannotBeStoredTakesTheRowOfItsOldKeyAway) {
  const auto batches =
      transaction({update_bytes(7, 'K', {"1", std::nullopt, std::nullopt}, {"2", "not", "b"}),
                   update_bytes(7, 'O', {"3", "1", "x"}, {"3", "not", "y"})});
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(story(batches)[0], "D public.vitals 0/200 row 1: 1,,");
  EXPECT_EQ(batches[0].rows.row_count(), 1);
  EXPECT_EQ(batches[0].refusals.size(), 2u);
}

TEST_F(Changes, ADeleteWithoutTheKeyIsRefused) {
  take(begin_bytes(0x200));
  take(relation_bytes(7, "vitals", {{"id", 20}, {"hr", 701, true}, {"note", 25}}, 'i'));
  take(delete_bytes(7, 'K', {std::nullopt, "1", std::nullopt}));
  take(commit_bytes(0x200, 0x210));
  const auto batches = give_all();
  ASSERT_EQ(batches.size(), 1u);
  ASSERT_EQ(batches[0].refusals.size(), 1u);
  EXPECT_EQ(batches[0].refusals[0].stage, "key");
}

TEST_F(Changes, ColumnsAreFoundByNameAndNewOnesAreLeftOut) {
  take(begin_bytes(0x200));
  take_tables();
  take(insert_bytes(7, {"1", "1", "a"}));
  take(
      relation_bytes(7, "vitals", {{"note", 25}, {"extra", 1007}, {"id", 23, true}, {"hr", 1700}}));
  take(insert_bytes(7, {"b", "{1,2}", "2", "2.50"}));
  take(commit_bytes(0x200, 0x210));
  EXPECT_EQ(story(give_all()),
            (Story{"U public.vitals 0/200 row 1: 1,1,a", "U public.vitals 0/200 row 2: 2,2.5,b"}));
}

TEST_F(Changes, AColumnThatIsGoneOrOfAnotherTypeIsAnErrorThatNamesIt) {
  take(begin_bytes(0x200));
  const auto gone = try_take(relation_bytes(7, "vitals", {{"id", 20, true}, {"hr", 701}}));
  ASSERT_FALSE(gone.ok());
  EXPECT_EQ(gone.error().message, "table public.vitals has no column 'note' at 0/200");
  const auto other =
      try_take(relation_bytes(7, "vitals", {{"id", 20, true}, {"hr", 1082}, {"note", 25}}));
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().message,
            "column 'hr' of table public.vitals is date at 0/200, which is no float");
}

TEST_F(Changes, WhatIsOutOfOrderIsAnError) {
  EXPECT_EQ(try_take(insert_bytes(7, {"1"})).error().code, Code::kCorrupt);
  EXPECT_EQ(try_take(commit_bytes(1, 2)).error().code, Code::kCorrupt);
  take(begin_bytes(0x200));
  EXPECT_EQ(try_take(begin_bytes(0x201)).error().code, Code::kCorrupt);
  EXPECT_EQ(try_take(insert_bytes(7, {"1"})).error().code, Code::kCorrupt);
  EXPECT_EQ(try_take(commit_bytes(0x201, 0x210)).error().code, Code::kCorrupt);
}

TEST(PostgresPosition, PartsComeBack) {
  const PostgresPosition position{
      .system = "7329",
      .timeline = 2,
      .slot = "lockstep_clinic",
      .lsn = 0x16B374D848,
      .tables = {{"public.vitals", {0x100, "a b"}}, {"clinic.Stays x", {0x200, ""}}}};
  const auto parsed = parse_postgres_position(position.parts());
  ASSERT_TRUE(parsed.ok()) << parsed.error().message;
  EXPECT_EQ(parsed.value(), position);
  EXPECT_TRUE(parse_postgres_position({}).value().is_empty());
}

TEST(PostgresPosition, WhatIsNoPositionIsRefused) {
  const Position good =
      PostgresPosition{.system = "1", .timeline = 1, .slot = "s", .lsn = 5}.parts();
  for (const char* head :
       {"", "x", "[]", "{}", R"({"version":1})", R"({"version":1,"system":1})"}) {
    Position bad = good;
    bad[""] = head;
    EXPECT_EQ(parse_postgres_position(bad).error().code, Code::kCorrupt) << head;
  }
  Position newer = good;
  newer[""] = R"({"version":2})";
  EXPECT_EQ(parse_postgres_position(newer).error().code, Code::kTooNew);
  for (const auto& [part, text] : Position{{"lsn", "x"}, {"table t", ""}, {"other", "0/1"}}) {
    Position bad = good;
    bad[part] = text;
    EXPECT_EQ(parse_postgres_position(bad).error().code, Code::kCorrupt) << part;
  }
  EXPECT_FALSE(parse_postgres_position({{"lsn", "0/1"}}).ok());
}

}  // namespace
}  // namespace lockstep::test
