// Transactions of the binary log as batches: keys that change, cells that are not there, truncates,
// definitions in mid-stream, and what the log does not tell.
#include "source/mysql/mysql_changes.h"

#include "source/mysql_bytes.h"
#include "source/world.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lockstep::test {
namespace {

const Schema kMysqlNotes({{"id", Type::kInt}, {"hr", Type::kFloat}, {"note", Type::kText}});
const std::vector<LogColumnBytes> kMysqlColumns = {
    {"id", LogType::kLongLong}, {"hr", LogType::kDouble}, {"note", LogType::kBlob}};
constexpr std::uint8_t kStandalone = 1;

FollowedTable followed(int index, std::string table) {
  return {.target = {.index = index,
                     .schema_name = "shop",
                     .table = std::move(table),
                     .schema = kMysqlNotes,
                     .key = {0}},
          .readings = {{.kind = MysqlKind::kInt, .type = Type::kInt},
                       {.kind = MysqlKind::kDouble, .type = Type::kFloat},
                       {.kind = MysqlKind::kText, .type = Type::kText}}};
}

MysqlPosition position_at(std::uint64_t number) {
  MysqlPosition position;
  position.server = "s";
  position.client = 9;
  position.state.move_to({0, 1, number});
  position.place = {"binlog.000001", 100};
  position.tables["shop.visits"] = {position.state, "shape"};
  position.tables["shop.stays"] = {position.state, "shape"};
  return position;
}

class MysqlStream : public ::testing::Test {
 protected:
  MysqlStream() : changes_({followed(0, "visits"), followed(1, "stays")}, position_at(10)) {
    take(rotate_event("binlog.000002"));
    take(format_event());
  }

  Result<void> try_take(const std::string& event, std::int64_t row_count_max = 1'000) {
    return changes_.take(event, row_count_max);
  }

  void take(const std::string& event, std::int64_t row_count_max = 1'000) {
    const Result<void> taken = try_take(event, row_count_max);
    ASSERT_TRUE(taken.ok()) << taken.error().message;
  }

  void begin(std::uint64_t number, std::uint8_t flags = 0) {
    take(gtid_event({0, 1, number}, flags));
    if (flags != 0) return;
    take(table_event(7, "visits", kMysqlColumns));
    take(table_event(8, "stays", kMysqlColumns));
  }

