#include "source/kafka/kafka_position.h"

#include "base/hash.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <vector>

namespace lockstep {
namespace {

constexpr std::int64_t kKafkaPositionVersion = 1;
constexpr std::size_t kPartitionsShown = 4;

Error damaged_kafka_position(const std::string& part) {
  return make_error(Code::kCorrupt,
                    fmt::format("the position of the source is damaged at '{}'", part));
}

// Takes a whole number of at least 0 from the front of `text`.
std::optional<std::int64_t> take_offset(std::string_view& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

std::optional<KafkaPlace> parse_place(std::string_view text) {
  KafkaPlace out;
  const std::optional<std::int64_t> next = take_offset(text);
  if (!next) return std::nullopt;
  out.next = *next;
  if (text.empty()) return out;
  if (!text.starts_with(' ')) return std::nullopt;
  text.remove_prefix(1);
  const std::optional<std::int64_t> last = take_offset(text);
  if (!last || *last >= out.next || text.size() < 2 || text.front() != ' ') return std::nullopt;
  out.last = KafkaTrace{*last, std::string(text.substr(1))};
  return out;
}

std::optional<KafkaPartition> parse_partition(const std::string& part) {
  const std::size_t slash = part.rfind('/');
  if (slash == std::string::npos || slash == 0) return std::nullopt;
  std::string_view digits = std::string_view(part).substr(slash + 1);
  const std::optional<std::int64_t> number = take_offset(digits);
  if (!number || !digits.empty() || *number > INT32_MAX) return std::nullopt;
  return KafkaPartition{part.substr(0, slash), static_cast<std::int32_t>(*number)};
}

Result<std::string> parse_kafka_head(const std::string& text) {
  const nlohmann::json head = nlohmann::json::parse(text, nullptr, false);
  if (!head.is_object() || !head.contains("version") || !head["version"].is_number_integer())
    return damaged_kafka_position("");
  if (head["version"].get<std::int64_t>() > kKafkaPositionVersion)
    return make_error(Code::kTooNew, "the position of the source is of a newer Lockstep");
  if (!head.contains("cluster") || !head["cluster"].is_string()) return damaged_kafka_position("");
  return head["cluster"].get<std::string>();
}

std::string offsets_text(const std::vector<std::int64_t>& offsets) {
  if (offsets.size() <= kPartitionsShown) return fmt::format("at {}", fmt::join(offsets, ", "));
  const auto [least, most] = std::ranges::minmax(offsets);
  return fmt::format("at {} to {} in {} partitions", least, most, offsets.size());
}

}  // namespace

KafkaTrace trace_of(const KafkaMessage& message) {
  std::string bytes =
      fmt::format("{}\n{}\n", message.time_ms.value_or(-1), message.key.has_value());
  bytes += message.key.value_or("");
  bytes += fmt::format("\n{}\n", message.value.has_value());
  bytes += message.value.value_or("");
  return {message.offset, fmt::format("{:016x}", hash64(bytes))};
}

bool KafkaPosition::knows(const std::string& topic) const {
  const auto found = places.lower_bound({topic, 0});
  return found != places.end() && found->first.topic == topic;
}

void add_cluster(Position& changes, const std::string& cluster) {
  nlohmann::json head;
  head["version"] = kKafkaPositionVersion;
  head["cluster"] = cluster;
  changes[""] = head.dump();
}

void add_place(Position& changes, const KafkaPartition& partition, const KafkaPlace& place) {
  std::string text = fmt::format("{}", place.next);
  if (place.last) text += fmt::format(" {} {}", place.last->offset, place.last->hash);
  changes[fmt::format("{}/{}", partition.topic, partition.number)] = std::move(text);
}

Result<KafkaPosition> parse_kafka_position(const Position& parts) {
  KafkaPosition out;
  if (parts.empty()) return out;
  if (!parts.contains("")) return damaged_kafka_position("");
  for (const auto& [part, text] : parts) {
    if (part.empty()) {
      out.cluster = TRY(parse_kafka_head(text));
      continue;
    }
    const std::optional<KafkaPartition> partition = parse_partition(part);
    std::optional<KafkaPlace> place = parse_place(text);
    if (!partition || !place) return damaged_kafka_position(part);
    out.places[*partition] = *std::move(place);
  }
  return out;
}

std::string kafka_position_text(const KafkaPosition& position) {
  std::string out;
  for (auto place = position.places.begin(); place != position.places.end();) {
    const std::string& topic = place->first.topic;
    std::vector<std::int64_t> offsets;
    for (; place != position.places.end() && place->first.topic == topic; ++place)
      offsets.push_back(place->second.next);
    if (!out.empty()) out += "; ";
    out += fmt::format("{} {}", topic, offsets_text(offsets));
  }
  return out.empty() ? "nothing yet" : out;
}

}  // namespace lockstep
