// What a table's columns lack for a dataset: what the sources of tables share.
#pragma once

#include "base/result.h"
#include "source/tables/table_target.h"
#include "table/types.h"

#include <optional>
#include <span>
#include <string>

namespace lockstep {

// "table public.vitals has no column 'sbpp'", with the nearest of those that it has.
Error missing_table_column(const TableTarget& target,
                           const std::string& name,
                           std::span<const std::string> names);

// "column 'photo' of table shop.visits has type blob"
Error unsupported_table_column(const TableTarget& target,
                               const std::string& name,
                               const std::string& type);

// Its type is another than the dataset's column wants. `own`: the one that it can feed.
Error unfit_table_column(const TableTarget& target,
                         const Field& field,
                         const std::string& type,
                         std::optional<Type> own);

}  // namespace lockstep
