// The source of type `kafka` over a cluster in memory: where it begins, goes on, and refuses to.
#include "source/kafka/kafka.h"

#include "source/kafka/kafka_position.h"
#include "source/kafka/kafka_settings.h"
#include "source/kafka_scripted.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace lockstep::test {
namespace {

class Kafka : public ::testing::Test {
 protected:
  void put(std::int64_t patient, std::size_t partition = 0) {
    cluster_.put("vitals",
                 partition,
                 std::nullopt,
                 "{\"patient\": " + std::to_string(patient) + ", \"sbp\": 0.5}");
  }

  std::unique_ptr<Source> source(std::string_view more = {}) {
    return kafka_source(world_, cluster_, kafka_request(more));
  }

  Told told(std::int64_t rows = 10'000, const Position& position = {}, std::string_view more = {}) {
    const auto one = source(more);
    const Result<void> opened = one->open(position);
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().message);
    return tell(*one, rows, position);
  }

  static SourceRequest keyed(const std::string& more) {
    SourceRequest request = kafka_request(more);
    request.targets.front().key = {"patient"};
    return request;
  }

  Error refused(const Position& position) {
    const auto one = source();
    if (Result<void> opened = one->open(position); !opened.ok()) return opened.error();
    return tell(*one, 10, position).error.value_or(Error{Code::kIo, "nothing was refused", ""});
  }

  World world_;
  ScriptedCluster cluster_;
};

