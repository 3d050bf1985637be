#include "source/kafka/kafka_readers.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace lockstep {
namespace {

Error topic_missing(const KafkaSettings& settings, const std::string& topic) {
  return make_error(Code::kNotFound,
                    fmt::format("there is no topic '{}' at {}", topic, settings.brokers),
                    "make it, or correct its name");
}

Result<void> check_topics(const KafkaSettings& settings,
                          const std::vector<std::string>& topics,
                          const KafkaCluster& cluster) {
  for (const std::string& topic : topics) {
    if (const auto failed = cluster.failures.find(topic); failed != cluster.failures.end())
      return make_error(
          Code::kDenied, fmt::format("topic '{}': {}", topic, failed->second), kKafkaRightsHint);
    if (!cluster.partition_counts.contains(topic)) return topic_missing(settings, topic);
  }
  return {};
}

}  // namespace

Error kafka_messages_lost(const KafkaSettings& settings,
                          const KafkaPartition& partition,
                          std::string why) {
  return make_error(
      Code::kRefused,
      fmt::format("topic '{}', partition {}: {}", partition.topic, partition.number, why),
      fmt::format("lockstep resync {} reads the topics from their oldest messages, and changes "
                  "what differs",
                  settings.name));
}

KafkaReaders::KafkaReaders(KafkaLink& link, const KafkaSettings& settings)
    : link_(link), settings_(settings) {
}

Result<KafkaCluster> KafkaReaders::look() {
  KafkaCluster cluster = TRY(link_.look(topics_));
  TRY(check_topics(settings_, topics_, cluster));
  return cluster;
}

Result<void> KafkaReaders::start(const KafkaPosition& position,
                                 const std::vector<std::string>& topics) {
  topics_ = topics;
  const KafkaCluster cluster = TRY(look());
  cluster_ = cluster.id;
  if (!position.is_empty() && position.cluster != cluster.id) {
    return make_error(
        Code::kRefused,
        fmt::format("the cluster at {} is {}, and the hub's offsets are those of cluster {}",
                    settings_.brokers,
                    cluster.id,
                    position.cluster),
        fmt::format("correct the brokers, or run lockstep resync {}", settings_.name));
  }
  for (const std::string& topic : topics_)
    TRY(start_topic(topic, cluster.partition_counts.at(topic), position));
  return {};
}

Result<void> KafkaReaders::start_topic(const std::string& topic,
                                       std::int32_t partition_count,
                                       const KafkaPosition& position) {
  for (auto known = position.places.lower_bound({topic, partition_count});
       known != position.places.end() && known->first.topic == topic;
       ++known) {
    return kafka_messages_lost(
        settings_,
        known->first,
        fmt::format("the topic has only {} partitions now: it was made anew", partition_count));
  }
  for (std::int32_t number = 0; number < partition_count; ++number) {
    const KafkaPartition partition{topic, number};
    const auto known = position.places.find(partition);
    TRY(known == position.places.end()
            ? start_unknown(partition, !position.knows(topic))
            : start_known({.partition = partition, .place = known->second}));
  }
  return {};
}

Result<void> KafkaReaders::start_known(KafkaReader reader) {
  const KafkaRange range = TRY(link_.range(reader.partition));
  const std::int64_t next = reader.place.next;
  if (next < range.oldest) {
    return kafka_messages_lost(
        settings_,
        reader.partition,
        fmt::format("the next message is offset {}, and the topic's oldest is {}: the messages "
                    "between were removed before they were read",
                    next,
                    range.oldest));
  }
  if (next > range.end) {
    return kafka_messages_lost(settings_,
                               reader.partition,
                               fmt::format("the next message is offset {}, and the topic ends at "
                                           "{}: it was made anew, or lost its end",
                                           next,
                                           range.end));
  }
  reader.goal = range.end;
  if (reader.place.last && reader.place.last->offset >= range.oldest)
    reader.expected = reader.place.last;
  const std::int64_t offset = reader.expected ? reader.expected->offset : next;
  return add(std::move(reader), offset);
}

