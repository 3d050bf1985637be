// What a server says of itself, its tables and its log, where MariaDB and MySQL say the same.
#pragma once

#include "source/mysql/mysql_link.h"
#include "source/mysql/mysql_position.h"
#include "source/mysql/mysql_types.h"
#include "source/tables/table_target.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lockstep {

// Value. A table's column.
struct MysqlColumn {
  std::string name;
  MysqlType type;
  bool in_primary_key = false;
};

// Value. A table, as it is now.
struct MysqlTable {
  std::string type;    // "BASE TABLE", "VIEW", "SYSTEM VERSIONED"
  std::string engine;  // "InnoDB"
  bool is_transactional = false;
  std::int64_t row_estimate = 0;
  std::vector<std::string> cascades;  // foreign keys by which rows change without a word in the log
  std::vector<MysqlColumn> columns;

  const MysqlColumn* column(const std::string& name) const;  // nullptr: none
  std::vector<std::string> primary_key() const;
};

// "visits" in the url's database, "shop.visits", or an empty text for a source with one table.
Result<TableTarget> parse_mysql_target(const SourceTarget& target,
                                       int index,
                                       const MysqlServer& server);

// kNotFound: there is none, or this user may not see it.
Result<MysqlTable> read_mysql_table(MysqlLink& link, const TableTarget& target);

// The columns that a dataset can have of it; those of other types are left out.
Schema dataset_schema(const MysqlTable& table);

// "column 'photo' of table shop.visits has type blob"
Error unsupported_column(const TableTarget& target, const MysqlColumn& column);

// Whether the log tells all that happens to the table.
Result<void> check_followable(const TableTarget& target, const MysqlTable& table);
// The same, and whether it has what the dataset needs.
Result<void> check_mysql_table(const TableTarget& target, const MysqlTable& table);

// What a copy of the table depends on: a change of it may have written every row anew.
std::string mysql_table_shape(const TableTarget& target, const MysqlTable& table);

// How the cells of the dataset's columns are read. Of a table that was checked.
std::vector<MysqlReading> mysql_readings(const TableTarget& target,
                                         const MysqlTable& table,
                                         bool zero_is_null);

// Value. The server and how it writes its log.
struct MysqlServerState {
  std::string version;  // "10.11.19-MariaDB", "8.4.3"
  std::map<std::string, std::string> variables;

  bool is_mariadb() const;
  std::string name() const;                             // "10.11.19-MariaDB", "MySQL 8.4.3"
  std::string variable(const std::string& name) const;  // empty: the server does not have it
  // As the server names itself; the id that its administrator gave it, where it does not.
  std::string identity() const;
};

Result<MysqlServerState> read_mysql_server(MysqlLink& link);

Result<std::vector<LogPlace>> read_log_files(MysqlLink& link);  // each with its size

// As GRANT wants it: 'reader'@'%'.
Result<std::string> read_mysql_user(MysqlLink& link);

std::string quoted_mysql_table(const TableTarget& target);  // `shop`.`visits`

}  // namespace lockstep
