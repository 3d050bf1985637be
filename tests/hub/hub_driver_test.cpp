// A hub that another program drives: one command a line on the standard input, one answer a line
// on the standard output, behind "> ". tests/e2e/hub_driver.py is the other side: it makes random
// histories, knows what each snapshot must hold, and lets DuckDB judge.
#include "hub/hub_support.h"
#include "hub/partition.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <iostream>
#include <sstream>

namespace lockstep {
namespace {

using Json = nlohmann::json;

Error bad_command(const std::string& what) {
  return make_error(Code::kUsage, what);
}

// Numbers that JSON has no word for, and dates, travel as text; timestamps as microseconds.
Result<Value> value_of(const Json& cell, Type type) {
  if (cell.is_null()) return Value{};
  if (cell.is_boolean()) return Value{cell.get<bool>()};
  if (cell.is_number_integer() && type == Type::kTimestamp)
    return Value{Timestamp{cell.get<std::int64_t>()}};
  if (cell.is_number_integer()) return Value{cell.get<std::int64_t>()};
  if (type == Type::kText) return Value{cell.get<std::string>()};
  return parse_value(cell.get<std::string>(), type);
}

Json json_of(const Value& value) {
  if (is_null(value)) return nullptr;
  if (const bool* flag = std::get_if<bool>(&value)) return *flag;
  if (const std::int64_t* number = std::get_if<std::int64_t>(&value)) return *number;
  if (const Timestamp* time = std::get_if<Timestamp>(&value)) return time->us;
  if (const Date* date = std::get_if<Date>(&value)) return date->days;
  return value_text(value);
}

Result<TableName> name_of(const Json& json) {
  const auto layer = layer_of_name(json.at("layer").get<std::string>());
  if (!layer) return bad_command("no such layer: " + json.at("layer").dump());
  return TableName{*layer, json.at("dataset").get<std::string>()};
}

Result<TableDefinition> definition_of(const Json& json) {
  TableDefinition definition;
  definition.name = TRY(name_of(json));
  std::vector<Field> fields;
  for (const Json& column : json.at("columns")) {
    const auto type = type_of_name(column.at(1).get<std::string>());
    if (!type) return bad_command("no such type: " + column.dump());
    fields.push_back({column.at(0).get<std::string>(), *type});
  }
  definition.schema = Schema(std::move(fields));
  definition.key = json.at("key").get<std::vector<std::string>>();
  definition.sort = json.value("sort", std::vector<std::string>());
  // Names of columns may hold what a list of them cannot.
  for (const Json& key : json.value("partition", Json::array())) {
    const auto transform = key.at(0).get<std::string>();
    definition.partition.push_back(TRY(partition_key(transform, key.at(1).get<std::string>())));
  }
  return definition;
}

// Each row: its sign, then its cells.
Result<Batch> rows_of(const Json& rows, const Schema& schema) {
  BatchBuilder builder(schema);
  for (const Json& row : rows) {
    std::vector<Value> cells;
    for (int column = 0; column < schema.size(); ++column) {
      cells.push_back(
          TRY(value_of(row.at(static_cast<std::size_t>(column) + 1), schema.field(column).type)));
    }
    builder.append_row(cells, row.at(0).get<int>());
  }
  return builder.finish();
}

Json json_of(const Batch& batch) {
  Json rows = Json::array();
  for (std::int64_t row = 0; row < batch.row_count(); ++row) {
    Json cells = Json::array({batch.sign(row)});
    for (int column = 0; column < batch.schema().size(); ++column)
      cells.push_back(json_of(batch.value(column, row)));
    rows.push_back(std::move(cells));
  }
  return rows;
}

// Resource. One hub at a time.
class HubDriver {
 public:
  Result<Json> run(const Json& command) {
    const auto word = command.at("do").get<std::string>();
    if (word == "create") return create(command);
    if (word == "open") return open(command);
    if (word == "close") {
      hub_.reset();
      return Json::object();
    }
    if (hub_ == nullptr) return bad_command("no hub is open");
    if (word == "commits") return commits(command);
    if (word == "adopt") return adopt();
    if (word == "compact") return compact(command);
    if (word == "collect") return collect(command);
    if (word == "read") return read(command);
    if (word == "changes") return changes(command);
    if (word == "lookup") return lookup(command);
    return bad_command("no such command: " + word);
  }

