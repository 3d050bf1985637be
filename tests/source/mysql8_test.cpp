// The source of type mysql over a MySQL server of a script: its copy under a lock, its ids, what it
// lacks, and where it would lose changes.
#include "source/mysql/dialect.h"
#include "source/mysql/mysql.h"
#include "source/mysql/mysql_changes.h"
#include "source/mysql8_bytes.h"
#include "source/mysql_scripted.h"
#include "source/world.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace lockstep::test {
namespace {

using Lines = std::vector<std::string>;

const std::vector<LogColumnBytes> kStayColumns = {
    {"id", LogType::kLongLong}, {"hr", LogType::kDouble}, {"note", LogType::kBlob}};

class Mysql8Story : public MysqlSourceTest {
 protected:
  Mysql8Story() {
    state_.version = "8.4.3";
    state_.server = kSource;
    state_.log_end = kSource + ":1-10";
    state_.variables = {{"gtid_mode", "ON"}, {"enforce_gtid_consistency", "ON"}};
  }

  std::vector<std::string> transaction(std::uint64_t number, const std::string& rows) {
    state_.log_end = kSource + ":1-" + std::to_string(number);
    return {query_event("BEGIN"),
            table_event(7, "visits", kStayColumns),
            rows,
            xid_event(static_cast<std::uint32_t>(number * 100))};
  }

  void put(std::uint64_t number, const std::string& rows) {
    state_.log.push_back(mysql_gtid_event(number));
    for (const std::string& event : transaction(number, rows))
      state_.log.push_back(event);
  }

  Position copied(Source& source) {
    return MysqlSourceTest::copied(source, previous_gtids_event(kSource + ":1-4"));
  }

  void refuses(const Position& from, const std::string& why, const std::string& remedy = "") {
    const Result<void> opened = make()->open(from);
    ASSERT_FALSE(opened.ok()) << why;
    EXPECT_NE(opened.error().message.find(why), std::string::npos) << opened.error().message;
    EXPECT_NE(opened.error().hint.find(remedy), std::string::npos) << opened.error().hint;
  }
};

TEST_F(Mysql8Story, CopiesUnderALockThatIsGoneBeforeARowIsRead) {
  const auto source = make();
  Position position = copied(*source);
  EXPECT_EQ(position.at("gtid " + kSource), "1-10");
  EXPECT_EQ(position.at("place"), "binlog.000001:400 " + kSource);
  EXPECT_EQ(state_.requests, (Lines{kSource + ":1-10"}));
  EXPECT_EQ(source->describe(position), "at " + kSource + ":1-10");
  Lines order;
  for (const std::string& sql : state_.statements) {
    for (const char* const one : {"READ LOCK",
                                  "CONSISTENT SNAPSHOT",
                                  "gtid_executed",
                                  "UNLOCK",
                                  "BINARY LOG STATUS",
                                  "FROM `shop`.`visits`"}) {
      if (sql.find(one) != std::string::npos) order.emplace_back(one);
    }
  }
  order.resize(6);
  EXPECT_EQ(order,
            (Lines{"READ LOCK",
                   "CONSISTENT SNAPSHOT",
                   "BINARY LOG STATUS",
                   "gtid_executed",
                   "UNLOCK",
                   "FROM `shop`.`visits`"}));
  put(11, rows_event(23, 7, image(3, 2, "new")));
  const auto batch = next(*source);
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->rows.row_count(), 1);
  EXPECT_EQ(batch->positions.texts(), (Lines{kSource + ":11 row 1"}));
  move_position(position, batch->position_changes);
  EXPECT_EQ(position.at("gtid " + kSource), "1-11");
  EXPECT_EQ(position.at("place"), "binlog.000001:1100 " + kSource);
  ASSERT_TRUE(make()->open(position).ok());
  EXPECT_EQ(state_.requests.back(), kSource + ":1-11");
  EXPECT_EQ(parse_mysql_position(position).value().parts(), position);
}

