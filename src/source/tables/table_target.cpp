#include "source/tables/table_target.h"

#include <fmt/format.h>

namespace lockstep {

Result<TableTarget> parse_table_target(const SourceTarget& target,
                                       int index,
                                       std::string_view default_schema) {
  TableTarget out;
  out.index = index;
  const std::size_t dot = target.table.find('.');
  out.schema_name =
      dot == std::string::npos ? std::string(default_schema) : target.table.substr(0, dot);
  out.table = dot == std::string::npos ? target.table : target.table.substr(dot + 1);
  if (out.table.empty() || out.schema_name.empty()) {
    return invalid("a dataset does not say which table of the database it follows",
                   fmt::format("write from: [SOURCE.{}.TABLE]",
                               default_schema.empty() ? "DATABASE" : default_schema));
  }
  out.schema = target.schema;
  if (target.key.empty()) {
    return invalid(fmt::format("the dataset of table {} has no key", out.origin()),
                   "name the columns of the table's primary key, as key: [id]");
  }
  if (out.schema.size() > 0) out.key = TRY(out.schema.require_all(target.key));
  return out;
}

}  // namespace lockstep
