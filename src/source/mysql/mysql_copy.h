// The rows that a server's tables have at one moment: what a source begins with.
#pragma once

#include "base/result.h"
#include "source/mysql/mysql_link.h"
#include "source/mysql/mysql_rows.h"
#include "source/source.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

struct MysqlCopyTable {
  TableTarget target;
  std::vector<MysqlReading> readings;
  std::string shape;  // that it must still have when its turn comes
};

struct MysqlCopyRequest {
  std::vector<MysqlCopyTable> tables;
  Position position_changes;   // behind the copy: its last batch moves there
  std::string transaction;     // of the snapshot, for refusals: "0-1-4711"
  std::int64_t row_limit = 0;  // of each table; 0: all
};

// Resource. One table after another, as one whole run of batches.
class MysqlCopy final {
 public:
  // `link` is in the transaction whose snapshot is copied.
  MysqlCopy(std::unique_ptr<MysqlLink> link, MysqlCopyRequest request);

  // nullopt: nothing more.
  Result<std::optional<SourceBatch>> next(std::int64_t row_count_max);

  bool is_done() const { return done_; }

  // Behind the copy: its last batch moves there.
  void set_position_changes(Position changes) { request_.position_changes = std::move(changes); }

 private:
  Result<void> begin_table();
  Result<void> pull(std::int64_t row_count_max);
  Result<void> hold();
  std::optional<SourceBatch> give_last();

  const std::unique_ptr<MysqlLink> link_;
  MysqlCopyRequest request_;
  std::size_t table_ = 0;
  std::unique_ptr<MysqlRows> rows_;  // of the table that is being copied
  std::int64_t row_number_ = 0;
  MysqlLink::Cells cells_;
  std::optional<SourceBatch> held_;  // it is given when another comes: the last one says so
  std::optional<SourceBatch> ready_;
  bool done_ = false;
};

}  // namespace lockstep