TEST_F(Mysql8Story, AsksAnOlderServerByItsOldName) {
  state_.version = "8.0.36";
  copied(*make());
  EXPECT_NE(std::ranges::find(state_.statements, "SHOW MASTER STATUS"), state_.statements.end());
  EXPECT_EQ(std::ranges::find(state_.statements, "SHOW BINARY LOG STATUS"),
            state_.statements.end());
}

TEST_F(Mysql8Story, SaysWhichRightTheLockNeeds) {
  state_.lock_error = make_error(Code::kDenied, "MySQL: Access denied");
  refuses({}, "nothing may be written for the moment", "GRANT RELOAD ON *.* TO 'r'@'%';");
  state_.lock_error = make_error(Code::kIo, "MySQL: Lock wait timeout exceeded");
  refuses({}, "Lock wait timeout", "SHOW PROCESSLIST");
}

TEST_F(Mysql8Story, FollowsCompressedTransactionsAsAllOthers) {
  const auto source = make();
  Position position = copied(*source);
  // An event of MySQL's form: with bytes of its own behind the flags.
  const std::string rows = little(7, 6) + little(1, 2) + little(5, 2) + "xyz" + little(3, 1) +
                           little(7, 1) + little(7, 1) + image(3, 2, "old") + image(3, 4, "new");
  state_.log.push_back(mysql_gtid_event(11));
  state_.log.push_back(payload_event(transaction(11, log_event(31, rows)), 900));
  put(12, rows_event(23, 7, image(5, 1, "behind")));
  const auto batch = next(*source);
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->rows.row_count(), 1);
  EXPECT_EQ(batch->rows.text_at(2, 0), "new");
  move_position(position, batch->position_changes);
  EXPECT_EQ(position.at("place"), "binlog.000001:900 " + kSource);
  EXPECT_EQ(next(*source)->rows.text_at(2, 0), "behind");
  EXPECT_FALSE(next(*source));
}

TEST_F(Mysql8Story, GoesOnOnAnotherServerThatHasTheTransactions) {
  const auto source = make();
  Position position = copied(*source);
  state_.server = kOtherSource;
  state_.log_file = "mysql-bin.000007";
  state_.log_end = kSource + ":1-10," + kOtherSource + ":1-3";
  state_.event_at = std::nullopt;  // the place was in the other's log
  const auto other = make();
  ASSERT_TRUE(other->open(position).ok());
  state_.log = {
      rotate_event("mysql-bin.000007"), format_event(), mysql_gtid_event(4, kOtherSource)};
  for (const std::string& event : transaction(10, rows_event(23, 7, image(3, 2, "new"))))
    state_.log.push_back(event);
  state_.log_end = kSource + ":1-10," + kOtherSource + ":1-4";
  const auto batch = next(*other);
  ASSERT_TRUE(batch);
  move_position(position, batch->position_changes);
  EXPECT_EQ(position.at("gtid " + kOtherSource), "4");
  EXPECT_EQ(position.at("place"), "mysql-bin.000007:1000 " + kOtherSource);
  EXPECT_EQ(parse_mysql_position(position).value().server, kOtherSource);
}

TEST_F(Mysql8Story, RefusesToGoOnWhereChangesWouldBeMissing) {
  const Position position = copied(*make());
  const std::string remedy = "lockstep resync clinic";
  state_.log_end = kSource + ":1-9";
  refuses(position, "whose log ends at " + kSource + ":1-9", remedy);
  state_.log_end = "";
  refuses(position, "whose log ends at its beginning", remedy);
  state_.log_end = kOtherSource + ":1-99";
  refuses(position, "it lost what came last", remedy);
  state_.log_end = kSource + ":1-100";
  state_.purged = kSource + ":1-20";
  refuses(position, "removed the log of " + kSource + ":11-20", remedy);
  state_.purged = kSource + ":1-10";
  ASSERT_TRUE(make()->open(position).ok());
  // Begun anew, and further by now: the same ids, another place.
  state_.event_at = std::nullopt;
  refuses(position, "it was begun anew", remedy);
  state_.log_size = "4294967296";  // places of so large a file are not known
  ASSERT_TRUE(make()->open(position).ok());
  state_.log_size = "5000";
  state_.event_at = std::pair("Gtid", "SET @@SESSION.GTID_NEXT= '" + kSource + ":7'");
  refuses(position, "it was begun anew", remedy);
  state_.event_at = std::pair("Query", "BEGIN");
  refuses(position, "it was begun anew", remedy);
  state_.event_at = std::pair("Gtid", "SET @@SESSION.GTID_NEXT= '" + kSource + ":11'");
  ASSERT_TRUE(make()->open(position).ok());
  state_.version = "10.11.6-MariaDB";
  state_.log_end = "0-1-10";
  refuses(position, "another server", remedy);
}

