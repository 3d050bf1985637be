#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "serve/serve.h"
#include "sync/sync.h"

#include <memory>

namespace lockstep {
namespace {

Result<int> run_run(Session& session, const Arguments& arguments) {
  const Configuration configuration =
      TRY(load_configuration(session.io, session.configuration_path));
  WriteOptions options;
  options.apply = arguments.has("--apply");
  options.accept_deletes = arguments.has("--accept-deletes");
  DaemonOptions daemon;
  daemon.engine = engine_options(session, options);
  std::unique_ptr<Server> server;
  if (configuration.serve.enabled) {
    server = TRY(Server::start(session.io, session.log, configuration));
    daemon.engine.surface = &server->surface();
    daemon.engine.pushes = &server->pushes();
  }
  TRY(run_daemon(session.io, session.log, configuration, daemon));
  return kExitDone;
}

}  // namespace

Command run_command() {
  return {
      .name = "run",
      .text = "Keep everything in lockstep until stopped: watch the sources, commit, take commands",
      .example = "lockstep run\nlockstep run --config ward/lockstep.yaml",
      .flags = {{.name = "--apply",
                 .text =
                     "take a changed lockstep.yaml that rebuilds or loses (see lockstep check)"},
                {.name = "--accept-deletes",
                 .text = "let a mirrored source delete more than its max_delete"}},
      .notes =
          "Ctrl-C finishes the commit in hand; a second one stops at once and loses nothing that "
          "was\n"
          "committed. While another process writes to the hub it stands by, and takes over when "
          "that\n"
          "one ends. With serve: {listen: ...} in lockstep.yaml it answers HTTP there.",
      .long_running = true,
      .run = run_run,
  };
}

}  // namespace lockstep
