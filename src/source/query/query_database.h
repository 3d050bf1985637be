// A database that is read by SELECT, as far as the source needs it: what each kind of database is
// to the source, and what tests replace.
#pragma once

#include "base/result.h"
#include "source/tables/table_rows.h"
#include "table/types.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value. A column of a table, view or query.
struct QueryColumn {
  std::string name;
  std::string type_name;  // "numeric(10,2)"
  std::optional<Type>
      type;  // of the dataset's column that holds all its values; nullopt: none does
  std::vector<Type> takers;  // the types of columns that it can feed
};

// Value. What is read: whole, or of some of its rows.
struct QueryRead {
  enum class Rows : std::uint8_t { kAll, kUnmarked, kSince };

  std::string from;  // as from_table() or from_query() has it
  Schema schema;     // the dataset's columns
  Rows rows = Rows::kAll;
  std::string watermark;       // its column; empty: none
  std::string since;           // of kSince: the least watermark
  std::int64_t row_limit = 0;  // 0: all
};

// Value. What was read beside the cells of a row.
struct QueryRowRead {
  BadCell bad;                                // the first cell that cannot be stored
  std::optional<std::string_view> watermark;  // in the database's words; nullopt: null, or none
};

// Resource. A connection. It writes nothing.
class QueryConnection {
 public:
  virtual ~QueryConnection() = default;
  virtual Result<std::vector<QueryColumn>> columns(const std::string& from) = 0;
  // int, date or timestamp; kUnsupported: the column is no watermark; nullopt: no row has one yet.
  virtual Result<std::optional<Type>> watermark_type(const std::string& from,
                                                     const QueryColumn& column) = 0;
  // From here to end() all that is read is of one moment.
  virtual Result<void> begin() = 0;
  virtual Result<void> end() = 0;
  virtual Result<Timestamp> now() = 0;  // by the database's clock
  virtual Result<void> start(const QueryRead& read) = 0;
  // false: there are no more. `cells`: by the dataset's columns; they point into what was read,
  // good until the next call.
  virtual Result<bool> next(std::vector<ReadCell>& cells, QueryRowRead& row) = 0;

  // The statement that makes an index which begins with the column; empty: there is one, or the
  // table is none.
  virtual Result<std::string> missing_index(const std::string& table,
                                            const std::string& column) = 0;
};

// Resource. How to reach it.
class QueryDatabase {
 public:
  virtual ~QueryDatabase() = default;
  virtual Result<std::unique_ptr<QueryConnection>> connect() = 0;
  virtual std::string quoted(std::string_view name) const = 0;
};

// By its url; `directory`: where lockstep.yaml is.
Result<std::unique_ptr<QueryDatabase>> make_query_database(const std::string& url,
                                                           const std::string& directory);
Result<std::unique_ptr<QueryDatabase>> make_query_sqlite(const std::string& path);
Result<std::unique_ptr<QueryDatabase>> make_query_postgres(const std::string& url);
Result<std::unique_ptr<QueryDatabase>> make_query_mysql(const std::string& url);

// Value. "public.vitals" in its parts; the first is empty where a name has one.
struct TableName {
  std::string schema;
  std::string table;
};

TableName table_name_of(std::string_view name);

// The types of columns that `fits` says yes to.
template <typename Fits>
std::vector<Type> takers_by(const Fits& fits) {
  std::vector<Type> out;
  for (const Type type :
       {Type::kBool, Type::kInt, Type::kFloat, Type::kText, Type::kDate, Type::kTimestamp}) {
    if (fits(type)) out.push_back(type);
  }
  return out;
}

// Of a database that knows its columns' types. kUnsupported: it is none.
Result<std::optional<Type>> watermark_type_of(const QueryColumn& column);

// "vitals", "public.vitals"; and a SELECT in parentheses.
std::string from_table(const QueryDatabase& database, std::string_view name);
std::string from_query(std::string_view sql);

// The statement. `selections`: of the dataset's columns, as SQL; `quoted_watermark`: its column;
// `since`: the least watermark, as SQL.
std::string query_sql(const QueryRead& read,
                      std::vector<std::string> selections,
                      const std::string& quoted_watermark,
                      const std::string& since);

}  // namespace lockstep
