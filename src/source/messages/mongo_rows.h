// Documents of MongoDB, in its extended JSON, as rows.
#pragma once

#include "source/messages/json_rows.h"
#include "table/json_cell.h"

#include <string>
#include <string_view>

namespace lockstep {

// Resource. The cells' texts are good until the next document.
class MongoRows final {
 public:
  MongoRows(const MessageTarget& target, const KafkaSettings& settings);

  // Into `out`; empty, or why it cannot.
  std::string read(std::string_view document, RowCells& out);

  // Whether a document's `_id` is the dataset's key: then a message's key has it all.
  bool has_id_key() const { return id_column_ >= 0; }

  std::string read_id(std::string_view id, RowCells& out);

 private:
  void read_value(const JsonDocument& document, const JsonValue& value, int column, RowCells& out);
  void read_spelled(std::string_view text, int column, RowCells& out) const;

  const Schema schema_;
  const Spelling spelling_;
  ColumnFinder columns_;
  int id_column_ = -1;
  JsonDocument document_;
  JsonDocument id_document_;
};

}  // namespace lockstep