TEST_F(Mysql8Story, TellsWhatTheServerLacksWithTheStatements) {
  state_.variables = {{"gtid_mode", "OFF_PERMISSIVE"},
                      {"enforce_gtid_consistency", "WARN"},
                      {"binlog_row_value_options", "PARTIAL_JSON"},
                      {"log_replica_updates", "OFF"}};
  state_.format = "MIXED";
  state_.grants = "GRANT SELECT, REPLICATION SLAVE ON *.* TO `r`@`%`";
  std::vector<std::string> found;
  for (const SourceFinding& finding : make()->check())
    found.push_back(finding.text + " / " + finding.hint);
  EXPECT_EQ(found,
            (Lines{"connected to MySQL 8.4.3 / ",
                   "enforce_gtid_consistency is WARN / run: SET PERSIST enforce_gtid_consistency = "
                   "ON;",
                   "gtid_mode is OFF_PERMISSIVE / run, one after another: SET PERSIST gtid_mode = "
                   "ON_PERMISSIVE; SET PERSIST gtid_mode = ON;",
                   "binlog_format is MIXED / run: SET PERSIST binlog_format = 'ROW';",
                   "binlog_row_value_options is PARTIAL_JSON / run: SET PERSIST "
                   "binlog_row_value_options = '';",
                   "log_replica_updates is OFF: what the server replicates from another is not in "
                   "its log / add to its configuration: log_replica_updates = ON; and restart it",
                   "user 'r'@'%' may not read the server's log / run: GRANT REPLICATION CLIENT, "
                   "RELOAD ON *.* TO 'r'@'%';",
                   "table shop.visits has about 2 rows / "}));
  refuses({}, "enforce_gtid_consistency is WARN", "SET PERSIST");
}

// The events of a MySQL log, one by one.
class Mysql8Stream : public ::testing::Test {
 protected:
  Mysql8Stream() : changes_({followed()}, position()) {
    take(rotate_event("binlog.000002"));
    take(format_event());
  }

  static FollowedTable followed() {
    return {.target = {.index = 0,
                       .schema_name = "shop",
                       .table = "visits",
                       .schema = kVisits,
                       .key = {0}},
            .readings = {{.kind = MysqlKind::kInt, .type = Type::kInt},
                         {.kind = MysqlKind::kDouble, .type = Type::kFloat},
                         {.kind = MysqlKind::kText, .type = Type::kText}}};
  }

  static MysqlPosition position() {
    MysqlPosition position;
    position.server = kSource;
    position.client = 9;
    position.state = gtid_set(kSource + ":1-10");
    position.place = {"binlog.000001", 100};
    position.tables["shop.visits"] = {position.state, "shape"};
    return position;
  }

