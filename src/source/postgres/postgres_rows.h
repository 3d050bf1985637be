// Rows of one PostgreSQL table as a batch for its dataset. Pure.
#pragma once

#include "source/postgres/pgoutput.h"
#include "source/postgres/postgres_types.h"
#include "source/source.h"
#include "source/tables/table_rows.h"
#include "source/tables/table_target.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

using PostgresTarget = TableTarget;

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
  explicit PostgresRows(PostgresTarget target) : rows_(std::move(target)) {}

  void upsert(const TupleView& row, const RowPlace& place);
  // `before`: the row's old cells, or those of its identity.
  void update(const TupleView& before, const TupleView& row, const RowPlace& place);
  void remove(const TupleView& before, const RowPlace& place);

  void truncate() { rows_.truncate(); }

  std::int64_t row_count() const { return rows_.row_count(); }

  std::int64_t refusal_count() const { return rows_.refusal_count(); }

  bool is_empty() const { return rows_.is_empty(); }

  const PostgresTarget& target() const { return rows_.target(); }

  // What was added, `whole`; empty afterwards.
  Result<SourceBatch> finish() { return rows_.finish(); }

 private:
  bool read_row(const TupleView& row, const TupleView* before, const RowPlace& place);
  bool read_key(const TupleView& before, const RowPlace& place);
  Refusal refusal(std::string stage,
                  std::string reason,
                  const TupleView& row,
                  const RowPlace& place) const;
  RowPosition position_of(const RowPlace& place);

  TableRows rows_;
  Lsn lsn_ = 0;
  std::string stem_;  // of the positions of its rows; empty: not made yet
};

}  // namespace lockstep
