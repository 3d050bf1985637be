// The source of type mysql over a server of a script: copy, log, positions, refusals; its url, and
// the reader that takes the log in a thread of its own.
#include "source/mysql/mysql.h"

#include "source/mysql/mysql_log_reader.h"
#include "source/mysql/mysql_position.h"
#include "source/mysql/mysql_url.h"
#include "source/mysql_scripted.h"
#include "source/world.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

namespace lockstep::test {
namespace {

const std::vector<LogColumnBytes> kVisitColumns = {
    {"id", LogType::kLongLong}, {"hr", LogType::kDouble}, {"note", LogType::kBlob}};

class MysqlStory : public MysqlSourceTest {
 protected:
  MysqlStory() { state_.log_end = "0-1-10"; }

  void put_transaction(std::uint64_t number, const std::vector<std::string>& events) {
    state_.log.push_back(gtid_event({0, 1, number}));
    state_.log.push_back(table_event(7, "visits", kVisitColumns));
    for (const std::string& event : events)
      state_.log.push_back(event);
    state_.log.push_back(xid_event(static_cast<std::uint32_t>(number * 100)));
    state_.log_end = Gtid{0, 1, number}.text();
  }

  void refuses(const Position& from, const std::string& why) {
    const Result<void> opened = make()->open(from);
    ASSERT_FALSE(opened.ok()) << why;
    EXPECT_EQ(opened.error().code, Code::kRefused);
    EXPECT_NE(opened.error().message.find(why), std::string::npos) << opened.error().message;
  }
};

TEST_F(MysqlStory, CopiesAndGoesOnWithTheLogBehindTheSnapshot) {
  const auto source = make();
  Position position = copied(*source);
  EXPECT_EQ(position.at("gtid 0"), "0-1-10 binlog.000001:400");
  EXPECT_EQ(state_.requests, (std::vector<std::string>{"0-1-10"}));
  EXPECT_EQ(source->describe(position), "at 0-1-10");
  EXPECT_EQ(source->describe({}), "nothing yet");
  put_transaction(11, {rows_event(23, 7, image(3, 2, "new"))});
  const auto batch = next(*source);
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->rows.row_count(), 1);
  move_position(position, batch->position_changes);
  EXPECT_EQ(position.at("gtid 0"), "0-1-11 binlog.000001:1100");
  EXPECT_FALSE(next(*source));  // source-5
  EXPECT_EQ(source->lag().bytes, 0u);

  // Another, later, from the committed position: as the same follower.
  state_.state_at = "0-1-11";
  ASSERT_TRUE(make()->open(position).ok());
  EXPECT_EQ(state_.requests.back(), "0-1-11");
  EXPECT_EQ(state_.clients.front(), state_.clients.back());
  EXPECT_GE(state_.clients.front(), 1u << 30);
  EXPECT_EQ(state_.copies, 1);
  ASSERT_TRUE(make(", server_id: 77")->open(position).ok());
  EXPECT_EQ(state_.clients.back(), 77u);
}

TEST_F(MysqlStory, RefusesToGoOnWhereChangesWouldBeMissing) {
  const auto source = make();
  const Position position = copied(*source);
  ASSERT_TRUE(make()->open(position).ok());
  state_.server = "other";
  refuses(position, "another server");
  state_.server = "uid";
  state_.log_end = "0-1-9";
  refuses(position, "whose log ends at 0-1-9");
  state_.log_end = "";
  refuses(position, "whose log ends at its beginning");
  state_.log_end = "0-1-100";
  state_.state_at = "0-1-50";
  refuses(position, "it was begun anew");
  state_.state_at = std::nullopt;
  refuses(position, "no transaction's end");
  state_.log_file = "binlog.000009";  // that of the position is gone: the server will say
  ASSERT_TRUE(make()->open(position).ok());
  state_.format = "MIXED";
  refuses(position, "binlog_format is MIXED");
  refuses({}, "binlog_format is MIXED");
  state_.version = "5.7.44";
  refuses({}, "MySQL 5.7.44");
}

TEST_F(MysqlStory, CopiesATableAnewThatWasAlteredWhileNobodyLooked) {
  Position position = copied(*make());
  state_.log.clear();
  state_.type_of_hr = "float";
  const auto source = make();
  ASSERT_TRUE(source->open(position).ok());
  const auto batch = next(*source);
  ASSERT_TRUE(batch && batch->truncates);
  move_position(position, batch->position_changes);
  EXPECT_EQ(state_.copies, 2);
  EXPECT_FALSE(next(*source));
  EXPECT_EQ(position.at("gtid 0"), "0-1-10 binlog.000001:400");
}

TEST_F(MysqlStory, CopiesATableAnewBetweenTwoTransactions) {
  const auto source = make();
  copied(*source);
  put_transaction(11, {rows_event(23, 7, image(3, 2, "before"))});
  state_.log.push_back(gtid_event({0, 1, 12}, 1));
  state_.log.push_back(query_event("ALTER TABLE visits ADD more int"));
  put_transaction(13, {rows_event(23, 7, image(4, 2, "in the copy"))});
  put_transaction(14, {rows_event(23, 7, image(5, 2, "behind"))});
  state_.state_at = "0-1-13";
  EXPECT_EQ(next(*source)->rows.text_at(2, 0), "before");
  const auto copy = next(*source);
  ASSERT_TRUE(copy);
  EXPECT_TRUE(copy->truncates && !copy->has_more);
  EXPECT_TRUE(copy->position_changes.at("table shop.visits").starts_with("0-1-13 "));
  const auto last = next(*source);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->rows.row_count(), 1);
  EXPECT_EQ(last->rows.text_at(2, 0), "behind");
  EXPECT_FALSE(next(*source));
}