 private:
  HubPlace place_of(const Json& command) const {
    const auto folder = command.at("folder").get<std::string>();
    return {"sqlite:" + folder + "/catalog.sqlite",
            folder + "/data",
            command.value("adopt", false) ? ForeignCommits::kAdopt : ForeignCommits::kRefuse};
  }

  Result<Json> create(const Json& command) {
    TRY(Hub::create(*io_, place_of(command), "{}"));
    return Json::object();
  }

  Result<Json> open(const Json& command) {
    hub_.reset();
    HubOptions options;
    options.inline_rows_max = command.value("inline_rows_max", options.inline_rows_max);
    const HubMode mode = command.value("read_only", false) ? HubMode::kRead : HubMode::kWrite;
    hub_ = TRY(open_hub(*io_, place_of(command), mode, options));
    return Json{{"snapshot", number(hub_->latest_snapshot())}};
  }

  Result<CommitRequest> request_of(const Json& json) {
    CommitRequest request;
    request.message = json.value("message", std::string());
    for (const Json& table : json.value("drop", Json::array()))
      request.drop.push_back(TRY(name_of(table)));
    for (const Json& table : json.value("create", Json::array()))
      request.create.push_back(TRY(definition_of(table)));
    for (const Json& table : json.value("alter", Json::array())) {
      request.alter.push_back({TRY(definition_of(table)),
                               table.at("renamed").get<std::map<std::string, std::string>>()});
    }
    for (const Json& change : json.value("changes", Json::array())) {
      const TableName name = TRY(name_of(change));
      const Schema schema = TRY(schema_of(name, request));
      request.changes.push_back({name, TRY(rows_of(change.at("rows"), schema))});
    }
    return request;
  }

  Result<Schema> schema_of(const TableName& name, const CommitRequest& request) {
    for (const TableDefinition& created : request.create) {
      if (created.name == name) return created.schema;
    }
    for (const TableAlteration& altered : request.alter) {
      if (altered.after.name == name) return altered.after.schema;
    }
    const auto table = TRY(hub_->table(name, hub_->latest_snapshot()));
    if (!table) return bad_command("no such table: " + table_text(name));
    return table->schema;
  }

  // One after another, or made durable together; the answer names the snapshot of each.
  Result<Json> commits(const Json& command) {
    Json snapshots = Json::array();
    const bool group = command.value("group", false);
    if (group) TRY(hub_->begin_group());
    for (const Json& json : command.at("commits")) {
      const CommitRequest request = TRY(request_of(json));
      const Committed done = TRY(hub_->commit(request));
      snapshots.push_back(done.snapshot ? Json(number(*done.snapshot)) : Json());
    }
    if (group) TRY(hub_->flush());
    return Json{{"snapshots", std::move(snapshots)}};
  }

  // What other programs committed meanwhile; the hub must have been opened with "adopt".
  Result<Json> adopt() {
    CommitRequest request;
    request.kind = CommitKind::kForeign;
    request.adopt = TRY(hub_->foreign_commits());
    Json snapshots = Json::array();
    for (const CommitRecord& commit : request.adopt)
      snapshots.push_back(number(*commit.snapshot));
    TRY(hub_->commit(request));
    return Json{{"snapshots", std::move(snapshots)}};
  }

  // In the background: one call, which begins or finishes. Else until nothing is left. The answer
  // names the snapshots that were made.
  Result<Json> compact(const Json& command) {
    const CompactionLimits limits{
        .rows_min = 1,
        .rows_max = command.at("rows_max").get<std::int64_t>(),
        .older_rows_min = command.at("older_rows_min").get<std::int64_t>(),
        .files_min = command.at("files_min").get<std::int64_t>(),
        .background = command.at("background").get<bool>()};
    Json snapshots = Json::array();
    for (bool more = true; more;) {
      const SnapshotId before = hub_->latest_snapshot();
      const CompactionStep step = TRY(hub_->compact(limits));
      if (hub_->latest_snapshot() != before) snapshots.push_back(number(hub_->latest_snapshot()));
      more = !limits.background && step.state != CompactionState::kNothing;
    }
    return Json{{"snapshots", std::move(snapshots)}};
  }

  // A whole round: the newest snapshots stay, and those with a tag, of which it may make one.
  Result<Json> collect(const Json& command) {
    if (command.contains("tag")) {
      const SnapshotId at{command.at("at").get<std::int64_t>()};
      TRY(hub_->set_tag(command.at("tag").get<std::string>(), at, "the driver"));
    }
    const CollectionLimits limits{
        .policy = {.snapshots_max = command.at("keep").get<std::int64_t>(), .then_us = 0},
        .grace_us = 0};
    while (TRY(hub_->collect(limits)).more) {
    }
    return Json::object();
  }

