// Rows of one PostgreSQL table as a batch for its dataset. Pure.
#pragma once

#include "source/pgoutput.h"
#include "source/postgres_types.h"
#include "source/source.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value. A table that feeds a dataset.
struct PostgresTarget {
  int index = 0;  // of the request's targets
  std::string schema_name;
  std::string table;
  Schema schema;
  std::vector<int> key;  // in `schema`

  std::string origin() const { return schema_name + "." + table; }
};

// "vitals", "public.vitals", or an empty text for a source with one table.
Result<PostgresTarget> parse_target(const SourceTarget& target, int index);

// What a copy of the table depends on: that it is this table, and the types of its columns that the
// dataset has. A change of them may have written every row anew, and the stream has no word of
// that.
std::string table_shape(const PostgresTarget& target, const Relation& relation);

// The cells of a tuple, and where each of the dataset's columns stands among them.
struct TupleView {
  const std::vector<TupleCell>& cells;
  const std::vector<int>& place;  // by the dataset's column; -1: it is not among them
  // Of an old tuple that has the identity's cells only: whether each column is among those.
  const std::vector<char>* known = nullptr;
};

// Where a row stands, for refusals.
struct RowPlace {
  Lsn lsn = 0;
  std::int64_t number = 0;
  std::string text() const;  // "0/16B3748 row 3"
};

// Resource. The batch that is being made. Cells that cannot be stored make a refusal of the row.
class PostgresRows final {
 public:
  explicit PostgresRows(PostgresTarget target);

  void upsert(const TupleView& row, const RowPlace& place);
  // `before`: the row's old cells, or those of its identity.
  void update(const TupleView& before, const TupleView& row, const RowPlace& place);
  void remove(const TupleView& before, const RowPlace& place);

  void truncate() { truncates_ = true; }

  std::int64_t row_count() const { return static_cast<std::int64_t>(operations_.size()); }

  std::int64_t refusal_count() const { return static_cast<std::int64_t>(refusals_.size()); }

  bool is_empty() const { return operations_.empty() && refusals_.empty() && !truncates_; }

  const PostgresTarget& target() const { return target_; }

  // What was added, `whole`; empty afterwards.
  Result<SourceBatch> finish();

 private:
  bool read_row(const TupleView& row, const TupleView* before, const RowPlace& place);
  bool read_key(const TupleView& before, const RowPlace& place);
  void append(const std::vector<ReadCell>& cells, Operation operation, const RowPlace& place);
  void note_unchanged(std::int64_t key_row);
  void refuse(std::string stage, std::string reason, const TupleView& row, const RowPlace& place);
  std::vector<Value> key_of(const std::vector<ReadCell>& cells) const;

  const PostgresTarget target_;
  BatchBuilder builder_;
  std::vector<Operation> operations_;
  std::vector<std::string> positions_;
  std::vector<Refusal> refusals_;
  std::vector<UnchangedCell> unchanged_;
  bool truncates_ = false;
  std::vector<ReadCell> row_;  // used again for each row
  std::vector<ReadCell> old_key_;
};

}  // namespace lockstep
