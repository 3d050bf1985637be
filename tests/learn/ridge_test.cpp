#include "learn/sample.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lockstep {
namespace {

using testing::sample_rows;
using testing::sample_schema;
using testing::sample_spec;

struct Trained {
  std::unique_ptr<SumLearner> learner;
  ModelState state;
  Solution solution;
};

Trained train(const std::string& yaml, const Batch& rows) {
  const std::vector<Batch> batches = {rows};
  const Definition definition = calibrate(sample_spec(yaml, rows.schema()), batches, "[]").value();
  Trained trained;
  trained.learner = make_sum_learner(definition, rows.schema()).value();
  trained.state = trained.learner->make_state();
  EXPECT_TRUE(trained.learner->fold(trained.state, rows, KeyedHash("k")).ok());
  trained.solution = trained.learner->solve(trained.state).value();
  return trained;
}

constexpr const char* kWide =
    "{features: [age, visits, ward], targets: [sbp, dbp], expand: [one_hot: [ward], indicators, "
    "impute, standardize,"
    " splines: 4, fourier: {features: 20, gamma: 0.1}]}";

// The bits of every build type, processor and kernel; a change here is a change of every model's
// meaning.
TEST(Ridge, SolvesAFixedDatasetToFixedBits) {
  const Trained trained = train(kWide, sample_rows(400));
  EXPECT_EQ(sha256_hex(serialize_solution(trained.solution)),
            "112a07758e410191485b76ab8ab84e0cf99afada1f68a31ff90aaeb406e60d07");
  EXPECT_EQ(sha256_hex(serialize_state(trained.state)),
            "5c89b936b35d8a406c13e8011b89b08fb29c08fa58561680fdcfe57c8f9b8a1a");
  EXPECT_EQ(trained.learner->definition().sha256,
            "966a39b1f7e9e896ba8f2b78ebe3e29576a4455b4f239ef6d52aa11966139e0a");
}

using Real = long double;

// Gaussian elimination with long doubles on the rows themselves: an intercept, and columns of
// deviation 1.
std::vector<Real> reference(std::vector<std::vector<Real>> x, const std::vector<Real>& y, Real l2) {
  const std::size_t n = x.size();
  const std::size_t p = x[0].size();
  std::vector<Real> mean(p, 0), deviation(p, 0);
  Real y_mean = 0;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < p; ++j)
      mean[j] += x[i][j] / static_cast<Real>(n);
    y_mean += y[i] / static_cast<Real>(n);
  }
  for (const auto& row : x) {
    for (std::size_t j = 0; j < p; ++j)
      deviation[j] += (row[j] - mean[j]) * (row[j] - mean[j]) / static_cast<Real>(n);
  }
  for (auto& row : x) {
    for (std::size_t j = 0; j < p; ++j)
      row[j] = (row[j] - mean[j]) / std::sqrt(deviation[j]);
  }
  std::vector<std::vector<Real>> a(p, std::vector<Real>(p + 1, 0));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < p; ++j) {
      for (std::size_t k = 0; k < p; ++k)
        a[j][k] += x[i][j] * x[i][k];
      a[j][p] += x[i][j] * (y[i] - y_mean);
    }
  }
  for (std::size_t j = 0; j < p; ++j)
    a[j][j] += l2;
  for (std::size_t j = 0; j < p; ++j) {
    for (std::size_t i = 0; i < p; ++i) {
      if (i == j) continue;
      const Real factor = a[i][j] / a[j][j];
      for (std::size_t k = j; k <= p; ++k)
        a[i][k] -= factor * a[j][k];
    }
  }
  std::vector<Real> weights;
  Real intercept = y_mean;
  for (std::size_t j = 0; j < p; ++j) {
    weights.push_back(a[j][p] / a[j][j] / std::sqrt(deviation[j]));
    intercept -= weights[j] * mean[j];
  }
  weights.push_back(intercept);
  return weights;
}

