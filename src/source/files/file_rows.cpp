#include "source/files/file_rows.h"

#include "base/hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace lockstep {
namespace {

constexpr std::size_t kFileHashDigits = 16;
constexpr std::size_t kRefusalTextBytes = 4096;

std::string record_text(const std::vector<Value>& cells) {
  std::string text;
  for (const Value& cell : cells) {
    if (&cell != cells.data()) text += ',';
    text += value_text(cell);
    if (text.size() > kRefusalTextBytes) break;
  }
  text.resize(std::min(text.size(), kRefusalTextBytes));
  return text;
}

const Value* cell_of(const BadRow& bad, const std::string& column) {
  for (const auto& [name, value] : bad.cells) {
    if (name == column) return &value;
  }
  return nullptr;
}

// Sorts records into rows and refusals.
class Sorter final {
 public:
  Sorter(const RowPlan& plan, const RecordPlace& place, const Decoded& decoded)
      : plan_(plan),
        place_(place),
        decoded_(decoded),
        stem_(fmt::format("{} ", place.unit)),
        file_hash_(file_hash(place.name)) {}

  Result<SourceBatch> sort() {
    LOCKSTEP_ASSERT(decoded_.lines.size() == static_cast<std::size_t>(decoded_.rows.row_count()),
                    "source-2: a decoded row without a line");
    std::size_t bad = 0;
    for (std::int64_t row = 0; row < decoded_.rows.row_count(); ++row) {
      const std::uint64_t line = decoded_.lines[static_cast<std::size_t>(row)];
      while (bad < decoded_.bad.size() && decoded_.bad[bad].line < line)
        take_bad(bad++);
      take_row(row, line);
    }
    while (bad < decoded_.bad.size())
      take_bad(bad++);
    batch_.origin = place_.name;
    batch_.rows = TRY(finish());
    LOCKSTEP_ASSERT(batch_.operations.size() + batch_.refusals.size() ==
                        static_cast<std::size_t>(record_count_),
                    "source-2: a record is neither a row nor a refusal");
    return std::move(batch_);
  }

 private:
  // A row of the batch: a decoded one, or the key of a delete whose other cells could not be read.
  struct Chosen {
    std::int64_t row = -1;
    std::size_t bad = 0;
  };

  RowPosition position(std::uint64_t line) const {
    return {stem_, static_cast<std::int64_t>(line)};
  }

  std::int64_t record_number() const {
    return static_cast<std::int64_t>(place_.records_before) + record_count_;
  }

  void take_row(std::int64_t row, std::uint64_t line) {
    ++record_count_;
    Operation operation = plan_.fallback;
    if (plan_.operation) {
      const std::string word = value_text(decoded_.rows.value(*plan_.operation, row));
      const std::optional<Operation> known = operation_of_word(word);
      if (!known) return refuse_operation(row, line, word);
      // In an upserted file an insert is told again whenever the file is: it is no mistake there.
      if (*known != Operation::kInsert) operation = *known;
    }
    for (const int column : plan_.key) {
      if (decoded_.rows.is_null(column, row)) return refuse_key(row, line, column);
    }
    choose({.row = row}, operation, line);
  }

  void choose(const Chosen& chosen, Operation operation, std::uint64_t line) {
    chosen_.push_back(chosen);
    record_numbers_.push_back(record_number());
    batch_.operations.push_back(operation);
    batch_.positions.add(position(line));
  }

  void refuse_operation(std::int64_t row, std::uint64_t line, const std::string& word) {
    refuse(row,
           line,
           "operation",
           fmt::format("column '{}': '{}' is not an operation; write I, U or D",
                       plan_.decoded.field(*plan_.operation).name,
                       word));
  }

  void refuse_key(std::int64_t row, std::uint64_t line, int column) {
    refuse(row,
           line,
           "key",
           fmt::format("key column '{}' has no value", plan_.decoded.field(column).name));
  }

  void refuse(std::int64_t row, std::uint64_t line, std::string stage, std::string reason) {
    batch_.refusals.push_back({.origin = place_.name,
                               .position = position(line).text(),
                               .stage = std::move(stage),
                               .reason = std::move(reason),
                               .text = record_text(decoded_.rows.row(row)),
                               .key = key_of_row(row)});
  }

  std::optional<std::vector<Value>> key_of_row(std::int64_t row) const {
    if (plan_.makes_key()) return made_key();
    std::vector<Value> key;
    for (const int column : plan_.key) {
      if (decoded_.rows.is_null(column, row)) return std::nullopt;
      key.push_back(decoded_.rows.value(column, row));
    }
    return key;
  }

  std::vector<Value> made_key() const { return {file_hash_, record_number()}; }

  std::optional<std::vector<Value>> key_of_bad(const BadRow& bad) const {
    if (plan_.makes_key()) return made_key();
    std::vector<Value> key;
    for (const int column : plan_.key) {
      const Value* cell = cell_of(bad, plan_.decoded.field(column).name);
      if (cell == nullptr || is_null(*cell)) return std::nullopt;
      key.push_back(*cell);
    }
    return key;
  }

