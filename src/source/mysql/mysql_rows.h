// Rows of one table of a server as a batch for its dataset. Pure.
#pragma once

#include "source/mysql/binlog_row.h"
#include "source/mysql/binlog_values.h"
#include "source/mysql/mysql_types.h"
#include "source/tables/table_rows.h"
#include "source/tables/table_target.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Where a row stands, for refusals: "0-1-4711 row 3".
struct MysqlPlace {
  std::string_view transaction;
  std::int64_t row = 0;
  std::string text() const;
};

// Value. A table as the log has it, seen from its dataset.
struct LogView {
  std::vector<LogReading> readings;  // by the dataset's column
  std::vector<std::size_t> place;    // of the dataset's columns among the log's
};

// Resource. The batch that is being made. Cells that cannot be stored make a refusal of the row.
class MysqlRows final {
 public:
  // `readings`: by the dataset's column, for rows that are copied.
  MysqlRows(TableTarget target, std::vector<MysqlReading> readings);

  using Text = std::optional<std::string_view>;
  void copy(const std::vector<Text>& cells, const MysqlPlace& place);

  // kUnsupported: the row lacks a column that only the server knows.
  Result<void> insert(const std::vector<LogCell>& row,
                      const LogView& view,
                      const MysqlPlace& place);
  void update(const std::vector<LogCell>& before,
              const std::vector<LogCell>& row,
              const LogView& view,
              const MysqlPlace& place);
  void remove(const std::vector<LogCell>& before, const LogView& view, const MysqlPlace& place);

  void truncate() { rows_.truncate(); }

  void forget() { rows_.forget(); }

  std::int64_t size() const { return rows_.row_count() + rows_.refusal_count(); }

  bool is_empty() const { return rows_.is_empty(); }

  const TableTarget& target() const { return rows_.target(); }

  const std::vector<MysqlReading>& readings() const { return readings_; }

  void set_readings(std::vector<MysqlReading> readings) { readings_ = std::move(readings); }

  // What was added, `whole`; empty afterwards.
  Result<SourceBatch> finish() { return rows_.finish(); }

 private:
  bool read_row(const std::vector<LogCell>& row,
                const std::vector<LogCell>* before,
                const LogView& view,
                const MysqlPlace& place);
  bool read_key(const std::vector<LogCell>& before, const LogView& view, const MysqlPlace& place);
  bool has_row(const BadCell& bad, const MysqlPlace& place);
  void refuse(std::string stage, std::string reason, const MysqlPlace& place, bool has_key);
  RowPosition position_of(const MysqlPlace& place);

  TableRows rows_;
  std::vector<MysqlReading> readings_;
  std::vector<std::string> scratch_;      // by column: texts that had to be made
  std::vector<std::string> key_scratch_;  // of the old key
  std::string transaction_;
  std::string stem_;  // of its rows' positions
};

}  // namespace lockstep
