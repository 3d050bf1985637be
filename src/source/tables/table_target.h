// A table of a database that feeds a dataset: what the sources of tables share.
#pragma once

#include "base/result.h"
#include "source/source.h"

#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value.
struct TableTarget {
  int index = 0;  // of the request's targets
  std::string schema_name;
  std::string table;
  Schema schema;
  std::vector<int> key;  // in `schema`

  std::string origin() const { return schema_name.empty() ? table : schema_name + "." + table; }
};

// "vitals", "public.vitals", or an empty text for a source with one table. `default_schema`: of a
// name without one.
Result<TableTarget> parse_table_target(const SourceTarget& target,
                                       int index,
                                       std::string_view default_schema);

}  // namespace lockstep
