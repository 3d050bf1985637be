#include "hub/asked_keys.h"

#include <fmt/format.h>

namespace lockstep {

Result<std::vector<std::string>> asked_keys(const LakeTable& table,
                                            const std::vector<std::string>& names,
                                            const Batch& asked) {
  const std::string context = fmt::format("looking up in {}: ", table_text(table.definition.name));
  const Schema& own = table.definition.schema;
  const std::vector<int> columns = TRY_IN(asked.schema().require_all(names), context);
  for (std::size_t index = 0; index < columns.size(); ++index) {
    const Field& given = asked.schema().field(columns[index]);
    const Type type = own.field(TRY_IN(own.require(names[index]), context)).type;
    if (given.type != type) {
      return invalid(fmt::format("{}{} is {}, the table has {}",
                                 context,
                                 given.name,
                                 type_name(given.type),
                                 type_name(type)));
    }
  }
  std::vector<std::string> keys;
  keys.reserve(static_cast<std::size_t>(asked.row_count()));
  for (std::int64_t row = 0; row < asked.row_count(); ++row)
    keys.push_back(encode_key(asked, columns, row));
  return keys;
}

}  // namespace lockstep
