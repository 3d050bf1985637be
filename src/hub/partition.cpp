#include "hub/partition.h"

#include "base/hash.h"
#include "table/calendar.h"
#include "table/columns.h"
#include "table/scalar_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <unordered_map>
#include <utility>

namespace lockstep {

namespace {

using enum PartitionKey::Transform;

constexpr std::array<std::pair<std::string_view, PartitionKey::Transform>, 4> kParts = {
    {{"year", kYear}, {"month", kMonth}, {"day", kDay}, {"hour", kHour}}};

constexpr std::int64_t kDayUs = std::int64_t{86'400} * 1'000'000;
constexpr std::int64_t kHourUs = std::int64_t{3'600} * 1'000'000;
// File systems take names of 255 bytes; a column's part is cut before its value's.
constexpr std::size_t kFolderBytesMax = 240;
constexpr std::size_t kFolderNameBytesMax = 120;
constexpr const char* kWays =
    "write a column, bucket(16, column), or year, month, day or hour of one";

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ')
    text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ')
    text.remove_suffix(1);
  return text;
}

// At the commas that stand in no parentheses.
std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    depth += text[at] == '(' ? 1 : 0;
    depth -= text[at] == ')' ? 1 : 0;
    if (text[at] != ',' || depth > 0) continue;
    parts.push_back(trimmed(text.substr(begin, at - begin)));
    begin = at + 1;
  }
  parts.push_back(trimmed(text.substr(begin)));
  return parts;
}

std::optional<std::int64_t> bucket_count(std::string_view text) {
  const auto count = int_of_text(text);
  return count && *count >= 1 && *count <= kBucketsMax ? count : std::nullopt;
}

Result<PartitionKey> parse_key(std::string_view text) {
  const std::size_t open = text.find('(');
  if (open == std::string_view::npos) {
    if (!text.empty()) return PartitionKey{.column = std::string(text)};
    return invalid("an empty key of a partition", kWays);
  }
  const std::string_view word = trimmed(text.substr(0, open));
  std::string_view inner = text.substr(open + 1);
  if (inner.empty() || inner.back() != ')')
    return invalid(fmt::format("'{}' lacks its closing parenthesis", text), kWays);
  inner.remove_suffix(1);
  PartitionKey key;
  if (word == "bucket") {
    const std::vector<std::string_view> arguments = parts_of(inner);
    const auto count = bucket_count(arguments.front());
    if (arguments.size() != 2 || arguments[1].empty() || !count) {
      return invalid(fmt::format("'{}' is not bucket(n, column)", text),
                     fmt::format("write bucket(16, column), with up to {} buckets", kBucketsMax));
    }
    return PartitionKey{
        .column = std::string(arguments[1]), .transform = kBucket, .buckets = *count};
  }
  for (const auto& [name, transform] : kParts) {
    if (word == name && !trimmed(inner).empty())
      return PartitionKey{.column = std::string(trimmed(inner)), .transform = transform};
  }
  return invalid(fmt::format("a partition by '{}' is unknown", text), kWays);
}

// Murmur3, 32 bits, seed 0: the bucket function of Iceberg, and of DuckDB's DuckLake.
std::uint32_t murmur3(std::string_view bytes) {
  const auto mixed = [](std::uint32_t block) {
    return std::rotl(block * 0xcc9e2d51U, 15) * 0x1b873593U;
  };
  const auto byte_at = [&](std::size_t at) {
    return std::uint32_t{static_cast<unsigned char>(bytes[at])};
  };
  std::uint32_t hash = 0;
  std::size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    const std::uint32_t block =
        byte_at(at) | byte_at(at + 1) << 8U | byte_at(at + 2) << 16U | byte_at(at + 3) << 24U;
    hash = std::rotl(hash ^ mixed(block), 13) * 5U + 0xe6546b64U;
  }
  std::uint32_t rest = 0;
  for (unsigned shift = 0; at < bytes.size(); ++at, shift += 8)
    rest |= byte_at(at) << shift;
  if (bytes.size() % 4 != 0) hash ^= mixed(rest);
  hash ^= static_cast<std::uint32_t>(bytes.size());
  hash = (hash ^ hash >> 16U) * 0x85ebca6bU;
  hash = (hash ^ hash >> 13U) * 0xc2b2ae35U;
  return hash ^ hash >> 16U;
}

std::uint32_t murmur3_of(std::uint64_t number) {
  std::array<char, sizeof number> bytes{};
  for (char& byte : bytes) {
    byte = static_cast<char>(number & 0xffU);
    number >>= 8U;
  }
  return murmur3({bytes.data(), bytes.size()});
}

struct MurmurOfValue {
  std::uint32_t operator()(std::monostate) const { return 0; }

