// NDJSON: an object a line. JSON's own types are kept to: a number in quotes is not a number.
#include "table/json_cell.h"
#include "table/row_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace lockstep {

namespace {

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
      if (record->too_long || !document_.read_object(record->text, "the line", reason)) continue;
      document_.for_each(document_.root(), [&](const JsonValue& member) {
        if (std::ranges::find(names, member.name) == names.end()) names.emplace_back(member.name);
      });
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
    if (!document_.read_object(record.text, "the line", reason)) return Parsed::kBadRecord;
    for (Cell& cell : cells)
      cell = Cell();
    document_.for_each(document_.root(), [&](const JsonValue& member) {
      const auto place = places_.find(member.name);
      if (place == places_.end()) return;
      Cell& cell = cells[static_cast<std::size_t>(place->second)];
      const Field& field = schema_.field(place->second);
      read_json_cell(member, field.type, spelling_, {}, cell);
      if (cell.is_good || !reason.empty()) return;
      reason = fmt::format("column '{}': {}", field.name, json_cell_refusal(member, field.type));
    });
    return reason.empty() ? Parsed::kRow : Parsed::kBadCells;
  }

 private:
  LineScanner scanner_;
  Spelling spelling_;
  Schema schema_;
  std::map<std::string, int, std::less<>> places_;
  JsonDocument document_;
};

}  // namespace

Result<std::unique_ptr<RowParser>> make_ndjson_parser(const DecodeRequest& request) {
  const Spelling spelling = TRY(spelling_of(request.options));
  return std::unique_ptr<RowParser>(std::make_unique<NdjsonParser>(spelling));
}

}  // namespace lockstep
