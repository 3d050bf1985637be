#include "cli/command_list.h"
#include "cli/init_database.h"
#include "cli/init_text.h"
#include "sync/configuration.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {
namespace {

// The only data file of the working directory.
Result<std::string> only_data_file(Io& io) {
  std::vector<std::string> found;
  for (const FileInfo& file : TRY(io.list("."))) {
    const std::string name = file_name(file.path);
    if (!file.is_directory && format_of_path(name).ok()) found.push_back(name);
  }
  if (found.size() == 1) return found.front();
  return make_error(Code::kUsage,
                    found.empty()
                        ? "there is no data file in this folder, and none was named"
                        : fmt::format("there are {} data files in this folder", found.size()),
                    fmt::format("lockstep init {}", found.empty() ? "DATA.csv" : found.front()));
}

Result<void> refuse_overwriting(Session& session, const Arguments& arguments) {
  const Result<FileInfo> there = session.io.info(session.configuration_path);
  if (!there.ok() && there.error().code != Code::kNotFound) return there.error();
  if (!there.ok() || arguments.has("--force")) return {};
  return make_error(Code::kRefused,
                    fmt::format("there is a {} already", session.configuration_path),
                    "lockstep init --force writes over it; --config names another");
}

// How lockstep.yaml, whose relative paths start at its own folder, names the data.
Result<std::string> path_from_configuration(Session& session, const std::string& data) {
  const std::string folder = parent_path(TRY(session.io.absolute(session.configuration_path)));
  const std::string whole = TRY(session.io.absolute(data));
  const std::string start = folder.ends_with('/') ? folder : folder + "/";
  return whole.starts_with(start) ? whole.substr(start.size()) : whole;
}

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view name = text.substr(0, comma);
    while (name.starts_with(' '))
      name.remove_prefix(1);
    while (name.ends_with(' '))
      name.remove_suffix(1);
    if (!name.empty()) names.emplace_back(name);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names)
    text += (text.empty() ? "" : ", ") + printable(name);
  return text;
}

Result<void> check_targets(const DataFacts& facts, const std::vector<std::string>& targets) {
  for (const std::string& target : targets) {
    const Field& field = facts.schema.field(TRY(facts.schema.require(target)));
    const bool is_number =
        field.type == Type::kInt || field.type == Type::kFloat || field.type == Type::kBool;
    if (!is_number) {
      return invalid(fmt::format("target '{}' is {}, not a number", target, type_name(field.type)),
                     "predict a number, or map the words to numbers first (step map)");
    }
  }
  return {};
}

// --target; else the user's answer, on a terminal; else the guess.
Result<std::vector<std::string>> choose_targets(Session& session,
                                                const Arguments& arguments,
                                                const DataFacts& facts) {
  std::vector<std::string> targets;
  for (const std::string& given : arguments.texts("--target")) {
    for (std::string& name : split_at_commas(given))
      targets.push_back(std::move(name));
  }
  if (targets.empty()) {
    targets = guess_targets(facts);
    const bool may_ask =
        session.terminal.input_is_terminal() && session.terminal.error_is_terminal();
    if (may_ask && !targets.empty() && !session.quiet) {
      session.terminal.write_error(fmt::format("columns: {}\nwhat shall be predicted? [{}] ",
                                               joined(facts.schema.names()),
                                               joined(targets)));
      const std::vector<std::string> answer = split_at_commas(TRY(session.terminal.read_line()));
      if (!answer.empty()) targets = answer;
    }
  }
  TRY(check_targets(facts, targets));
  return targets;
}

Result<void> check_names(const DataFacts& facts) {
  Result<void> named = check_column_names(facts.schema);
  if (!named.ok()) return std::move(named).with_context("the data's columns");
  return {};
}

