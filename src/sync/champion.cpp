#include "sync/champion.h"

#include "sync/dataset_columns.h"

namespace lockstep {

Result<std::unique_ptr<Predictor>> make_predictor(Hub& hub,
                                                  const std::string& definition_sha256,
                                                  SnapshotId at) {
  const auto definition = TRY(hub.definition(definition_sha256));
  if (!definition)
    return make_error(Code::kCorrupt, "the version's definition is not in the catalog");
  auto out = std::make_unique<Predictor>();
  out->flow = TRY(flow_of_definition(hub, definition->json, at));
  out->learner = TRY(make_sum_learner({definition->json, definition->sha256},
                                      out->flow->pipeline().train_schema()));
  return out;
}

Result<Answers> answer_rows(const Predictor& predictor,
                            const Solution& solution,
                            const Batch& raw,
                            double level) {
  const Prepared prepared = TRY(predictor.flow->pipeline().apply(raw));
  Answers out;
  out.prediction = TRY(predictor.learner->predict(solution, prepared.train, level));
  const auto count = static_cast<std::size_t>(raw.row_count());
  out.row_of_input.assign(count, -1);
  out.reason.assign(count, "left out by a filter");
  for (const PreparedReject& reject : prepared.rejects) {
    out.reason[static_cast<std::size_t>(reject.row)] = reject.step + ": " + reject.reason;
  }
  for (std::size_t row = 0; row < prepared.train_from.size(); ++row) {
    const auto input = static_cast<std::size_t>(prepared.train_from[row]);
    out.row_of_input[input] = static_cast<std::int64_t>(row);
    out.reason[input] = out.prediction.refused[row];
  }
  return out;
}

}  // namespace lockstep
