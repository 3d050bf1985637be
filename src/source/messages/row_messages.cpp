// A message's value is an object, or a record, with the dataset's columns.
#include "source/files/file_rows.h"
#include "source/messages/json_rows.h"
#include "source/messages/message_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

class RowMessages final : public MessageFormat {
 public:
  RowMessages(const KafkaSettings& settings, const MessageTarget& target, MessageReaders readers)
      : operation_(settings.operation),
        reader_(std::move(readers.value)),
        rows_(target, settings),
        keys_(target, settings, std::move(readers.key)),
        cells_(target.schema.size()),
        key_cells_(target.schema.size()) {}

  Result<bool> read(const MessageBytes& message, MessageRows& rows) override {
    if (!message.value) {
      std::string reason = TRY(keys_.read(message.key, key_cells_));
      if (reason.empty()) {
        rows.remove(key_cells_);
      } else {
        rows.refuse("key", "a message without a value: " + reason);
      }
      return true;
    }
    std::string reason;
    const bool is_read = TRY(reader_->read(*message.value, "the message", document_, reason)) &&
                         document_.check_object("the message", reason);
    if (!is_read) {
      const bool has_key = TRY(keys_.read(message.key, key_cells_)).empty();
      rows.refuse("decode", std::move(reason), has_key ? &key_cells_ : nullptr);
      return true;
    }
    cells_.clear();
    rows_.read(document_, document_.root(), reader_->spells(), cells_);
    if (!rows.has_key(cells_) && TRY(keys_.read(message.key, key_cells_)).empty()) {
      for (const int column : rows.target().key)
        cells_.fill(column, key_cells_);
    }
    put(rows);
    return true;
  }

 private:
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
  const std::unique_ptr<ValueReader> reader_;
  JsonRows rows_;
  MessageKeys keys_;
  JsonDocument document_;
  RowCells cells_;
  RowCells key_cells_;
};

}  // namespace

std::unique_ptr<MessageFormat> make_row_messages(const KafkaSettings& settings,
                                                 const MessageTarget& target,
                                                 MessageReaders readers) {
  return std::make_unique<RowMessages>(settings, target, std::move(readers));
}

}  // namespace lockstep
