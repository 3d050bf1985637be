// What stands between a source of type `query` and its tables: for `lockstep check`.
#pragma once

#include "source/query/query_database.h"
#include "source/query/query_settings.h"
#include "source/query/query_target.h"
#include "source/source.h"

#include <vector>

namespace lockstep {

std::vector<SourceFinding> check_query(QueryDatabase& database,
                                       const QuerySettings& settings,
                                       const std::vector<SourceTarget>& requested);

}  // namespace lockstep