  std::vector<SourceBatch> transaction(std::uint64_t number,
                                       const std::vector<std::string>& events) {
    begin(number);
    for (const std::string& event : events)
      take(event);
    take(xid_event(static_cast<std::uint32_t>(number * 1'000)));
    return give_all();
  }

  std::vector<SourceBatch> give_all() {
    std::vector<SourceBatch> out;
    while (std::optional<SourceBatch> batch = changes_.give())
      out.push_back(*std::move(batch));
    return out;
  }

  std::string refusal(const std::string& event) {
    const Result<void> taken = try_take(event);
    return taken.ok() ? "" : taken.error().message;
  }

  MysqlChanges changes_;
};

std::vector<std::string> operations_of(const SourceBatch& batch) {
  std::vector<std::string> out;
  for (std::int64_t row = 0; row < batch.rows.row_count(); ++row) {
    const Operation operation = batch.operations[static_cast<std::size_t>(row)];
    out.push_back(
        (operation == Operation::kDelete ? "-" : "+") + value_text(batch.rows.value(0, row)) + " " +
        value_text(batch.rows.value(1, row)) + " " + value_text(batch.rows.value(2, row)));
  }
  return out;
}

using Lines = std::vector<std::string>;

TEST_F(MysqlStream, GivesATransactionWholeWithTheEndOfItsLog) {  // source-7
  const auto batches = transaction(11,
                                   {rows_event(23, 7, image(1, 0.5, "a") + image(2, -1, "")),
                                    rows_event(23, 8, image(3, 1, "b"))});
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(operations_of(batches[0]), (Lines{"+1 0.5 a", "+2  "}));
  EXPECT_EQ(batches[0].positions.texts(), (Lines{"0-1-11 row 1", "0-1-11 row 2"}));
  EXPECT_EQ(batches[0].origin, "shop.visits");
  EXPECT_TRUE(batches[0].whole && batches[0].has_more && batches[0].position_changes.empty());
  EXPECT_TRUE(batches[1].whole && !batches[1].has_more);
  EXPECT_EQ(batches[1].position_changes, (Position{{"gtid 0", "0-1-11 binlog.000002:11000"}}));
  EXPECT_FALSE(changes_.in_transaction());
}

TEST_F(MysqlStream, TurnsAKeyThatChangesIntoADeleteAndARow) {
  const auto batches = transaction(11,
                                   {rows_event(24, 7, image(1, 1, "a") + image(2, 2, "b")),
                                    rows_event(24, 7, image(5, 1, "a") + image(5, 2, "a")),
                                    rows_event(25, 7, image(6, 1, "x"))});
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(operations_of(batches[0]), (Lines{"-1  ", "+2 2 b", "+5 2 a", "-6  "}));
}

TEST_F(MysqlStream, TakesCellsThatAreNotThereAsUnchanged) {
  const auto batches =
      transaction(11, {rows_event(24, 7, image(1, 0, "", 1) + image(0, 3, "", 2), 1, 2)});
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(operations_of(batches[0]), (Lines{"+1 3 "}));
  ASSERT_EQ(batches[0].unchanged.size(), 1u);
  EXPECT_EQ(batches[0].unchanged[0].column, 2);
  begin(12);
  EXPECT_NE(refusal(rows_event(23, 7, image(1, 2, "", 3), 3)).find("without its column 'note'"),
            std::string::npos);
}

TEST_F(MysqlStream, EmptiesATableAndFollowsTheRowsBehind) {
  begin(11, kStandalone);
  take(query_event("TRUNCATE TABLE visits", 500));
  const auto emptied = give_all();
  ASSERT_EQ(emptied.size(), 1u);
  EXPECT_TRUE(emptied[0].truncates);
  EXPECT_EQ(emptied[0].position_changes, (Position{{"gtid 0", "0-1-11 binlog.000002:500"}}));
  begin(12, kStandalone);
  take(query_event("TRUNCATE TABLE elsewhere.visits"));
  EXPECT_TRUE(give_all().empty());
}

TEST_F(MysqlStream, GivesAHugeTransactionAsItComes) {
  begin(11);
  for (std::int64_t id = 0; id < 10; ++id)
    take(rows_event(23, 7, image(id, 1, "")), 3);
  std::vector<SourceBatch> batches = give_all();
  EXPECT_EQ(batches.size(), 2u);  // the newest waits: it may be the last
  take(xid_event(1'000), 3);
  for (SourceBatch& batch : give_all())
    batches.push_back(std::move(batch));
  std::int64_t row_count = 0;
  for (const SourceBatch& batch : batches)
    row_count += batch.rows.row_count();
  EXPECT_EQ(row_count, 10);
  EXPECT_FALSE(batches.back().has_more);
  EXPECT_FALSE(batches.back().position_changes.empty());
}

TEST_F(MysqlStream, CopiesATableAnewThatIsDefinedAnewAndPassesItsRowsOverUntilThen) {
  begin(11, kStandalone);
  take(query_event("ALTER TABLE visits ADD x int"));
  EXPECT_EQ(changes_.stale(), (std::set<std::string>{"shop.visits"}));
  GtidState copied;
  copied.move_to({0, 1, 14});
  changes_.copied("shop.visits", copied, followed(0, "visits").readings);
  EXPECT_TRUE(changes_.stale().empty());
  // Behind the alteration and in front of the copy: in whatever form.
  begin(12);
  take(table_event(9, "visits", {{"id", LogType::kLongLong}, {"other", LogType::kDouble}}));
  take(log_event(23, little(9, 6) + little(1, 2) + little(2, 1) + little(3, 1) + "garbage"));
  take(xid_event(1));
  begin(13, kStandalone);
  take(query_event("DROP TABLE visits, stays"));
  EXPECT_EQ(changes_.stale(), (std::set<std::string>{"shop.stays"}));
  changes_.copied("shop.stays", copied, followed(1, "stays").readings);
  EXPECT_TRUE(give_all().empty());
  const auto batches = transaction(15, {rows_event(23, 7, image(1, 1, "a"))});
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(operations_of(batches[0]), (Lines{"+1 1 a"}));
}

TEST_F(MysqlStream, LeavesAWordInThePositionOfATableThatIsToBeCopied) {
  begin(11);
  take(rows_event(23, 8, image(1, 1, "a")));
  take(query_event("CREATE OR REPLACE TABLE `visits` (id bigint)"));
  take(xid_event(700));
  const auto batches = give_all();
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0].position_changes,
            (Position{{"gtid 0", "0-1-11 binlog.000002:700"}, {"table shop.visits", ""}}));
}

TEST_F(MysqlStream, ForgetsWhatTheServerBeganAndDidNotEnd) {
  begin(11);
  take(rows_event(23, 7, image(1, 1, "a")));
  take(rotate_event("binlog.000003"));
  take(format_event());
  EXPECT_TRUE(give_all().empty());
  EXPECT_EQ(transaction(11, {rows_event(23, 7, image(2, 1, "b"))}).size(), 1u);
  begin(12);
  take(rows_event(23, 7, image(1, 1, "a")));
  take(query_event("ROLLBACK"));
  EXPECT_TRUE(give_all().empty());
  EXPECT_EQ(changes_.seen().text(), "0-1-12");
}

TEST_F(MysqlStream, StopsWhereTheLogDoesNotTellWhatChanged) {
  struct Case {
    std::string event;
    std::string said;
  };

  const std::vector<Case> cases = {
      {query_event("UPDATE visits SET hr = 1"), "a statement in place of the rows"},
      {query_event("ROLLBACK TO `a`"), "goes back to a savepoint"},
      {log_event(26, little(1, 2)), "the server itself lost changes"},
      {table_event(9, "visits", kMysqlColumns, false), "does not name the columns"},
      {table_event(9, "visits", {{"id", LogType::kLongLong}}), "has no column 'hr'"},
      {table_event(9,
                   "visits",
                   {{"id", LogType::kBlob}, {"hr", LogType::kDouble}, {"note", LogType::kBlob}}),
       "is of another type"},
      {rows_event(23, 99, image(1, 1, "a")), "a row of a table that it did not name"},
      {gtid_event({0, 1, 12}), "a transaction within another"},
      {log_event(40, "x"), "an event of type 40"},
  };
  for (const Case& one : cases) {
    MysqlChanges changes({followed(0, "visits")}, position_at(10));
    ASSERT_TRUE(changes.take(format_event(), 10).ok());
    ASSERT_TRUE(changes.take(gtid_event({0, 1, 11}), 10).ok());
    const Result<void> taken = changes.take(one.event, 10);
    ASSERT_FALSE(taken.ok()) << one.said;
    EXPECT_NE(taken.error().message.find(one.said), std::string::npos) << taken.error().message;
  }
  EXPECT_NE(refusal(gtid_event({0, 2, 9})).find("gtid_strict_mode"), std::string::npos);
  EXPECT_NE(refusal(xid_event(1)).find("an end without its transaction"), std::string::npos);
}

TEST_F(MysqlStream, RefusesARowWithItsPlaceAndGoesOn) {  // source-2
  const auto batches = transaction(11,
                                   {rows_event(23, 7, image(1, 1, "\xFF") + image(2, 1, "ok")),
                                    rows_event(24, 7, image(3, 1, "a") + image(4, 1, "\xFF"))});
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(operations_of(batches[0]), (Lines{"+2 1 ok", "-3  "}));
  ASSERT_EQ(batches[0].refusals.size(), 2u);
  const Refusal& refusal = batches[0].refusals[0];
  EXPECT_EQ(refusal.position, "0-1-11 row 1");
  EXPECT_EQ(refusal.reason, "column 'note': it is not UTF-8");
  EXPECT_EQ(refusal.text, "id=1, hr=1");
  EXPECT_EQ(refusal.key, (std::vector<Value>{Value(std::int64_t{1})}));
}

TEST(MysqlPositionParts, AreReadAsTheyWereWritten) {
  MysqlPosition position = position_at(10);
  position.state.move_to({3, 2, 77});
  EXPECT_EQ(parse_mysql_position(position.parts()).value(), position);
  EXPECT_EQ(position.parts().at("gtid 3"), "3-2-77 binlog.000001:100");
  for (const auto& [part, text] :
       std::vector<std::pair<std::string, std::string>>{{"", "{}"},
                                                        {"gtid 0", "0-1 binlog.1:4"},
                                                        {"gtid 0", "0-1-2"},
                                                        {"gtid 0", "0-1-2 b:x"},
                                                        {"table a.b", "0-1-2"},
                                                        {"table a.b", "x y"},
                                                        {"what", "ever"}}) {
    Position parts = position.parts();
    parts[part] = text;
    EXPECT_EQ(parse_mysql_position(parts).error().code, Code::kCorrupt) << part << ": " << text;
  }
  Position newer = position.parts();
  newer[""] = R"({"version":3,"server":"s","client":1})";
  EXPECT_EQ(parse_mysql_position(newer).error().code, Code::kTooNew);
  EXPECT_TRUE(is_before({"binlog.999999", 9}, {"binlog.1000000", 4}));
}

}  // namespace
}  // namespace lockstep::test
