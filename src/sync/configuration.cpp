#include "sync/configuration.h"

#include "hub/partition.h"
#include "learn/learn.h"
#include "source/source.h"
#include "sync/configuration_references.h"
#include "sync/configuration_serve.h"
#include "sync/configuration_tables.h"
#include "sync/configuration_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace lockstep {
namespace {

using enum Setting::Type;

constexpr std::uint64_t kConfigurationBytesMax = 4 << 20;

Result<const Node*> named_map(const Settings& top, std::string_view name) {
  const Node* node = top.given(name);
  if (node == nullptr) return node;
  if (!node->is_map()) {
    return invalid_at(node->mark,
                      fmt::format("'{}' is not a map of names", name),
                      fmt::format("write\n{}:\n  some_name: {{...}}", name));
  }
  for (const auto& [field, value] : node->fields) {
    const bool plain = !field.empty() && field.size() <= 63 &&
                       std::all_of(field.begin(), field.end(), [](unsigned char c) {
                         return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                (c >= '0' && c <= '9') || c == '_';
                       });
    if (!plain) {
      return invalid_at(value.mark,
                        fmt::format("'{}' cannot be a name in {}", field, name),
                        "use letters, digits and _, at most 63");
    }
  }
  return node;
}

std::string absolute_in(const std::string& directory, const std::string& path) {
  return path.starts_with('/') ? path : join_path(directory, path);
}

Result<RetentionPolicy> parse_keep(const Node* node) {
  RetentionPolicy policy;
  if (node == nullptr) return policy;
  const Settings settings = TRY(Settings::parse(*node, kKeepSettings, "keep"));
  constexpr std::int64_t kHourUs = std::int64_t{3'600} * 1'000'000;
  policy.keep_us = settings.duration_us("for");
  policy.snapshots_max = settings.integer("snapshots");
  const std::string then = settings.text("then");
  policy.then_us = then == "none" ? 0 : then == "daily" ? 24 * kHourUs : kHourUs;
  return policy;
}

Result<HubConfiguration> parse_hub(const Node& node, const std::string& directory) {
  const Settings settings = TRY(Settings::parse(node, kHubSettings, "hub"));
  HubConfiguration hub;
  const std::string catalog = settings.text("catalog");
  if (!catalog.starts_with("sqlite:") || catalog.size() == 7) {
    return invalid_at(settings.mark(),
                      fmt::format("catalog '{}' is not one that Lockstep opens", catalog),
                      "write sqlite:hub/catalog.sqlite");
  }
  hub.catalog = "sqlite:" + absolute_in(directory, catalog.substr(7));
  hub.data = absolute_in(directory, settings.text("data"));
  hub.commit_rows_max = settings.integer("commit_rows_max");
  hub.adopt_foreign = settings.text("foreign") == "adopt";
  hub.snapshot_per = settings.text("snapshot_per") == "transaction" ? SnapshotPer::kTransaction
                                                                    : SnapshotPer::kCommit;
  hub.log_bytes_max = static_cast<std::uint64_t>(settings.bytes("log_max"));
  hub.collection.policy = TRY(parse_keep(settings.given("keep")));
  hub.collection.grace_us = settings.duration_us("gc_grace");
  hub.loads_in_one = settings.text("load") == "one snapshot";
  return hub;
}

Result<SourceConfiguration> parse_source(const std::string& name, const Node& node) {
  SourceConfiguration source{
      .name = name, .type = {}, .settings = node, .max_delete = 0.2, .mark = node.mark};
  const Node* type = node.find("type");
  if (type == nullptr) {
    return invalid_at(node.mark, fmt::format("source '{}' has no type", name), "write type: files");
  }
  source.type = TRY(type->text("type"));
  std::vector<std::string> known;
  for (const SourceInfo& info : source_types())
    known.emplace_back(info.type);
  const auto info =
      std::find_if(source_types().begin(), source_types().end(), [&](const SourceInfo& candidate) {
        return candidate.type == source.type;
      });
  if (info == source_types().end()) {
    const std::optional<std::string> near = nearest(source.type, known);
    return invalid_at(type->mark,
                      fmt::format("source '{}' has the unknown type '{}'", name, source.type),
                      near ? fmt::format("did you mean {}?", *near)
                           : fmt::format("types: {}", fmt::join(known, ", ")));
  }
  TRY(Settings::parse(node, info->settings, fmt::format("source '{}'", name)));
  if (const Node* share = node.find("max_delete"))
    source.max_delete = TRY(share_of(*share, "max_delete"));
  return source;
}

// int, or {type: int, renamed_from: old}.
Result<Field> parse_column(const std::string& name,
                           const Node& value,
                           std::map<std::string, std::string>& renamed) {
  const Node* type_node = &value;
  if (value.is_map()) {
    const Settings settings =
        TRY(Settings::parse(value, kColumnSettings, fmt::format("column '{}'", name)));
    type_node = value.find("type");
    if (settings.has("renamed_from")) renamed[name] = settings.text("renamed_from");
  }
  std::vector<std::string> types;
  for (const Type type :
       {Type::kBool, Type::kInt, Type::kFloat, Type::kText, Type::kDate, Type::kTimestamp}) {
    types.emplace_back(type_name(type));
  }
  const std::string text = TRY(type_node->text("type of column " + name));
  if (const std::optional<Type> type = type_of_name(text)) return Field{name, *type};
  const std::optional<std::string> near = nearest(text, types);
  return invalid_at(type_node->mark,
                    fmt::format("column '{}' has the unknown type '{}'", name, text),
                    near ? fmt::format("did you mean {}?", *near)
                         : fmt::format("types: {}", fmt::join(types, ", ")));
}

// Two columns cannot come from one, and a column that stays is not another's past.
Result<void> check_renames(const Node& columns, const std::map<std::string, std::string>& renamed) {
  std::set<std::string> old_names;
  for (const auto& [name, old_name] : renamed) {
    if (columns.find(old_name) == nullptr && old_names.insert(old_name).second) continue;
    return invalid_at(
        columns.find(name)->mark,
        fmt::format("column '{}' is renamed from '{}', which is another's", name, old_name),
        "name a column that is there no more under its old name");
  }
  return {};
}

Result<Schema> parse_columns(const Node* node, DatasetConfiguration& into) {
  const std::string& dataset = into.name;
  if (node == nullptr) return Schema();
  if (!node->is_map()) {
    return invalid_at(node->mark,
                      fmt::format("columns of dataset '{}' are not a map", dataset),
                      "write columns: {age: int, weight: float}");
  }
  std::vector<Field> fields;
  for (const auto& [name, value] : node->fields)
    fields.push_back(TRY(parse_column(name, value, into.renamed)));
  TRY(check_renames(*node, into.renamed));
  Schema schema(std::move(fields));
  if (Result<void> checked = check_column_names(schema); !checked.ok()) {
    return invalid_at(node->mark, checked.error().message, checked.error().hint);
  }
  for (const char* own : {"_source", "_sequence", "_source_time", "_origin"}) {
    if (!schema.index_of(own)) continue;
    return invalid_at(node->mark,
                      fmt::format("column '{}' has the name of a column that raw adds", own),
                      "leave it out, or rename it in the source");
  }
  return schema;
}

// Rows without a key of their own are named by file and number, which the source fills in.
Schema with_made_key(const Schema& columns) {
  std::vector<Field> fields;
  for (const Field& made : {Field{"_file", Type::kText}, Field{"_row", Type::kInt}}) {
    if (!columns.index_of(made.name)) fields.push_back(made);
  }
  fields.insert(fields.end(), columns.fields().begin(), columns.fields().end());
  return Schema(std::move(fields));
}

// YAML splits a list at every comma, those of bucket(16, patient) too.
Result<std::vector<PartitionKey>> parse_partition_of(const Settings& settings) {
  const Node* node = settings.given("partition");
  if (node == nullptr) return std::vector<PartitionKey>();
  const std::vector<std::string> texts = settings.texts("partition");
  auto keys = parse_partition(fmt::format("{}", fmt::join(texts, ", ")));
  if (keys.ok()) return keys;
  return invalid_at(node->mark, "partition: " + keys.error().message, keys.error().hint);
}

Result<DatasetConfiguration> parse_dataset(const std::string& name, const Node& node) {
  const Settings settings =
      TRY(Settings::parse(node, kDatasetSettings, fmt::format("dataset '{}'", name)));
  DatasetConfiguration dataset;
  dataset.name = name;
  dataset.from = settings.texts("from");
  if (settings.has("key")) dataset.key = settings.texts("key");
  dataset.columns = TRY(parse_columns(settings.given("columns"), dataset));
  if (settings.has("latest")) dataset.latest = settings.text("latest");
  dataset.partition = TRY(parse_partition_of(settings));
  if (settings.has("sort")) dataset.sort = settings.texts("sort");
  if (const Node* clean = settings.given("clean")) dataset.clean = *clean;
  if (const Node* train = settings.given("train")) dataset.train = *train;
  dataset.mark = node.mark;
  if (dataset.columns.size() > 0) {
    if (dataset.key.empty()) dataset.columns = with_made_key(dataset.columns);
    std::vector<std::string> used = dataset.key;
    if (!dataset.latest.empty()) used.push_back(dataset.latest);
    if (Result<std::vector<int>> found = dataset.columns.require_all(used); !found.ok()) {
      return invalid_at(node.mark,
                        fmt::format("dataset '{}': {}", name, found.error().message),
                        found.error().hint);
    }
  }
  return dataset;
}

Result<TriggerConfiguration> parse_trigger(const Node& node) {
  if (node.is_scalar()) {
    if (node.scalar == "every commit") return TriggerConfiguration{};
    return invalid_at(node.mark,
                      fmt::format("trigger '{}' is unknown", node.scalar),
                      "write every commit, {changes: 1000} or {every: 10m}");
  }
  const Settings settings = TRY(Settings::parse(node, kTriggerSettings, "trigger"));
  TriggerConfiguration trigger;
  if (settings.has("changes") == settings.has("every")) {
    return invalid_at(
        node.mark, "a trigger has changes or every, one of them", "write {changes: 1000}");
  }
  trigger.kind = settings.has("changes") ? TriggerConfiguration::Kind::kChanges
                                         : TriggerConfiguration::Kind::kInterval;
  if (settings.has("changes")) trigger.changes = settings.integer("changes");
  if (settings.has("every")) trigger.interval_us = settings.duration_us("every");
  return trigger;
}

Result<GateConfiguration> parse_gate(const Node* node) {
  GateConfiguration gate;
  if (node == nullptr) return gate;
  if (node->is_scalar() && node->scalar == "off") {
    gate.enabled = false;
    return gate;
  }
  const Settings settings = TRY(Settings::parse(*node, kGateSettings, "gate"));
  gate.batch_error = TRY(factor_of(settings.node("batch_error"), "batch_error"));
  gate.batch_rows_min = settings.integer("batch_rows_min");
  gate.at_most_worse = TRY(share_of(settings.node("at_most_worse"), "at_most_worse"));
  return gate;
}

std::vector<Setting> all_model_settings() {
  std::vector<Setting> all(kModelSettings.begin(), kModelSettings.end());
  all.insert(all.end(), model_settings().begin(), model_settings().end());
  return all;
}

Result<ModelConfiguration> parse_model(const std::string& name, const Node& node) {
  const std::vector<Setting> table = all_model_settings();
  const Settings settings = TRY(Settings::parse(node, table, fmt::format("model '{}'", name)));
  ModelConfiguration model;
  model.name = name;
  model.dataset = settings.text("dataset");
  model.mark = node.mark;
  model.learn = node;
  std::erase_if(model.learn.fields, [](const auto& field) {
    return std::any_of(kModelSettings.begin(), kModelSettings.end(), [&](const Setting& setting) {
      return setting.name == field.first;
    });
  });
  model.calibrate_after_rows = TRY(rows_of(settings.node("calibrate_after"), "calibrate_after"));
  model.trigger = TRY(parse_trigger(settings.node("trigger")));
  model.gate = TRY(parse_gate(settings.given("gate")));
  return model;
}

template <typename Item>
const Item* by_name(const std::vector<Item>& items, std::string_view name) {
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const Item& item) { return item.name == name; });
  return found == items.end() ? nullptr : &*found;
}

