// The commands that look after the hub as a store.
#pragma once

#include "cli/command.h"

#include <string>

namespace lockstep {

struct HubPlace;

Command backup_command();
Command restore_command();
Command doctor_command();
Command repair_command();

// Where the configuration says that the hub is, whether it is there or not.
Result<HubPlace> configured_place(Session& session);

std::string backup_text(const View& view, const Json& report);  // "snapshot 12, 3 files, 1 MB"
std::string render_backup(const View& view, const Json& report);
std::string render_restore(const View& view, const Json& report);
std::string render_repair(const View& view, const Json& report);
bool everything_well(const Json& doctor_report);

}  // namespace lockstep
