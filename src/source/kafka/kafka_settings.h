// The settings of a source of type `kafka`, read and checked.
#pragma once

#include "base/config.h"
#include "base/result.h"
#include "source/source.h"
#include "table/json_cell.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

enum class MessageFormatName : std::uint8_t {
  kJson,
  kDebezium,
  kCanal,
  kMaxwell,
  kAvro,
  kProtobuf
};

// How a message's key is read.
enum class MessageKeyName : std::uint8_t { kJson, kAvro, kText, kNone };

// Value. An option of the client library, passed through.
struct KafkaOption {
  std::string name;
  std::string value;  // may be a secret
  Mark mark;
};

// Value.
struct KafkaSettings {
  std::string name;  // the source's
  std::string brokers;
  std::vector<std::string> topics;
  MessageFormatName format = MessageFormatName::kJson;
  MessageKeyName key = MessageKeyName::kJson;
  std::string operation;    // the member that holds I, U or D; empty: none
  std::string table;        // of a topic of several; empty: all of them
  std::string registry;     // of schemas, with its password; empty: none
  std::string schemas;      // a folder of them; empty: none
  std::string descriptors;  // the file of Protobuf's
  std::string message;      // its name among them
  bool from_newest = false;
  std::int64_t heartbeat_us = 0;
  Spelling spelling;
  std::optional<TimeUnit> time_unit;
  std::vector<KafkaOption> options;

  // Whether a change of table `changed` in database or schema `outer` is one to be taken.
  bool is_table(std::string_view outer, std::string_view changed) const;
};

std::span<const Setting> kafka_setting_table();
Result<KafkaSettings> parse_kafka_settings(const SourceRequest& request);

}  // namespace lockstep
