// Looking before anything is stored: ten rows on their way, and what check finds.
#include "hub/hub.h"
#include "source/source.h"
#include "sync/configuration_references.h"
#include "sync/dataset_flow.h"
#include "sync/model_track.h"
#include "sync/plan.h"
#include "sync/report_values.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {
namespace {

constexpr std::int64_t kCalibrationRows = 5'000;

// A source as a dataset sees it.
struct Probe {
  std::unique_ptr<Source> source;
  int target = 0;
};

// `columns`: the dataset's, once they are known.
Result<Probe> probe_of(Io& io,
                       const Configuration& configuration,
                       const DatasetConfiguration& dataset,
                       const std::string& source,
                       const Schema& columns) {
  SourceRequest request = source_request(configuration, *configuration.source(source));
  const int target = target_of(configuration, source, dataset.name);
  request.targets[static_cast<std::size_t>(target)].schema = columns;
  return Probe{TRY(make_source(io, request)), target};
}

Json rows_json(const Batch& batch, std::int64_t count) {
  Json out = Json::array();
  for (std::int64_t row = 0; row < std::min(count, batch.row_count()); ++row)
    out.push_back(json_of_row(batch, row));
  return out;
}

struct Sample {
  std::string source;
  std::unique_ptr<DatasetFlow> flow;
  Batch rows;
};

Result<Sample> sample_of(Io& io,
                         const Configuration& configuration,
                         const DatasetConfiguration& dataset,
                         std::int64_t row_count) {
  for (const std::string& name : dataset.from) {
    Schema columns = dataset.columns;
    if (columns.size() == 0) {
      const Probe probe = TRY(probe_of(io, configuration, dataset, name, {}));
      Result<Schema> inferred = probe.source->infer_schema(probe.target);
      if (!inferred.ok() && inferred.error().code == Code::kNotFound) continue;
      columns = TRY(std::move(inferred));
    }
    Sample out{name, TRY(DatasetFlow::make(dataset, columns)), {}};
    const Probe probe = TRY(probe_of(io, configuration, dataset, name, columns));
    const std::optional<SourceBatch> batch = TRY(probe.source->sample(probe.target, row_count));
    if (!batch) continue;
    out.rows = batch->rows;
    return out;
  }
  return make_error(Code::kNotFound,
                    fmt::format("the sources of dataset '{}' have no rows yet", dataset.name),
                    "lockstep check");
}

// What a model made of the sample's rows would say about the first of them: shows the way, promises
// no accuracy.
Result<void> add_prediction(const Configuration& configuration,
                            const Sample& sample,
                            const Batch& train,
                            std::int64_t row_count,
                            Json& out) {
  const std::string& dataset = sample.flow->dataset().name;
  const auto model = std::find_if(
      configuration.models.begin(),
      configuration.models.end(),
      [&](const ModelConfiguration& candidate) { return candidate.dataset == dataset; });
  out["model"] = nullptr;
  out["prediction"] = Json::array();
  if (model == configuration.models.end()) return {};
  out["model"] = model->name;
  const Pipeline& pipeline = sample.flow->pipeline();
  const ModelSpec spec = TRY(
      parse_model_spec(model->learn, model->name, pipeline.train_schema(), pipeline.train_key()));
  const std::vector<Batch> rows = {train};
  Result<Definition> definition = calibrate(spec, rows, sample.flow->steps_json());
  if (!definition.ok()) {
    out["note"] = "no prediction from so few rows: " + definition.error().message;
    return {};
  }
  const auto learner = TRY(make_sum_learner(definition.value(), pipeline.train_schema()));
  ModelState state = learner->make_state();
  TRY(learner->fold(state, train, KeyedHash("preview")));
  Result<Solution> solution = learner->solve(state);
  if (!solution.ok()) {
    out["note"] = "no prediction from so few rows: " + solution.error().message;
    return {};
  }
  const Batch first = train.slice(0, std::min(row_count, train.row_count()));
  const Prediction prediction = TRY(learner->predict(solution.value(), first, 0));
  out["prediction"] = rows_json(prediction.rows, row_count);
  return {};
}

}  // namespace

Result<Json> preview(Io& io,
                     const Configuration& configuration,
                     const std::string& dataset_name,
                     std::int64_t row_count) {
  const DatasetConfiguration* dataset =
      dataset_name.empty() ? configuration.datasets.data() : configuration.dataset(dataset_name);
  if (dataset == nullptr || configuration.datasets.empty()) {
    return make_error(
        Code::kNotFound, fmt::format("there is no dataset '{}'", dataset_name), "lockstep check");
  }
  const Sample sample = TRY(sample_of(io, configuration, *dataset, kCalibrationRows));
  const Prepared all = TRY(sample.flow->pipeline().apply(sample.rows));
  const Batch first = sample.rows.slice(0, std::min(row_count, sample.rows.row_count()));
  const Prepared prepared = TRY(sample.flow->pipeline().apply(first));
  Json out;
  out["dataset"] = dataset->name;
  out["source"] = sample.source;
  out["raw"] = rows_json(first, row_count);
  out["clean"] = rows_json(prepared.clean, row_count);
  out["train"] = rows_json(prepared.train, row_count);
  out["rejected"] = Json::array();
  for (const PreparedReject& reject : prepared.rejects) {
    out["rejected"].push_back({{"row", json_of_row(first, reject.row)},
                               {"stage", reject.step},
                               {"reason", reject.reason}});
  }
  TRY(add_prediction(configuration, sample, all.train, row_count, out));
  return out;
}

