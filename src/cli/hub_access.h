// How commands come to a hub: readers open it, writers ask the daemon or become the writer.
#pragma once

#include "cli/command.h"
#include "sync/configuration.h"

#include <memory>
#include <optional>
#include <string>

namespace lockstep {

class Hub;
struct EngineOptions;

// Value; the hub is owned.
struct OpenedHub {
  Configuration configuration;
  std::unique_ptr<Hub> hub;

  OpenedHub(Configuration configuration_in, std::unique_ptr<Hub> hub_in);
  OpenedHub(OpenedHub&&) noexcept;
  ~OpenedHub();
};

Result<OpenedHub> open_for_reading(Session& session);

struct WriteOptions {
  bool apply = false;           // --apply
  bool accept_deletes = false;  // --accept-deletes
};

// --apply, --accept-deletes, LOCKSTEP_KERNEL, USER, and the stop signal.
EngineOptions engine_options(Session& session, const WriteOptions& options);

// Hands the command to the daemon; without one, becomes the writer and executes it. With an option
// set the daemon is not asked: it took its own options when it began.
Result<Json> execute_command(Session& session, const Json& command, const WriteOptions& options);

// `given`, or the only dataset that there is; kUsage names them when there are several.
Result<std::string> dataset_or_only(const Configuration& configuration, const std::string& given);
// kNotFound with the nearest name for a model or dataset that the configuration lacks.
Result<void> require_model(const Configuration& configuration, const std::string& name);
Result<void> require_dataset(const Configuration& configuration, const std::string& name);

}  // namespace lockstep
