#include "sync/dataset_flow.h"

#include "sync/dataset_layout.h"
#include "sync/foreign_rows.h"
#include "sync/rejected_rows.h"
#include "sync/unchanged_cells.h"
#include "sync/winner.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace lockstep {
namespace {

std::vector<Field> raw_fields(const Schema& columns) {
  std::vector<Field> fields = {{"_source", Type::kText},
                               {"_sequence", Type::kInt},
                               {"_source_time", Type::kTimestamp},
                               {"_origin", Type::kText}};
  fields.insert(fields.end(), columns.fields().begin(), columns.fields().end());
  return fields;
}

nlohmann::ordered_json columns_json(const Schema& columns) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Field& field : columns.fields())
    list.push_back({field.name, type_name(field.type)});
  return list;
}

std::vector<int> own_columns(const Schema& raw) {
  std::vector<int> out;
  for (int column = kRawSystemColumns; column < raw.size(); ++column)
    out.push_back(column);
  return out;
}

// Puts and removes the rejected rows that prepared rows give, -1 before +1, so that a row that
// stays rejected stays.
void add_step_rejects(const Batch& raw,
                      const Prepared& prepared,
                      std::span<const int> key,
                      RejectedChange& rejected) {
  for (const int sign : {-1, 1}) {
    for (const PreparedReject& reject : prepared.rejects) {
      if (raw.sign(reject.row) != sign) continue;
      const std::string source(raw.text_at(0, reject.row));
      const std::string record = key_text(raw, key, reject.row);
      if (sign < 0) {
        rejected.remove(source, record, reject.step);
      } else {
        rejected.put({source,
                      record,
                      reject.step,
                      reject.reason,
                      row_json(raw, reject.row, kRawSystemColumns)});
      }
    }
  }
}

ChangeCounts count(const Batch& delta, std::span<const int> key) {
  ChangeCounts of_one_sign;
  for (const std::int8_t sign : delta.signs())
    ++(sign > 0 ? of_one_sign.inserted : of_one_sign.deleted);
  if (of_one_sign.inserted == 0 || of_one_sign.deleted == 0) return of_one_sign;
  std::map<std::string, int> seen;  // bit 0: left, bit 1: entered
  for (std::int64_t row = 0; row < delta.row_count(); ++row) {
    seen[encode_key(delta, key, row)] |= delta.sign(row) < 0 ? 1 : 2;
  }
  ChangeCounts counts;
  for (const auto& [bytes, bits] : seen) {
    counts.deleted += bits == 1 ? 1 : 0;
    counts.inserted += bits == 2 ? 1 : 0;
    counts.updated += bits == 3 ? 1 : 0;
  }
  return counts;
}

std::int64_t net_count(const Batch& batch) {
  std::int64_t sum = 0;
  for (const std::int8_t sign : batch.signs())
    sum += sign;
  return sum;
}

}  // namespace

void ChangeCounts::add(const ChangeCounts& more) {
  inserted += more.inserted;
  updated += more.updated;
  deleted += more.deleted;
  rejected += more.rejected;
  skipped += more.skipped;
}

std::vector<std::string> effective_key(const DatasetConfiguration& dataset) {
  return dataset.key.empty() ? std::vector<std::string>{"_file", "_row"} : dataset.key;
}

std::vector<std::string> raw_key(const std::vector<std::string>& key) {
  std::vector<std::string> out = {"_source"};
  out.insert(out.end(), key.begin(), key.end());
  return out;
}

Schema dataset_columns(const Schema& raw_schema) {
  const std::vector<Field>& fields = raw_schema.fields();
  return Schema(std::vector<Field>(fields.begin() + kRawSystemColumns, fields.end()));
}

Result<std::unique_ptr<DatasetFlow>> DatasetFlow::make(const DatasetConfiguration& dataset,
                                                       const Schema& columns) {
  std::unique_ptr<DatasetFlow> flow(
      new DatasetFlow);  // NOLINT(cppcoreguidelines-owning-memory): private constructor
  flow->dataset_ = dataset;
  flow->columns_ = columns;
  flow->key_ = effective_key(dataset);
  std::vector<std::string> used = flow->key_;
  if (!dataset.latest.empty()) used.push_back(dataset.latest);
  TRY_IN(columns.require_all(used), fmt::format("dataset '{}'", dataset.name));
  flow->raw_schema_ = Schema(raw_fields(columns));
  TRY_IN(check_column_names(flow->raw_schema_), fmt::format("dataset '{}'", dataset.name));
  flow->pipeline_ = std::make_shared<const Pipeline>(
      TRY(Pipeline::make(dataset.clean, dataset.train, columns, flow->key_)));
  const Pipeline& pipeline = *flow->pipeline_;
  flow->raw_key_ = TRY(flow->raw_schema_.require_all(raw_key(flow->key_)));
  flow->own_key_ = TRY(flow->raw_schema_.require_all(flow->key_));
  flow->clean_key_ = TRY(pipeline.clean_schema().require_all(pipeline.clean_key()));
  flow->train_key_ = TRY(pipeline.train_schema().require_all(pipeline.train_key()));
  flow->own_columns_ = own_columns(flow->raw_schema_);
  const std::vector<TableDefinition> tables = flow->tables();
  TRY(check_layout(dataset, std::span(tables).first(3)));
  return flow;
}

