// Types from the first records of a file. A type is ruled out by a value that it does not spell;
// what is left first in the order of the candidates is the column's. Bool is only true and false
// here: 0 and 1 are ints, t and no are texts.
#include "table/cell.h"
#include "table/codec.h"
#include "table/decoders.h"
#include "table/json_document.h"
#include "table/row_parser.h"

#include <algorithm>
#include <array>

namespace lockstep {

namespace {

constexpr std::array<Type, 5> kCandidates = {
    Type::kBool, Type::kInt, Type::kFloat, Type::kDate, Type::kTimestamp};

class Candidates {
 public:
  void rule_out_unless(auto&& allowed) {
    any_value_ = true;
    for (std::size_t i = 0; i < kCandidates.size(); ++i) {
      left_[i] = left_[i] && allowed(kCandidates[i]);
    }
  }

  Type type() const {
    const auto first = std::ranges::find(left_, true);
    if (!any_value_ || first == left_.end()) return Type::kText;
    return kCandidates[static_cast<std::size_t>(first - left_.begin())];
  }

 private:
  bool any_value_ = false;
  std::array<bool, kCandidates.size()> left_ = {true, true, true, true, true};
};

// 0123 and +49 are rather codes than numbers.
bool is_code(std::string_view text) {
  if (text.starts_with('+')) return true;
  if (text.starts_with('-')) text.remove_prefix(1);
  return text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
}

bool is_all_digits(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool spells(std::string_view text, Type type, const Spelling& spelling) {
  const bool is_number = type == Type::kInt || type == Type::kFloat;
  if (is_number && is_code(text)) return false;
  // An integer that int cannot hold would lose digits as a float.
  if (type == Type::kFloat && is_all_digits(text)) return int_of_text(text).has_value();
  if (type == Type::kBool && (text.size() < 4 || !bool_of_text(text))) return false;
  Cell cell;
  read_cell(text, type, spelling, cell);
  return cell.is_good;
}

bool allows(const JsonValue& member, Type type, const Spelling& spelling) {
  using Kind = JsonValue::Kind;
  switch (member.kind) {
    case Kind::kBool:
      return type == Type::kBool;
    case Kind::kInt:
      return type == Type::kInt || type == Type::kFloat;
    case Kind::kNumber:
      return type == Type::kFloat;
    case Kind::kText:
      return (type == Type::kDate || type == Type::kTimestamp) &&
             spells(member.text, type, spelling);
    default:
      return false;
  }
}

Schema schema_of(const std::vector<std::string>& names, const std::vector<Candidates>& columns) {
  std::vector<Field> fields;
  for (std::size_t i = 0; i < names.size(); ++i)
    fields.push_back({names[i], columns[i].type()});
  return Schema(std::move(fields));
}

Result<Schema> infer_csv(Io& io,
                         const std::string& path,
                         DecodeRequest request,
                         std::int64_t row_count_max) {
  const std::vector<std::string> names = TRY(text_column_names(io, path, request));
  const Spelling spelling = TRY(spelling_of(request.options));
  request.schema = schema_of(names, std::vector<Candidates>(names.size()));
  const auto decoder = TRY(open_text_decoder(io, path, request));
  std::vector<Candidates> columns(names.size());
  for (std::int64_t seen = 0; seen < row_count_max;) {
    const Decoded piece = TRY(decoder->next(std::min<std::int64_t>(row_count_max - seen, 1000)));
    const std::int64_t rows = piece.rows.row_count();
    const auto bad = static_cast<std::int64_t>(piece.bad.size());
    if (rows + bad == 0) break;
    seen += rows + bad;
    for (int column = 0; column < request.schema.size(); ++column) {
      for (std::int64_t row = 0; row < rows; ++row) {
        if (piece.rows.is_null(column, row)) continue;
        const std::string_view text = piece.rows.text_at(column, row);
        columns[static_cast<std::size_t>(column)].rule_out_unless(
            [&](Type type) { return spells(text, type, spelling); });
      }
    }
  }
  return schema_of(names, columns);
}

Result<Schema> infer_ndjson(Io& io,
                            const std::string& path,
                            const DecodeRequest& request,
                            std::int64_t row_count_max) {
  const Spelling spelling = TRY(spelling_of(request.options));
  const auto parser = TRY(make_ndjson_parser(request));
  RecordReader records(TRY(open_text(io, path, request)), parser->scanner(), request);
  std::vector<std::string> names;
  std::vector<Candidates> columns;
  JsonDocument document;
  for (std::int64_t seen = 0; seen < row_count_max; ++seen) {
    const std::optional<Record> record = TRY_IN(records.next(), "reading " + path);
    if (!record) break;
    std::string reason;
    if (record->too_long || !document.read_object(record->text, "the line", reason)) continue;
    document.for_each(document.root(), [&](const JsonValue& member) {
      auto place = static_cast<std::size_t>(std::ranges::find(names, member.name) - names.begin());
      if (place == names.size()) {
        names.emplace_back(member.name);
        columns.emplace_back();
      }
      if (member.kind == JsonValue::Kind::kNull) return;
      columns[place].rule_out_unless([&](Type type) { return allows(member, type, spelling); });
    });
  }
  return schema_of(names, columns);
}

}  // namespace

Result<Schema> infer_schema(Io& io,
                            const std::string& path,
                            FileFormat format,
                            const ParseOptions& options,
                            std::int64_t row_count_max) {
  if (format.format == Format::kParquet) return parquet_file_schema(io, path);
  DecodeRequest request;
  request.format = format;
  request.options = options;
  return format.format == Format::kNdjson ? infer_ndjson(io, path, request, row_count_max)
                                          : infer_csv(io, path, request, row_count_max);
}

}  // namespace lockstep
