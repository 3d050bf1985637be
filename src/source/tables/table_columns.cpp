#include "source/tables/table_columns.h"

#include "base/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace lockstep {

Error missing_table_column(const TableTarget& target,
                           const std::string& name,
                           std::span<const std::string> names) {
  const std::optional<std::string> near = nearest(name, names);
  return invalid(fmt::format("table {} has no column '{}'", target.origin(), name),
                 near ? fmt::format("did you mean '{}'?", *near)
                      : fmt::format("it has: {}", fmt::join(names, ", ")));
}

Error unsupported_table_column(const TableTarget& target,
                               const std::string& name,
                               const std::string& type) {
  return make_error(Code::kUnsupported,
                    fmt::format("column '{}' of table {} has type {}", name, target.origin(), type),
                    "leave it out by naming the dataset's columns");
}

Error unfit_table_column(const TableTarget& target,
                         const Field& field,
                         const std::string& type,
                         std::optional<Type> own) {
  return invalid(fmt::format("column '{}' of table {} has type {}, which does not fit {}",
                             field.name,
                             target.origin(),
                             type,
                             type_name(field.type)),
                 own ? fmt::format("write {}: {}", field.name, type_name(*own))
                     : "leave it out by naming the dataset's columns");
}

}  // namespace lockstep