std::string DatasetFlow::steps_json() const {
  nlohmann::ordered_json out;
  out["dataset"] = dataset_.name;
  out["columns"] = columns_json(columns_);
  out["key"] = dataset_.key;
  out["from"] = dataset_.from;
  out["latest"] = dataset_.latest;
  out["clean"] = nlohmann::ordered_json::parse(dataset_.clean.json());
  out["train"] = nlohmann::ordered_json::parse(dataset_.train.json());
  return out.dump();
}

Result<std::unique_ptr<DatasetFlow>> DatasetFlow::from_steps(const std::string& steps_json) {
  const nlohmann::ordered_json in = nlohmann::ordered_json::parse(steps_json, nullptr, false);
  if (in.is_discarded() || !in.is_object() || !in.contains("columns")) {
    return make_error(Code::kCorrupt,
                      "a definition's steps are no JSON of steps",
                      "restore the hub from a back-up");
  }
  DatasetConfiguration dataset;
  std::vector<Field> fields;
  for (const auto& column : in.at("columns")) {
    const std::optional<Type> type = type_of_name(column.at(1).get<std::string>());
    if (!type) return make_error(Code::kCorrupt, "a definition's steps name an unknown type");
    fields.push_back({column.at(0).get<std::string>(), *type});
  }
  dataset.name = in.at("dataset").get<std::string>();
  dataset.key = in.at("key").get<std::vector<std::string>>();
  dataset.from = in.at("from").get<std::vector<std::string>>();
  dataset.latest = in.at("latest").get<std::string>();
  dataset.clean = TRY(node_from_json(in.at("clean").dump()));
  dataset.train = TRY(node_from_json(in.at("train").dump()));
  return make(dataset, Schema(std::move(fields)));
}

std::vector<TableDefinition> DatasetFlow::tables() const {
  std::vector<TableDefinition> tables = {
      {table(Layer::kRaw), raw_schema_, raw_key(key_)},
      {table(Layer::kClean), pipeline_->clean_schema(), pipeline_->clean_key()},
      {table(Layer::kTrain), pipeline_->train_schema(), pipeline_->train_key()},
  };
  for (TableDefinition& table : tables)
    lay_out(dataset_, table);
  tables.push_back({table(Layer::kRejected), rejected_schema(), rejected_key()});
  return tables;
}

namespace {

void add_table(std::vector<TableChange>& tables, const TableName& name, Batch rows) {
  if (rows.row_count() > 0) tables.push_back({name, std::move(rows)});
}

// The rejected rows that a source's own refusals ask for.
void add_refusals(const std::string& source,
                  const SourceBatch& batch,
                  const std::vector<std::string>& key,
                  RejectedChange& rejected) {
  for (const Refusal& refusal : batch.refusals) {
    std::string record = refusal.origin + " " + refusal.position;
    if (refusal.key) {
      record.clear();
      for (std::size_t part = 0; part < key.size(); ++part) {
        if (part > 0) record += ", ";
        record += key[part] + "=" + value_text((*refusal.key)[part]);
      }
    }
    rejected.put({source, record, refusal.stage, refusal.reason, refusal.text});
  }
}

// What a source refuses itself; others are the steps'.
bool is_stage_of_source(std::string_view stage) {
  return stage == "decode" || stage == "operation" || stage == "key";
}

// A file that is told anew as a whole tells its refusals anew, too. So does a table, which is all
// that its source has for the dataset: then those that are named by their key are its own.
void clear_origin(const Batch& there,
                  const std::string& source,
                  const SourceBatch& batch,
                  RejectedChange& rejected) {
  for (std::int64_t row = 0; row < there.row_count(); ++row) {
    if (there.text_at(0, row) != source) continue;
    const bool of_table = batch.whole && is_stage_of_source(there.text_at(2, row));
    if (of_table || there.text_at(1, row).starts_with(batch.origin + " "))
      rejected.remove(
          source, std::string(there.text_at(1, row)), std::string(there.text_at(2, row)));
  }
}

// A good row clears the refusals that its key had at the source's stages, whether or not it changes
// anything.
Result<void> clear_refusals(const std::string& source,
                            const SourceBatch& batch,
                            const std::vector<std::string>& key_names,
                            RejectedChange& rejected) {
  const Batch& rows = batch.rows;
  const std::vector<int> key = TRY(rows.schema().require_all(key_names));
  // The file could not be read, and now it was.
  if (rows.row_count() > 0) rejected.remove(source, batch.origin + " file", "decode");
  for (std::int64_t row = 0; row < rows.row_count(); ++row) {
    const std::string record = key_text(rows, key, row);
    for (const char* stage : {"decode", "operation"})
      rejected.remove(source, record, stage);
  }
  return {};
}

}  // namespace

