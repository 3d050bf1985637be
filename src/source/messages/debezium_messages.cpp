// Format `debezium`: an envelope with the row before and after a change, with its schema or
// without. MongoDB's has the document as a text.
#include "source/messages/connect_values.h"
#include "source/messages/json_rows.h"
#include "source/messages/message_format.h"
#include "source/messages/mongo_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

using JsonKind = JsonValue::Kind;

// {"schema": ..., "payload": ...}, or the payload alone.
struct ConnectParts {
  const JsonValue* schema = nullptr;
  const JsonValue* payload = nullptr;  // nullptr: there is none
};

ConnectParts parts_of(const JsonDocument& document) {
  const JsonValue& root = document.root();
  const JsonValue* schema = document.find(root, "schema");
  const JsonValue* payload = document.find(root, "payload");
  if (schema == nullptr || payload == nullptr) return {nullptr, &root};
  if (schema->kind == JsonKind::kNull) schema = nullptr;
  if (payload->kind == JsonKind::kNull) payload = nullptr;
  return {schema, payload};
}

std::string_view text_of(const JsonDocument& document,
                         const JsonValue& object,
                         std::string_view name) {
  const JsonValue* found = document.find(object, name);
  return found == nullptr ? std::string_view() : found->text;
}

// Resource. Rows by the fields of a schema.
class SchemaRows final {
 public:
  SchemaRows(const MessageTarget& target, const KafkaSettings& settings)
      : target_(target),
        cells_(target, settings),
        columns_(target),
        schema_columns_(target),
        fields_(static_cast<std::size_t>(target.schema.size())) {}

  // `fields`: of a struct; nullptr: nobody knows them.
  // `spells`: the values' own schema made texts of what is no number.
  void bind(const JsonDocument& document, const JsonValue* fields, bool spells) {
    ConnectField unbound;
    if (spells) unbound.kind = ConnectField::Kind::kText;
    std::ranges::fill(fields_, unbound);
    if (fields == nullptr) return;
    std::size_t nth = 0;
    document.for_each(*fields, [&](const JsonValue& field) {
      const int column = schema_columns_.find(text_of(document, field, "field"), nth++);
      if (column >= 0) fields_[static_cast<std::size_t>(column)] = field_of(document, field);
    });
  }

  void read(const JsonDocument& document, const JsonValue& row, RowCells& out) {
    out.clear();
    if (row.kind != JsonKind::kObject) {
      const int column = target_.key.size() == 1 ? target_.key.front() : -1;
      if (column >= 0) cells_.read(document, row, ConnectField{}, column, out);
      return;
    }
    std::size_t nth = 0;
    document.for_each(row, [&](const JsonValue& member) {
      const int column = columns_.find(member.name, nth++);
      if (column < 0) return;
      cells_.read(document, member, fields_[static_cast<std::size_t>(column)], column, out);
    });
  }

 private:
  static ConnectField field_of(const JsonDocument& document, const JsonValue& field) {
    int scale = 0;
    if (const JsonValue* parameters = document.find(field, "parameters"); parameters != nullptr)
      scale = static_cast<int>(int_of_text(text_of(document, *parameters, "scale")).value_or(0));
    return connect_field(text_of(document, field, "name"), text_of(document, field, "type"), scale);
  }

  const MessageTarget target_;
  const ConnectCells cells_;
  ColumnFinder columns_;
  ColumnFinder schema_columns_;
  std::vector<ConnectField> fields_;  // by column
};

class DebeziumMessages final : public MessageFormat {
 public:
  DebeziumMessages(const KafkaSettings& settings,
                   const MessageTarget& target,
                   MessageReaders readers)
      : settings_(settings),
        reader_(std::move(readers.value)),
        key_reader_(std::move(readers.key)),
        rows_(target, settings),
        key_rows_(target, settings),
        documents_(target, settings),
        keys_(target, settings, make_json_reader()),
        before_(target.schema.size()),
        after_(target.schema.size()),
        key_(target.schema.size()),
        held_(target.schema.size()) {}

