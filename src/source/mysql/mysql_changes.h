// The events of the binary log as batches, transaction by transaction. Pure.
//
// A transaction of at most row_count_max rows is kept until its end; what a larger one has is given
// as it arrives, so that memory holds two batches a table. A transaction up to the position, and
// rows of a table up to its copy, are passed over.
#pragma once

#include "source/mysql/binlog.h"
#include "source/mysql/binlog_row.h"
#include "source/mysql/binlog_statement.h"
#include "source/mysql/binlog_transaction.h"
#include "source/mysql/mysql_position.h"
#include "source/mysql/mysql_rows.h"
#include "source/source.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value. A table that is followed, and how its cells are read.
struct FollowedTable {
  TableTarget target;
  std::vector<MysqlReading> readings;  // by the dataset's column
};

// Resource.
class MysqlChanges final {
 public:
  MysqlChanges(std::vector<FollowedTable> tables, const MysqlPosition& position);

  // An event as the server sent it. kCorrupt: none of the binary log, or not in its order.
  // kInvalid: a table changed so that it no longer has what the dataset needs. kRefused,
  // kUnsupported: the log does not tell what changed.
  Result<void> take(std::string_view bytes, std::int64_t row_count_max);
  // One out of a compressed transaction, which has no checksum.
  Result<void> take_unpacked(std::string_view bytes, std::int64_t row_count_max);

  // The oldest batch that is ready.
  std::optional<SourceBatch> give();

  // Between a transaction's begin and its last batch.
  bool in_transaction() const { return open_ || !ready_.empty(); }

  // All that ended before has been taken. Of a transaction without rows for any target, too.
  const LogState& seen() const { return progress_.state; }

  const LogPlace& place() const { return progress_.place; }

  const LogProgress& progress() const { return progress_; }

  std::uint32_t time_s() const { return time_s_; }  // of the last event

  // Tables that are others now than those that were copied: to be copied anew before anything else
  // is taken.
  const std::set<std::string>& stale() const { return stale_; }

  // A table was copied anew: its changes up to there are not given.
  void copied(const std::string& origin,
              const LogState& state,
              const std::vector<MysqlReading>& readings);

 private:
  struct Table {       // a table of the log
    std::string body;  // of the event that told it: it comes again with each statement
    LogTable log;
    std::vector<CellSize> sizes;
    LogView view;
    MysqlRows* rows = nullptr;  // null: feeds no dataset
  };

  Result<void> take_one(const BinlogEvent& event, std::int64_t row_count_max);
  Result<void> take_event(const BinlogEvent& event);
  Result<void> take_other(const BinlogEvent& event);
  Result<void> begin(const BinlogEvent& event);
  Result<void> end();
  Result<void> abandon();
  Result<void> take_query(const BinlogEvent& event);
  Result<void> take_statement(const LogStatement& statement, const std::string& text);
  Result<void> take_definition(const LogStatement& statement);
  Result<void> truncate(const TableName& name);
  Result<void> take_table(const BinlogEvent& event);
  Result<void> match(Table& table) const;
  Result<void> take_rows(const BinlogEvent& event);
  Result<void> take_images(Table& table);
  Result<void> take_format(const BinlogEvent& event);
  Result<void> take_previous(const BinlogEvent& event) const;
  Result<void> take_partial_rows(const BinlogEvent& event) const;
  bool is_passed(const std::string& origin) const;
  MysqlRows* rows_of(const TableName& name) const;
  Result<void> make_ready(MysqlRows& rows);
  Result<void> make_all_ready();
  std::int64_t open_count() const;
  void note_end(const BinlogEvent& event);

  std::vector<std::unique_ptr<MysqlRows>> rows_;  // by target
  std::map<std::string, LogState> copied_;        // by origin
  std::set<std::string> stale_;
  std::set<std::string> newly_stale_;  // by the open transaction
  std::map<std::uint64_t, Table> tables_;
  LogRows images_;
  std::vector<LogCell> before_;
  std::vector<LogCell> after_;
  std::deque<SourceBatch> ready_;
  std::optional<bool> has_checksum_;  // of events; known from the first FORMAT event on
  bool open_ = false;
  bool gave_ = false;  // of the open transaction
  LogTransaction transaction_;
  std::string transaction_text_;
  std::uint32_t time_s_ = 0;
  std::int64_t row_number_ = 0;  // in the transaction
  LogProgress progress_;         // up to what ended; the place is that of the last event
};

}  // namespace lockstep
