// What a data file looks like: types, key and targets, guessed from its rows.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "table/codec.h"
#include "table/types.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value. What the rows say of a column.
struct ColumnFacts {
  std::int64_t null_count = 0;
  std::int64_t distinct_count = 0;  // at most kDistinctMax are counted
};

constexpr std::int64_t kDistinctMax = 1'000;

// Value. Each column in the file's order.
struct DataFacts {
  FileFormat format;
  ParseOptions options;
  Schema schema;
  std::vector<ColumnFacts> columns;
  std::int64_t row_count = 0;      // of those read
  std::int64_t bad_count = 0;      // records that became no row
  std::vector<std::string> key;    // unique and never null; empty: no such columns
  bool last_line_is_open = false;  // the file does not end in a newline
};

// Reads at most a million rows. Tries `;`, tab and `|` where the header has no comma, decimal
// commas, and the usual words for a missing value.
Result<DataFacts> look_at_data(Io& io, const std::string& path);

// The same of rows that are there; the key is not looked for.
DataFacts facts_of_rows(const Batch& rows);

// "id", "patient_id", "SEQN", "patient": names that tend to name rows.
bool is_id_like(std::string_view name);

// Columns to predict: those whose names say so (target, label, y, outcome, next_...), else the last
// number that is not of the key. Empty: there is no number.
std::vector<std::string> guess_targets(const DataFacts& facts);

}  // namespace lockstep
