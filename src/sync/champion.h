// A version that answers predictions: what it takes, held together and shared by all who ask.
#pragma once

#include "base/result.h"
#include "hub/hub.h"
#include "learn/learn.h"
#include "sync/dataset_flow.h"
#include "table/batch.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lockstep {

// Resource; const and safe from many threads. The steps and the learner of a definition.
struct Predictor {
  std::unique_ptr<DatasetFlow> flow;
  std::unique_ptr<SumLearner> learner;
};

// Of a version's definition, over the columns at its snapshot.
Result<std::unique_ptr<Predictor>> make_predictor(Hub& hub,
                                                  const std::string& definition_sha256,
                                                  SnapshotId at);

// Value; never changes.
struct Champion {
  std::string model;
  std::int64_t version = 0;
  std::int64_t data_version = 0;
  std::shared_ptr<const Predictor> predictor;
  std::shared_ptr<const Solution> solution;
};

// What a model says about new raw rows of its dataset: filters and rejects say why there is no
// answer.
struct Answers {
  Prediction prediction;
  std::vector<std::int64_t> row_of_input;  // in the prediction, or -1
  std::vector<std::string> reason;         // of each input row; empty: predicted
};

// level: 0 for no intervals, which need the solution's factor.
Result<Answers> answer_rows(const Predictor& predictor,
                            const Solution& solution,
                            const Batch& raw,
                            double level);

}  // namespace lockstep
