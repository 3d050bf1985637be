// CSV as RFC 4180 has it, and TSV in the same manner. Stricter than most: a quote inside an
// unquoted field, or text behind a closing quote, makes a bad record, since any reading of it would
// be a guess.
#include "table/row_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <set>

namespace lockstep {

namespace {

struct CsvField {
  std::string_view text;
  bool quoted = false;
};

class CsvScanner final : public RecordScanner {
 public:
  explicit CsvScanner(char delimiter) : delimiter_(delimiter) {
    for (const char end : {delimiter, '\n', '"'})
      stops_[static_cast<unsigned char>(end)] = true;
  }

  bool has_quotes() const override { return true; }

  std::optional<std::size_t> scan(std::string_view text, bool at_end) override {
    fields_.clear();
    unescaped_.clear();
    problem_ = {};
    text_ = text;
    at_ = 0;
    at_end_ = at_end;
    for (;;) {
      const bool quoted = at_ < text_.size() && text_[at_] == '"';
      if (!(quoted ? scan_quoted() : scan_plain())) return std::nullopt;
      if (at_ == text_.size()) return at_;
      const char end = text_[at_++];
      if (end == '\n') return at_;
      LOCKSTEP_ASSERT(end == delimiter_, "a field ends at a delimiter or a line end");
    }
  }

  const std::vector<CsvField>& fields() const { return fields_; }

  // Empty: the last record was well-formed.
  std::string_view problem() const { return problem_; }

 private:
  // Each leaves at_ on the delimiter or line feed behind the field, or at the end; false: the text
  // must go on.
  bool scan_plain() {
    const std::size_t first = at_;
    for (;;) {
      while (at_ < text_.size() && !stops_[static_cast<unsigned char>(text_[at_])])
        ++at_;
      if (at_ == text_.size() || text_[at_] != '"') break;
      problem_ = "a quote inside a field that is not quoted";
      ++at_;
    }
    if (at_ == text_.size() && !at_end_) return false;
    std::string_view field = text_.substr(first, at_ - first);
    const bool ends_line = at_ == text_.size() || text_[at_] == '\n';
    if (ends_line && field.ends_with('\r')) field.remove_suffix(1);
    fields_.push_back({field, false});
    return true;
  }

  bool scan_quoted() {
    const std::size_t first = ++at_;
    bool escaped = false;
    for (;;) {
      at_ = std::min(text_.find('"', at_), text_.size());
      if (at_ + 1 >= text_.size() && !at_end_) return false;
      if (at_ == text_.size()) return never_closed();
      if (at_ + 1 >= text_.size() || text_[at_ + 1] != '"') break;
      escaped = true;
      at_ += 2;
    }
    const std::string_view inside = text_.substr(first, at_ - first);
    fields_.push_back({escaped ? unescape(inside) : inside, true});
    ++at_;
    return pass_line_end();
  }

  bool never_closed() {
    problem_ = "a quote that opens here is never closed";
    fields_.push_back({{}, true});
    return true;
  }

  // What may stand behind a closing quote: a delimiter, a line end, or the end.
  bool pass_line_end() {
    const std::size_t closed = at_;
    while (at_ < text_.size() && text_[at_] != delimiter_ && text_[at_] != '\n')
      ++at_;
    if (at_ == text_.size() && !at_end_) return false;
    const std::string_view behind = text_.substr(closed, at_ - closed);
    const bool ends_line = at_ == text_.size() || text_[at_] == '\n';
    const bool carriage_return = behind == "\r" && ends_line;
    if (!behind.empty() && !carriage_return) problem_ = "text behind a closing quote";
    return true;
  }

  std::string_view unescape(std::string_view inside) {
    std::string& out = unescaped_.emplace_back();
    for (std::size_t i = 0; i < inside.size(); ++i) {
      out.push_back(inside[i]);
      if (inside[i] == '"') ++i;
    }
    return out;
  }

  char delimiter_;
  std::array<bool, 256> stops_{};  // of a field that is not quoted: one look a byte
  std::string_view text_;
  std::size_t at_ = 0;
  bool at_end_ = false;
  std::vector<CsvField> fields_;
  std::deque<std::string> unescaped_;  // a deque, so that views stay good
  std::string_view problem_;
};

class CsvParser final : public RowParser {
 public:
  CsvParser(const DecodeRequest& request, const Spelling& spelling, char delimiter)
      : scanner_(delimiter), null_words_(request.options.null_words), spelling_(spelling) {}