TEST(Ridge, AgreesWithEliminationOnTheRowsInLongDoubles) {
  const Batch rows = sample_rows(500);
  for (const double l2 : {0.0, 3.0, 250.0}) {
    const Trained trained =
        train("{features: [age, visits], targets: [dbp], learner: {l2: " + std::to_string(l2) +
                  "}, expand: [impute, indicators, standardize]}",
              rows);
    ASSERT_EQ(trained.solution.columns,
              (std::vector<std::string>{"age", "visits", "age missing", "visits missing", "1"}));
    Real age_sum = 0, visits_sum = 0, age_count = 0, visits_count = 0;
    for (std::int64_t i = 0; i < rows.row_count(); ++i) {
      if (rows.text_at(4, i) == "test") continue;
      if (!rows.is_null(1, i)) age_sum += rows.float_at(1, i), age_count += 1;
      if (!rows.is_null(2, i))
        visits_sum += static_cast<Real>(rows.int_at(2, i)), visits_count += 1;
    }
    std::vector<std::vector<Real>> x;
    std::vector<Real> y;
    for (std::int64_t i = 0; i < rows.row_count(); ++i) {
      if (rows.text_at(4, i) == "test") continue;
      const bool no_age = rows.is_null(1, i);
      const bool no_visits = rows.is_null(2, i);
      x.push_back({no_age ? age_sum / age_count : Real(rows.float_at(1, i)),
                   no_visits ? visits_sum / visits_count : static_cast<Real>(rows.int_at(2, i)),
                   Real(no_age),
                   Real(no_visits)});
      y.push_back(rows.float_at(6, i));
    }
    const std::vector<Real> expected = reference(x, y, l2);
    for (std::size_t j = 0; j < expected.size(); ++j) {
      EXPECT_NEAR(trained.solution.weights[j], static_cast<double>(expected[j]), 2e-5)
          << l2 << " " << j;
    }
    EXPECT_NEAR(trained.solution.fills[0], static_cast<double>(age_sum / age_count), 1e-4);
  }
}

// n SSE / (n - parameters)^2 of both targets, in parts of their variance, by the way of the solve.
double gcv_by_solving(double l2, const Batch& rows) {
  const Trained trained = train(
      "{features: [age, visits, ward], targets: [sbp, dbp], learner: {l2: " + std::to_string(l2) +
          "}, expand: [one_hot: ward, impute, standardize, splines: 8]}",
      rows);
  const Metrics metrics = trained.learner->evaluate(trained.solution, trained.state, "train");
  double sum = 0;
  for (std::size_t t = 0; t < 2; ++t) {
    const double n = static_cast<double>(trained.solution.row_count);
    const double freedom = trained.solution.degrees_of_freedom[t];
    sum += (1 - metrics.targets[t].r2) * n * n / (freedom * freedom);
  }
  return sum;
}

TEST(Ridge, AutoTakesTheL2ThatNoneNearbyBeats) {
  const Batch rows = sample_rows(120);
  const std::vector<Batch> batches = {rows};
  const Definition definition =
      calibrate(sample_spec("{features: [age, visits, ward], targets: [sbp, dbp],"
                            " expand: [one_hot: ward, impute, standardize, splines: 8]}"),
                batches,
                "[]")
          .value();
  const Node json = node_from_json(definition.json).value();
  const double chosen = json.find("l2")->number("l2").value();
  EXPECT_GT(chosen, 1e-6);
  EXPECT_LT(chosen, 1e6);
  const double best = gcv_by_solving(chosen, rows);
  for (const double factor : {0.01, 0.25, 0.5, 2.0, 4.0, 100.0}) {
    EXPECT_GE(gcv_by_solving(chosen * factor, rows), best * (1 - 1e-6))
        << chosen << " * " << factor;
  }
}

// y = 2 x + noise, the noise a sum of twelve uniforms: close to normal, with deviation 1.
Batch noisy_line(std::int64_t count, std::uint64_t seed) {
  testing::Numbers numbers(seed);
  BatchBuilder builder(Schema({{"id", Type::kInt}, {"x", Type::kFloat}, {"y", Type::kFloat}}));
  for (std::int64_t id = 0; id < count; ++id) {
    const double x = 10 * numbers.uniform();
    double noise = -6;
    for (int i = 0; i < 12; ++i)
      noise += numbers.uniform();
    builder.append_row(std::vector<Value>{id, x, 2 * x + noise});
  }
  return builder.finish().value();
}