Result<DatasetChange> DatasetFlow::take(Hub& hub, const IncomingRows& given) const {
  IncomingRows incoming = given;
  std::vector<SourceBatch> filled;
  const auto lacks_cells = [](const SourceBatch& batch) { return !batch.unchanged.empty(); };
  if (std::ranges::any_of(given.batches, lacks_cells)) {
    filled = TRY(fill_unchanged(hub, *this, given));
    incoming.batches = filled;
  }
  RawResolution resolved = TRY(resolve_raw(hub, *this, incoming));
  RejectedChange rejected;
  const TableName name = table(Layer::kRejected);
  const Result<bool> there = hub.has_rows(name);
  if (!there.ok() && there.error().code != Code::kNotFound) return there.error();
  const bool any = there.ok() && there.value();
  for (const SourceBatch& batch : incoming.batches) {
    // Nothing is cleared where nothing is.
    if (any || !rejected.empty()) TRY(clear_refusals(incoming.source, batch, key_, rejected));
    if (any && (batch.replaces_origin || batch.truncates)) {
      clear_origin(TRY(hub.read(name, hub.latest_snapshot())), incoming.source, batch, rejected);
    }
    add_refusals(incoming.source, batch, key_, rejected);
  }
  TRY(rejected.put_refused(hub, name, std::move(resolved.refused)));
  DatasetChange out = TRY(spread(hub, {resolved.delta, resolved.delta}, rejected));
  out.counts.skipped = resolved.skipped;
  out.remove_overrides = std::move(resolved.remove_overrides);
  return out;
}

Result<DatasetChange> DatasetFlow::change(Hub& hub, const Batch& raw_delta) const {
  RejectedChange rejected;
  return spread(hub, {raw_delta, raw_delta}, rejected);
}

Result<DatasetChange> DatasetFlow::adopt(Hub& hub, const ForeignRows& foreign) const {
  RejectedChange rejected;
  return spread(hub, TRY(complete_rows(hub, *this, foreign)), rejected);
}

Result<DatasetChange> DatasetFlow::spread(Hub& hub,
                                          const RawDelta& raw,
                                          RejectedChange& rejected) const {
  const Batch& raw_delta = raw.rows;
  DatasetChange out;
  const Batch winners = TRY(winner_delta(hub, *this, raw));
  const Prepared prepared = TRY(pipeline_->apply(winners.select_columns(own_columns_)));
  add_step_rejects(winners, prepared, own_key_, rejected);
  out.counts = count(raw_delta, raw_key_);
  out.train = TRY(net(prepared.train, train_key_));
  add_table(out.tables, table(Layer::kRaw), raw.rest);
  add_table(out.tables, table(Layer::kClean), TRY(net(prepared.clean, clean_key_)));
  add_table(out.tables, table(Layer::kTrain), out.train);
  if (!rejected.empty()) {
    const Batch delta = TRY(rejected.delta(hub, table(Layer::kRejected)));
    out.counts.rejected = net_count(delta);
    add_table(out.tables, table(Layer::kRejected), delta);
  }
  return out;
}

Result<DatasetFlow::Layers> DatasetFlow::build(const Batch& raw) const {
  const Batch winners = TRY(winner_rows(*this, raw));
  const Prepared prepared = TRY(pipeline_->apply(winners.select_columns(own_columns_)));
  RejectedChange rejected;
  add_step_rejects(winners, prepared, own_key_, rejected);
  return Layers{prepared.clean, prepared.train, TRY(rejected.rows())};
}

}  // namespace lockstep
