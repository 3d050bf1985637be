// What every sum learner must hold. Another learner, or another way to set one up, is a row of
// kLearners.
#include "learn/learn.h"
#include "learn/sample.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

using testing::permuted;
using testing::sample_rows;
using testing::sample_schema;
using testing::sample_spec;

struct LearnerCase {
  const char* name;
  const char* yaml;
};

const LearnerCase kLearners[] = {
    {"plain", "{features: [age, visits], targets: [sbp, dbp], learner: {l2: 0}}"},
    {"filled",
     "{features: [age, visits, ward], targets: [sbp, dbp], expand: [one_hot: [ward], impute: mean, "
     "standardize]}"},
    {"constant",
     "{features: [age, visits, ward], targets: [sbp, dbp], learner: {l2: 3},"
     " expand: [one_hot: [ward, visits], indicators, impute: {with: constant, value: -1}]}"},
    {"reject",
     "{features: [age, visits], targets: [dbp], outside: reject, expand: [winsorize, impute]}"},
    {"per_target",
     "{features: [age, ward], targets: [sbp, dbp], per_target: true, expand: [one_hot: ward, "
     "impute, splines: 3]}"},
    {"wide",
     "{features: [age, visits, ward], targets: [sbp, dbp], expand: [one_hot: [ward], indicators, "
     "impute, standardize,"
     " winsorize: {low: 0.02, high: 0.98}, splines: 4, fourier: {features: 20, gamma: 0.1}]}"},
};

class SumLearners : public ::testing::TestWithParam<LearnerCase> {
 protected:
  void SetUp() override {
    rows_ = sample_rows(700);
    const std::vector<Batch> batches = {rows_};
    auto definition = calibrate(sample_spec(GetParam().yaml), batches, "[]");
    ASSERT_TRUE(definition.ok()) << definition.error().message;
    definition_ = definition.value();
    auto learner = make_sum_learner(definition_, sample_schema());
    ASSERT_TRUE(learner.ok()) << learner.error().message;
    learner_ = std::move(learner).value();
  }

  ModelState folded(const Batch& rows) const {
    ModelState state = learner_->make_state();
    EXPECT_TRUE(learner_->fold(state, rows, hash_).ok());
    return state;
  }

  Batch rows_;
  Definition definition_;
  std::unique_ptr<SumLearner> learner_;
  KeyedHash hash_{"a key"};
};

TEST_P(SumLearners, CalibrateTheSameWhateverTheOrderAndTheBatches) {
  const Batch mixed = permuted(rows_, 9);
  const std::vector<Batch> parts = {mixed.slice(0, 1), mixed.slice(1, 400), mixed.slice(401, 299)};
  const auto again = calibrate(sample_spec(GetParam().yaml), parts, "[]");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again.value(), definition_);
}

TEST_P(SumLearners, FoldTheSameWhateverTheOrderAndTheBatches) {
  const ModelState whole = folded(rows_);
  EXPECT_EQ(
      whole.counts.folded + whole.counts.tested + whole.counts.refused + whole.counts.unlabelled,
      700);
  EXPECT_GT(whole.counts.tested, 0);
  const Batch mixed = permuted(rows_, 4);
  ModelState state = learner_->make_state();
  for (std::int64_t offset = 0, size = 1; offset < 700;
       offset += size, size = 1 + (size * 7 + 3) % 90) {
    const Batch part = mixed.slice(offset, std::min(size, 700 - offset));
    ASSERT_TRUE(learner_->fold(state, part, hash_).ok());
  }
  EXPECT_TRUE(state == whole);
  EXPECT_EQ(fingerprint_text(state), fingerprint_text(whole));
}

TEST_P(SumLearners, FoldTheSameWithEveryKernel) {
  const ModelState whole = folded(rows_);
  for (const SumKernel& kernel : sum_kernels()) {
    if (!kernel.supported()) continue;
    const auto learner = make_sum_learner(definition_, sample_schema(), kernel.name);
    ASSERT_TRUE(learner.ok());
    ModelState state = learner.value()->make_state();
    ASSERT_TRUE(learner.value()->fold(state, rows_, hash_).ok());
    EXPECT_TRUE(state == whole) << kernel.name;
  }
}

TEST_P(SumLearners, ForgetADeletedRowCompletely) {
  const ModelState before = folded(rows_.slice(0, 500));
  ModelState state = before;
  const Batch more = rows_.slice(500, 200);
  ASSERT_TRUE(learner_->fold(state, more, hash_).ok());
  EXPECT_FALSE(state == before);
  ASSERT_TRUE(learner_->fold(state, permuted(more, 2).with_all_signs(-1), hash_).ok());
  EXPECT_TRUE(state == before);
}