namespace {

Json finding(const char* level, std::string what, std::string message, std::string hint = {}) {
  Json out;
  out["level"] = level;
  out["what"] = std::move(what);
  out["message"] = std::move(message);
  out["hint"] = std::move(hint);
  return out;
}

Json finding(const std::string& what, const Error& error) {
  return finding("fail", what, error.message, error.hint);
}

Result<Schema> columns_for_check(Io& io,
                                 const Configuration& configuration,
                                 const DatasetConfiguration& dataset) {
  if (dataset.columns.size() > 0) return dataset.columns;
  for (const std::string& source : dataset.from) {
    const Probe probe = TRY(probe_of(io, configuration, dataset, source, {}));
    Result<Schema> columns = probe.source->infer_schema(probe.target);
    if (columns.ok() || columns.error().code != Code::kNotFound) return columns;
  }
  return Schema();
}

// Columns that a source shows and the dataset does not take: told, so that none is left behind
// unseen. A source that shows nothing now says so when it is read.
void check_other_columns(Io& io,
                         const Configuration& configuration,
                         const DatasetConfiguration& dataset,
                         const Schema& columns,
                         Json& out) {
  for (const std::string& name : dataset.from) {
    const Result<Probe> probe = probe_of(io, configuration, dataset, name, {});
    if (!probe.ok()) continue;
    const Result<Schema> shown = probe.value().source->infer_newest_schema(probe.value().target);
    if (!shown.ok()) continue;
    std::vector<std::string> others;
    for (const Field& field : shown.value().fields()) {
      if (!columns.index_of(field.name)) others.push_back(field.name);
    }
    if (others.empty()) continue;
    out.push_back(finding(
        "warn",
        "dataset " + dataset.name,
        fmt::format(
            "source '{}' has columns that it does not take: {}", name, fmt::join(others, ", ")),
        "name them under columns to take them"));
  }
}

void check_source(Io& io,
                  const Configuration& configuration,
                  const SourceConfiguration& source,
                  Json& out) {
  const std::string what = "source " + source.name;
  const auto made = make_source(io, source_request(configuration, source));
  if (!made.ok()) return out.push_back(finding(what, made.error()));
  out.push_back(finding("ok", what, source.type));
  for (const SourceFinding& found : made.value()->check()) {
    const char* level = found.level == SourceFinding::Level::kOk        ? "ok"
                        : found.level == SourceFinding::Level::kWarning ? "warn"
                                                                        : "fail";
    out.push_back(finding(level, what, found.text, found.hint));
  }
}

void check_dataset(Io& io,
                   const Configuration& configuration,
                   const DatasetConfiguration& dataset,
                   Json& out) {
  const std::string what = "dataset " + dataset.name;
  Result<Schema> columns = columns_for_check(io, configuration, dataset);
  if (!columns.ok()) return out.push_back(finding(what, columns.error()));
  if (columns.value().size() == 0) {
    return out.push_back(finding("warn",
                                 what,
                                 "its columns are not known yet: no source has shown any",
                                 "add a file, or declare columns: {name: type}"));
  }
  Result<std::unique_ptr<DatasetFlow>> flow = DatasetFlow::make(dataset, columns.value());
  if (!flow.ok()) return out.push_back(finding(what, flow.error()));
  out.push_back(finding("ok",
                        what,
                        fmt::format("{} columns, {} in train",
                                    columns.value().size(),
                                    flow.value()->pipeline().train_schema().size())));
  check_other_columns(io, configuration, dataset, columns.value(), out);
  for (const ModelConfiguration& model : configuration.models) {
    if (model.dataset != dataset.name) continue;
    const Pipeline& pipeline = flow.value()->pipeline();
    Result<ModelSpec> spec =
        parse_model_spec(model.learn, model.name, pipeline.train_schema(), pipeline.train_key());
    if (!spec.ok()) {
      out.push_back(finding("model " + model.name, spec.error()));
    } else {
      out.push_back(finding("ok",
                            "model " + model.name,
                            fmt::format("{} features, {} targets",
                                        spec.value().features.size(),
                                        spec.value().targets.size())));
    }
  }
}

void check_hub(Io& io, const Configuration& configuration, Json& out) {
  Result<std::unique_ptr<Hub>> hub =
      Hub::open(io, {configuration.hub.catalog, configuration.hub.data}, HubMode::kRead);
  if (!hub.ok() && hub.error().code == Code::kNoHub) {
    return out.push_back(
        finding("ok", "hub", "there is none yet: the first sync makes it", "lockstep sync"));
  }
  if (!hub.ok()) return out.push_back(finding("hub", hub.error()));
  Result<Plan> plan = make_plan(*hub.value(), configuration);
  if (!plan.ok()) return out.push_back(finding("plan", plan.error()));
  out.push_back(
      finding("ok", "hub", fmt::format("snapshot {}", number(hub.value()->latest_snapshot()))));
  for (const PlanItem& item : plan.value().items) {
    out.push_back(finding(item.needs_apply ? "warn" : "ok",
                          "plan",
                          item.text,
                          item.needs_apply ? "lockstep sync --apply" : ""));
  }
}

}  // namespace

Result<Json> check(Io& io, const Configuration& configuration) {
  Json out = Json::array();
  out.push_back(finding("ok", "configuration", configuration.path));
  for (const SourceConfiguration& source : configuration.sources) {
    check_source(io, configuration, source, out);
  }
  for (const DatasetConfiguration& dataset : configuration.datasets)
    check_dataset(io, configuration, dataset, out);
  check_hub(io, configuration, out);
  return out;
}

}  // namespace lockstep