Result<void> parse_sections(const Settings& top, Configuration& configuration) {
  if (const Node* sources = TRY(named_map(top, "sources"))) {
    for (const auto& [name, node] : sources->fields)
      configuration.sources.push_back(TRY(parse_source(name, node)));
  }
  if (const Node* datasets = TRY(named_map(top, "datasets"))) {
    for (const auto& [name, node] : datasets->fields)
      configuration.datasets.push_back(TRY(parse_dataset(name, node)));
  }
  if (const Node* models = TRY(named_map(top, "models"))) {
    for (const auto& [name, node] : models->fields)
      configuration.models.push_back(TRY(parse_model(name, node)));
  }
  return resolve_references(configuration);
}

}  // namespace

const SourceConfiguration* Configuration::source(std::string_view name) const {
  return by_name(sources, name);
}

const DatasetConfiguration* Configuration::dataset(std::string_view name) const {
  return by_name(datasets, name);
}

const ModelConfiguration* Configuration::model(std::string_view name) const {
  return by_name(models, name);
}

Result<Configuration> parse_configuration(Io& io, std::string_view text, const std::string& path) {
  const Node written = TRY(parse_yaml(text, file_name(path)));
  if (!written.is_map()) {
    return invalid(fmt::format("{} is not a map of hub, sources, datasets and models", path),
                   "lockstep init DATA.csv writes one that works");
  }
  Configuration configuration;
  configuration.path = path;
  configuration.directory = parent_path(TRY(io.absolute(path)));
  configuration.json = written.json();
  const Node node = TRY(fill_in(io, written, configuration.directory));
  const Settings top = TRY(Settings::parse(node, kTopSettings, file_name(path)));
  const Node* hub = top.given("hub");
  Node empty;
  empty.kind = Node::Kind::kMap;
  configuration.hub = TRY(parse_hub(hub == nullptr ? empty : *hub, configuration.directory));
  if (const Node* serve = top.given("serve"))
    configuration.serve = TRY(parse_serve(*written.find("serve"), *serve));
  TRY(parse_sections(top, configuration));
  TRY(check_pushed_datasets(configuration));
  return configuration;
}

