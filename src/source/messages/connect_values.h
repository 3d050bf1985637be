// Values as Kafka Connect and Debezium write them: what a schema says of a field, and how its value
// becomes a cell.
#pragma once

#include "source/kafka/kafka_settings.h"
#include "source/messages/message_rows.h"
#include "table/json_cell.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

// Value. What a field of a schema is.
struct ConnectField {
  enum class Kind : std::uint8_t {
    kUnknown,          // there is no schema
    kPlain,            // as JSON has it
    kText,             // a text, whatever the column is: of a decimal, a date, a time
    kDays,             // since 1970
    kTime,             // since 1970, in `unit`
    kDecimal,          // bytes of an unscaled whole number
    kVariableDecimal,  // an object of scale and bytes
  };
  Kind kind = Kind::kUnknown;
  TimeUnit unit = TimeUnit::kMilliseconds;
  int scale = 0;
};

// By the schema's name, as "io.debezium.time.Date", and its type, as "int32".
ConnectField connect_field(std::string_view name, std::string_view type, int scale);

// The decimal that is `bytes`, big-endian in two's complement, times ten to minus `scale`: "-1.50".
// Nothing: it is empty, or too long.
std::optional<std::string> decimal_text(std::string_view bytes, int scale);

std::optional<std::string> bytes_of_base64(std::string_view text);

// Resource. Reads values into cells.
class ConnectCells final {
 public:
  ConnectCells(const MessageTarget& target, const KafkaSettings& settings)
      : schema_(target.schema), spelling_(settings.spelling), time_unit_(settings.time_unit) {}

  // `bytes` of a decimal are base64 in the document.
  void read(const JsonDocument& document,
            const JsonValue& value,
            const ConnectField& field,
            int column,
            RowCells& out) const;
  // A decimal by its text.
  void read_decimal(std::string text, int column, RowCells& out) const;
  // Of a schema that says so much: a text is read as the column's type.
  void read_text(std::string_view text, int column, RowCells& out) const;
  void read_plain(const JsonValue& value,
                  std::optional<TimeUnit> unit,
                  int column,
                  RowCells& out) const;
  void read_days(const JsonValue& value, int column, RowCells& out) const;

 private:
  void read_spelled(std::string_view text, int column, Cell& cell, RowCells& out) const;

  const Schema schema_;
  const Spelling spelling_;
  const std::optional<TimeUnit> time_unit_;
};

}  // namespace lockstep
