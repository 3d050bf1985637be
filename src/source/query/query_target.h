// A table or query that feeds a dataset.
#pragma once

#include "base/result.h"
#include "source/query/query_database.h"
#include "source/query/query_settings.h"
#include "source/source.h"
#include "source/tables/table_target.h"

#include <string>
#include <vector>

namespace lockstep {

// Value.
struct QueryTarget {
  TableTarget table;
  std::string from;  // as SQL
  bool is_query = false;

  // Of all that decides what a look gives: after a change of it, all rows are compared.
  std::string shape(const std::string& watermark) const;
};

Result<QueryTarget> parse_query_target(const SourceTarget& target,
                                       int index,
                                       const QuerySettings& settings,
                                       const QueryDatabase& database);

// The dataset's columns, where it does not declare them. kUnsupported: the type of one is no
// dataset's; kNotFound: no row shows it yet.
Result<Schema> query_schema(const std::vector<QueryColumn>& columns, const TableTarget& target);

}  // namespace lockstep
