// The partitions of a source of type `kafka` as they are read: where each begins, and where it
// stands.
#pragma once

#include "base/result.h"
#include "source/kafka/kafka_link.h"
#include "source/kafka/kafka_position.h"
#include "source/kafka/kafka_settings.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

// Value. One partition.
struct KafkaReader {
  KafkaPartition partition;
  KafkaPlace place;                         // of what was read
  std::int64_t given = 0;                   // place.next of the last batch
  std::int64_t goal = 0;                    // the partition's end when it was begun
  std::optional<KafkaTrace> expected = {};  // the message before the position, until it is seen
  bool at_end = false;                      // it was told so, at place.next

  bool is_behind() const { return !at_end && place.next < goal; }
};

// Resource. All partitions of some topics. Their numbers are the link's.
class KafkaReaders final {
 public:
  KafkaReaders(KafkaLink& link, const KafkaSettings& settings);

  // From `position`; what it does not know from where the settings say. `begun` are the places of
  // those. kRefused: messages are lost.
  Result<void> start(const KafkaPosition& position, const std::vector<std::string>& topics);
  // Partitions that came later, from their first message.
  Result<void> find_new();

  // Whether the message is to be taken: it may have been before. kRefused: it is not the one that
  // was there.
  Result<bool> takes(const KafkaMessage& message);
  void took(const KafkaMessage& message);
  void ended(const KafkaEnd& end);

  std::vector<KafkaReader>& all() { return readers_; }

  const std::string& cluster() const { return cluster_; }

  // Those that no position knows, and must be part of the next one.
  Position take_begun();

  bool has_begun() const { return !begun_.empty(); }

  bool is_behind() const;
  std::int64_t lag() const;

 private:
  Result<KafkaCluster> look();
  Result<void> start_topic(const std::string& topic,
                           std::int32_t partition_count,
                           const KafkaPosition& position);
  Result<void> start_known(KafkaReader reader);
  Result<void> start_unknown(const KafkaPartition& partition, bool topic_is_new);
  Result<void> add(KafkaReader reader, std::int64_t offset);

  KafkaLink& link_;
  const KafkaSettings& settings_;
  std::vector<std::string> topics_;
  std::vector<KafkaReader> readers_;
  Position begun_;
  std::string cluster_;
};

// What is lost, and how to go on.
Error kafka_messages_lost(const KafkaSettings& settings,
                          const KafkaPartition& partition,
                          std::string why);

}  // namespace lockstep
