#include "cli/command_list.h"

#include "cli/care_commands.h"

namespace lockstep {

std::vector<Command> all_commands() {
  return {init_command(),          check_command(),    preview_command(),   sync_command(),
          run_command(),           status_command(),   log_command(),       show_command(),
          diff_command(),          models_command(),   rejected_command(),  verify_command(),
          predict_command(),       export_command(),   alias_set_command(), alias_list_command(),
          alias_history_command(), rollback_command(), accept_command(),    revert_command(),
          recalibrate_command(),   pause_command(),    resume_command(),    resync_command(),
          wait_command(),          compact_command(),  gc_command(),        tag_command(),
          backup_command(),        restore_command(),  doctor_command(),    repair_command(),
          completion_command(),    manual_command(),   help_command(),      version_command()};
}

}  // namespace lockstep
