// Statements in the binary log: what they do to the tables that are followed. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

struct TableName {
  std::string database;
  std::string table;
  bool operator==(const TableName&) const = default;
};

// Value.
struct LogStatement {
  enum class Kind : std::uint8_t {
    kOther,  // changes no table's rows: grants, indexes, views
    kBegin,
    kBeginXa,
    kCommit,
    kRollback,
    kRollbackTo,    // a savepoint
    kTruncate,      // `tables`: one
    kDefinition,    // CREATE, ALTER, DROP, RENAME: of `tables`, and maybe more that are `words`
    kDropDatabase,  // `tables`: one, without a table
    kRows,          // INSERT, UPDATE, DELETE, LOAD: rows changed that the log does not have
  };
  Kind kind = Kind::kOther;
  std::vector<TableName> tables;
  std::vector<std::string> words;  // all names and words in it, as they are written

  // Whether an end comes behind it: BEGIN, or a table that is made with its rows.
  bool begins_transaction() const;

  // Whether it may be about a table: its name is among the words, in any case.
  bool mentions(std::string_view table) const;
};

// `database`: the session's, for names without one.
LogStatement parse_log_statement(std::string_view statement, const std::string& database);

}  // namespace lockstep
