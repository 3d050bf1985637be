// A Kafka cluster in memory, with what a test put into it.
#pragma once

#include "source/kafka/kafka.h"
#include "source/kafka/kafka_link.h"
#include "source/world.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::test {

struct ScriptedRecord {
  std::int64_t offset = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::int64_t time_ms = 1'700'000'000'000;
  bool changes_key = false;
};

struct ScriptedPartition {
  std::int64_t oldest = 0;
  std::int64_t end = 0;  // behind marks of transactions, too
  std::vector<ScriptedRecord> records;
};

// Value. What the cluster is and has; tests change it as the story goes.
struct ScriptedCluster {
  std::string id = "cluster-1";
  std::map<std::string, std::vector<ScriptedPartition>> topics;
  int looks = 0;
  bool is_compacted = false;

  void put(const std::string& topic,
           std::size_t partition,
           std::optional<std::string> key,
           std::optional<std::string> value,
           bool changes_key = false) {
    std::vector<ScriptedPartition>& all = topics[topic];
    if (all.size() <= partition) all.resize(partition + 1);
    ScriptedPartition& one = all[partition];
    one.records.push_back({.offset = one.end++,
                           .key = std::move(key),
                           .value = std::move(value),
                           .changes_key = changes_key});
  }

  void mark(const std::string& topic, std::size_t partition) { ++topics[topic][partition].end; }

  void trim(const std::string& topic, std::size_t partition, std::int64_t oldest) {
    ScriptedPartition& one = topics[topic][partition];
    one.oldest = oldest;
    std::erase_if(one.records,
                  [&](const ScriptedRecord& record) { return record.offset < oldest; });
  }
};

class ScriptedKafka final : public KafkaLink {
 public:
  explicit ScriptedKafka(ScriptedCluster& cluster) : cluster_(cluster) {}

  Result<KafkaCluster> look(const std::vector<std::string>& topics) override {
    ++cluster_.looks;
    KafkaCluster out{.id = cluster_.id, .broker_count = 1};
    for (const std::string& topic : topics) {
      const auto found = cluster_.topics.find(topic);
      if (found != cluster_.topics.end())
        out.partition_counts[topic] = static_cast<std::int32_t>(found->second.size());
    }
    return out;
  }

  Result<KafkaRange> range(const KafkaPartition& partition) override {
    const ScriptedPartition& one = at(partition);
    return KafkaRange{one.oldest, one.end};
  }

  Result<int> start(const KafkaPartition& partition, std::int64_t offset) override {
    readers_.push_back({partition, offset});
    return static_cast<int>(readers_.size()) - 1;
  }

  Result<KafkaReceived> receive(std::int64_t count_max, std::int64_t) override {
    KafkaReceived out;
    for (std::size_t index = 0; index < readers_.size(); ++index) {
      Reader& reader = readers_[index];
      const ScriptedPartition& one = at(reader.partition);
      if (reader.next < one.oldest || reader.next > one.end)
        return make_error(Code::kCorrupt, "there is no such offset");
      for (const ScriptedRecord& record : one.records) {
        const auto count = static_cast<std::int64_t>(out.messages.size());
        if (record.offset < reader.next || count >= count_max) continue;
        out.messages.push_back({static_cast<int>(index),
                                record.offset,
                                record.time_ms,
                                record.key,
                                record.value,
                                record.changes_key});
        reader.next = record.offset + 1;
      }
      const bool has_more = !one.records.empty() && one.records.back().offset >= reader.next;
      if (!has_more && reader.told != one.end) {
        reader.told = reader.next = one.end;
        out.ends.push_back({static_cast<int>(index), one.end});
      }
    }
    return out;
  }

  std::int64_t end_of(int reader) const override {
    return at(readers_.at(static_cast<std::size_t>(reader)).partition).end;
  }

  bool keeps_every_key(const std::string&) override { return cluster_.is_compacted; }

 private:
  struct Reader {
    KafkaPartition partition;
    std::int64_t next = 0;
    std::int64_t told = -1;
  };

  const ScriptedPartition& at(const KafkaPartition& partition) const {
    return cluster_.topics.at(partition.topic).at(static_cast<std::size_t>(partition.number));
  }

  ScriptedCluster& cluster_;
  std::vector<Reader> readers_;
};

class ScriptedKafkaServer final : public KafkaServer {
 public:
  explicit ScriptedKafkaServer(ScriptedCluster& cluster) : cluster_(cluster) {}

  Result<std::unique_ptr<KafkaLink>> connect() override {
    return std::unique_ptr<KafkaLink>(std::make_unique<ScriptedKafka>(cluster_));
  }

 private:
  ScriptedCluster& cluster_;
};

inline const Schema kVitals({{"patient", Type::kInt}, {"sbp", Type::kFloat}});

inline SourceRequest kafka_request(std::string_view more = {}, Schema schema = kVitals) {
  return World::request(
      "{type: kafka, brokers: \"b:1\", topics: [vitals]" + std::string(more) + "}",
      std::move(schema));
}

// Ready to be opened.
inline std::unique_ptr<Source> kafka_source(World& world,
                                            ScriptedCluster& cluster,
                                            const SourceRequest& request) {
  auto source =
      make_kafka_source_of(world.io(), request, std::make_unique<ScriptedKafkaServer>(cluster));
  EXPECT_TRUE(source.ok()) << (source.ok() ? "" : source.error().message);
  return source.ok() ? std::move(source).value() : nullptr;
}

}  // namespace lockstep::test
