#include "source/kafka/kafka_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace lockstep {
namespace {

using KafkaFindings = std::vector<SourceFinding>;

constexpr std::int64_t kFirstMessageUs = 5'000'000;
constexpr int kPartitionsLookedAt = 100;

void add_failure(KafkaFindings& out, std::string text, std::string hint) {
  out.push_back({SourceFinding::Level::kFailure, std::move(text), std::move(hint)});
}

// The right to read is seen only by reading.
Result<void> try_to_read(KafkaLink& link, const KafkaPartition& partition, std::int64_t oldest) {
  TRY(link.start(partition, oldest));
  TRY(link.receive(1, kFirstMessageUs));
  return {};
}

Result<void> check_kafka_topic(KafkaServer& server,
                               KafkaLink& link,
                               const std::string& topic,
                               std::int32_t partition_count,
                               KafkaFindings& out) {
  std::int64_t kept = 0;
  const std::int32_t looked_at = std::min(partition_count, kPartitionsLookedAt);
  for (std::int32_t number = 0; number < looked_at; ++number) {
    const KafkaRange range = TRY(link.range({topic, number}));
    kept += range.end - range.oldest;
    if (range.end == range.oldest || number > 0) continue;
    const std::unique_ptr<KafkaLink> reads = TRY(server.connect());
    TRY(try_to_read(*reads, {topic, number}, range.oldest));
  }
  const bool is_all = looked_at == partition_count;
  out.push_back({SourceFinding::Level::kOk,
                 fmt::format("topic {}: {} partitions, {} {} messages",
                             topic,
                             partition_count,
                             is_all ? "about" : "more than",
                             kept),
                 {}});
  return {};
}

Result<void> look_at_cluster(KafkaServer& server,
                             const KafkaSettings& settings,
                             KafkaFindings& out) {
  const std::unique_ptr<KafkaLink> link = TRY(server.connect());
  const KafkaCluster cluster = TRY(link->look(settings.topics));
  out.push_back({SourceFinding::Level::kOk,
                 fmt::format("connected to Kafka cluster {}, {} broker{}",
                             cluster.id,
                             cluster.broker_count,
                             cluster.broker_count == 1 ? "" : "s"),
                 {}});
  for (const std::string& topic : settings.topics) {
    const auto failed = cluster.failures.find(topic);
    const auto there = cluster.partition_counts.find(topic);
    if (failed != cluster.failures.end()) {
      add_failure(out, fmt::format("topic {}: {}", topic, failed->second), kKafkaRightsHint);
    } else if (there == cluster.partition_counts.end()) {
      add_failure(
          out,
          fmt::format("there is no topic {}", topic),
          fmt::format("make it, or correct its name: kafka-topics.sh --create --topic {}", topic));
    } else {
      const Result<void> checked = check_kafka_topic(server, *link, topic, there->second, out);
      if (!checked.ok()) add_failure(out, checked.error().message, checked.error().hint);
    }
  }
  return {};
}

}  // namespace

std::vector<SourceFinding> check_kafka(KafkaServer& server, const KafkaSettings& settings) {
  KafkaFindings out;
  const Result<void> looked = look_at_cluster(server, settings, out);
  if (!looked.ok()) add_failure(out, looked.error().message, looked.error().hint);
  return out;
}

}  // namespace lockstep
