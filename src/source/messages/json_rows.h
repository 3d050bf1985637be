// An object's members as the cells of a row, and a message's key as those of a row's key.
#pragma once

#include "source/kafka/kafka_settings.h"
#include "source/messages/message_rows.h"
#include "source/messages/value_reader.h"
#include "table/json_cell.h"

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep {

// Resource. Finds a dataset's columns by name; objects mostly have the same members in the same
// order.
class ColumnFinder final {
 public:
  explicit ColumnFinder(const MessageTarget& target);

  // `nth`: of the object's members. -1: no column.
  int find(std::string_view name, std::size_t nth);

 private:
  std::map<std::string, int, std::less<>> columns_;
  std::vector<std::pair<std::string, int>> last_;  // by nth
};

// Resource.
class JsonRows final {
 public:
  JsonRows(const MessageTarget& target, const KafkaSettings& settings);

  // Members that are no column are passed over. `spells`: a text may be of any type. The cells'
  // texts are the document's.
  void read(const JsonDocument& document, const JsonValue& object, bool spells, RowCells& out);
  void read_cell_of(int column, const JsonValue& value, bool spells, RowCells& out) const;

 private:
  const Schema schema_;
  const Spelling spelling_;
  const std::optional<TimeUnit> time_unit_;
  ColumnFinder columns_;
};

// Resource. The cells' texts are good until the next key.
class MessageKeys final {
 public:
  MessageKeys(const MessageTarget& target,
              const KafkaSettings& settings,
              std::unique_ptr<ValueReader> reader);

  // Into `out`; empty, or why it cannot.
  Result<std::string> read(std::optional<std::string_view> key, RowCells& out);

 private:
  Result<std::string> read_value(std::string_view key, RowCells& out);
  std::string read_text(std::string_view key, RowCells& out) const;

  const MessageTarget target_;
  const MessageKeyName name_;
  const Spelling spelling_;
  const std::unique_ptr<ValueReader> reader_;
  JsonRows rows_;
  JsonDocument document_;
};

}  // namespace lockstep