TEST(Ridge, IntervalsHoldAsMuchOfNewRowsAsTheySay) {
  const Trained trained =
      train("{features: [x], targets: [y], learner: {l2: 0}}", noisy_line(60, 1));
  EXPECT_NEAR(trained.solution.residual_deviation[0], 1, 0.25);
  EXPECT_EQ(trained.solution.degrees_of_freedom[0], 58);
  EXPECT_NEAR(trained.solution.weights[0], 2, 4 * trained.solution.standard_errors[0]);
  const Batch rows = noisy_line(4000, 2);
  for (const double level : {0.5, 0.8, 0.95}) {
    const Prediction prediction = trained.learner->predict(trained.solution, rows, level).value();
    ASSERT_EQ(prediction.rows.schema().names(), (std::vector<std::string>{"y", "y_low", "y_high"}));
    std::int64_t inside = 0;
    for (std::int64_t row = 0; row < rows.row_count(); ++row) {
      const double truth = rows.float_at(2, row);
      inside +=
          prediction.rows.float_at(1, row) <= truth && truth <= prediction.rows.float_at(2, row);
    }
    EXPECT_NEAR(static_cast<double>(inside) / 4000, level, 0.06);
  }
  const auto read = parse_solution(serialize_solution(trained.solution)).value();
  EXPECT_TRUE(trained.learner->predict(read, rows, 0).ok());
  EXPECT_FALSE(trained.learner->predict(read, rows, 0.8).ok());
}

TEST(Ridge, TellsWhyARowHasNoPrediction) {
  const Trained trained =
      train("{features: [age, visits], targets: [dbp], outside: reject}", sample_rows(300));
  BatchBuilder builder(Schema({{"visits", Type::kInt}, {"age", Type::kFloat}}));
  builder.append_row(std::vector<Value>{std::int64_t{3}, 40.0});
  builder.append_row(std::vector<Value>{std::int64_t{3}, std::nan("")});
  builder.append_row(std::vector<Value>{std::int64_t{3}, Value{}});
  builder.append_row(std::vector<Value>{std::int64_t{3}, 4000.0});
  const auto prediction =
      trained.learner->predict(trained.solution, builder.finish().value(), 0).value();
  const std::vector<std::string> expected = {
      "", "age is not finite", "age is missing", "age is outside its pinned range"};
  EXPECT_EQ(prediction.refused, expected);
  EXPECT_FALSE(prediction.rows.is_null(0, 0));
  EXPECT_TRUE(prediction.rows.is_null(0, 1));
}

TEST(Ridge, CountsRefusedAndUnlabelledRowsAndForgetsThemToo) {
  const Trained trained = train("{features: [age], targets: [dbp]}", sample_rows(300));
  BatchBuilder builder(sample_schema());
  const Value text = std::string("train");
  builder.append_row(std::vector<Value>{std::int64_t{9001}, 40.0, {}, {}, text, {}, 70.0});
  builder.append_row(std::vector<Value>{std::int64_t{9002}, HUGE_VAL, {}, {}, text, {}, 70.0});
  builder.append_row(std::vector<Value>{std::int64_t{9003}, 40.0, {}, {}, text, {}, {}});
  builder.append_row(std::vector<Value>{std::int64_t{9004}, 40.0, {}, {}, text, {}, 1e12});
  const Batch rows = builder.finish().value();
  ModelState state = trained.learner->make_state();
  ASSERT_TRUE(trained.learner->fold(state, rows, KeyedHash("k")).ok());
  EXPECT_EQ(state.counts, (FoldCounts{1, 0, 2, 1}));
  ASSERT_TRUE(trained.learner->fold(state, rows.with_all_signs(-1), KeyedHash("k")).ok());
  EXPECT_TRUE(state == trained.learner->make_state());
}

TEST(TestSample, FollowsInsertsAndDeletesAndKeepsToItsSize) {
  const Batch rows = sample_rows(2000);
  const Trained trained = train(kWide, rows);
  const auto all = make_test_sample(*trained.learner, 20'000).value();
  ASSERT_TRUE(all->apply(rows).ok());
  EXPECT_EQ(all->row_count(), trained.state.counts.tested);
  const BatchErrors errors = trained.learner->errors(trained.solution, rows).value();
  EXPECT_EQ(errors.row_count, trained.state.counts.tested + trained.state.counts.folded);
  const auto error = all->mean_absolute_error(trained.solution);
  ASSERT_EQ(error.size(), 2U);
  EXPECT_NEAR(error[0], errors.absolute_error_sum[0] / static_cast<double>(errors.row_count), 0.2);
  const auto few = make_test_sample(*trained.learner, 50).value();
  ASSERT_TRUE(few->apply(rows).ok());
  EXPECT_EQ(few->row_count(), 50);
  ASSERT_TRUE(few->apply(rows.with_all_signs(-1)).ok());
  EXPECT_EQ(few->row_count(), 0);
  EXPECT_TRUE(few->mean_absolute_error(trained.solution).empty());
}

}  // namespace
}  // namespace lockstep