  bool holds() const override { return holds_; }

  void release(MessageRows& rows) override {
    if (std::exchange(holds_, false)) rows.remove(held_);
  }

  Result<bool> read(const MessageBytes& message, MessageRows& rows) override {
    if (message.value) {
      std::string reason;
      const bool is_read = TRY(reader_->read(*message.value, "the message", document_, reason)) &&
                           document_.check_object("the message", reason);
      if (!is_read) {
        const bool has_key = TRY(read_key(message)).empty();
        rows.refuse("decode", std::move(reason), has_key ? &key_ : nullptr);
        return true;
      }
    }
    parts_ = message.value ? parts_of(document_) : ConnectParts();
    if (parts_.payload == nullptr) {
      if (holds_ && TRY(is_of_held_row(message, rows))) return true;
      release(rows);
      TRY(remove_by_key(message, rows));
      return true;
    }
    if (!is_of_table(document_, *parts_.payload)) return true;
    const std::string_view operation = text_of(document_, *parts_.payload, "op");
    if (!message.changes_key || operation != "c") release(rows);
    if (operation == "m") return true;  // a message of the log, about no row
    if (operation == "t") return truncate(rows);
    TRY(change(operation, message, rows));
    return true;
  }

 private:
  bool is_of_table(const JsonDocument& document, const JsonValue& payload) const {
    const JsonValue* source = document.find(payload, "source");
    if (settings_.table.empty() || source == nullptr) return true;
    const auto is_it = [&](std::string_view outer, std::string_view name) {
      const std::string_view table = text_of(document, *source, name);
      return settings_.is_table(text_of(document, *source, outer), table);
    };
    return is_it("schema", "table") || is_it("db", "table") || is_it("db", "collection");
  }

  // Among partitions nobody knows which rows were there when a table was emptied.
  bool truncate(MessageRows& rows) {
    if (rows.partition_count() != 1) {
      rows.refuse("operation",
                  "the table was truncated, and in a topic of several partitions nobody knows "
                  "which messages came before; lockstep resync after the connector's new snapshot");
      return true;
    }
    if (!rows.is_empty()) return false;
    rows.truncate();
    return true;
  }

  Result<void> change(std::string_view operation, const MessageBytes& message, MessageRows& rows) {
    const JsonValue* before = row_named("before");
    const JsonValue* after = row_named("after");
    if (operation == "d") return remove(before, message, rows);
    if (operation != "c" && operation != "r" && operation != "u") {
      rows.refuse("decode",
                  operation.empty()
                      ? "the message has no 'op', as an envelope of Debezium has; without "
                        "envelopes write format: json"
                      : fmt::format("the operation '{}' is not known", operation));
      return {};
    }
    if (after == nullptr) {
      rows.refuse("decode",
                  "the message has no row after the change; of MongoDB set capture.mode: "
                  "change_streams_update_full");
      return {};
    }
    if (!read_row(*after, "after", after_, rows)) return {};
    if (!rows.has_key(after_) && TRY(read_key(message)).empty()) {
      for (const int column : rows.target().key)
        after_.fill(column, key_);
    }
    if (std::exchange(holds_, false)) {
      rows.update(held_, after_);
    } else if (before == nullptr || operation != "u") {
      rows.upsert(after_);
    } else if (read_row(*before, "before", before_, rows)) {
      rows.update(before_, after_);
    }
    return {};
  }

  Result<void> remove(const JsonValue* before, const MessageBytes& message, MessageRows& rows) {
    if (before == nullptr) return remove_by_key(message, rows);
    if (!read_row(*before, "before", before_, rows)) return {};
    const bool by_key = !rows.has_key(before_) && TRY(read_key(message)).empty();
    const RowCells& row = by_key ? key_ : before_;
    // Of several partitions nobody knows what comes next.
    const bool waits = message.changes_key && rows.partition_count() == 1 && rows.has_key(row);
    if (waits) {
      hold(row, rows.target());
    } else {
      rows.remove(row);
    }
    return {};
  }

