#include "cli/hub_access.h"

#include "base/config.h"
#include "cli/progress.h"
#include "hub/hub.h"
#include "sync/sync.h"

#include <fmt/format.h>

#include <utility>

namespace lockstep {
namespace {

template <typename Item>
std::vector<std::string> names_of(const std::vector<Item>& items) {
  std::vector<std::string> names;
  for (const Item& item : items)
    names.push_back(item.name);
  return names;
}

Error unknown_name(std::string_view kind, const std::string& name, std::vector<std::string> known) {
  std::string list;
  for (const std::string& one : known)
    list += (list.empty() ? "" : ", ") + one;
  const std::optional<std::string> near = nearest(name, known);
  const std::string hint = near ? *near : list.empty() ? "" : fmt::format("one of {}", list);
  return make_error(
      Code::kNotFound, fmt::format("there is no {} '{}'", kind, printable(name)), hint);
}

}  // namespace

OpenedHub::OpenedHub(Configuration configuration_in, std::unique_ptr<Hub> hub_in)
    : configuration(std::move(configuration_in)), hub(std::move(hub_in)) {
}

OpenedHub::OpenedHub(OpenedHub&&) noexcept = default;
OpenedHub::~OpenedHub() = default;

Result<OpenedHub> open_for_reading(Session& session) {
  Configuration configuration = TRY(load_configuration(session.io, session.configuration_path));
  const HubPlace place{configuration.hub.catalog, configuration.hub.data};
  Result<std::unique_ptr<Hub>> hub = Hub::open(session.io, place, HubMode::kRead);
  if (!hub.ok() && hub.error().code == Code::kNoHub) {
    return make_error(Code::kNoHub, hub.error().message, "lockstep sync");  // which makes one
  }
  std::unique_ptr<Hub> opened = TRY(std::move(hub));
  return OpenedHub(std::move(configuration), std::move(opened));
}

EngineOptions engine_options(Session& session, const WriteOptions& options) {
  EngineOptions engine;
  engine.apply = options.apply;
  engine.accept_deletes = options.accept_deletes;
  engine.kernel = session.io.environment("LOCKSTEP_KERNEL").value_or("");
  const std::string user = session.io.environment("USER").value_or("");
  if (!user.empty()) engine.who = user;
  engine.stop = session.stop;
  return engine;
}

Result<Json> execute_command(Session& session, const Json& command, const WriteOptions& options) {
  const Configuration configuration =
      TRY(load_configuration(session.io, session.configuration_path));
  if (!options.apply && !options.accept_deletes) {
    std::optional<Json> answer = TRY(ask_daemon(session.io, configuration, command));
    if (answer) return *std::move(answer);
  }
  ProgressLine line(session);
  EngineOptions engine_choice = engine_options(session, options);
  engine_choice.progress = line.callback();
  const auto engine = TRY(Engine::open(session.io, session.log, configuration, engine_choice));
  Result<Json> report = engine->execute(command);
  // What the command did is done, whatever comes of the upkeep.
  if (const Result<void> settled = engine->settle(); report.ok() && !settled.ok())
    session.log.warning(fmt::format("the hub was not compacted: {}", settled.error().message));
  return report;
}

Result<std::string> dataset_or_only(const Configuration& configuration, const std::string& given) {
  if (!given.empty()) {
    TRY(require_dataset(configuration, given));
    return given;
  }
  if (configuration.datasets.size() == 1) return configuration.datasets.front().name;
  std::string list;
  for (const auto& dataset : configuration.datasets)
    list += (list.empty() ? "" : ", ") + dataset.name;
  return make_error(
      Code::kUsage, "there are several datasets, and none was named", "one of " + list);
}

Result<void> require_model(const Configuration& configuration, const std::string& name) {
  if (configuration.model(name) != nullptr) return {};
  return unknown_name("model", name, names_of(configuration.models));
}

Result<void> require_dataset(const Configuration& configuration, const std::string& name) {
  if (configuration.dataset(name) != nullptr) return {};
  return unknown_name("dataset", name, names_of(configuration.datasets));
}

}  // namespace lockstep
