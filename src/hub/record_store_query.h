// Reading rows of the catalog into values. Internal to the record store.
#pragma once

#include "base/result.h"
#include "catalog/catalog.h"

#include <array>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace lockstep {

// A statement that is not reset keeps its view of the database, and with it the write-ahead log.
class ResetAtEnd final {
 public:
  explicit ResetAtEnd(Statement& statement) : statement_(statement) {}

  ~ResetAtEnd() { statement_.reset(); }

  ResetAtEnd(const ResetAtEnd&) = delete;
  ResetAtEnd& operator=(const ResetAtEnd&) = delete;

 private:
  Statement& statement_;
};

// The kept statement of this text, with its values; whoever steps it resets it at the end.
inline Result<Statement*> bound(Catalog& catalog,
                                std::string_view sql,
                                std::initializer_list<Cell> values) {
  Statement* const statement = TRY(catalog.cached(sql));
  int parameter = 0;
  for (const Cell& value : values)
    statement->bind(parameter++, value);
  return statement;
}

// `read` makes a Result<T> of the row that the statement stands on.
template <typename Read>
using RowOf = typename std::invoke_result_t<Read, const Statement&>::value_type;

template <typename Read>
Result<std::vector<RowOf<Read>>> read_rows(Catalog& catalog,
                                           std::string_view sql,
                                           std::initializer_list<Cell> values,
                                           Read read) {
  Statement* const statement = TRY(bound(catalog, sql, values));
  const ResetAtEnd at_end(*statement);
  std::vector<RowOf<Read>> rows;
  while (TRY(statement->step()))
    rows.push_back(TRY(read(*statement)));
  return rows;
}

// The first row, if there is one.
template <typename Read>
Result<std::optional<RowOf<Read>>> read_row(Catalog& catalog,
                                            std::string_view sql,
                                            std::initializer_list<Cell> values,
                                            Read read) {
  Statement* const statement = TRY(bound(catalog, sql, values));
  const ResetAtEnd at_end(*statement);
  std::optional<RowOf<Read>> row;
  if (TRY(statement->step())) row = TRY(read(*statement));
  return row;
}

Result<void> write_row(Catalog& catalog, std::string_view sql, std::initializer_list<Cell> values);

// Reads of single cells, for `read` above.
Result<std::string> text_row(const Statement& row);
std::optional<std::int64_t> optional_integer(const Statement& row, int column);
Cell cell_of(const std::optional<std::int64_t>& value);

// The enumerator whose name the catalog holds; kCorrupt for a name that none has.
template <typename Kind, std::size_t kCount>
Result<Kind> kind_of_name(std::string_view name,
                          const std::array<Kind, kCount>& kinds,
                          const char* (*name_of)(Kind)) {
  for (const Kind kind : kinds) {
    if (name == name_of(kind)) return kind;
  }
  return make_error(Code::kCorrupt, "the catalog holds an unknown kind: " + std::string(name));
}

}  // namespace lockstep
