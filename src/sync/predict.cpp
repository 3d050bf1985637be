// Predictions for a file of raw rows, by exactly the steps that the version was made with.
#include "hub/hub.h"
#include "sync/champion.h"
#include "sync/model_track.h"
#include "sync/report_values.h"
#include "table/codec.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {
namespace {

constexpr std::int64_t kRowsAtATime = 10'000;

// Resource. A version ready to predict.
struct Loaded {
  ModelVersionRecord version;
  std::unique_ptr<Predictor> predictor;
  Solution solution;
};

// Intervals need the factor of the sums, which is not stored with every version: the sums are made
// again.
Result<Solution> solved_anew(Hub& hub, const Loaded& loaded) {
  const Predictor& predictor = *loaded.predictor;
  Lineage lineage;
  lineage.definition = predictor.learner->definition();
  lineage.learner =
      TRY(make_sum_learner(lineage.definition, predictor.flow->pipeline().train_schema()));
  TRY(bring_to(hub,
               loaded.version.model,
               predictor.flow->table(Layer::kTrain),
               loaded.version.snapshot,
               lineage));
  Solution solved = TRY(lineage.learner->solve(lineage.state));
  if (sha256_hex(serialize_solution(solved)) != loaded.version.weights_sha256) {
    return make_error(
        Code::kDifference,
        fmt::format(
            "{}@{} is not what its data gives", loaded.version.model, loaded.version.version),
        fmt::format("lockstep verify {}@{}", loaded.version.model, loaded.version.version));
  }
  return solved;
}

Result<Loaded> load(Hub& hub, const std::string& reference, bool intervals) {
  Loaded out;
  out.version = TRY(referred_version(hub, parse_model_reference(reference)));
  if (out.version.weights.empty()) {
    return make_error(
        Code::kRefused,
        fmt::format(
            "{}@{} has no weights: {}", out.version.model, out.version.version, out.version.reason),
        fmt::format("lockstep models {}", out.version.model));
  }
  out.predictor = TRY(make_predictor(hub, out.version.definition, out.version.snapshot));
  out.solution = TRY(parse_solution(out.version.weights));
  if (intervals) out.solution = TRY(solved_anew(hub, out));
  return out;
}

Schema output_schema(const Loaded& model, const Schema& input, const Schema& predicted) {
  std::vector<Field> fields;
  for (const std::string& name : model.predictor->flow->key()) {
    if (const auto index = input.index_of(name)) fields.push_back(input.field(*index));
  }
  fields.insert(fields.end(), predicted.fields().begin(), predicted.fields().end());
  fields.push_back({"model_version", Type::kInt});
  fields.push_back({"data_version", Type::kInt});
  fields.push_back({"refused", Type::kText});
  return Schema(std::move(fields));
}

Result<Batch> output_rows(const Loaded& model,
                          const Batch& raw,
                          const Answers& answers,
                          const Schema& schema) {
  BatchBuilder out(schema);
  const int predicted = answers.prediction.rows.schema().size();
  const int keys = schema.size() - predicted - 3;
  for (std::int64_t row = 0; row < raw.row_count(); ++row) {
    const std::int64_t from = answers.row_of_input[static_cast<std::size_t>(row)];
    int column = 0;
    for (; column < keys; ++column) {
      out.append_from(column, raw, *raw.schema().index_of(schema.field(column).name), row);
    }
    for (int target = 0; target < predicted; ++target, ++column) {
      if (from < 0) {
        out.append_null(column);
      } else {
        out.append_from(column, answers.prediction.rows, target, from);
      }
    }
    out.append_int(column++, model.version.version);
    out.append_int(column++, number(model.version.snapshot));
    const std::string& reason = answers.reason[static_cast<std::size_t>(row)];
    if (reason.empty()) {
      out.append_null(column);
    } else {
      out.append_text(column, reason);
    }
  }
  return out.finish();
}

// The dataset's columns that the file has: targets are not known for new rows, so columns may lack.
Result<std::unique_ptr<Decoder>> open_input(Io& io, const Loaded& model, const std::string& path) {
  DecodeRequest request;
  request.format = TRY(format_of_path(path));
  if (request.format.format == Format::kTsv) request.options.delimiter = '\t';
  request.schema = model.predictor->flow->columns();
  request.missing_is_null = true;
  return open_decoder(io, path, request);
}

}  // namespace

Result<Json> predict(Io& io,
                     Hub& hub,
                     const std::string& reference,
                     const PredictOptions& options) {
  const Loaded model = TRY(load(hub, reference, options.level > 0));
  std::unique_ptr<Decoder> input = TRY(open_input(io, model, options.input));
  std::unique_ptr<Encoder> output;
  std::int64_t rows = 0;
  std::int64_t refused = 0;
  for (;;) {
    const Decoded decoded = TRY_IN(input->next(kRowsAtATime), options.input);
    if (!decoded.bad.empty()) {
      return invalid(fmt::format("{} line {}: {}",
                                 options.input,
                                 decoded.bad.front().line,
                                 decoded.bad.front().reason),
                     "correct the row, or take it out");
    }
    if (decoded.rows.row_count() == 0 && output) break;
    const Answers answers =
        TRY(answer_rows(*model.predictor, model.solution, decoded.rows, options.level));
    const Schema schema =
        output_schema(model, decoded.rows.schema(), answers.prediction.rows.schema());
    if (!output) {
      output =
          options.output.empty()
              ? TRY(open_text_encoder(options.sink, Format::kCsv, schema))
              : TRY(open_encoder(io, options.output, TRY(format_of_path(options.output)), schema));
    }
    TRY(output->write(TRY(output_rows(model, decoded.rows, answers, schema))));
    rows += decoded.rows.row_count();
    refused += std::count_if(answers.reason.begin(),
                             answers.reason.end(),
                             [](const std::string& r) { return !r.empty(); });
    if (decoded.rows.row_count() == 0) break;
  }
  TRY(output->finish());
  Json out;
  out["model"] = model.version.model;
  out["version"] = model.version.version;
  out["snapshot"] = number(model.version.snapshot);
  out["rows"] = rows;
  out["refused"] = refused;
  out["output"] = options.output.empty() ? Json(nullptr) : Json(options.output);
  return out;
}

}  // namespace lockstep