  RecordScanner& scanner() override { return scanner_; }

  bool has_header() const override { return true; }

  Result<std::vector<std::string>> read_names(RecordReader& records) override {
    const std::optional<Record> header = TRY(records.next());
    if (!header) return invalid("there is no header line", "name the columns in the first line");
    if (header->too_long) return invalid("the header line is too long");
    if (!scanner_.problem().empty()) {
      return invalid(fmt::format("the header line has {}", scanner_.problem()));
    }
    std::vector<std::string> names;
    std::set<std::string_view> seen;
    for (const CsvField& field : scanner_.fields()) {
      if (!seen.insert(field.text).second) {
        return invalid(fmt::format("the header names the column '{}' twice", field.text),
                       "give each column its own name");
      }
      if (field.text.find('\0') != std::string_view::npos) {
        return invalid("the header line holds a NUL byte", "is this a text file in this encoding?");
      }
      names.emplace_back(field.text);
    }
    return names;
  }

  void want(const Schema& schema, const std::vector<std::string>& names) override {
    schema_ = schema;
    field_count_ = names.size();
    for (const Field& field : schema.fields()) {
      const auto found = std::ranges::find(names, field.name);
      places_.push_back(found == names.end() ? kMissing
                                             : static_cast<std::size_t>(found - names.begin()));
    }
  }

  Parsed parse(const Record& record, std::vector<Cell>& cells, std::string& reason) override {
    const std::vector<CsvField>& fields = scanner_.fields();
    const bool blank = fields.size() == 1 && fields[0].text.empty() && !fields[0].quoted;
    if (blank && field_count_ > 1) return Parsed::kNothing;
    if (!scanner_.problem().empty()) {
      reason = scanner_.problem();
      return Parsed::kBadRecord;
    }
    if (record.text.find('\0') != std::string_view::npos) {
      reason = "the record holds a NUL byte";
      return Parsed::kBadRecord;
    }
    if (fields.size() != field_count_) {
      reason = fmt::format("the record has {} field{}, the header has {}",
                           fields.size(),
                           fields.size() == 1 ? "" : "s",
                           field_count_);
      return Parsed::kBadRecord;
    }
    for (std::size_t i = 0; i < places_.size(); ++i)
      read(i, cells[i], reason);
    return reason.empty() ? Parsed::kRow : Parsed::kBadCells;
  }

 private:
  static constexpr std::size_t kMissing = ~std::size_t{0};

  void read(std::size_t column, Cell& cell, std::string& reason) const {
    cell.is_null = true;
    cell.is_good = true;
    if (places_[column] == kMissing) return;
    const CsvField& field = scanner_.fields()[places_[column]];
    if (!field.quoted && is_null_word(field.text)) return;
    const Field& wanted = schema_.fields()[column];
    read_cell(field.text, wanted.type, spelling_, cell);
    if (!cell.is_good && reason.empty()) reason = bad_cell_reason(wanted, field.text);
  }

  bool is_null_word(std::string_view text) const {
    return std::ranges::any_of(null_words_,
                               [text](const std::string& word) { return word == text; });
  }

  CsvScanner scanner_;
  std::vector<std::string> null_words_;
  Spelling spelling_;
  Schema schema_;
  std::size_t field_count_ = 0;
  std::vector<std::size_t> places_;  // of each column of the schema in the record
};

}  // namespace

std::string bad_cell_reason(const Field& field, std::string_view text) {
  return fmt::format("column '{}': {}", field.name, not_a(text, field.type));
}

Result<std::unique_ptr<RowParser>> make_csv_parser(const DecodeRequest& request) {
  const Spelling spelling = TRY(spelling_of(request.options));
  const bool tabs = request.format.format == Format::kTsv && request.options.delimiter == ',';
  const char delimiter = tabs ? '\t' : request.options.delimiter;
  if (delimiter == '"' || delimiter == '\n' || delimiter == '\r' || delimiter == '\0') {
    return invalid("the delimiter cannot be a quote, a line end or NUL");
  }
  if (static_cast<unsigned char>(delimiter) >= 0x80) {
    return invalid("the delimiter must be an ASCII character");
  }
  return std::unique_ptr<RowParser>(std::make_unique<CsvParser>(request, spelling, delimiter));
}

}  // namespace lockstep
