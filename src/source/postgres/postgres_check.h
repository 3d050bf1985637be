// What stands between a PostgreSQL database and its source, with the statements that mend it.
#pragma once

#include "source/postgres/postgres_link.h"
#include "source/postgres/postgres_settings.h"
#include "source/source.h"

#include <vector>

namespace lockstep {

std::vector<SourceFinding> check_postgres(PostgresServer& server,
                                          const PostgresSettings& settings,
                                          const std::vector<SourceTarget>& requested);

}  // namespace lockstep
