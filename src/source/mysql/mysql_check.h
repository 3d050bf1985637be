// What `check` says of a source of type `mysql`.
#pragma once

#include "source/mysql/mysql_link.h"
#include "source/mysql/mysql_settings.h"
#include "source/source.h"

#include <vector>

namespace lockstep {

std::vector<SourceFinding> check_mysql(MysqlServer& server,
                                       const MysqlSettings& settings,
                                       const std::vector<SourceTarget>& requested);

}  // namespace lockstep