  bool is_delete(const BadRow& bad) const {
    if (!plan_.operation) return false;
    const Value* cell = cell_of(bad, plan_.decoded.field(*plan_.operation).name);
    return cell != nullptr && operation_of_word(value_text(*cell)) == Operation::kDelete;
  }

  void take_bad(std::size_t index) {
    ++record_count_;
    const BadRow& bad = decoded_.bad[index];
    std::optional<std::vector<Value>> key = key_of_bad(bad);
    if (key && is_delete(bad)) {
      choose({.bad = index}, Operation::kDelete, bad.line);
      has_bad_delete_ = true;
      return;
    }
    batch_.refusals.push_back({.origin = place_.name,
                               .position = position(bad.line).text(),
                               .stage = "decode",
                               .reason = bad.reason,
                               .text = bad.text,
                               .key = std::move(key)});
  }

  std::vector<Value> key_cells(const BadRow& bad) const {
    std::vector<Value> cells(static_cast<std::size_t>(plan_.decoded.size()));
    for (const int column : plan_.key) {
      cells[static_cast<std::size_t>(column)] = *cell_of(bad, plan_.decoded.field(column).name);
    }
    return cells;
  }

  Result<Batch> chosen_rows() const {
    if (!has_bad_delete_) {
      std::vector<std::int64_t> rows;
      for (const Chosen& chosen : chosen_)
        rows.push_back(chosen.row);
      const bool is_all = static_cast<std::int64_t>(rows.size()) == decoded_.rows.row_count();
      return is_all ? decoded_.rows : decoded_.rows.select_rows(rows);
    }
    BatchBuilder builder(plan_.decoded);
    for (const Chosen& chosen : chosen_) {
      if (chosen.row >= 0) {
        builder.append_row_from(decoded_.rows, chosen.row, 1);
      } else {
        builder.append_row(key_cells(decoded_.bad[chosen.bad]));
      }
    }
    return builder.finish();
  }

  // The chosen rows without the operation, and with the made key.
  Result<Batch> finish() const {
    const Batch rows = TRY(chosen_rows());
    std::vector<int> columns;
    for (int column = 0; column < plan_.decoded.size(); ++column) {
      if (column != plan_.operation) columns.push_back(column);
    }
    const Batch cells = rows.select_columns(columns);
    if (!plan_.makes_key()) return cells.with_names(plan_.rows);
    BatchBuilder builder(Schema({plan_.rows.field(0), plan_.rows.field(1)}));
    for (const std::int64_t number : record_numbers_) {
      builder.append_text(0, file_hash_);
      builder.append_int(1, number);
    }
    const Batch key = TRY(builder.finish());
    return TRY(key.with_columns(cells)).with_names(plan_.rows);
  }

  const RowPlan& plan_;
  const RecordPlace& place_;
  const Decoded& decoded_;
  const std::string stem_;  // of positions: "line "
  const std::string file_hash_;
  SourceBatch batch_;
  std::vector<Chosen> chosen_;
  std::vector<std::int64_t> record_numbers_;  // of the chosen
  std::int64_t record_count_ = 0;
  bool has_bad_delete_ = false;
};

}  // namespace

std::optional<Operation> operation_of_word(std::string_view word) {
  if (word == "I" || word == "i") return Operation::kInsert;
  if (word == "U" || word == "u") return Operation::kUpsert;
  if (word == "D" || word == "d") return Operation::kDelete;
  return std::nullopt;
}

bool is_made_key(const std::vector<std::string>& key) {
  return key.empty() || (key.size() == 2 && key[0] == kFileColumn && key[1] == kRowColumn);
}

Result<RowPlan> plan_rows(const RowPlanRequest& request) {
  RowPlan plan;
  plan.fallback = request.fallback;
  const bool makes_key = is_made_key(request.key);
  std::vector<Field> data;
  for (const Field& field : request.schema.fields()) {
    const bool is_made = makes_key && (field.name == kFileColumn || field.name == kRowColumn);
    if (!is_made) data.push_back(field);
  }
  std::vector<Field> rows;
  if (makes_key) {
    rows = {{std::string(kFileColumn), Type::kText}, {std::string(kRowColumn), Type::kInt}};
  }
  rows.insert(rows.end(), data.begin(), data.end());
  plan.rows = Schema(std::move(rows));
  if (!request.operation.empty()) {
    plan.operation = static_cast<int>(data.size());
    data.push_back({request.operation, Type::kText});
  }
  plan.decoded = Schema(std::move(data));
  if (!makes_key) plan.key = TRY_IN(plan.decoded.require_all(request.key), "the key");
  return plan;
}

std::string file_hash(std::string_view name) {
  return sha256_hex(name).substr(0, kFileHashDigits);
}

Result<SourceBatch> rows_of(const RowPlan& plan, const RecordPlace& place, const Decoded& decoded) {
  return Sorter(plan, place, decoded).sort();
}

}  // namespace lockstep
