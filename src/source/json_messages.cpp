// Format `json`: a message's value is an object with the dataset's columns.
#include "source/file_rows.h"
#include "source/json_rows.h"
#include "source/message_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

class JsonMessages final : public MessageFormat {
 public:
  JsonMessages(const KafkaSettings& settings, const MessageTarget& target)
      : operation_(settings.operation),
        rows_(target, settings),
        keys_(target, settings),
        cells_(target.schema.size()),
        key_cells_(target.schema.size()) {}

  bool read(const MessageBytes& message, MessageRows& rows) override {
    if (!message.value) {
      remove(message, rows);
      return true;
    }
    std::string reason;
    if (!document_.read_object(*message.value, "the message", reason)) {
      const bool has_key = keys_.read(message.key, key_cells_).empty();
      rows.refuse("decode", std::move(reason), has_key ? &key_cells_ : nullptr);
      return true;
    }
    cells_.clear();
    rows_.read(document_, document_.root(), cells_);
    if (!rows.has_key(cells_) && keys_.read(message.key, key_cells_).empty()) {
      for (const int column : rows.target().key)
        cells_.fill(column, key_cells_);
    }
    put(rows);
    return true;
  }

 private:
  void remove(const MessageBytes& message, MessageRows& rows) {
    std::string reason = keys_.read(message.key, key_cells_);
    if (!reason.empty()) return rows.refuse("key", "a message without a value: " + reason);
    rows.remove(key_cells_);
  }

  void put(MessageRows& rows) {
    if (operation_.empty()) return rows.upsert(cells_);
    const JsonValue* word = document_.find(document_.root(), operation_);
    const std::string spelled = word == nullptr ? "" : word->spelling();
    const std::optional<Operation> operation = operation_of_word(spelled);
    if (!operation) {
      return rows.refuse(
          "operation",
          fmt::format("'{}': '{}' is not an operation; write I, U or D", operation_, spelled),
          &cells_);
    }
    // A producer may send a message twice: an insert of a key that is there is no mistake.
    if (*operation == Operation::kDelete) return rows.remove(cells_);
    rows.upsert(cells_);
  }

  const std::string operation_;
  JsonRows rows_;
  MessageKeys keys_;
  JsonDocument document_;
  RowCells cells_;
  RowCells key_cells_;
};

}  // namespace

std::unique_ptr<MessageFormat> make_json_messages(const KafkaSettings& settings,
                                                  const MessageTarget& target) {
  return std::make_unique<JsonMessages>(settings, target);
}

}  // namespace lockstep