TEST_F(MysqlStory, MovesThePositionBesideOtherTablesOnceAllIsDurable) {
  const auto source = make(", heartbeat: 1s");
  copied(*source);
  put_transaction(11, {rows_event(23, 7, image(3, 2, "a"))});
  state_.log.push_back(gtid_event({0, 1, 12}));
  state_.log.push_back(xid_event(1'200));
  state_.log_end = "0-1-12";
  const auto batch = next(*source);
  ASSERT_TRUE(batch);
  io_->sleep_us(2'000'000);
  EXPECT_FALSE(next(*source));  // the rows may still be lost
  ASSERT_TRUE(source->committed(batch->position_changes).ok());
  const auto heartbeat = next(*source);
  ASSERT_TRUE(heartbeat);
  EXPECT_EQ(heartbeat->rows.row_count(), 0);
  EXPECT_EQ(heartbeat->position_changes.at("gtid 0"), "0-1-12 binlog.000001:1200");
  ASSERT_TRUE(source->committed(heartbeat->position_changes).ok());
  io_->sleep_us(2'000'000);
  EXPECT_FALSE(next(*source));  // nothing new
}

TEST_F(MysqlStory, KeepsAnErrorUntilItIsOpenedAnew) {
  const auto source = make();
  const Position position = copied(*source);
  state_.log_breaks = true;
  EXPECT_EQ(source->next({}).error().message, "the connection ended");
  state_.log_breaks = false;
  EXPECT_FALSE(source->next({}).ok());
  ASSERT_TRUE(source->open(position).ok());
  EXPECT_FALSE(next(*source));
}

TEST_F(MysqlStory, TellsWhatATableLacks) {
  state_.engine_is_transactional = "NO";
  const auto source = make();
  EXPECT_EQ(source->open({}).error().code, Code::kUnsupported);
  state_.engine_is_transactional = "YES";
  state_.type_of_hr = "blob";
  EXPECT_NE(source->open({}).error().message.find("has type blob"), std::string::npos);
  EXPECT_FALSE(source->infer_schema(0).ok());
  EXPECT_EQ(source->infer_newest_schema(0).value().size(), 2);
  state_.type_of_hr = "double";
  EXPECT_EQ(source->infer_schema(0).value(), kVisits);
  const auto sample = source->sample(0, 10);
  ASSERT_TRUE(sample.ok() && sample.value());
  EXPECT_EQ(sample.value()->rows.row_count(), 2);
}

TEST(MysqlUrls, AreReadWithoutAWordOfThePassword) {
  const MysqlUrl url = parse_mysql_url(
                           "mysql://re%40der:s%2Fecret@db.example.org:3307/"
                           "shop?ssl-mode=verify-identity&ssl-ca=/a%20b")
                           .value();
  EXPECT_EQ(url.user, "re@der");
  EXPECT_EQ(url.password, "s/ecret");
  EXPECT_EQ(url.place(), "db.example.org:3307");
  EXPECT_EQ(url.database, "shop");
  EXPECT_EQ(url.tls, MysqlUrl::Tls::kVerified);
  EXPECT_EQ(url.ca_file, "/a b");
  EXPECT_EQ(parse_mysql_url("mariadb://u@[::1]:9/").value().place(), "::1:9");
  EXPECT_EQ(parse_mysql_url("mysql:///shop?socket=/s").value().place(), "the local socket");
  for (const std::string bad : {"postgres://hush@x/",
                                "hush",
                                "mysql://u:hush@h:0/",
                                "mysql://u:hush@h:x/",
                                "mysql://u:hu%sh@h/",
                                "mysql://u:hush@h/?ssl-mode=hush",
                                "mysql://u:hush@[h/"}) {
    const Result<MysqlUrl> parsed = parse_mysql_url(bad);
    ASSERT_FALSE(parsed.ok()) << bad;
    EXPECT_EQ((parsed.error().message + parsed.error().hint).find("hush"), std::string::npos)
        << bad;
  }
}

TEST(MysqlLogReader, GivesEachEventOnceInOrderAndThenTheError) {
  constexpr int kEvents = 20'000;
  int made = 0;
  std::string event;
  MysqlLogReader reader(
      [&]() -> Result<SentEvent> {
        if (made == kEvents) return make_error(Code::kIo, "the end");
        event = std::to_string(made) + std::string(static_cast<std::size_t>(made % 1'000), 'x');
        ++made;
        return SentEvent{event, made % 2 == 0};
      },
      [] {});
  for (int number = 0; number < kEvents;) {
    const auto received = reader.receive();
    ASSERT_TRUE(received.ok()) << number;
    if (!received.value()) {
      reader.wait(1'000'000);
      continue;
    }
    ASSERT_TRUE(received.value()->bytes.starts_with(std::to_string(number))) << number;
    ++number;
    ASSERT_EQ(received.value()->is_unpacked, number % 2 == 0) << number;
  }
  while (reader.receive().ok())
    reader.wait(1'000'000);
  EXPECT_EQ(reader.receive().error().message, "the end");
  EXPECT_EQ(reader.waiting_bytes(), 0u);
}

TEST(MysqlLogReader, EndsThoughNobodyTakesWhatItReads) {
  std::atomic<bool> is_cancelled = false;
  const std::string event(1'000'000, 'x');
  const auto reader = std::make_unique<MysqlLogReader>(
      [&]() -> Result<SentEvent> {
        if (is_cancelled) return make_error(Code::kIo, "cancelled");
        return SentEvent{event};
      },
      [&] { is_cancelled = true; });
  constexpr int kLooksMax = 10'000;
  for (int look = 0; reader->waiting_bytes() < MysqlLogReader::kWaitingMax; ++look) {
    ASSERT_LT(look, kLooksMax);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace
}  // namespace lockstep::test