Result<Configuration> load_configuration(Io& io, const std::string& path) {
  Result<std::string> text = read_file(io, path, kConfigurationBytesMax);
  if (!text.ok() && text.error().code == Code::kNotFound) {
    return make_error(Code::kNotFound,
                      fmt::format("there is no {}", path),
                      "lockstep init DATA.csv writes one, or name yours with --config");
  }
  if (!text.ok()) return std::move(text).error();
  return parse_configuration(io, text.value(), path);
}

std::vector<SettingsSection> settings_sections() {
  static const std::vector<Setting> kModels = all_model_settings();
  std::vector<SettingsSection> sections = {
      {"top", "The whole file.", kTopSettings},
      {"hub", "Where everything is kept.", kHubSettings},
      {"keep", "Which snapshots of a hub stay.", kKeepSettings},
  };
  sections.push_back({"serve", "Where the daemon answers HTTP.", kServeSettings});
  for (const SourceInfo& info : source_types())
    sections.push_back({info.type, info.text, info.settings});
  sections.push_back({"dataset", "A keyed table with its cleaning.", kDatasetSettings});
  sections.push_back({"model", "A learner over a dataset.", kModels});
  sections.push_back({"trigger", "When a version is made.", kTriggerSettings});
  sections.push_back({"gate", "What a version must meet.", kGateSettings});
  sections.push_back({"learner", "The algorithm.", learner_settings()});
  for (const ExpansionInfo& info : expansions())
    sections.push_back({info.name, info.text, info.settings});
  return sections;
}

}  // namespace lockstep