  Result<Json> read(const Json& command) {
    const SnapshotId at{command.at("at").get<std::int64_t>()};
    const TableName name = TRY(name_of(command));
    const Batch rows = TRY(hub_->read(name, at));
    return Json{{"rows", json_of(rows)}, {"count", TRY(hub_->row_count(name, at))}};
  }

  Result<Json> changes(const Json& command) {
    const SnapshotId from{command.at("from").get<std::int64_t>()};
    const SnapshotId to{command.at("to").get<std::int64_t>()};
    return Json{{"rows", json_of(TRY(hub_->changes(TRY(name_of(command)), from, to)))}};
  }

  // All rows of a table, asked for by their keys.
  Result<Json> lookup(const Json& command) {
    const TableName name = TRY(name_of(command));
    const auto table = TRY(hub_->table(name, hub_->latest_snapshot()));
    if (!table) return bad_command("no such table: " + table_text(name));
    const Batch rows = TRY(rows_of(command.at("rows"), table->schema));
    const std::vector<int> key = TRY(table->schema.require_all(table->key));
    const Lookup found = TRY(hub_->lookup(name, rows.select_columns(key)));
    Json out = Json::array();
    for (const std::int64_t row : found.row_of_key)
      out.push_back(row < 0 ? Json() : json_of(found.rows.slice(row, 1)).at(0));
    return Json{{"rows", std::move(out)}};
  }

  std::unique_ptr<Io> io_ = make_system_io();
  std::unique_ptr<Hub> hub_;
};

// Until the commands end, or {"do": "end"}.
void drive(std::istream& commands, std::ostream& answers) {
  HubDriver driver;
  std::string line;
  while (std::getline(commands, line)) {
    const Json command = Json::parse(line);
    if (command.at("do") == "end") return;
    const Result<Json> done = driver.run(command);
    const Json answer = done.ok() ? done.value() : Json{{"error", done.error().message}};
    answers << "> " << answer.dump() << std::endl;
  }
}

std::vector<Json> answers_to(const std::vector<Json>& commands) {
  std::stringstream in;
  for (const Json& command : commands)
    in << command.dump() << "\n";
  std::stringstream out;
  drive(in, out);
  std::vector<Json> answers;
  for (std::string line; std::getline(out, line);)
    answers.push_back(Json::parse(line.substr(2)));
  return answers;
}

TEST(HubDriver, DoesWhatItIsTold) {
  const char* named = getenv("LOCKSTEP_HUB_DRIVER");
  if (named != nullptr) {
    drive(std::cin, std::cout);
    return;
  }
  const HubPlayground scratch;
  const std::string folder = scratch.folder() + "/driven";
  const Json table = {{"layer", "raw"},
                      {"dataset", "t"},
                      {"columns", Json::parse(R"([["id", "int"], ["x", "float"]])")},
                      {"key", {"id"}}};
  const Json name = {{"layer", "raw"}, {"dataset", "t"}};
  Json first = {{"create", Json::array({table})}, {"changes", Json::array({name})}};
  first["changes"][0]["rows"] = Json::parse(R"([[1, 1, "nan"], [1, 2, null]])");
  Json second = {{"changes", Json::array({name})}};
  second["changes"][0]["rows"] = Json::parse(R"([[-1, 1, null]])");
  Json ask = {{"do", "read"}, {"at", 3}};
  ask.update(name);
  const std::vector<Json> answers =
      answers_to({{{"do", "create"}, {"folder", folder}},
                  {{"do", "open"}, {"folder", folder}, {"inline_rows_max", 6}},
                  {{"do", "commits"}, {"commits", Json::array({first, second})}},
                  ask,
                  {{"do", "nothing"}}});
  ASSERT_EQ(answers.size(), 5U);
  EXPECT_EQ(answers[2], Json::parse(R"({"snapshots": [2, 3]})"));
  EXPECT_EQ(answers[3], Json::parse(R"({"count": 1, "rows": [[1, 2, null]]})"));
  EXPECT_EQ(answers[4], Json::parse(R"({"error": "no such command: nothing"})"));
}

}  // namespace
}  // namespace lockstep
