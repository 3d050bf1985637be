#include "catalog/catalog.h"

namespace lockstep {
namespace {

void bind_all(Statement& statement, std::initializer_list<Cell> values) {
  int parameter = 0;
  for (const Cell& value : values)
    statement.bind(parameter++, value);
}

}  // namespace

Result<void> Statement::run(std::initializer_list<Cell> values) {
  reset();
  bind_all(*this, values);
  bool row = true;
  while (row)
    row = TRY(step());
  reset();
  return {};
}

Result<Cell> Catalog::single(std::string_view sql, std::initializer_list<Cell> values) {
  Statement* const statement = TRY(cached(sql));
  bind_all(*statement, values);
  if (!TRY(statement->step())) return Cell{};
  Result<Cell> result(statement->cell(0));
  statement->reset();
  return result;
}

std::string quote_identifier(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace lockstep
