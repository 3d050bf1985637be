// `lockstep init --from URL`: a lockstep.yaml for the tables of a database.
#pragma once

#include "cli/command.h"

#include <string>

namespace lockstep {

Result<int> run_init_database(Session& session, const Arguments& arguments, const std::string& url);

}  // namespace lockstep
