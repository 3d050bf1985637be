#include "source/kafka/kafka_settings.h"

#include "source/files/files_settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

namespace lockstep {
namespace {

constexpr std::array kKafkaTable = {
    Setting{.name = "type", .text = "What the source reads from.", .required = true},
    Setting{.name = "brokers",
            .text = "Where the cluster is: \"kafka1:9092,kafka2:9092\".",
            .required = true},
    Setting{.name = "topics",
            .type = Setting::Type::kTexts,
            .text = "The topics, unless the datasets name them, as from: [SOURCE.TOPIC]. Several "
                    "feed a dataset each, or all of them one dataset that names none."},
    Setting{.name = "format",
            .type = Setting::Type::kChoice,
            .fallback = "json",
            .text = "What a message's value is: `json` is an object with the dataset's columns; "
                    "`avro` a record of a registered schema, or Debezium's envelope of it; "
                    "`protobuf` a message; the others are envelopes in JSON, as Debezium, Canal, "
                    "Maxwell and Flink write them.",
            .choices = "json | debezium | canal | maxwell | avro | protobuf"},
    Setting{
        .name = "registry",
        .text = "The schema registry of format `avro`: \"https://user:${PASSWORD}@host:8081\"."},
    Setting{.name = "schemas",
            .text =
                "In place of a registry a folder with the schemas 1.avsc, 2.avsc ... by number; "
                "relative to lockstep.yaml."},
    Setting{.name = "descriptors",
            .text = "The file of format `protobuf`, from protoc --include_imports "
                    "--descriptor_set_out=FILE; relative to lockstep.yaml."},
    Setting{.name = "message", .text = "The message in it, with its package: `shop.Order`."},
    Setting{.name = "message_key",
            .type = Setting::Type::kChoice,
            .text = "What a message's key is: `json` (or `avro`, the default of that format) an "
                    "object with the dataset's key, or its one value; `text` the value of a key of "
                    "one column; `none` means nothing. A message without a value deletes the row "
                    "of its key.",
            .choices = "json | avro | text | none"},
    Setting{.name = "operation",
            .text = "The member that says I (insert), U (update) or D (delete) for each row of "
                    "format `json`; without it every row is put, whatever was there."},
    Setting{.name = "table",
            .text = "Of a topic with the changes of several tables the one to follow, as `orders` "
                    "or `shop.orders`; left out, all messages are taken."},
    Setting{.name = "start",
            .type = Setting::Type::kChoice,
            .fallback = "beginning",
            .text = "Where a topic is begun the first time: with its oldest message, or behind its "
                    "newest.",
            .choices = "beginning | newest"},
    Setting{.name = "time_unit",
            .type = Setting::Type::kChoice,
            .text = "What numbers in columns of type timestamp count since 1970; without it they "
                    "are refused.",
            .choices = "s | ms | us | ns"},
    Setting{.name = "utc_offset",
            .fallback = "\"+00:00\"",
            .text = "The offset of times that are written without one, as +02:00."},
    Setting{.name = "heartbeat",
            .type = Setting::Type::kDuration,
            .fallback = "10s",
            .text = "How often new partitions are looked for, and the position of idle ones "
                    "follows the topic.",
            .min = 100'000},
    Setting{.name = "options",
            .type = Setting::Type::kNode,
            .text = "Options of librdkafka, as {security.protocol: SASL_SSL, sasl.mechanism: "
                    "PLAIN, sasl.username: lockstep, sasl.password: \"${KAFKA_PASSWORD}\"}."},
};

// Exactly once depends on these.
constexpr std::array<std::string_view, 10> kKafkaOwnOptions = {"bootstrap.servers",
                                                               "metadata.broker.list",
                                                               "group.id",
                                                               "group.instance.id",
                                                               "enable.auto.commit",
                                                               "auto.commit.enable",
                                                               "enable.auto.offset.store",
                                                               "auto.offset.reset",
                                                               "isolation.level",
                                                               "enable.partition.eof"};

const Mark& kafka_mark_of(const Settings& settings, std::string_view name) {
  const Node* node = settings.given(name);
  return node == nullptr ? settings.mark() : node->mark;
}

Result<std::vector<KafkaOption>> parse_kafka_options(const Settings& settings) {
  std::vector<KafkaOption> out;
  const Node* node = settings.given("options");
  if (node == nullptr) return out;
  if (!node->is_map())
    return invalid_at(node->mark, "'options' is no map", "write {security.protocol: SSL}");
  for (const auto& [name, value] : node->fields) {
    if (std::ranges::find(kKafkaOwnOptions, name) != kKafkaOwnOptions.end()) {
      return invalid_at(value.mark,
                        fmt::format("option '{}' is Lockstep's own to set", name),
                        "leave it out: positions are kept in the hub");
    }
    out.push_back({name, TRY(value.text(fmt::format("option '{}'", name))), value.mark});
  }
  return out;
}

Result<std::vector<std::string>> parse_kafka_topics(const Settings& settings,
                                                    const SourceRequest& request) {
  std::set<std::string> named;
  for (const SourceTarget& target : request.targets) {
    if (!target.table.empty()) named.insert(target.table);
  }
  if (!settings.has("topics")) {
    if (!named.empty()) return std::vector<std::string>(named.begin(), named.end());
    return invalid_at(settings.mark(),
                      fmt::format("source '{}' names no topic", request.name),
                      "write topics: [TOPIC], or name it in a dataset's from: [SOURCE.TOPIC]");
  }
  const std::vector<std::string> topics = settings.texts("topics");
  const Mark& mark = kafka_mark_of(settings, "topics");
  if (topics.empty()) return invalid_at(mark, "'topics' names no topic", "write topics: [TOPIC]");
  std::set<std::string> known;
  for (const std::string& topic : topics) {
    if (topic.empty() || !known.insert(topic).second)
      return invalid_at(mark, fmt::format("topic '{}' is named twice, or has no name", topic));
    if (named.empty() || named.contains(topic)) continue;
    return invalid_at(mark,
                      fmt::format("topic '{}' feeds no dataset", topic),
                      fmt::format("name it in a dataset's from: [{}.{}]", request.name, topic));
  }
  for (const std::string& topic : named) {
    if (known.contains(topic)) continue;
    return invalid_at(mark,
                      fmt::format("a dataset is from topic '{}', which is not among the topics of "
                                  "source '{}': {}",
                                  topic,
                                  request.name,
                                  fmt::join(topics, ", ")));
  }
  return topics;
}

MessageFormatName message_format_of(const std::string& word) {
  if (word == "debezium") return MessageFormatName::kDebezium;
  if (word == "canal") return MessageFormatName::kCanal;
  if (word == "avro") return MessageFormatName::kAvro;
  if (word == "protobuf") return MessageFormatName::kProtobuf;
  return word == "maxwell" ? MessageFormatName::kMaxwell : MessageFormatName::kJson;
}

// A setting that the format has no use for is a mistake.
Result<void> check_of_format(const Settings& settings, MessageFormatName format) {
  const bool is_avro = format == MessageFormatName::kAvro;
  const bool is_protobuf = format == MessageFormatName::kProtobuf;
  const bool is_plain = format == MessageFormatName::kJson || is_protobuf;
  std::vector<std::string> unused;
  if (is_plain) unused.emplace_back("table");
  if (!is_plain && !is_avro) unused.emplace_back("operation");
  if (!is_avro) unused.insert(unused.end(), {"registry", "schemas"});
  if (!is_protobuf) unused.insert(unused.end(), {"descriptors", "message"});
  for (const std::string& name : unused) {
    if (!settings.has(name)) continue;
    return invalid_at(kafka_mark_of(settings, name),
                      fmt::format("'{}' says nothing to format {}", name, settings.text("format")),
                      "leave it out, or name another format");
  }
  if (is_protobuf && !(settings.has("descriptors") && settings.has("message"))) {
    return invalid_at(settings.mark(),
                      "format protobuf needs its descriptors and the message's name",
                      "write descriptors: orders.pb, message: shop.Order");
  }
  if (is_avro && settings.has("registry") == settings.has("schemas")) {
    return invalid_at(settings.mark(),
                      "format avro needs its schemas, from one place",
                      "write registry: \"http://host:8081\", or schemas: FOLDER");
  }
  if (is_avro || !settings.has("message_key") || settings.text("message_key") != "avro") return {};
  return invalid_at(kafka_mark_of(settings, "message_key"),
                    fmt::format("a message's key is avro only in format avro, not in {}",
                                settings.text("format")),
                    "write message_key: json, or text");
}

// A registry's password is told nobody, and a folder is relative to lockstep.yaml.
Result<void> parse_kafka_schemas(const Settings& settings,
                                 const SourceRequest& request,
                                 KafkaSettings& out) {
  const auto path_of = [&](std::string_view name) {
    return join_path(request.directory, settings.text(name));
  };
  if (settings.has("schemas")) out.schemas = path_of("schemas");
  if (settings.has("descriptors")) out.descriptors = path_of("descriptors");
  if (settings.has("message")) out.message = settings.text("message");
  if (!settings.has("registry")) return {};
  out.registry = settings.text("registry");
  if (out.registry.starts_with("http://") || out.registry.starts_with("https://")) return {};
  return invalid_at(kafka_mark_of(settings, "registry"),
                    "the registry's address does not begin with http:// or https://",
                    "write \"http://host:8081\"");
}

Result<void> check_kafka_operation(const Settings& settings,
                                   const KafkaSettings& kafka,
                                   const SourceRequest& request) {
  for (const SourceTarget& target : request.targets) {
    if (kafka.operation.empty() || !target.schema.index_of(kafka.operation)) continue;
    return invalid_at(
        kafka_mark_of(settings, "operation"),
        fmt::format("'{}' says the operation of source '{}', and is a column of its dataset",
                    kafka.operation,
                    request.name),
        "take it out of the dataset's columns");
  }
  return {};
}

MessageKeyName message_key_of(const std::string& word) {
  if (word == "text") return MessageKeyName::kText;
  return word == "none" ? MessageKeyName::kNone : MessageKeyName::kJson;
}

}  // namespace

bool KafkaSettings::is_table(std::string_view outer, std::string_view changed) const {
  return table == changed || table == fmt::format("{}.{}", outer, changed);
}

std::span<const Setting> kafka_setting_table() {
  return kKafkaTable;
}

Result<KafkaSettings> parse_kafka_settings(const SourceRequest& request) {
  const Settings settings =
      TRY(Settings::parse(request.settings, kKafkaTable, fmt::format("source '{}'", request.name)));
  KafkaSettings out;
  out.name = request.name;
  out.brokers = settings.text("brokers");
  out.topics = TRY(parse_kafka_topics(settings, request));
  out.format = message_format_of(settings.text("format"));
  TRY(check_of_format(settings, out.format));
  if (settings.has("table")) out.table = settings.text("table");
  TRY(parse_kafka_schemas(settings, request, out));
  const bool is_avro = out.format == MessageFormatName::kAvro;
  out.key = is_avro ? MessageKeyName::kAvro : MessageKeyName::kJson;
  if (settings.has("message_key")) out.key = message_key_of(settings.text("message_key"));
  if (settings.has("operation")) out.operation = settings.text("operation");
  out.from_newest = settings.text("start") == "newest";
  out.heartbeat_us = settings.duration_us("heartbeat");
  if (settings.has("time_unit")) out.time_unit = time_unit_of_name(settings.text("time_unit"));
  const std::optional<int> minutes = parse_utc_offset(settings.text("utc_offset"));
  if (!minutes) {
    return invalid_at(kafka_mark_of(settings, "utc_offset"),
                      fmt::format("'{}' is not an offset from UTC", settings.text("utc_offset")),
                      "write it as \"+02:00\"");
  }
  out.spelling.utc_offset_minutes = *minutes;
  out.options = TRY(parse_kafka_options(settings));
  TRY(check_kafka_operation(settings, out, request));
  return out;
}

}  // namespace lockstep
