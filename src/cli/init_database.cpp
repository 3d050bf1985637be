#include "cli/init_database.h"

#include "cli/init_text.h"
#include "source/source.h"
#include "source/tables/database_survey.h"
#include "sync/configuration.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

namespace lockstep {
namespace {

constexpr std::int64_t kSampleRows = 5'000;

// One table with what is made of it.
struct TablePlan {
  SurveyedTable table;
  DataFacts facts;
  InitPlan plan;
};

struct DatabasePlan {
  std::string type;  // of the source
  std::string source;
  std::string url;       // as it stands in lockstep.yaml
  std::string variable;  // that must be set; empty: none
  std::vector<TablePlan> tables;
  std::vector<std::string> left_out;  // "public.notes: it has no primary key"
};

std::string origin(const SurveyedTable& table) {
  return table.schema_name + "." + table.table;
}

// A url with a password does not go into a file that is checked in: the variable that holds it
// does.
void name_url(Session& session, const std::string& url, bool has_password, DatabasePlan& out) {
  const bool is_postgres = out.type == "postgres";
  const std::array variables = {is_postgres ? "PG_URL" : "MYSQL_URL",
                                "DATABASE_URL",
                                is_postgres ? "POSTGRES_URL" : "MARIADB_URL"};
  out.url = url;
  if (!has_password) return;
  out.variable = variables.front();
  for (const char* variable : variables) {
    if (session.io.environment(variable) == url) out.variable = variable;
  }
  out.url = fmt::format("${{{}}}", out.variable);
}

Result<DataFacts> look_at_table(Session& session,
                                const std::string& url,
                                const SurveyedTable& table) {
  SourceRequest request;
  request.name = "init";
  request.settings = node_of({{"type", node_of(database_type_of(url))}, {"url", node_of(url)}});
  request.directory = ".";
  request.targets.push_back({.table = origin(table), .schema = table.schema, .key = table.key});
  const std::unique_ptr<Source> source = TRY(make_source(session.io, request));
  const std::optional<SourceBatch> sample = TRY(source->sample(0, kSampleRows));
  DataFacts facts = facts_of_rows(sample ? sample->rows : Batch::empty(table.schema));
  facts.key = table.key;
  return facts;
}

std::string dataset_name(const SurveyedTable& table, const std::set<std::string>& taken) {
  std::string name = name_of_file(table.table);
  if (taken.contains(name)) name = name_of_file(table.schema_name + "_" + table.table);
  for (int number = 2; taken.contains(name); ++number)
    name = fmt::format("{}_{}", name_of_file(table.table), number);
  return name;
}

// The table whose rows shall be predicted: the one that has the targets that were named, else the
// largest with a number that is not of its key.
void choose_model(const std::vector<std::string>& named, DatabasePlan& out) {
  TablePlan* chosen = nullptr;
  InitPlan chosen_plan;
  for (TablePlan& one : out.tables) {
    const std::vector<std::string> targets = named.empty() ? guess_targets(one.facts) : named;
    const bool has_them = one.facts.schema.require_all(targets).ok();
    const bool is_larger = chosen == nullptr ||
                           one.table.row_estimate > chosen->table.row_estimate ||
                           (one.table.row_estimate == chosen->table.row_estimate &&
                            one.facts.row_count > chosen->facts.row_count);
    if (targets.empty() || !has_them || !is_larger) continue;
    InitPlan plan = plan_model(one.facts, one.plan.dataset, targets);
    if (plan.model.empty()) continue;
    plan.from = one.plan.from;
    chosen = &one;
    chosen_plan = std::move(plan);
  }
  if (chosen != nullptr) chosen->plan = std::move(chosen_plan);
}

Result<DatabasePlan> plan_database(Session& session,
                                   const Arguments& arguments,
                                   const std::string& url) {
  SurveyedDatabase database = TRY(survey_database(url));
  DatabasePlan out;
  out.type = database.type;
  out.source = name_of_file(database.name);
  name_url(session, url, database.has_password, out);
  std::set<std::string> taken;
  for (SurveyedTable& table : database.tables) {
    const Result<void> named = check_column_names(table.schema);
    if (!table.unfollowable.empty()) {
      out.left_out.push_back(table.unfollowable);
    } else if (table.key.empty()) {
      out.left_out.push_back(origin(table) + ": it has no primary key");
    } else if (!named.ok()) {
      out.left_out.push_back(origin(table) + ": " + named.error().message);
    } else {
      TablePlan one;
      one.facts = TRY(look_at_table(session, url, table));
      one.plan.dataset = dataset_name(table, taken);
      one.plan.from = fmt::format("{}.{}", out.source, origin(table));
      taken.insert(one.plan.dataset);
      one.table = std::move(table);
      out.tables.push_back(std::move(one));
    }
  }
  if (out.tables.empty()) {
    return invalid(out.left_out.empty()
                       ? fmt::format("database {} has no tables", database.name)
                       : fmt::format("no table can be followed: {}", fmt::join(out.left_out, "; ")),
                   "a table needs a primary key to be followed");
  }
  choose_model(arguments.texts("--target"), out);
  return out;
}

std::string database_text(const DatabasePlan& plan, const std::string& url) {
  std::string text =
      "# Written by `lockstep init` from the tables of a database. Read it through, then: lockstep "
      "check\n\n" +
      hub_text() +
      fmt::format("sources:\n  {}:\n    type: {}\n    url: {}\n\ndatasets:\n",
                  plan.source,
                  plan.type,
                  url.starts_with("${") ? url : yaml_text(url));
  for (const TablePlan& one : plan.tables) {
    text += dataset_text(one.facts, one.plan);
    if (!one.table.left_out.empty())
      text += fmt::format("    # left out: {}\n", fmt::join(one.table.left_out, ", "));
  }
  for (const std::string& table : plan.left_out)
    text += fmt::format("  # left out: {}\n", table);
  const auto has_model = [](const TablePlan& one) { return !one.plan.model.empty(); };
  const auto modelled = std::ranges::find_if(plan.tables, has_model);
  if (modelled != plan.tables.end())
    text += "\nmodels:\n" + model_text(modelled->facts, modelled->plan);
  return text;
}

Json report_of(const Session& session, const DatabasePlan& plan) {
  Json report;
  report["path"] = session.configuration_path;
  report["source"] = plan.source;
  report["variable"] = plan.variable.empty() ? Json(nullptr) : Json(plan.variable);
  report["datasets"] = Json::array();
  report["model"] = nullptr;
  for (const TablePlan& one : plan.tables) {
    report["datasets"].push_back(one.plan.dataset);
    if (!one.plan.model.empty()) report["model"] = one.plan.model;
  }
  report["left_out"] = plan.left_out;
  return report;
}

std::string summary(const Session& session, const DatabasePlan& plan) {
  std::string text =
      fmt::format("wrote {}: source {} with {}\n",
                  session.configuration_path,
                  plan.source,
                  plural(session.view, static_cast<std::int64_t>(plan.tables.size()), "dataset"));
  for (const TablePlan& one : plan.tables) {
    if (one.plan.model.empty()) continue;
    text += fmt::format("model: {} predicts {}\n",
                        one.plan.model,
                        printable(fmt::format("{}", fmt::join(one.plan.targets, ", "))));
  }
  for (const std::string& table : plan.left_out)
    text += "left out: " + printable(table) + "\n";
  if (!plan.variable.empty())
    text += fmt::format("the url stays in the environment: export {}={}://...\n",
                        plan.variable,
                        plan.type == "postgres" ? "postgresql" : plan.type);
  return text + "next: lockstep check, then lockstep preview\n";
}

}  // namespace

Result<int> run_init_database(Session& session,
                              const Arguments& arguments,
                              const std::string& url) {
  if (database_type_of(url).empty()) {
    return make_error(Code::kUsage,
                      "--from takes the url of a PostgreSQL, MariaDB or MySQL database",
                      "lockstep init --from postgresql://user@host/database, or mysql://...");
  }
  const DatabasePlan plan = TRY(plan_database(session, arguments, url));
  // What is written must be taken: with the url itself in place of its variable.
  TRY(parse_configuration(session.io, database_text(plan, url), session.configuration_path));
  TRY(write_file_atomically(session.io, session.configuration_path, database_text(plan, plan.url)));
  TRY(session.print(session.json ? json_text(report_of(session, plan)) : summary(session, plan)));
  return kExitDone;
}

}  // namespace lockstep