  void take(const std::string& event) {
    const Result<void> taken = changes_.take(event, 1'000);
    ASSERT_TRUE(taken.ok()) << taken.error().message;
  }

  std::string refusal(const std::string& event) {
    const Result<void> taken = changes_.take(event, 1'000);
    return taken.ok() ? "" : taken.error().message + " / " + taken.error().hint;
  }

  std::vector<SourceBatch> give_all() {
    std::vector<SourceBatch> out;
    while (std::optional<SourceBatch> batch = changes_.give())
      out.push_back(*std::move(batch));
    return out;
  }

  MysqlChanges changes_;
};

TEST_F(Mysql8Stream, EndsAStatementThatStandsAlone) {
  take(mysql_gtid_event(11));
  take(query_event("CREATE USER x"));
  EXPECT_FALSE(changes_.in_transaction());
  take(mysql_gtid_event(12));
  take(query_event("TRUNCATE TABLE visits", 500));
  const auto batches = give_all();
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_TRUE(batches[0].truncates);
  EXPECT_EQ(changes_.seen().text(), kSource + ":1-12");
  // A table made with its rows: its end comes behind them.
  take(mysql_gtid_event(13));
  take(query_event("CREATE TABLE `other` (`id` int) START TRANSACTION"));
  EXPECT_TRUE(changes_.in_transaction());
  take(xid_event(700));
  EXPECT_FALSE(changes_.in_transaction());
  EXPECT_TRUE(changes_.stale().empty());
}

TEST_F(Mysql8Stream, PassesOverWhatChangesNoRow) {
  take(mysql_gtid_event(11));
  take(query_event("BEGIN"));
  for (const int type : {28, 29, 36, 37, 41})
    take(log_event(type, "x"));
  take(table_event(9, "elsewhere", {{"v", static_cast<LogType>(20)}}));  // of no known type
  take(log_event(39, little(9, 6) + "anything"));
  take(query_event("COMMIT", 800));
  EXPECT_EQ(changes_.seen().text(), kSource + ":1-11");
  take(tagged_gtid_event(1, "nightly"));
  take(query_event("BEGIN"));
  take(xid_event(900));
  EXPECT_EQ(changes_.seen().text(), kSource + ":1-11," + kSource + ":nightly:1");
  take(rotate_event("binlog.000003"));
  take(format_event());
  take(previous_gtids_event(changes_.seen().text()));
  EXPECT_EQ(refusal(previous_gtids_event(kSource + ":1-14")),
            "the server has " + kSource +
                ":12-14 without having it in its log: rows were loaded beside it / lockstep resync "
                "of the source copies its tables anew and goes on behind it");
}

TEST_F(Mysql8Stream, StopsWhereTheLogDoesNotTellWhatChanged) {
  EXPECT_NE(refusal(anonymous_event()).find("SET PERSIST gtid_mode = ON"), std::string::npos);
  EXPECT_NE(refusal(mysql_gtid_event(9)).find("does not keep its numbers in order"),
            std::string::npos);
  EXPECT_NE(refusal(gtid_event({0, 1, 99})).find("another kind of server"), std::string::npos);
  take(mysql_gtid_event(11));
  take(query_event("BEGIN"));
  take(table_event(7, "visits", kStayColumns));
  EXPECT_NE(refusal(log_event(39, little(7, 6) + "anything"))
                .find("only the changed part of a JSON value of shop.visits"),
            std::string::npos);
  take(query_event("ROLLBACK"));
  take(mysql_gtid_event(12));
  take(query_event("XA START X'31',X'',1"));
  take(table_event(7, "visits", kStayColumns));
  EXPECT_NE(refusal(rows_event(23, 7, image(1, 1, "a"))).find("XA transaction"), std::string::npos);
}

TEST(Mysql8Positions, AreReadAsTheyWereWritten) {
  MysqlPosition position;
  position.server = kSource;
  position.client = 9;
  position.state = gtid_set(kSource + ":1-5:7," + kOtherSource + ":1," + kSource + ":nightly:3");
  position.place = {"binlog.000001", 100};
  position.tables["shop.visits"] = {gtid_set(kSource + ":1-5"), "shape"};
  EXPECT_EQ(parse_mysql_position(position.parts()).value(), position);
  for (const auto& [part, text] : std::vector<std::pair<std::string, std::string>>{
           {"gtid " + kSource, "x"},
           {"gtid " + kSource, "1-5," + kOtherSource + ":1"},
           {"gtid 0", "0-1-2 binlog.1:4"},
           {"place", "binlog.000001:4"},
           {"place", "binlog.000001 " + kSource},
           {"table a.b", "0-1-2 shape"},
           {"what", "ever"}}) {
    Position parts = position.parts();
    parts[part] = text;
    EXPECT_EQ(parse_mysql_position(parts).error().code, Code::kCorrupt) << part << ": " << text;
  }
}

}  // namespace
}  // namespace lockstep::test
