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
};

struct CopyRequest {
  std::vector<CopyTable> tables;
  Position position_changes;   // behind the copy: its last batch moves there
  Lsn lsn = 0;                 // of the snapshot
  std::int64_t row_limit = 0;  // of each table; 0: all
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

 private:
  Result<void> begin_table();
  Result<bool> pull(std::int64_t row_count_max);
  Result<void> hold();
  std::optional<SourceBatch> give_last();

  const std::unique_ptr<PostgresLink> link_;
  const CopyRequest request_;
  std::size_t table_ = 0;
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
