#include "source/messages/json_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {

ColumnFinder::ColumnFinder(const MessageTarget& target) {
  for (int column = 0; column < target.schema.size(); ++column) {
    const bool is_made =
        target.makes_key() && std::ranges::find(target.key, column) != target.key.end();
    if (!is_made) columns_.emplace(target.schema.field(column).name, column);
  }
}

int ColumnFinder::find(std::string_view name, std::size_t nth) {
  constexpr std::size_t kRemembered = 1'000;
  if (nth < last_.size() && last_[nth].first == name) return last_[nth].second;
  const auto found = columns_.find(name);
  const int column = found == columns_.end() ? -1 : found->second;
  if (nth >= kRemembered) return column;
  if (nth >= last_.size()) last_.resize(nth + 1, {{}, -1});
  last_[nth] = {std::string(name), column};
  return column;
}

JsonRows::JsonRows(const MessageTarget& target, const KafkaSettings& settings)
    : schema_(target.schema),
      spelling_(settings.spelling),
      time_unit_(settings.time_unit),
      columns_(target) {
}

void JsonRows::read(const JsonDocument& document,
                    const JsonValue& object,
                    bool spells,
                    RowCells& out) {
  std::size_t nth = 0;
  document.for_each(object, [&](const JsonValue& member) {
    const int column = columns_.find(member.name, nth++);
    if (column >= 0) read_cell_of(column, member, spells, out);
  });
}

void JsonRows::read_cell_of(int column, const JsonValue& value, bool spells, RowCells& out) const {
  const Type type = schema_.field(column).type;
  Cell& cell = out.take(column);
  if (spells && value.kind == JsonValue::Kind::kText && type != Type::kText) {
    read_cell(value.text, type, spelling_, cell);
    if (!cell.is_good) out.refuse(column, not_a(value.text, type));
    return;
  }
  read_json_cell(value, type, spelling_, time_unit_, cell);
  if (cell.is_good) return;
  std::string reason = json_cell_refusal(value, type);
  if (type == Type::kTimestamp && value.kind == JsonValue::Kind::kInt && !time_unit_)
    reason += "; what does it count? write time_unit: ms, or s, us, ns";
  out.refuse(column, std::move(reason));
}

MessageKeys::MessageKeys(const MessageTarget& target,
                         const KafkaSettings& settings,
                         std::unique_ptr<ValueReader> reader)
    : target_(target),
      name_(settings.key),
      spelling_(settings.spelling),
      reader_(std::move(reader)),
      rows_(target, settings) {
}

Result<std::string> MessageKeys::read(std::optional<std::string_view> key, RowCells& out) {
  out.clear();
  if (name_ == MessageKeyName::kNone)
    return std::string("the message's key is not looked at: message_key is none");
  if (!key) return std::string("the message has no key");
  return name_ == MessageKeyName::kText ? read_text(*key, out) : read_value(*key, out);
}

Result<std::string> MessageKeys::read_value(std::string_view key, RowCells& out) {
  std::string reason;
  if (!TRY(reader_->read(key, "the message's key", document_, reason)))
    return reason + "; write message_key: text where it is a plain text";
  const JsonValue& root = document_.root();
  if (root.kind == JsonValue::Kind::kObject) {
    rows_.read(document_, root, reader_->spells(), out);
    return std::string();
  }
  if (target_.key.size() != 1)
    return fmt::format("the message's key is {}, and the dataset's has {} columns",
                       root.spelling(),
                       target_.key.size());
  rows_.read_cell_of(target_.key.front(), root, reader_->spells(), out);
  return std::string();
}

std::string MessageKeys::read_text(std::string_view key, RowCells& out) const {
  if (target_.key.size() != 1)
    return fmt::format("the message's key is a text, and the dataset's has {} columns",
                       target_.key.size());
  const int column = target_.key.front();
  const Type type = target_.schema.field(column).type;
  const bool is_text = key.find('\0') == std::string_view::npos && !first_invalid_utf8(key);
  Cell& cell = out.take(column);
  if (is_text) read_cell(key, type, spelling_, cell);
  if (!is_text) out.refuse(column, "the text is not UTF-8, or holds a NUL");
  if (is_text && !cell.is_good) out.refuse(column, not_a(key, type));
  return {};
}

}  // namespace lockstep
