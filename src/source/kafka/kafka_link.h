// A Kafka cluster, as far as the source needs it: what tests replace.
#pragma once

#include "base/result.h"
#include "source/kafka/kafka_settings.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

inline constexpr const char* kKafkaRightsHint =
    "the user needs the rights READ and DESCRIBE of the topic";

// Value. A part of a topic.
struct KafkaPartition {
  std::string topic;
  std::int32_t number = 0;
  auto operator<=>(const KafkaPartition&) const = default;
};

// Value.
struct KafkaCluster {
  std::string id;
  std::int32_t broker_count = 0;
  std::map<std::string, std::int32_t> partition_counts = {};  // of the topics that are there
  std::map<std::string, std::string> failures = {};           // of topics that cannot be read
};

// Value. What a partition keeps: from its oldest offset to before `end`.
struct KafkaRange {
  std::int64_t oldest = 0;
  std::int64_t end = 0;
};

// Value. Good until the next receive().
struct KafkaMessage {
  int reader = 0;  // which of the readers, by the order of start()
  std::int64_t offset = 0;
  std::optional<std::int64_t> time_ms = {};
  std::optional<std::string_view> key = {};
  std::optional<std::string_view> value = {};
  bool changes_key = false;  // Debezium says so in a header: a row's delete, or its insert
};

// Value. A reader has given all that its partition had, up to before `offset`.
struct KafkaEnd {
  int reader = 0;
  std::int64_t offset = 0;
};

// Value.
struct KafkaReceived {
  std::vector<KafkaMessage> messages;  // of each reader in their order
  std::vector<KafkaEnd> ends;          // behind them
};

// Resource. A consumer without a group.
class KafkaLink {
 public:
  virtual ~KafkaLink() = default;
  virtual Result<KafkaCluster> look(const std::vector<std::string>& topics) = 0;
  virtual Result<KafkaRange> range(const KafkaPartition& partition) = 0;
  // A reader from `offset` on; its number. kCorrupt, from receive(): there is no such offset.
  virtual Result<int> start(const KafkaPartition& partition, std::int64_t offset) = 0;
  // Waits for the first message at most so long, and for no other.
  virtual Result<KafkaReceived> receive(std::int64_t count_max, std::int64_t timeout_us) = 0;
  // The end of a reader's partition as the broker told it last.
  virtual std::int64_t end_of(int reader) const = 0;
  // Whether the topic is compacted and removes nothing else: then it holds the newest row of every
  // key. false, too, where that may not be asked.
  virtual bool keeps_every_key(const std::string& topic) = 0;
};

// Resource. How to reach the cluster.
class KafkaServer {
 public:
  virtual ~KafkaServer() = default;
  virtual Result<std::unique_ptr<KafkaLink>> connect() = 0;
};

// By librdkafka. No error of it tells a secret. kInvalid: one of the options is none.
Result<std::unique_ptr<KafkaServer>> make_kafka_server(const KafkaSettings& settings);

}  // namespace lockstep