TEST_P(SumLearners, MergeStatesToThatOfAllRows) {
  ModelState state = folded(rows_.slice(0, 123));
  const ModelState rest = folded(rows_.slice(123, 577));
  ASSERT_TRUE(merge_state(state, rest, 1).ok());
  EXPECT_TRUE(state == folded(rows_));
  ASSERT_TRUE(merge_state(state, rest, -1).ok());
  EXPECT_TRUE(state == folded(rows_.slice(0, 123)));
}

TEST_P(SumLearners, ChangeNothingWhenAFoldFails) {
  const ModelState before = folded(rows_);
  ModelState state = before;
  const std::vector<int> columns = {0, 1, 2};
  const auto failed = learner_->fold(state, rows_.select_columns(columns), hash_);
  ASSERT_FALSE(failed.ok());
  EXPECT_TRUE(state == before);
  ModelState other = ModelState{};
  EXPECT_FALSE(learner_->fold(other, rows_, hash_).ok());
  EXPECT_TRUE(other == ModelState{});
}

TEST_P(SumLearners, SolveAnIncrementToTheBitsOfTheWhole) {
  ModelState state = folded(rows_.slice(0, 400));
  ASSERT_TRUE(learner_->fold(state, rows_.slice(400, 300), hash_).ok());
  const auto increment = learner_->solve(state);
  const auto whole = learner_->solve(folded(permuted(rows_, 5)));
  ASSERT_TRUE(increment.ok()) << increment.error().message;
  EXPECT_EQ(serialize_solution(increment.value()), serialize_solution(whole.value()));
  EXPECT_EQ(increment.value().columns.back(), "1");
}

TEST_P(SumLearners, EvaluateFromSumsWhatThePredictionsSay) {
  const ModelState state = folded(rows_);
  const Solution solution = learner_->solve(state).value();
  const Metrics metrics = learner_->evaluate(solution, state, "train");
  const auto prediction = learner_->predict(solution, rows_, 0).value();
  ASSERT_EQ(metrics.targets.size(), solution.targets.size());
  for (std::size_t t = 0; t < metrics.targets.size(); ++t) {
    const int target = *rows_.schema().index_of(metrics.targets[t].target);
    double squares = 0;
    std::int64_t count = 0;
    for (std::int64_t row = 0; row < rows_.row_count(); ++row) {
      const bool labelled =
          solution.targets.size() == 1 || std::string_view(GetParam().name) == "per_target"
              ? !rows_.is_null(target, row)
              : !rows_.is_null(5, row) && !rows_.is_null(6, row);
      if (!labelled || rows_.text_at(4, row) == "test") continue;
      if (prediction.rows.is_null(static_cast<int>(t), row)) continue;
      const double error =
          rows_.float_at(target, row) - prediction.rows.float_at(static_cast<int>(t), row);
      squares += error * error;
      ++count;
    }
    EXPECT_NEAR(metrics.targets[t].rmse, std::sqrt(squares / static_cast<double>(count)), 1e-4);
    EXPECT_GT(metrics.targets[t].r2, 0);
    EXPECT_LE(metrics.targets[t].r2, 1);
  }
  EXPECT_TRUE(learner_->evaluate(solution, learner_->make_state(), "test").targets.empty());
}

TEST_P(SumLearners, ReadBackTheStateThatTheyWrote) {
  const ModelState state = folded(rows_);
  const auto read = parse_state(serialize_state(state));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_TRUE(read.value() == state);
  const Solution solution = learner_->solve(state).value();
  const auto solved = parse_solution(serialize_solution(solution));
  ASSERT_TRUE(solved.ok());
  EXPECT_EQ(serialize_solution(solved.value()), serialize_solution(solution));
  EXPECT_EQ(solved.value().weights, solution.weights);
}

TEST_P(SumLearners, RefuseToSolveWithoutRows) {
  const auto solved = learner_->solve(learner_->make_state());
  ASSERT_FALSE(solved.ok());
  EXPECT_EQ(solved.error().code, Code::kInvalid);
}

INSTANTIATE_TEST_SUITE_P(Ridge, SumLearners, ::testing::ValuesIn(kLearners), [](const auto& info) {
  return std::string(info.param.name);
});

}  // namespace
}  // namespace lockstep
