// The messages of pgoutput as batches, transaction by transaction. Pure.
//
// A transaction of at most row_count_max rows is kept until its commit; what a larger one has is
// given as it arrives, so that memory holds two batches a table. A transaction up to the position,
// and rows of a table up to its copy, are passed over.
#pragma once

#include "source/postgres/pgoutput.h"
#include "source/postgres/postgres_position.h"
#include "source/postgres/postgres_rows.h"
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

// Resource.
class PostgresChanges final {
 public:
  PostgresChanges(const std::vector<PostgresTarget>& targets, const PostgresPosition& position);

  // kCorrupt: no message of this protocol, or not in its order. kInvalid: a table changed so that
  // it no longer has what the dataset needs.
  Result<void> take(std::string_view message, std::int64_t row_count_max);

  // The oldest batch that is ready.
  std::optional<SourceBatch> give();

  // Between a transaction's begin and its last batch.
  bool in_transaction() const { return open_ || !ready_.empty(); }

  // Everything that ended before has been taken. Of a transaction without rows for any target, too.
  Lsn seen() const { return seen_; }

  // Tables that are another now than the one that was copied, or have other types: to be copied
  // anew once the transaction is given.
  const std::set<std::string>& stale() const { return stale_; }

  // A table was copied anew: its rows up to there are not given.
  void copied(const std::string& origin, const CopiedTable& table);

  // Nothing was committed up to there that was not taken.
  Result<void> saw(Lsn lsn);

  // What comes is of one run, until everything up to there was seen: transactions that bring the
  // rows of a copy to one moment. `end`: what its last batch moves besides.
  Result<void> gather_until(Lsn lsn, Position end);

  bool is_gathering() const { return gather_until_.has_value(); }

  // When the oldest of what was taken and not given was committed, since 1970.
  std::int64_t commit_time_us() const { return commit_time_us_; }

  // Up to there the targets are not all of one moment: a table was copied beside the stream.
  void pending_until(Lsn lsn) { pending_until_ = lsn > pending_until_ ? lsn : pending_until_; }

 private:
  struct Table {  // a relation of the stream
    Relation relation;
    PostgresRows* rows = nullptr;  // null: feeds no dataset
    Lsn copied = 0;
    std::vector<int> place;   // of the dataset's columns among the relation's
    std::vector<char> known;  // whether an old tuple of the identity alone has it
  };

  Result<void> begin(const PgoutputMessage& message);
  Result<void> commit(const PgoutputMessage& message);
  Result<void> take_relation(const Relation& relation);
  Result<void> match(Table& table) const;
  Result<void> take_row(const PgoutputMessage& message);
  Result<void> truncate(const PgoutputMessage& message);
  Result<Table*> table_of(std::uint32_t relation_id);
  Result<void> make_ready(PostgresRows& rows);
  Result<void> make_all_ready();
  Result<void> end_gathering();
  std::int64_t open_count() const;

  std::vector<std::unique_ptr<PostgresRows>> rows_;  // by target
  const Lsn start_;
  std::map<std::string, CopiedTable> copied_;  // by origin
  std::set<std::string> stale_;
  std::map<std::uint32_t, Table> tables_;
  PgoutputMessage message_;
  std::deque<SourceBatch> ready_;
  bool open_ = false;
  bool skips_ = false;
  Lsn commit_ = 0;
  std::int64_t commit_time_us_ = 0;
  std::int64_t row_number_ = 0;  // in the transaction
  Lsn seen_ = 0;
  std::optional<Lsn> gather_until_;
  Position gather_end_;
  Lsn pending_until_ = 0;
};

}  // namespace lockstep