  // A key that changed comes as a delete, a tombstone where there are some, and an insert, which
  // may lack values that did not change. Together they are an update of one row.
  void hold(const RowCells& row, const MessageTarget& target) {
    held_.clear();
    for (const int column : target.key) {
      Cell& cell = held_.take(column);
      cell = row.cell(column);
      if (target.schema.field(column).type == Type::kText)
        cell.text = held_.keep(std::string(cell.text));
    }
    holds_ = true;
  }

  Result<bool> is_of_held_row(const MessageBytes& message, const MessageRows& rows) {
    if (!TRY(read_key(message)).empty()) return false;
    return rows.has_key(key_) && rows.same_key(key_, held_);
  }

  // nullptr: there is none.
  const JsonValue* row_named(std::string_view name) const {
    const JsonValue* row = document_.find(*parts_.payload, name);
    return row == nullptr || row->kind == JsonKind::kNull ? nullptr : row;
  }

  // false: refused.
  bool read_row(const JsonValue& row, std::string_view name, RowCells& out, MessageRows& rows) {
    if (row.kind == JsonKind::kText) {
      std::string reason = documents_.read(row.text, out);
      if (reason.empty()) return true;
      rows.refuse("decode", std::move(reason));
      return false;
    }
    rows_.bind(document_, fields_of(name), reader_->spells());
    rows_.read(document_, row, out);
    return true;
  }

  // What the envelope's schema says of `before` or `after`.
  const JsonValue* fields_of(std::string_view name) const {
    const JsonValue* all =
        parts_.schema == nullptr ? nullptr : document_.find(*parts_.schema, "fields");
    if (all == nullptr) return nullptr;
    const JsonValue* found = nullptr;
    document_.for_each(*all, [&](const JsonValue& field) {
      if (text_of(document_, field, "field") == name) found = document_.find(field, "fields");
    });
    return found;
  }

  Result<void> remove_by_key(const MessageBytes& message, MessageRows& rows) {
    std::string reason = TRY(read_key(message));
    if (reason.empty()) {
      rows.remove(key_);
    } else {
      rows.refuse("key", "a delete without a row: " + reason);
    }
    return {};
  }

  // Into key_; empty, or why it cannot.
  Result<std::string> read_key(const MessageBytes& message) {
    const bool is_value =
        settings_.key == MessageKeyName::kJson || settings_.key == MessageKeyName::kAvro;
    if (!is_value || !message.key) return keys_.read(message.key, key_);
    std::string reason;
    key_.clear();
    if (!TRY(key_reader_->read(*message.key, "the message's key", key_document_, reason)))
      return reason;
    const ConnectParts parts = parts_of(key_document_);
    if (parts.payload == nullptr) return std::string("the message's key is null");
    const JsonValue* id = key_document_.find(*parts.payload, "id");
    if (documents_.has_id_key() && id != nullptr && id->kind == JsonKind::kText)
      return documents_.read_id(id->text, key_);
    const JsonValue* fields =
        parts.schema == nullptr ? nullptr : key_document_.find(*parts.schema, "fields");
    key_rows_.bind(key_document_, fields, key_reader_->spells());
    key_rows_.read(key_document_, *parts.payload, key_);
    return std::string();
  }

  const KafkaSettings settings_;
  const std::unique_ptr<ValueReader> reader_;
  const std::unique_ptr<ValueReader> key_reader_;
  SchemaRows rows_;
  SchemaRows key_rows_;
  MongoRows documents_;
  MessageKeys keys_;
  JsonDocument document_;
  JsonDocument key_document_;
  ConnectParts parts_;
  RowCells before_;
  RowCells after_;
  RowCells key_;
  RowCells held_;  // the old key of a row whose new one comes
  bool holds_ = false;
};

}  // namespace

std::unique_ptr<MessageFormat> make_debezium_messages(const KafkaSettings& settings,
                                                      const MessageTarget& target,
                                                      MessageReaders readers) {
  return std::make_unique<DebeziumMessages>(settings, target, std::move(readers));
}

}  // namespace lockstep
