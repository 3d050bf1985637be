// Rows that lie in the catalog itself: how a cell becomes DuckLake's text and back, and reading
// them by snapshot. Integers and booleans are integers there, all else is DuckDB's text.
#pragma once

#include "catalog/catalog.h"
#include "hub/lake_tables.h"
#include "table/batch.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

// Which inlined rows a statement is after.
enum class InlinedSet {
  kAlive,  // alive at `at`
  kCame,   // not alive at `from`, alive at `at`
  kWent,   // alive at `from`, not alive at `at`
};

struct InlinedQuery {
  InlinedSet set = InlinedSet::kAlive;
  std::int64_t at = 0;
  std::int64_t from = 0;           // kCame and kWent
  std::int64_t after_row_id = -1;  // reads row ids above it
  std::int64_t row_count_max = 0;  // in one inlined table
};

// Value. Rows with their row ids, in order of row id.
struct InlinedPage {
  Batch rows;
  std::vector<std::int64_t> row_ids;
};

// Rows of one inlined table, in the columns of `table`, whatever they were called when it was made;
// `columns` are indexes into table.columns.
Result<InlinedPage> read_inlined(Catalog& catalog,
                                 const LakeTable& table,
                                 const InlinedTable& inlined,
                                 std::span<const int> columns,
                                 const InlinedQuery& query);

// Value. Inlined rows as they are stored, dead ones too, in the order in which they came.
struct StoredRows {
  static constexpr std::int64_t kAlive = 0;  // as an end; no row ever ends at snapshot 0

  Batch rows;                        // all columns of the table
  std::vector<std::int64_t> places;  // SQLite's rowid: what a row is deleted by
  std::vector<std::int64_t> row_ids;
  std::vector<std::int64_t> begins;
  std::vector<std::int64_t> ends;
  // Rows that are dead and have a value that no cell of a batch can hold, rising: null stands
  // there.
  std::vector<std::size_t> unreadable;

  bool is_unreadable(std::size_t row) const {
    return std::binary_search(unreadable.begin(), unreadable.end(), row);
  }
};

// The oldest rows behind a place.
Result<StoredRows> read_stored(Catalog& catalog,
                               const LakeTable& table,
                               const std::string& inlined,
                               std::int64_t after_place,
                               std::int64_t row_count_max);

// Resource. One table's inlined rows as a writer changes them. Its statements are prepared once: to
// spell them for each commit of a wide table would cost more than to run them.
class InlinedWriter final {
 public:
  InlinedWriter() = default;
  InlinedWriter(const InlinedWriter&) = delete;
  InlinedWriter& operator=(const InlinedWriter&) = delete;

  // Adds the current row with this id to the builder, which has the table's schema. kCorrupt when
  // there is none.
  Result<void> read_row(Catalog& catalog,
                        const LakeTable& table,
                        std::int64_t row_id,
                        BatchBuilder& out);
  Result<void> insert(Catalog& catalog,
                      const LakeTable& table,
                      const Batch& rows,
                      std::span<const std::pair<std::int64_t, std::int64_t>> row_and_id,
                      std::int64_t snapshot);
  Result<void> end(Catalog& catalog,
                   const LakeTable& table,
                   std::span<const std::int64_t> row_ids,
                   std::int64_t snapshot);

 private:
  Result<void> prepare(Catalog& catalog, const LakeTable& table);
  Result<std::int64_t> read_newest(const LakeTable& table, std::int64_t row_id, BatchBuilder& out);

  std::string inlined_;       // the table that the statements are for: it changes with the schema
  std::vector<int> columns_;  // all of them
  Statement* read_ = nullptr;
  Statement* insert_ = nullptr;
  std::string texts_;  // of the row at hand
};

}  // namespace lockstep