  std::uint32_t operator()(bool value) const { return murmur3_of(value ? 1 : 0); }

  std::uint32_t operator()(std::int64_t value) const {
    return murmur3_of(static_cast<std::uint64_t>(value));
  }

  std::uint32_t operator()(double value) const {
    if (value == 0.0) value = 0.0;  // -0.0 is 0.0
    if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
    return murmur3_of(std::bit_cast<std::uint64_t>(value));
  }

  std::uint32_t operator()(const std::string& value) const { return murmur3(value); }

  std::uint32_t operator()(Date value) const { return (*this)(std::int64_t{value.days}); }

  std::uint32_t operator()(Timestamp value) const { return (*this)(value.us); }
};

std::int64_t date_part(PartitionKey::Transform transform, const Value& value) {
  const auto* date = std::get_if<Date>(&value);
  const std::int64_t us = date != nullptr ? 0 : std::get<Timestamp>(value).us;
  if (transform == kHour) return floor_divide(us, kHourUs) - 24 * floor_divide(us, kDayUs);
  const Civil civil = civil_of_days(date != nullptr ? date->days : floor_divide(us, kDayUs));
  if (transform == kYear) return civil.year;
  return transform == kMonth ? civil.month : civil.day;
}

// As DuckDB names the folders of a hive partition; a long one is cut, and made unique by a hash.
std::string folder_part(std::string_view text, std::size_t bytes_max) {
  std::string out;
  for (const char byte : text) {
    const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                       (byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '_' || byte == '.' ||
                       byte == '~';
    if (plain) {
      out += byte;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(byte));
    }
  }
  if (out.size() <= bytes_max) return out;
  out.resize(bytes_max - 18);
  return out + fmt::format("--{:016x}", hash64(text));
}

// Injective.
void append_part(const std::optional<std::string>& part, std::string& out) {
  if (!part) {
    out += '0';
    return;
  }
  out += fmt::format("1{}:", part->size());
  out += *part;
}

}  // namespace

bool Partitioning::has_buckets() const {
  return std::ranges::any_of(
      fields, [](const PartitionField& field) { return field.key.transform == kBucket; });
}

bool Partitioning::same_as(const Partitioning& other) const {
  return std::ranges::equal(
      fields, other.fields, [](const PartitionField& left, const PartitionField& right) {
        return left.field_id == right.field_id && left.key.transform == right.key.transform &&
               left.key.buckets == right.key.buckets;
      });
}

Result<std::vector<PartitionKey>> parse_partition(std::string_view text) {
  std::vector<PartitionKey> keys;
  for (const std::string_view part : parts_of(text)) {
    PartitionKey key = TRY(parse_key(part));
    if (std::ranges::find(keys, key) != keys.end())
      return invalid(fmt::format("a partition has '{}' twice", part), "leave one of them out");
    keys.push_back(std::move(key));
  }
  return keys;
}

std::string partition_text(const PartitionKey& key) {
  if (key.transform == kIdentity) return key.column;
  if (key.transform == kBucket) return fmt::format("bucket({}, {})", key.buckets, key.column);
  return fmt::format("{}({})", partition_transform(key), key.column);
}

std::string partition_transform(const PartitionKey& key) {
  if (key.transform == kIdentity) return "identity";
  if (key.transform == kBucket) return fmt::format("bucket({})", key.buckets);
  const auto part =
      std::ranges::find(kParts, key.transform, [](const auto& one) { return one.second; });
  LOCKSTEP_ASSERT(part != kParts.end(), "hub: a partition by an unknown part of a date");
  return std::string(part->first);
}

Result<PartitionKey> partition_key(std::string_view transform, std::string column) {
  PartitionKey key{.column = std::move(column)};
  if (transform == "identity") return key;
  if (transform.starts_with("bucket(") && transform.ends_with(")")) {
    const auto count = bucket_count(transform.substr(7, transform.size() - 8));
    if (count) {
      key.transform = kBucket;
      key.buckets = *count;
      return key;
    }
  }
  for (const auto& [name, part] : kParts) {
    if (transform != name) continue;
    key.transform = part;
    return key;
  }
  return make_error(
      Code::kUnsupported,
      fmt::format("a partition by {} of {}, which the hub does not know", transform, key.column));
}

