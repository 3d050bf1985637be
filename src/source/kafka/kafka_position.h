// How far a source of type `kafka` has been read: what is committed with its rows.
#pragma once

#include "base/result.h"
#include "source/kafka/kafka_link.h"
#include "source/source.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace lockstep {

// Value. What a message was: a topic that is made anew has another one at its offset.
struct KafkaTrace {
  std::int64_t offset = 0;
  std::string hash = {};
  bool operator==(const KafkaTrace&) const = default;
};

KafkaTrace trace_of(const KafkaMessage& message);

// Value. Of one partition.
struct KafkaPlace {
  std::int64_t next = 0;                // offset
  std::optional<KafkaTrace> last = {};  // of the newest message before `next`
  bool operator==(const KafkaPlace&) const = default;
};

// Value. In parts: "" is {"version":1,"cluster":"nV8..."}, and "vitals/3" is the next offset of a
// partition, with the last message before it: "1235 1234 9f86d081884c7d65".
struct KafkaPosition {
  std::string cluster = {};
  std::map<KafkaPartition, KafkaPlace> places = {};

  bool is_empty() const { return cluster.empty() && places.empty(); }

  bool knows(const std::string& topic) const;
  bool operator==(const KafkaPosition&) const = default;
};

void add_cluster(Position& changes, const std::string& cluster);
void add_place(Position& changes, const KafkaPartition& partition, const KafkaPlace& place);

// No parts are the beginning. kCorrupt: not a position of this source; kTooNew: of a newer version.
Result<KafkaPosition> parse_kafka_position(const Position& parts);

// "vitals at 12, 15, 9", for people.
std::string kafka_position_text(const KafkaPosition& position);

}  // namespace lockstep
