// Decoded records of a file as rows with operations: pure, no Io.
#pragma once

#include "base/result.h"
#include "source/source.h"
#include "table/codec.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// The columns of a row's made key, for a dataset without one: a hash of the file's name, and the
// record's number, counted from 1 over good and bad records. Both stay when the file grows.
inline constexpr std::string_view kFileColumn = "_file";
inline constexpr std::string_view kRowColumn = "_row";

// Value. Which columns are read, and what is made of them.
struct RowPlan {
  Schema
      decoded;  // what the file must have: the data columns, then the operation's, if there is one
  Schema rows;  // what a batch has: _file and _row in front where the key is made
  std::vector<int> key;                     // in `decoded`; empty: the key is made
  std::optional<int> operation;             // in `decoded`
  Operation fallback = Operation::kInsert;  // without an operation column

  bool makes_key() const { return key.empty(); }
};

struct RowPlanRequest {
  Schema schema;  // the dataset's columns, with or without _file and _row
  std::vector<std::string> key = {};
  std::string operation = {};
  Operation fallback = Operation::kInsert;
};

// kInvalid: a key column is not among the columns.
Result<RowPlan> plan_rows(const RowPlanRequest& request);

// Whether rows of this key carry a made one.
bool is_made_key(const std::vector<std::string>& key);

// I, U or D, in either case; nullopt: it is none.
std::optional<Operation> operation_of_word(std::string_view word);

// Where the records stand.
struct RecordPlace {
  std::string name;                  // the file's
  std::uint64_t records_before = 0;  // of the file, good and bad
  std::string_view unit = "line";    // "line" or "row"
};

// `rows`, `operations`, `positions`, `origin` and `refusals` of a batch, in the file's order. A
// record without its key is refused at "key", one with an unknown operation at "operation", one
// that was not decoded at "decode", but for a delete whose key is whole: its other cells are not
// looked at.
Result<SourceBatch> rows_of(const RowPlan& plan, const RecordPlace& place, const Decoded& decoded);

// `_file` of a file.
std::string file_hash(std::string_view name);

}  // namespace lockstep
