#include "source/mysql/mysql_catalog.h"

#include "base/hash.h"
#include "source/tables/table_columns.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

namespace lockstep {
namespace {

std::int64_t mysql_integer(const std::string& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

constexpr const char* kMysqlTables =
    "SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_TYPE, COALESCE(t.ENGINE, ''), "
    "COALESCE(e.TRANSACTIONS, ''), COALESCE(t.TABLE_ROWS, 0) "
    "FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = "
    "t.ENGINE "
    "WHERE t.TABLE_SCHEMA = ? AND t.TABLE_NAME = ?";

constexpr const char* kMysqlColumns =
    "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, COALESCE(CHARACTER_SET_NAME, ''), "
    "COALESCE(NUMERIC_PRECISION, 0), COALESCE(NUMERIC_SCALE, 0), COLUMN_KEY = 'PRI' "
    "FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? "
    "ORDER BY ORDINAL_POSITION";

// InnoDB changes these rows by itself, below the log.
constexpr const char* kMysqlCascades =
    "SELECT CONCAT(CONSTRAINT_NAME, IF(DELETE_RULE IN ('RESTRICT', 'NO ACTION'), '', "
    "CONCAT(' ON DELETE ', DELETE_RULE)), IF(UPDATE_RULE IN ('RESTRICT', 'NO ACTION'), '', "
    "CONCAT(' ON UPDATE ', UPDATE_RULE))) FROM information_schema.REFERENTIAL_CONSTRAINTS "
    "WHERE CONSTRAINT_SCHEMA = ? AND TABLE_NAME = ? AND NOT (DELETE_RULE IN ('RESTRICT', "
    "'NO ACTION') AND UPDATE_RULE IN ('RESTRICT', 'NO ACTION'))";

Result<void> check_column_fits(const TableTarget& target,
                               const MysqlTable& table,
                               const Field& field) {
  const MysqlColumn* column = table.column(field.name);
  if (column == nullptr) {
    std::vector<std::string> names;
    for (const MysqlColumn& one : table.columns)
      names.push_back(one.name);
    return missing_table_column(target, field.name, names);
  }
  if (!table_type_of(column->type)) return unsupported_column(target, *column);
  if (fits(column->type, field.type)) return {};
  return unfit_table_column(target, field, column->type.name, table_type_of(column->type));
}

}  // namespace

const MysqlColumn* MysqlTable::column(const std::string& name) const {
  const auto found = std::ranges::find(columns, name, &MysqlColumn::name);
  return found == columns.end() ? nullptr : &*found;
}

std::vector<std::string> MysqlTable::primary_key() const {
  std::vector<std::string> names;
  for (const MysqlColumn& column : columns) {
    if (column.in_primary_key) names.push_back(column.name);
  }
  return names;
}

Result<TableTarget> parse_mysql_target(const SourceTarget& target,
                                       int index,
                                       const MysqlServer& server) {
  return parse_table_target(target, index, server.database());
}

Result<MysqlTable> read_mysql_table(MysqlLink& link, const TableTarget& target) {
  const std::vector<std::string> name = {target.schema_name, target.table};
  const MysqlAnswer found = TRY(link.query(kMysqlTables, name));
  if (found.rows.empty()) {
    return make_error(
        Code::kNotFound,
        fmt::format("the server has no table {}, or this user may not read it", target.origin()),
        "write it as database.table, in the case that the server has");
  }
  if (found.text(0, 0) != target.schema_name || found.text(0, 1) != target.table) {
    return make_error(Code::kNotFound,
                      fmt::format("the server has no table {}", target.origin()),
                      fmt::format("write {}.{}", found.text(0, 0), found.text(0, 1)));
  }
  MysqlTable table;
  table.type = found.text(0, 2);
  table.engine = found.text(0, 3);
  table.is_transactional = found.text(0, 4) == "YES";
  table.row_estimate = mysql_integer(found.text(0, 5));
  const MysqlAnswer columns = TRY(link.query(kMysqlColumns, name));
  for (std::size_t row = 0; row < columns.rows.size(); ++row) {
    MysqlColumn column;
    column.name = columns.text(row, 0);
    column.type = mysql_type_of({.data_type = columns.text(row, 1),
                                 .column_type = columns.text(row, 2),
                                 .charset = columns.text(row, 3),
                                 .precision = mysql_integer(columns.text(row, 4)),
                                 .scale = mysql_integer(columns.text(row, 5))});
    column.in_primary_key = columns.text(row, 6) == "1";
    table.columns.push_back(std::move(column));
  }
  const MysqlAnswer cascades = TRY(link.query(kMysqlCascades, name));
  for (std::size_t row = 0; row < cascades.rows.size(); ++row)
    table.cascades.push_back(cascades.text(row, 0));
  return table;
}

Schema dataset_schema(const MysqlTable& table) {
  std::vector<Field> fields;
  for (const MysqlColumn& column : table.columns) {
    if (const std::optional<Type> type = table_type_of(column.type))
      fields.push_back({column.name, *type});
  }
  return Schema(std::move(fields));
}

Error unsupported_column(const TableTarget& target, const MysqlColumn& column) {
  if (column.type.charset != MysqlCharset::kOther)
    return unsupported_table_column(target, column.name, column.type.name);
  return make_error(Code::kUnsupported,
                    fmt::format("column '{}' of table {} has the character set {}",
                                column.name,
                                target.origin(),
                                column.type.charset_name),
                    "convert it to utf8mb4, or leave it out by naming the dataset's columns");
}

Result<void> check_followable(const TableTarget& target, const MysqlTable& table) {
  if (table.type != "BASE TABLE") {
    return make_error(
        Code::kUnsupported,
        fmt::format("{} is no plain table but of the kind {}", target.origin(), table.type),
        "follow the tables that it is made of");
  }
  if (!table.is_transactional) {
    return make_error(
        Code::kUnsupported,
        fmt::format(
            "table {} has the engine {}, which has no transactions", target.origin(), table.engine),
        fmt::format("run: ALTER TABLE {} ENGINE = InnoDB;", quoted_mysql_table(target)));
  }
  if (!table.cascades.empty()) {
    return make_error(
        Code::kUnsupported,
        fmt::format("table {} has the foreign key {}: rows that it changes are not in the server's "
                    "log",
                    target.origin(),
                    fmt::join(table.cascades, ", ")),
        "make the foreign key anew with RESTRICT, and let the application change these rows");
  }
  return {};
}

Result<void> check_mysql_table(const TableTarget& target, const MysqlTable& table) {
  TRY(check_followable(target, table));
  for (const Field& field : target.schema.fields())
    TRY(check_column_fits(target, table, field));
  return {};
}

std::string mysql_table_shape(const TableTarget& target, const MysqlTable& table) {
  constexpr std::size_t kShown = 16;
  std::string text;
  for (const Field& field : target.schema.fields()) {
    const MysqlColumn* column = table.column(field.name);
    if (column == nullptr) continue;
    text += fmt::format("{} {} {}\n", column->name, column->type.name, column->type.charset_name);
  }
  return sha256_hex(text).substr(0, kShown);
}

std::vector<MysqlReading> mysql_readings(const TableTarget& target,
                                         const MysqlTable& table,
                                         bool zero_is_null) {
  std::vector<MysqlReading> readings;
  for (const Field& field : target.schema.fields()) {
    const MysqlColumn* column = table.column(field.name);
    MysqlReading reading;
    reading.type = field.type;
    reading.zero_is_null = zero_is_null;
    if (column != nullptr) {
      reading.kind = column->type.kind;
      reading.charset = column->type.charset;
    }
    readings.push_back(reading);
  }
  return readings;
}

bool MysqlServerState::is_mariadb() const {
  return version.find("MariaDB") != std::string::npos;
}

std::string MysqlServerState::name() const {
  return is_mariadb() ? version : "MySQL " + version;
}

std::string MysqlServerState::variable(const std::string& name) const {
  const auto found = variables.find(name);
  return found == variables.end() ? "" : found->second;
}

std::string MysqlServerState::identity() const {
  const std::string unique = variable(is_mariadb() ? "server_uid" : "server_uuid");
  return unique.empty() ? "server_id " + variable("server_id") : unique;
}

Result<MysqlServerState> read_mysql_server(MysqlLink& link) {
  MysqlServerState state;
  state.version = TRY(link.query("SELECT VERSION()", {})).text(0, 0);
  const MysqlAnswer found =
      TRY(link.query("SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'server_id', "
                     "'server_uid', 'server_uuid', 'binlog_format', 'binlog_row_image', "
                     "'binlog_row_metadata', 'binlog_row_value_options', 'gtid_strict_mode', "
                     "'gtid_mode', 'enforce_gtid_consistency', 'log_slave_updates', "
                     "'log_replica_updates', 'gtid_slave_pos')",
                     {}));
  for (std::size_t row = 0; row < found.rows.size(); ++row)
    state.variables[found.text(row, 0)] = found.text(row, 1);
  return state;
}

Result<std::vector<LogPlace>> read_log_files(MysqlLink& link) {
  const MysqlAnswer found = TRY(link.query("SHOW BINARY LOGS", {}));
  std::vector<LogPlace> files;
  for (std::size_t row = 0; row < found.rows.size(); ++row)
    files.push_back(
        {found.text(row, 0), static_cast<std::uint64_t>(mysql_integer(found.text(row, 1)))});
  return files;
}

Result<std::string> read_mysql_user(MysqlLink& link) {
  const std::string text = TRY(link.query("SELECT CURRENT_USER()", {})).text(0, 0);
  const std::size_t at = text.rfind('@');
  if (at == std::string::npos) return quote_mysql_text(text);
  return quote_mysql_text(text.substr(0, at)) + "@" + quote_mysql_text(text.substr(at + 1));
}

std::string quoted_mysql_table(const TableTarget& target) {
  return quote_mysql_name(target.schema_name) + "." + quote_mysql_name(target.table);
}

}  // namespace lockstep
