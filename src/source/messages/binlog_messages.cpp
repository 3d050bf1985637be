// Formats `canal` and `maxwell`: rows of a change with its kind and, of an update, what they were.
// As the programs of these names write them, and as Flink does: an update is then a delete and an
// insert.
#include "source/messages/json_rows.h"
#include "source/messages/message_format.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace lockstep {
namespace {

using JsonKind = JsonValue::Kind;

enum class RowChange { kPut, kUpdate, kDelete, kTruncate, kNothing };

struct NamedChange {
  std::string_view name;
  RowChange change;
};

// The kinds of both programs. Others change a table, or none: what a table became is a row's to
// say.
constexpr std::array<NamedChange, 22> kChanges = {{
    {"INSERT", RowChange::kPut},
    {"UPDATE", RowChange::kUpdate},
    {"DELETE", RowChange::kDelete},
    {"TRUNCATE", RowChange::kTruncate},
    {"CREATE", RowChange::kNothing},
    {"ALTER", RowChange::kNothing},
    {"CINDEX", RowChange::kNothing},
    {"DINDEX", RowChange::kNothing},
    {"QUERY", RowChange::kNothing},
    {"RENAME", RowChange::kNothing},
    {"insert", RowChange::kPut},
    {"bootstrap-insert", RowChange::kPut},
    {"update", RowChange::kUpdate},
    {"delete", RowChange::kDelete},
    {"bootstrap-start", RowChange::kNothing},
    {"bootstrap-complete", RowChange::kNothing},
    {"table-create", RowChange::kNothing},
    {"table-alter", RowChange::kNothing},
    {"database-create", RowChange::kNothing},
    {"database-alter", RowChange::kNothing},
    {"heartbeat", RowChange::kNothing},
    {"control", RowChange::kNothing},
}};

class BinlogMessages final : public MessageFormat {
 public:
  BinlogMessages(const KafkaSettings& settings, const MessageTarget& target)
      : settings_(settings),
        rows_(target, settings),
        keys_(target, settings, make_json_reader()),
        now_(target.schema.size()),
        old_(target.schema.size()) {}

  Result<bool> read(const MessageBytes& message, MessageRows& rows) override {
    if (!message.value) {
      std::string reason = TRY(keys_.read(message.key, now_));
      if (reason.empty()) {
        rows.remove(now_);
      } else {
        rows.refuse("key", "a message without a value: " + reason);
      }
      return true;
    }
    std::string reason;
    if (!document_.read_object(*message.value, "the message", reason)) {
      rows.refuse("decode", std::move(reason));
      return true;
    }
    if (!is_of_table()) return true;
    const JsonValue* type = document_.find(document_.root(), "type");
    const std::string_view name = type == nullptr ? std::string_view() : type->text;
    for (const NamedChange& known : kChanges) {
      if (known.name == name) return apply(known.change, rows);
    }
    rows.refuse("operation", fmt::format("the type of change '{}' is not known", name));
    return true;
  }

 private:
  bool is_of_table() const {
    if (settings_.table.empty()) return true;
    const JsonValue* database = document_.find(document_.root(), "database");
    const JsonValue* table = document_.find(document_.root(), "table");
    if (table == nullptr) return true;
    return settings_.is_table(database == nullptr ? std::string_view() : database->text,
                              table->text);
  }

  bool apply(RowChange change, MessageRows& rows) {
    if (change == RowChange::kNothing) return true;
    if (change == RowChange::kTruncate) {
      if (rows.partition_count() != 1) {
        rows.refuse("operation",
                    "the table was truncated, and in a topic of several partitions nobody knows "
                    "which messages came before");
        return true;
      }
      if (!rows.is_empty()) return false;
      rows.truncate();
      return true;
    }
    const JsonValue* data = document_.find(document_.root(), "data");
    if (data == nullptr || (data->kind != JsonKind::kArray && data->kind != JsonKind::kObject)) {
      rows.refuse("decode", "the message has no 'data'");
    } else if (data->kind == JsonKind::kObject) {
      apply_row(change, *data, old_of(0), rows);
    } else {
      std::size_t nth = 0;
      document_.for_each(
          *data, [&](const JsonValue& row) { apply_row(change, row, old_of(nth++), rows); });
    }
    return true;
  }

  // Of an update, the columns that changed, as they were; nullptr: it does not say.
  const JsonValue* old_of(std::size_t nth) const {
    const JsonValue* old = document_.find(document_.root(), "old");
    if (old == nullptr || old->kind == JsonKind::kObject) return nth == 0 ? old : nullptr;
    const JsonValue* found = nullptr;
    std::size_t count = 0;
    if (old->kind == JsonKind::kArray) {
      document_.for_each(*old, [&](const JsonValue& one) {
        if (count++ == nth) found = &one;
      });
    }
    return found;
  }

  void apply_row(RowChange change, const JsonValue& row, const JsonValue* old, MessageRows& rows) {
    if (row.kind != JsonKind::kObject) return rows.refuse("decode", "a row is not an object");
    now_.clear();
    rows_.read(document_, row, true, now_);
    if (change == RowChange::kDelete) return rows.remove(now_);
    if (change == RowChange::kPut || old == nullptr || old->kind != JsonKind::kObject)
      return rows.upsert(now_);
    old_.clear();
    rows_.read(document_, *old, true, old_);
    for (const int column : rows.target().key)
      old_.fill(column, now_);
    rows.update(old_, now_);
  }

  const KafkaSettings settings_;
  JsonRows rows_;
  MessageKeys keys_;
  JsonDocument document_;
  RowCells now_;
  RowCells old_;
};

}  // namespace

std::unique_ptr<MessageFormat> make_binlog_messages(const KafkaSettings& settings,
                                                    const MessageTarget& target) {
  return std::make_unique<BinlogMessages>(settings, target);
}

}  // namespace lockstep
