#include "source/messages/mongo_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace lockstep {
namespace {

using JsonKind = JsonValue::Kind;

constexpr std::string_view kIdName = "_id";
constexpr std::array<std::string_view, 5> kSpelledTypes = {
    "$oid", "$numberInt", "$numberLong", "$numberDecimal", "$uuid"};

// Of {"$numberLong": "5"} what is within; nullptr: it is another value.
const JsonValue* extended(const JsonDocument& document, const JsonValue& value) {
  if (value.kind != JsonKind::kObject) return nullptr;
  const JsonValue* first = nullptr;
  document.for_each(value, [&](const JsonValue& member) {
    if (first == nullptr) first = &member;
  });
  return first != nullptr && first->name.starts_with('$') ? first : nullptr;
}

std::optional<std::int64_t> whole_of(const JsonDocument& document, const JsonValue& value) {
  if (value.kind == JsonKind::kInt) return value.whole;
  const JsonValue* inner = extended(document, value);
  if (inner == nullptr || inner->name != "$numberLong") return std::nullopt;
  return inner->kind == JsonKind::kText ? int_of_text(inner->text) : std::nullopt;
}

}  // namespace

MongoRows::MongoRows(const MessageTarget& target, const KafkaSettings& settings)
    : schema_(target.schema), spelling_(settings.spelling), columns_(target) {
  if (target.key.size() == 1 && schema_.field(target.key.front()).name == kIdName)
    id_column_ = target.key.front();
}

std::string MongoRows::read(std::string_view document, RowCells& out) {
  out.clear();
  std::string reason;
  if (!document_.read_object(document, "the document", reason)) return reason;
  std::size_t nth = 0;
  document_.for_each(document_.root(), [&](const JsonValue& member) {
    const int column = columns_.find(member.name, nth++);
    if (column >= 0) read_value(document_, member, column, out);
  });
  return {};
}

std::string MongoRows::read_id(std::string_view id, RowCells& out) {
  std::string reason;
  if (!id_document_.read(id, "the document's id", reason)) return reason;
  read_value(id_document_, id_document_.root(), id_column_, out);
  return {};
}

void MongoRows::read_value(const JsonDocument& document,
                           const JsonValue& value,
                           int column,
                           RowCells& out) {
  const JsonValue* inner = extended(document, value);
  JsonValue plain = inner == nullptr ? value : *inner;
  std::optional<TimeUnit> unit;
  if (inner != nullptr && inner->name == "$date") {
    unit = TimeUnit::kMilliseconds;
    const std::optional<std::int64_t> ms = whole_of(document, *inner);
    if (ms) plain.kind = JsonKind::kInt;
    plain.whole = ms.value_or(0);
  } else if (inner != nullptr && inner->name == "$numberDouble" && plain.kind == JsonKind::kText) {
    const std::optional<double> number = float_of_text(plain.text == "Infinity"    ? "inf"
                                                       : plain.text == "-Infinity" ? "-inf"
                                                                                   : plain.text,
                                                       false);
    plain.kind = number ? JsonKind::kNumber : JsonKind::kText;
    plain.number = number.value_or(0);
  } else if (inner != nullptr && plain.kind == JsonKind::kText &&
             std::ranges::find(kSpelledTypes, inner->name) != kSpelledTypes.end()) {
    return read_spelled(plain.text, column, out);
  } else if (inner != nullptr) {
    plain = value;  // a type that no column holds
  }
  const Type type = schema_.field(column).type;
  Cell& cell = out.take(column);
  read_json_cell(plain, type, spelling_, unit, cell);
  if (!cell.is_good) out.refuse(column, json_cell_refusal(plain, type));
}

void MongoRows::read_spelled(std::string_view text, int column, RowCells& out) const {
  const Type type = schema_.field(column).type;
  Cell& cell = out.take(column);
  read_cell(text, type, spelling_, cell);
  if (!cell.is_good) out.refuse(column, not_a(text, type));
}

}  // namespace lockstep