Result<void> check_partition_type(const PartitionKey& key, Type type) {
  const std::string what = fmt::format("{} is {}", key.column, type_name(type));
  if (key.transform == kBucket) return {};
  if (key.transform == kIdentity) {
    if (type != Type::kFloat) return {};
    return invalid(fmt::format("{}, and each number would have a file of its own", what),
                   fmt::format("write bucket(16, {})", key.column));
  }
  const bool is_part_of_time = type == Type::kTimestamp;
  const bool is_part_of_date = type == Type::kDate && key.transform != kHour;
  if (is_part_of_time || is_part_of_date) return {};
  return invalid(fmt::format("{}, which has no {}", what, partition_transform(key)),
                 fmt::format("write bucket(16, {}), or make it a {} in the dataset's columns",
                             key.column,
                             key.transform == kHour ? "timestamp" : "date or timestamp"));
}

Result<Partitioning> bind_partition(const std::vector<PartitionKey>& keys,
                                    const Schema& schema,
                                    std::span<const int> field_ids) {
  LOCKSTEP_ASSERT(static_cast<int>(field_ids.size()) == schema.size(),
                  "hub: ids of other columns than a table has");
  Partitioning partition;
  for (const PartitionKey& key : keys) {
    const int column = TRY_IN(schema.require(key.column), "partition: ");
    TRY_IN(check_partition_type(key, schema.field(column).type), "partition: ");
    partition.fields.push_back({key, column, field_ids[static_cast<std::size_t>(column)]});
  }
  return partition;
}

std::optional<std::string> partition_value(const PartitionKey& key, const Value& value) {
  if (is_null(value)) return std::nullopt;
  if (key.transform == kIdentity) return value_text(value);
  if (key.transform != kBucket) return fmt::format("{}", date_part(key.transform, value));
  const std::uint32_t hash = std::visit(MurmurOfValue(), value) & 0x7fffffffU;
  return fmt::format("{}", hash % static_cast<std::uint32_t>(key.buckets));
}

bool is_zone_free(const PartitionKey& key, Type type) {
  if (key.transform == kBucket) return true;
  return type != Type::kTimestamp && type != Type::kFloat;
}

std::vector<PartitionRows> split_rows(const Partitioning& partition,
                                      const Batch& rows,
                                      std::span<const std::int64_t> chosen) {
  std::vector<PartitionRows> parts;
  std::vector<std::pair<std::string, std::size_t>> order;
  std::unordered_map<std::string, std::size_t> known;
  for (std::size_t place = 0; place < chosen.size(); ++place) {
    PartitionValue value;
    std::string bytes;
    for (const PartitionField& field : partition.fields) {
      value.push_back(partition_value(field.key, rows.value(field.column, chosen[place])));
      append_part(value.back(), bytes);
    }
    const auto [found, is_new] = known.try_emplace(bytes, parts.size());
    if (is_new) {
      order.emplace_back(std::move(bytes), parts.size());
      parts.push_back({std::move(value), {}});
    }
    parts[found->second].places.push_back(static_cast<std::int64_t>(place));
  }
  std::ranges::sort(order);
  std::vector<PartitionRows> sorted;
  sorted.reserve(parts.size());
  for (const auto& [bytes, index] : order)
    sorted.push_back(std::move(parts[index]));
  return sorted;
}

void sort_places(const Batch& rows,
                 std::span<const int> columns,
                 std::span<const std::int64_t> chosen,
                 std::vector<std::int64_t>& places) {
  std::vector<std::pair<std::string, std::int64_t>> keyed;
  keyed.reserve(places.size());
  for (const std::int64_t place : places) {
    const std::int64_t row = chosen[static_cast<std::size_t>(place)];
    std::string key;
    for (const int column : columns) {
      key += rows.is_null(column, row) ? '1' : '0';
      append_key(rows, std::span(&column, 1), row, key);
    }
    keyed.emplace_back(std::move(key), place);
  }
  std::ranges::sort(keyed);  // equal ones stay by their place
  for (std::size_t index = 0; index < keyed.size(); ++index)
    places[index] = keyed[index].second;
}

std::string partition_folder(const Partitioning& partition, const PartitionValue& value) {
  LOCKSTEP_ASSERT(partition.fields.size() == value.size(),
                  "hub: a partition's value has other fields than it");
  std::string folder;
  std::vector<std::string> used;
  for (std::size_t index = 0; index < value.size(); ++index) {
    const PartitionKey& key = partition.fields[index].key;
    std::string name = key.column;
    if (key.transform != kIdentity) {
      name = key.transform == kBucket ? std::string("bucket") : partition_transform(key);
      if (std::ranges::find(used, name) != used.end()) name += "_" + key.column;
    }
    used.push_back(name);
    const std::string part = folder_part(name, kFolderNameBytesMax);
    folder += fmt::format("{}={}/",
                          part,
                          value[index] ? folder_part(*value[index], kFolderBytesMax - part.size())
                                       : std::string("__HIVE_DEFAULT_PARTITION__"));
  }
  return folder;
}

}  // namespace lockstep