std::string summary(const Session& session, const DataFacts& facts, const InitPlan& plan) {
  const View& view = session.view;
  std::string text = fmt::format("wrote {}: dataset {} with {} from {}\n",
                                 session.configuration_path,
                                 plan.dataset,
                                 plural(view, facts.schema.size(), "column"),
                                 plural(view, facts.row_count, "row"));
  text += facts.key.empty() ? "key: none found; rows are named by file and number\n"
                            : fmt::format("key: {}\n", joined(facts.key));
  text += plan.model.empty()
              ? std::string("model: none; name a target in lockstep.yaml\n")
              : fmt::format(
                    "model: {} predicts {} from {}\n",
                    plan.model,
                    joined(plan.targets),
                    plural(view,
                           static_cast<std::int64_t>(plan.numbers.size() + plan.categories.size()),
                           "column"));
  if (facts.bad_count > 0) {
    text += plural(view, facts.bad_count, "record") + " cannot be read, and will be rejected\n";
  }
  return text + "next: lockstep check, then lockstep preview\n";
}

Json report_of(const Session& session, const DataFacts& facts, const InitPlan& plan) {
  Json report;
  report["path"] = session.configuration_path;
  report["dataset"] = plan.dataset;
  report["rows"] = facts.row_count;
  report["unreadable"] = facts.bad_count;
  report["key"] = facts.key;
  report["model"] = plan.model.empty() ? Json(nullptr) : Json(plan.model);
  report["targets"] = plan.targets;
  std::vector<std::string> features = plan.numbers;
  features.insert(features.end(), plan.categories.begin(), plan.categories.end());
  report["features"] = features;
  return report;
}

Result<int> run_init(Session& session, const Arguments& arguments) {
  TRY(refuse_overwriting(session, arguments));
  if (arguments.has("--from"))
    return run_init_database(session, arguments, arguments.text("--from", ""));
  const std::string data =
      arguments.words.empty() ? TRY(only_data_file(session.io)) : arguments.word(0);
  DataFacts facts = TRY(look_at_data(session.io, data));
  if (arguments.has("--key")) {
    facts.key.clear();
    for (const std::string& given : arguments.texts("--key")) {
      for (std::string& name : split_at_commas(given))
        facts.key.push_back(std::move(name));
    }
    TRY(facts.schema.require_all(facts.key));
  }
  TRY(check_names(facts));
  const std::vector<std::string> targets = TRY(choose_targets(session, arguments, facts));
  const InitPlan plan = plan_model(facts, TRY(path_from_configuration(session, data)), targets);
  const std::string text = configuration_text(facts, plan);
  // What is written must be taken: a guess that the configuration refuses is told here, not at the
  // first sync.
  TRY(parse_configuration(session.io, text, session.configuration_path));
  TRY(write_file_atomically(session.io, session.configuration_path, text));
  const std::string shown =
      session.json ? json_text(report_of(session, facts, plan)) : summary(session, facts, plan);
  TRY(session.print(shown));
  return kExitDone;
}

}  // namespace

Command init_command() {
  return {
      .name = "init",
      .text = "Write a lockstep.yaml for a data file or a database: types, keys, and a first model",
      .example =
          "lockstep init vitals.csv\nlockstep init vitals.csv --target sbp,dbp --key patient,hour\n"
          "lockstep init --from postgresql://reader@db.example.org/clinic",
      .positionals = {{.name = "DATA",
                       .text =
                           "a .csv, .tsv, .ndjson or .parquet file (default: the only one here)",
                       .required = false}},
      .flags = {{.name = "--from",
                 .value = "URL",
                 .text =
                     "write it for the tables of a database: postgresql://user@host/database or "
                     "mysql://user@host/database"},
                {.name = "--target",
                 .value = "COLUMN",
                 .text = "what to predict, with commas between several (default: asks, or guesses)",
                 .many = true},
                {.name = "--key",
                 .value = "COLUMN",
                 .text = "what names a row, with commas between several (default: guesses)",
                 .many = true},
                {.name = "--force", .text = "write over a lockstep.yaml that is there"}},
      .run = run_init,
  };
}

}  // namespace lockstep
