#include "cli/init_guess.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <span>

namespace lockstep {
namespace {

constexpr std::int64_t kRowsMax = 1'000'000;
constexpr std::int64_t kRowsAtOnce = 10'000;
constexpr std::array kMissingWords = {"NA", "N/A", "NaN", "null", "NULL", "None", "?", "-", "."};
constexpr std::array kIdWords = {
    "id", "key", "seqn", "patient", "subject", "person", "customer", "user", "code", "uuid"};
constexpr std::array kOrderWords = {"hour",
                                    "day",
                                    "date",
                                    "time",
                                    "timestamp",
                                    "visit",
                                    "month",
                                    "year",
                                    "week",
                                    "step",
                                    "sequence",
                                    "row"};
constexpr std::array kTargetWords = {"target", "label", "y", "outcome", "response", "next"};

std::string lower(std::string_view text) {
  std::string result;
  for (const char letter : text) {
    result += letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  }
  return result;
}

// "patientID" and "patient_id" both end in the word "id".
std::vector<std::string> words_of(std::string_view name) {
  std::vector<std::string> words(1);
  for (std::size_t index = 0; index < name.size(); ++index) {
    const char letter = name[index];
    const bool upper = letter >= 'A' && letter <= 'Z';
    const bool after_lower = index > 0 && name[index - 1] >= 'a' && name[index - 1] <= 'z';
    const bool plain =
        upper || (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
    if ((!plain || (upper && after_lower)) && !words.back().empty()) words.emplace_back();
    if (plain) words.back() += lower(std::string_view(&letter, 1));
  }
  return words;
}

bool has_word(std::string_view name, std::span<const char* const> known) {
  const std::vector<std::string> words = words_of(name);
  return std::any_of(words.begin(), words.end(), [known](const std::string& word) {
    return std::find(known.begin(), known.end(), word) != known.end();
  });
}

bool is_number(Type type) {
  return type == Type::kInt || type == Type::kFloat || type == Type::kBool;
}

Result<std::vector<std::string>> header(Io& io, const std::string& path, const DataFacts& facts) {
  DecodeRequest request;
  request.format = facts.format;
  request.options = facts.options;
  const auto decoder = TRY(open_decoder(io, path, request));
  return decoder->column_names();
}

// A single name that holds another delimiter is several.
Result<void> guess_delimiter(Io& io, const std::string& path, DataFacts& facts) {
  if (facts.format.format == Format::kTsv) facts.options.delimiter = '\t';
  if (facts.format.format != Format::kCsv) return {};
  const std::vector<std::string> names = TRY(header(io, path, facts));
  if (names.size() != 1) return {};
  for (const char delimiter : {';', '\t', '|'}) {
    if (names[0].find(delimiter) == std::string::npos) continue;
    facts.options.delimiter = delimiter;
    return {};
  }
  return {};
}

Result<void> guess_types(Io& io, const std::string& path, DataFacts& facts) {
  const auto infer = [&](const ParseOptions& options) {
    return infer_schema(io, path, facts.format, options);
  };
  facts.schema = TRY(infer(facts.options));
  const bool is_text = facts.format.format == Format::kCsv || facts.format.format == Format::kTsv;
  if (!is_text) return {};
  if (facts.options.delimiter == ';') {
    ParseOptions comma = facts.options;
    comma.decimal_comma = true;
    Schema schema = TRY(infer(comma));
    if (schema != facts.schema) {
      facts.options = comma;
      facts.schema = std::move(schema);
    }
  }
  for (const char* word : kMissingWords) {
    ParseOptions more = facts.options;
    more.null_words.emplace_back(word);
    Schema schema = TRY(infer(more));
    if (schema == facts.schema) continue;
    facts.options = more;
    facts.schema = std::move(schema);
  }
  return {};
}

// The text of the columns of one row, with lengths, so that no two different rows look alike.
std::string row_text(const Batch& rows, std::span<const int> columns, std::int64_t row) {
  std::string text;
  for (const int column : columns) {
    const std::string value = value_text(rows.value(column, row));
    text += fmt::format("{}:{}", value.size(), value);
  }
  return text;
}

// Columns that may together be a key. Unique as long as no two rows agree and none is null.
struct Candidate {
  std::vector<int> columns;
  bool holds = true;
  std::set<std::string> seen = {};

  void look(const Batch& rows) {
    for (std::int64_t row = 0; holds && row < rows.row_count(); ++row) {
      for (const int column : columns)
        holds = holds && !rows.is_null(column, row);
      holds = holds && seen.insert(row_text(rows, columns, row)).second;
    }
    if (!holds) seen.clear();
  }
};

// The likeliest first: an id alone, an id with an order, any unique whole number or text, an id
// with another one.
std::vector<Candidate> key_candidates(const Schema& schema) {
  std::vector<int> ids;
  std::vector<int> orders;
  std::vector<int> others;
  for (int column = 0; column < schema.size(); ++column) {
    const Field& field = schema.field(column);
    if (field.type == Type::kFloat || field.type == Type::kBool) continue;
    if (is_id_like(field.name)) {
      ids.push_back(column);
    } else if (has_word(field.name, kOrderWords)) {
      orders.push_back(column);
    } else {
      others.push_back(column);
    }
  }
  constexpr std::size_t kOthersMax = 8;  // each costs memory for every row
  if (others.size() > kOthersMax) others.resize(kOthersMax);
  std::vector<Candidate> candidates;
  for (const int id : ids)
    candidates.push_back({{id}});
  for (const int id : ids) {
    for (const int order : orders)
      candidates.push_back({{id, order}});
  }
  for (const int column : orders)
    candidates.push_back({{column}});
  for (const int column : others)
    candidates.push_back({{column}});
  for (std::size_t first = 0; first < ids.size(); ++first) {
    for (std::size_t second = first + 1; second < ids.size(); ++second) {
      candidates.push_back({{ids[first], ids[second]}});
    }
  }
  return candidates;
}

// Counts nulls and distinct values, and tries the candidates, in one pass.
class Survey final {
 public:
  explicit Survey(const Schema& schema)
      : candidates_(key_candidates(schema)), distinct_(static_cast<std::size_t>(schema.size())) {}

  void look(const Batch& rows, DataFacts& facts) {
    facts.row_count += rows.row_count();
    for (int column = 0; column < rows.schema().size(); ++column)
      look_at_column(rows, column, facts);
    for (Candidate& candidate : candidates_)
      candidate.look(rows);
  }

  void finish(DataFacts& facts) const {
    for (std::size_t column = 0; column < distinct_.size(); ++column) {
      facts.columns[column].distinct_count = static_cast<std::int64_t>(distinct_[column].size());
    }
    const auto found =
        std::find_if(candidates_.begin(), candidates_.end(), [](const Candidate& one) {
          return one.holds && !one.seen.empty();
        });
    if (found == candidates_.end()) return;
    for (const int column : found->columns)
      facts.key.push_back(facts.schema.field(column).name);
  }

 private:
  void look_at_column(const Batch& rows, int column, DataFacts& facts) {
    auto& distinct = distinct_[static_cast<std::size_t>(column)];
    ColumnFacts& about = facts.columns[static_cast<std::size_t>(column)];
    for (std::int64_t row = 0; row < rows.row_count(); ++row) {
      if (rows.is_null(column, row)) {
        ++about.null_count;
      } else if (static_cast<std::int64_t>(distinct.size()) < kDistinctMax) {
        distinct.insert(value_text(rows.value(column, row)));
      }
    }
  }

  std::vector<Candidate> candidates_;
  std::vector<std::set<std::string>> distinct_;
};

Result<void> survey_rows(Io& io, const std::string& path, DataFacts& facts) {
  DecodeRequest request;
  request.format = facts.format;
  request.options = facts.options;
  request.schema = facts.schema;
  request.missing_is_null = true;
  const auto decoder = TRY(open_decoder(io, path, request));
  facts.columns.resize(static_cast<std::size_t>(facts.schema.size()));
  Survey survey(facts.schema);
  while (facts.row_count < kRowsMax) {
    const Decoded decoded = TRY(decoder->next(kRowsAtOnce));
    facts.bad_count += static_cast<std::int64_t>(decoded.bad.size());
    if (decoded.rows.row_count() == 0 && decoded.bad.empty()) break;
    survey.look(decoded.rows, facts);
  }
  survey.finish(facts);
  return {};
}

Result<bool> ends_without_newline(Io& io, const std::string& path) {
  const auto file = TRY(io.open(path, OpenMode::kRead));
  const std::uint64_t size = TRY(file->size_bytes());
  if (size == 0) return false;
  std::array<std::byte, 1> last{};
  TRY(file->read_at(size - 1, last));
  return last[0] != std::byte{'\n'};
}

}  // namespace

bool is_id_like(std::string_view name) {
  return has_word(name, kIdWords);
}

Result<DataFacts> look_at_data(Io& io, const std::string& path) {
  DataFacts facts;
  facts.format = TRY(format_of_path(path));
  TRY_IN(guess_delimiter(io, path, facts), "reading " + path);
  TRY_IN(guess_types(io, path, facts), "reading " + path);
  if (facts.schema.size() == 0) return invalid(fmt::format("{} has no columns", path));
  TRY_IN(survey_rows(io, path, facts), "reading " + path);
  const bool is_growing =
      facts.format.format != Format::kParquet && facts.format.compression == Compression::kNone;
  if (is_growing) facts.last_line_is_open = TRY(ends_without_newline(io, path));
  return facts;
}

DataFacts facts_of_rows(const Batch& rows) {
  DataFacts facts;
  facts.schema = rows.schema();
  facts.columns.resize(static_cast<std::size_t>(facts.schema.size()));
  Survey survey(facts.schema);
  survey.look(rows, facts);
  survey.finish(facts);
  facts.key.clear();
  return facts;
}

std::vector<std::string> guess_targets(const DataFacts& facts) {
  std::vector<std::string> named;
  std::string last;
  for (const Field& field : facts.schema.fields()) {
    const bool in_key =
        std::find(facts.key.begin(), facts.key.end(), field.name) != facts.key.end();
    if (in_key || !is_number(field.type) || is_id_like(field.name)) continue;
    if (has_word(field.name, kTargetWords)) named.push_back(field.name);
    last = field.name;
  }
  if (!named.empty()) return named;
  return last.empty() ? std::vector<std::string>{} : std::vector<std::string>{last};
}

}  // namespace lockstep