TEST_F(Kafka, GivesAChangedKeyWholeOverAllPollsAndPositions) {  // source-1
  const auto envelope = [](const char* operation, const char* before, const char* after) {
    return fmt::format(R"({{"op":"{}","before":{},"after":{}}})", operation, before, after);
  };
  const char* const old_row = R"({"patient":1})";
  const char* const new_row = R"({"patient":2,"sbp":0.5})";
  cluster_.put("vitals", 0, old_row, envelope("c", "null", R"({"patient":1,"sbp":0.5})"));
  cluster_.put("vitals", 0, old_row, envelope("d", old_row, "null"), true);
  cluster_.put("vitals", 0, old_row, std::nullopt);
  cluster_.put("vitals", 0, R"({"patient":2})", envelope("c", "null", new_row), true);
  cluster_.put("vitals", 0, R"({"patient":2})", envelope("d", new_row, "null"), true);
  const std::string more = ", format: debezium";
  for (const std::int64_t rows : {2, 3, 10'000}) {
    const auto one = kafka_source(world_, cluster_, keyed(more));
    ASSERT_TRUE(one->open({}).ok());
    const Told all = tell(*one, rows);
    ASSERT_EQ(all.story.size(), 4u) << rows;
    EXPECT_EQ(all.story[1].substr(0, 1) + all.story[2].substr(0, 1), "DU");
    EXPECT_EQ(all.story[3].substr(0, 1), "D") << "of a key whose new one does not come";
    for (const Position& position : all.positions) {
      const auto rest = kafka_source(world_, cluster_, keyed(more));
      ASSERT_TRUE(rest->open(position).ok());
      const std::size_t left = tell(*rest, rows, position).story.size();
      EXPECT_NE(left, 2u) << "no position is between the two";
    }
  }
}

TEST_F(Kafka, GivesTheSameRestFromEveryCommittedPosition) {  // source-1
  for (std::int64_t row = 0; row < 30; ++row) {
    put(row, static_cast<std::size_t>(row % 3));
    if (row % 7 == 0) cluster_.mark("vitals", 0);
  }
  for (const std::int64_t rows : {1, 4, 10'000}) {
    const Told all = told(rows);
    ASSERT_EQ(all.story.size(), 30u);
    for (std::size_t batch = 0; batch < all.positions.size(); ++batch) {
      SCOPED_TRACE(batch);
      Story both(all.story.begin(),
                 all.story.begin() + static_cast<std::ptrdiff_t>(all.lengths[batch]));
      for (const std::string& line : told(rows, all.positions[batch]).story)
        both.push_back(line);
      Story wanted = all.story;
      std::ranges::sort(both);
      std::ranges::sort(wanted);
      EXPECT_EQ(both, wanted);
    }
  }
}

TEST_F(Kafka, KeepsTheOrderOfAPartition) {
  for (std::int64_t row = 0; row < 12; ++row)
    put(row, static_cast<std::size_t>(row % 2));
  Story of_one;
  for (const std::string& line : told(5).story) {
    if (line.find("partition 1") != std::string::npos) of_one.push_back(line);
  }
  ASSERT_EQ(of_one.size(), 6u);
  EXPECT_EQ(of_one.front(), "U vitals partition 1, offset 0: 1,0.5");
  EXPECT_EQ(of_one.back(), "U vitals partition 1, offset 5: 11,0.5");
}

TEST_F(Kafka, BeginsWithAPositionOfEveryPartition) {
  put(1);
  cluster_.topics["vitals"].resize(3);
  const Told all = told();
  ASSERT_EQ(all.positions.size(), 2u);
  EXPECT_EQ(all.positions.front().size(), 4u);
  EXPECT_EQ(all.positions.front().at("vitals/2"), "0");
  EXPECT_EQ(all.positions.back().at("vitals/0").substr(0, 4), "1 0 ");
}

TEST_F(Kafka, HasNothingMoreAfterItsEndAndDoesNotWait) {  // source-5
  put(1);
  const auto one = source();
  ASSERT_TRUE(one->open({}).ok());
  tell(*one);
  const std::int64_t before_us = world_.io().monotonic_us();
  EXPECT_FALSE(one->next({}).value());
  EXPECT_LT(world_.io().monotonic_us() - before_us, 1'000);
  EXPECT_EQ(one->lag().messages, 0);
  put(2);
  put(3);
  EXPECT_EQ(one->lag().messages, 2);
  EXPECT_TRUE(one->wait(0).value());
  EXPECT_EQ(tell(*one).story.size(), 2u);
}

TEST_F(Kafka, FromTheNewestTakesOnlyWhatComes) {
  put(1);
  const auto one = source(", start: newest");
  ASSERT_TRUE(one->open({}).ok());
  const Told first = tell(*one);
  EXPECT_TRUE(first.story.empty());
  put(2);
  EXPECT_EQ(told(10, first.positions.back(), ", start: newest").story,
            Story{"U vitals partition 0, offset 1: 2,0.5"});
}

TEST_F(Kafka, RefusesToGoOnWhereMessagesAreLost) {
  for (std::int64_t row = 0; row < 5; ++row)
    put(row);
  const Position position = told().positions.back();
  cluster_.trim("vitals", 0, 5);
  put(5);
  EXPECT_EQ(told(10, position).story.size(), 1u) << "what was removed had been read";
  cluster_.trim("vitals", 0, 6);
  const Error trimmed = refused(position);
  EXPECT_EQ(trimmed.code, Code::kRefused);
  EXPECT_EQ(trimmed.message,
            "topic 'vitals', partition 0: the next message is offset 5, and the topic's oldest is "
            "6: the messages between were removed before they were read");
  EXPECT_NE(trimmed.hint.find("lockstep resync drop"), std::string::npos);
}

TEST_F(Kafka, RefusesATopicThatWasMadeAnew) {
  for (std::int64_t row = 0; row < 5; ++row)
    put(row, static_cast<std::size_t>(row % 2));
  const Position position = told().positions.back();
  cluster_.topics["vitals"].resize(1);
  EXPECT_NE(refused(position).message.find("only 1 partitions now"), std::string::npos);
  cluster_.topics["vitals"].clear();
  cluster_.topics["vitals"].resize(2);
  EXPECT_NE(refused(position).message.find("the topic ends at 0"), std::string::npos);
  for (std::int64_t row = 50; row < 60; ++row)
    put(row, static_cast<std::size_t>(row % 2));
  EXPECT_NE(refused(position).message.find("another message than when it was read"),
            std::string::npos);
  cluster_.topics.erase("vitals");
  EXPECT_EQ(refused(position).code, Code::kNotFound);
}

TEST_F(Kafka, TheMessageBeforeThePositionMayBeCompactedAway) {
  for (std::int64_t row = 0; row < 5; ++row)
    put(row);
  const Position position = told().positions.back();
  put(5);
  std::erase_if(cluster_.topics["vitals"][0].records,
                [](const ScriptedRecord& record) { return record.offset == 4; });
  EXPECT_EQ(told(10, position).story, Story{"U vitals partition 0, offset 5: 5,0.5"});
}

TEST_F(Kafka, RefusesAnotherCluster) {
  put(1);
  const Position position = told().positions.back();
  cluster_.id = "cluster-2";
  EXPECT_NE(refused(position).message.find("those of cluster cluster-1"), std::string::npos);
}

TEST_F(Kafka, FindsPartitionsThatComeLater) {
  put(1);
  const auto one = source(", heartbeat: 1s");
  ASSERT_TRUE(one->open({}).ok());
  tell(*one);
  put(2, 1);
  EXPECT_FALSE(one->wait(0).value()) << "they are looked for with the heartbeat";
  world_.io().sleep_us(1'000'000);
  EXPECT_TRUE(one->wait(1).value());
  const Told more = tell(*one);
  EXPECT_EQ(more.story, Story{"U vitals partition 1, offset 0: 2,0.5"});
}

TEST_F(Kafka, ALaterPartitionWithoutItsBeginningIsALoss) {
  put(1);
  const Position position = told().positions.back();
  put(2, 1);
  put(3, 1);
  cluster_.trim("vitals", 1, 1);
  EXPECT_NE(refused(position).message.find("it is new, and its oldest message is offset 1"),
            std::string::npos);
}

TEST_F(Kafka, ThePositionFollowsAnIdlePartition) {
  put(1);
  const auto one = source(", heartbeat: 1s");
  ASSERT_TRUE(one->open({}).ok());
  Position position = tell(*one).positions.back();
  cluster_.mark("vitals", 0);
  EXPECT_FALSE(one->next({}).value()) << "not before the heartbeat";
  world_.io().sleep_us(1'000'000);
  const auto batch = one->next({}).value();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->rows.row_count(), 0);
  move_position(position, batch->position_changes);
  EXPECT_EQ(one->describe(position), "vitals at 2");
  cluster_.trim("vitals", 0, 2);
  put(2);
  EXPECT_EQ(told(10, position).story.size(), 1u);
}

TEST_F(Kafka, ReadsACompactedTopicAnewAsOneTransaction) {  // source-7
  for (std::int64_t row = 0; row < 5; ++row)
    put(row, static_cast<std::size_t>(row % 2));
  for (const bool is_compacted : {true, false}) {
    cluster_.is_compacted = is_compacted;
    const auto one = source();
    ASSERT_TRUE(one->open_anew().ok());
    std::vector<SourceBatch> batches;
    while (auto batch = one->next({2}).value())
      batches.push_back(*std::move(batch));
    ASSERT_GE(batches.size(), 5u);
    EXPECT_EQ(batches.front().truncates, is_compacted);
    Position position;
    for (const SourceBatch& batch : batches) {
      const bool is_last = &batch == &batches.back();
      EXPECT_EQ(batch.whole, is_compacted);
      EXPECT_EQ(batch.has_more, is_compacted && !is_last);
      EXPECT_EQ(batch.position_changes.empty(), is_compacted && !is_last);
      move_position(position, batch.position_changes);
    }
    EXPECT_EQ(one->describe(position), "vitals at 3, 2");
    put(7);
    const Told more = told(10, position);
    EXPECT_EQ(more.story.size(), 1u);
    cluster_.topics["vitals"][0].records.pop_back();
    --cluster_.topics["vitals"][0].end;
  }
}

TEST_F(Kafka, SamplesWithoutATrace) {
  for (std::int64_t row = 0; row < 5; ++row)
    put(row);
  const auto batch = source(", start: newest")->sample(0, 3);
  ASSERT_TRUE(batch.ok());
  ASSERT_TRUE(batch.value());
  EXPECT_EQ(batch.value()->rows.row_count(), 3);
}

TEST_F(Kafka, SaysWhatItCanDo) {  // source-4
  const Capabilities can = source()->capabilities();
  EXPECT_TRUE(can.replays);
  EXPECT_TRUE(can.deletes);
  EXPECT_FALSE(can.transactions);
}

TEST(KafkaPositions, AreReadAsTheyWereWritten) {
  KafkaPosition position;
  position.cluster = "c";
  position.places[{"a.b", 0}] = {.next = 7, .last = KafkaTrace{5, "00ff"}};
  position.places[{"a.b", 12}] = {.next = 0};
  Position parts;
  add_cluster(parts, position.cluster);
  for (const auto& [partition, place] : position.places)
    add_place(parts, partition, place);
  const auto read = parse_kafka_position(parts);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read.value(), position);
  EXPECT_EQ(kafka_position_text(position), "a.b at 7, 0");
}

TEST(KafkaPositions, AreRefusedWhenTheyAreNone) {
  const std::string head = R"({"version":1,"cluster":"c"})";
  const std::vector<Position> bad = {
      {{"a/0", "1"}},
      {{"", "{}"}},
      {{"", R"({"version":1})"}},
      {{"", head}, {"a", "1"}},
      {{"", head}, {"/0", "1"}},
      {{"", head}, {"a/x", "1"}},
      {{"", head}, {"a/0", ""}},
      {{"", head}, {"a/0", "-1"}},
      {{"", head}, {"a/0", "5 5 ff"}},
      {{"", head}, {"a/0", "5 4"}},
      {{"", head}, {"a/0", "5 4 "}},
      {{"", head}, {"a/0", "5x"}},
  };
  for (const Position& parts : bad) {
    const auto read = parse_kafka_position(parts);
    ASSERT_FALSE(read.ok()) << parts.rbegin()->first << " " << parts.rbegin()->second;
    EXPECT_EQ(read.error().code, Code::kCorrupt);
  }
  EXPECT_EQ(parse_kafka_position({{"", R"({"version":2,"cluster":"c"})"}}).error().code,
            Code::kTooNew);
}

TEST(KafkaSettingsOf, ASourceAreChecked) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {", options: {enable.auto.commit: true}", "Lockstep's own to set"},
      {", options: [1]", "'options' is no map"},
      {", operation: sbp", "is a column of its dataset"},
      {", utc_offset: x", "not an offset from UTC"},
      {", format: xml", "xml"},
      {", heartbeat: 1ms", "heartbeat"},
  };
  for (const auto& [more, wanted] : cases) {
    const auto settings = parse_kafka_settings(kafka_request(more));
    ASSERT_FALSE(settings.ok()) << more;
    EXPECT_NE(settings.error().message.find(wanted), std::string::npos) << settings.error().message;
  }
}

TEST(KafkaSettingsOf, TopicsAndDatasetsMustAgree) {
  SourceRequest request = kafka_request();
  request.targets.front().table = "labs";
  EXPECT_NE(parse_kafka_settings(request).error().message.find("feeds no dataset"),
            std::string::npos);
  request.settings = parse_yaml("{type: kafka, brokers: b}", "lockstep.yaml").value();
  EXPECT_EQ(parse_kafka_settings(request).value().topics, std::vector<std::string>{"labs"});
  request.targets.front().table.clear();
  EXPECT_NE(parse_kafka_settings(request).error().message.find("names no topic"),
            std::string::npos);
}

TEST(KafkaOptions, AnErrorTellsNoSecret) {
  const auto settings = parse_kafka_settings(
      kafka_request(", options: {sasl.mechanism: PLAIN, sasl.passwort: hunter2}"));
  const auto server = make_kafka_server(settings.value());
  ASSERT_FALSE(server.ok());
  EXPECT_EQ(server.error().code, Code::kInvalid);
  EXPECT_NE(server.error().message.find("sasl.passwort"), std::string::npos);
  EXPECT_EQ(server.error().message.find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace lockstep::test
