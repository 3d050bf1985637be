#include "source/query/query_target.h"

#include "base/hash.h"
#include "source/tables/table_columns.h"

#include <fmt/format.h>

#include <utility>

namespace lockstep {

std::string QueryTarget::shape(const std::string& watermark) const {
  constexpr std::size_t kShown = 16;
  std::string text = from + "\n" + watermark;
  for (const Field& field : table.schema.fields())
    text += fmt::format("\n{} {}", field.name, type_name(field.type));
  return sha256_hex(text).substr(0, kShown);
}

Result<QueryTarget> parse_query_target(const SourceTarget& target,
                                       int index,
                                       const QuerySettings& settings,
                                       const QueryDatabase& database) {
  std::string name = target.table;
  if (name.empty() && settings.queries.size() == 1) name = settings.queries.begin()->first;
  if (name.empty()) {
    return invalid(
        fmt::format("a dataset does not say which table of source '{}' it reads", settings.name),
        fmt::format("write from: [{}.TABLE]", settings.name));
  }
  QueryTarget out;
  const auto query = settings.queries.find(name);
  out.is_query = query != settings.queries.end();
  out.from = out.is_query ? from_query(query->second) : from_table(database, name);
  out.table.index = index;
  out.table.table = name;
  out.table.schema = target.schema;
  if (target.key.empty()) {
    return invalid(fmt::format("the dataset of table {} has no key", name),
                   "name the columns that tell one row from another, as key: [id]");
  }
  if (target.schema.size() > 0) out.table.key = TRY(target.schema.require_all(target.key));
  return out;
}

Result<Schema> query_schema(const std::vector<QueryColumn>& columns, const TableTarget& target) {
  std::vector<Field> fields;
  for (const QueryColumn& column : columns) {
    if (!column.type && !column.type_name.empty())
      return unsupported_table_column(target, column.name, column.type_name);
    if (!column.type) {
      return make_error(
          Code::kNotFound,
          fmt::format("no row of {} shows the type of column '{}'", target.origin(), column.name));
    }
    fields.push_back({column.name, *column.type});
  }
  return Schema(std::move(fields));
}

}  // namespace lockstep
