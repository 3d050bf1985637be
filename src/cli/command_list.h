// The explicit list of commands; each is made in the file of its name.
#pragma once

#include "cli/command.h"

namespace lockstep {

Command init_command();
Command check_command();
Command preview_command();
Command sync_command();
Command run_command();
Command status_command();
Command log_command();
Command show_command();
Command diff_command();
Command models_command();
Command rejected_command();
Command verify_command();
Command predict_command();
Command alias_set_command();
Command alias_list_command();
Command alias_history_command();
Command rollback_command();
Command accept_command();
Command pause_command();
Command resume_command();
Command resync_command();
Command wait_command();
Command revert_command();
Command recalibrate_command();
Command export_command();
Command compact_command();
Command gc_command();
Command tag_command();
Command completion_command();
Command manual_command();
Command help_command();
Command version_command();

std::vector<Command> all_commands();  // in the order of help

}  // namespace lockstep
