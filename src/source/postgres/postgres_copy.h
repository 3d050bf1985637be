// The rows that PostgreSQL's tables have at one moment: what a source begins with.
#pragma once

#include "base/result.h"
#include "source/postgres/postgres_link.h"
#include "source/postgres/postgres_position.h"
#include "source/postgres/postgres_rows.h"
#include "source/source.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Splits a line of COPY's text format into cells, in place: `scratch` holds those with escapes.
void split_copy_line(std::string_view line, std::vector<TupleCell>& cells, std::string& scratch);

struct CopyTable {
  PostgresTarget target;
  bool is_partitioned = false;  // else rows of tables that inherit from it are not its own
  CopiedTable copied = {};      // what it moves the table's position to
  // Of a table that is no partitioned one: where its rows are stored.
  std::int64_t node = 0;
  std::int64_t block_count = 0;
  std::int64_t first_block = 0;  // those before it were given by an earlier copy
};

struct CopyRequest {
  std::vector<CopyTable> tables;
  Position position_changes;   // behind the copy: its last batch moves there
  Lsn lsn = 0;                 // of the snapshot
  std::int64_t row_limit = 0;  // of each table; 0: all
  // Its batches say how far it is, and another copy goes on with it.
  bool resumes = false;
  Position begin = {};            // of such a copy: what its batches move besides
  bool goes_on_behind = false;    // its last batch does not end the run
  bool schema_pending = false;    // of all batches
  std::int64_t chunk_blocks = 0;  // that are copied by one statement; 0: all
};

// Resource. One table after another, as one whole run of batches.
class PostgresCopy final {
 public:
  // `link` is in the transaction whose snapshot is copied.
  PostgresCopy(std::unique_ptr<PostgresLink> link, CopyRequest request);

  // nullopt: nothing now, or nothing more (is_done).
  Result<std::optional<SourceBatch>> next(std::int64_t row_count_max);

  bool is_done() const { return done_; }

  PostgresLink& link() { return *link_; }

  // Of the tables, as they were when it began; without partitioned ones.
  std::uint64_t bytes_left() const;

 private:
  Result<void> begin_table();
  Result<void> begin_chunk();
  Result<bool> end_chunk();
  Position progress() const;
  Result<bool> pull(std::int64_t row_count_max);
  Result<void> hold();
  bool chunks_end_behind(std::int64_t block) const;
  std::optional<SourceBatch> give_last();

  const std::unique_ptr<PostgresLink> link_;
  const CopyRequest request_;
  std::size_t table_ = 0;
  std::int64_t block_ = 0;              // where the chunk begins
  std::unique_ptr<PostgresRows> rows_;  // of the table that is being copied
  std::vector<int> place_;
  std::int64_t row_number_ = 0;
  std::vector<TupleCell> cells_;
  std::string scratch_;
  std::optional<SourceBatch> held_;  // it is given when another comes: the last one says so
  std::optional<SourceBatch> ready_;
  bool done_ = false;
};

}  // namespace lockstep