Result<void> KafkaReaders::start_unknown(const KafkaPartition& partition, bool topic_is_new) {
  const KafkaRange range = TRY(link_.range(partition));
  if (!topic_is_new && range.oldest > 0) {
    return kafka_messages_lost(
        settings_,
        partition,
        fmt::format("it is new, and its oldest message is offset {}: those before it were removed "
                    "before they were read",
                    range.oldest));
  }
  KafkaReader reader;
  reader.partition = partition;
  reader.place.next = topic_is_new && settings_.from_newest ? range.end : range.oldest;
  reader.goal = range.end;
  add_place(begun_, partition, reader.place);
  const std::int64_t offset = reader.place.next;
  return add(std::move(reader), offset);
}

Result<void> KafkaReaders::add(KafkaReader reader, std::int64_t offset) {
  const int number = TRY(link_.start(reader.partition, offset));
  LOCKSTEP_ASSERT(static_cast<std::size_t>(number) == readers_.size(),
                  "source: readers are numbered in their order");
  reader.given = reader.place.next;
  readers_.push_back(std::move(reader));
  return {};
}

Result<void> KafkaReaders::find_new() {
  const KafkaCluster cluster = TRY(look());
  std::map<std::string, std::int32_t> read;
  for (const KafkaReader& reader : readers_)
    ++read[reader.partition.topic];
  for (const auto& [topic, count] : cluster.partition_counts) {
    const auto begun = read.find(topic);
    if (begun == read.end()) continue;
    if (count < begun->second) {
      return kafka_messages_lost(
          settings_, {topic, count}, "the topic has fewer partitions now: it was made anew");
    }
    for (std::int32_t number = begun->second; number < count; ++number)
      TRY(start_unknown({topic, number}, false));
  }
  return {};
}

Result<bool> KafkaReaders::takes(const KafkaMessage& message) {
  KafkaReader& reader = readers_.at(static_cast<std::size_t>(message.reader));
  if (reader.expected) {
    const KafkaTrace expected = *std::exchange(reader.expected, std::nullopt);
    // Behind it: that one was compacted away.
    if (message.offset == expected.offset && trace_of(message) != expected) {
      return kafka_messages_lost(
          settings_,
          reader.partition,
          fmt::format("offset {} has another message than when it was read: the topic was made "
                      "anew",
                      message.offset));
    }
  }
  return message.offset >= reader.place.next;
}

void KafkaReaders::took(const KafkaMessage& message) {
  KafkaReader& reader = readers_.at(static_cast<std::size_t>(message.reader));
  LOCKSTEP_ASSERT(message.offset >= reader.place.next, "source-1: a message is given once");
  reader.place.next = message.offset + 1;
  reader.at_end = false;
}

// Behind the last message there may be marks of transactions, and what was compacted away.
void KafkaReaders::ended(const KafkaEnd& end) {
  KafkaReader& reader = readers_.at(static_cast<std::size_t>(end.reader));
  reader.at_end = end.offset >= reader.place.next;
  reader.place.next = std::max(reader.place.next, end.offset);
}

Position KafkaReaders::take_begun() {
  return std::exchange(begun_, {});
}

bool KafkaReaders::is_behind() const {
  return std::ranges::any_of(readers_, &KafkaReader::is_behind);
}

std::int64_t KafkaReaders::lag() const {
  std::int64_t lag = 0;
  for (std::size_t index = 0; index < readers_.size(); ++index) {
    const KafkaReader& reader = readers_[index];
    const std::int64_t end = std::max(reader.goal, link_.end_of(static_cast<int>(index)));
    const bool has_given_all = reader.at_end && reader.place.next >= end;
    if (!has_given_all) lag += std::max<std::int64_t>(0, end - reader.given);
  }
  return lag;
}

}  // namespace lockstep
