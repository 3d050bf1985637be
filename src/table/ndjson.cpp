// NDJSON: an object a line. JSON's own types are kept to: a number in quotes is not a number.
#include "table/json_row.h"
#include "table/row_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace lockstep {

namespace {

using Kind = JsonMember::Kind;

constexpr int kRecordsForNames = 100;

class LineScanner final : public RecordScanner {
 public:
  bool has_quotes() const override { return false; }

  std::optional<std::size_t> scan(std::string_view text, bool at_end) override {
    const std::size_t end = text.find('\n');
    if (end != std::string_view::npos) return end + 1;
    return at_end ? std::optional<std::size_t>(text.size()) : std::nullopt;
  }
};

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

class NdjsonParser final : public RowParser {
 public:
  explicit NdjsonParser(const Spelling& spelling) : spelling_(spelling) {
    spelling_.decimal_comma = false;
  }

  RecordScanner& scanner() override { return scanner_; }

  bool has_header() const override { return false; }

  Result<std::vector<std::string>> read_names(RecordReader& records) override {
    std::vector<std::string> names;
    for (int i = 0; i < kRecordsForNames; ++i) {
      const std::optional<Record> record = TRY(records.next());
      if (!record) break;
      std::string reason;
      if (record->too_long || !read_json_row(record->text, members_, reason)) continue;
      for (JsonMember& member : members_) {
        if (std::ranges::find(names, member.name) == names.end()) {
          names.push_back(std::move(member.name));
        }
      }
    }
    return names;
  }

  void want(const Schema& schema, const std::vector<std::string>&) override {
    schema_ = schema;
    for (int i = 0; i < schema.size(); ++i)
      places_.emplace(schema.field(i).name, i);
  }

  Parsed parse(const Record& record, std::vector<Cell>& cells, std::string& reason) override {
    if (is_blank(record.text)) return Parsed::kNothing;
    if (!read_json_row(record.text, members_, reason)) return Parsed::kBadRecord;
    for (Cell& cell : cells)
      cell = Cell();
    for (const JsonMember& member : members_) {
      const auto place = places_.find(member.name);
      if (place == places_.end()) continue;
      Cell& cell = cells[static_cast<std::size_t>(place->second)];
      const Field& field = schema_.field(place->second);
      read(member, field.type, cell);
      if (cell.is_good || !reason.empty()) continue;
      reason = fmt::format("column '{}': {}", field.name, refusal(member, field.type));
    }
    return reason.empty() ? Parsed::kRow : Parsed::kBadCells;
  }

 private:
  void read(const JsonMember& member, Type type, Cell& cell) const {
    cell.is_null = member.kind == Kind::kNull;
    if (cell.is_null) return;
    cell.boolean = member.boolean;
    cell.whole = member.whole;
    cell.number = member.number;
    switch (type) {
      case Type::kBool:
        cell.is_good = member.kind == Kind::kBool;
        return;
      case Type::kInt:
        cell.is_good = member.kind == Kind::kInt;
        return;
      case Type::kFloat:
        return read_float(member, cell);
      default:
        return read_text(member, type, cell);
    }
  }

  // JSON has no NaN and no infinity: they come as "nan", "inf", "-inf".
  static void read_float(const JsonMember& member, Cell& cell) {
    cell.is_good = member.kind == Kind::kInt || member.kind == Kind::kNumber;
    if (member.kind != Kind::kText) return;
    const bool ends_in_digit =
        !member.text.empty() && member.text.back() <= '9';  // then it is a number in quotes
    if (ends_in_digit) return;
    const std::optional<double> special = float_of_text(member.text, false);
    cell.is_good = special.has_value();
    cell.number = special.value_or(0);
  }

  void read_text(const JsonMember& member, Type type, Cell& cell) const {
    cell.is_good = member.kind == Kind::kText && member.text.find('\0') == std::string::npos;
    if (cell.is_good) read_cell(member.text, type, spelling_, cell);
  }

  static std::string refusal(const JsonMember& member, Type type) {
    if (member.kind == Kind::kNested) return "a nested value is not taken";
    if (member.text.find('\0') != std::string::npos) return "the text holds a NUL";
    const bool other_kind = member.kind == Kind::kText &&
                            (type == Type::kBool || type == Type::kInt || type == Type::kFloat);
    return (other_kind ? "the text " : "") + not_a(member.text, type);
  }

  LineScanner scanner_;
  Spelling spelling_;
  Schema schema_;
  std::map<std::string, int, std::less<>> places_;
  std::vector<JsonMember> members_;
};

}  // namespace

Result<std::unique_ptr<RowParser>> make_ndjson_parser(const DecodeRequest& request) {
  const Spelling spelling = TRY(spelling_of(request.options));
  return std::unique_ptr<RowParser>(std::make_unique<NdjsonParser>(spelling));
}

}  // namespace lockstep
