// Everything that a definition pins, as values: what calibration writes and what folding, solving
// and predicting read.
#pragma once

#include "base/result.h"
#include "learn/learn.h"
#include "table/types.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

// The expansions that a model asks for, read from `expand`.
struct Expansions {
  struct OneHot {
    std::vector<std::string> columns;
    std::int64_t category_count_max = 32;
  };

  struct Winsorize {
    std::vector<std::string> columns;  // empty: all numbers
    double low = 0.01;
    double high = 0.99;
  };

  struct Splines {
    std::vector<std::string> columns;  // empty: all numbers
    std::int64_t knot_count = 6;
  };

  struct Fourier {
    std::vector<std::string> columns;  // empty: all numbers
    std::int64_t feature_count = 256;
    std::optional<double> gamma;  // none: 1 / number of columns
    std::int64_t seed = 1;
  };

  enum class Impute { kNone, kMean, kConstant };

  OneHot one_hot;
  bool indicators = false;
  std::vector<std::string> indicator_columns;  // empty: all features
  Impute impute = Impute::kNone;
  double constant = 0;
  bool standardize = false;
  std::optional<Winsorize> winsorize;
  std::optional<Splines> splines;
  std::optional<Fourier> fourier;
};

Result<Expansions> parse_expansions(const Node& list, const std::vector<std::string>& features);
// nullopt: `auto`.
Result<std::optional<double>> parse_l2(const Node& learner);

// A number's fixed point: (value - centre) / 2^exponent, |.| < 8.
struct Scale {
  double centre = 0;
  int exponent = 0;
  double low = 0;  // the pinned range, in units of the column
  double high = 0;
};

struct FeaturePlan {
  std::string name;
  Type type = Type::kFloat;
  bool missing_seen = false;  // some row of the calibration lacked it: it has a column that says so
  bool missing_shown = false;  // that column has a weight of its own (indicators)
  bool categorical = false;
  std::vector<std::string> categories;  // of one_hot; every other value goes to "other"
  // Of numbers:
  Scale scale;
  double mean = 0;       // pinned; the places of missing values in splines and fourier
  double deviation = 1;  // pinned; fourier
  double clip_low = 0;   // winsorize, or the range
  double clip_high = 0;
  std::vector<double> knots;
  bool in_fourier = false;
};

struct TargetPlan {
  std::string name;
  Type type = Type::kFloat;
  Scale scale;
};

struct FourierPlan {
  int feature_count = 0;
  double gamma = 0;
  std::uint64_t seed = 0;
};

struct LearnerPlan {
  std::vector<FeaturePlan> features;
  std::vector<TargetPlan> targets;
  FourierPlan fourier;  // feature_count 0: none
  std::vector<std::string> key;
  std::string split_column;  // empty: none
  Expansions::Impute impute = Expansions::Impute::kNone;
  double constant = 0;
  bool standardize = false;
  bool reject_outside = false;
  bool per_target = false;
  double l2 = 0;
  std::string spec;  // canonical JSON: spec_json()
};

std::string plan_json(const LearnerPlan& plan);
Result<LearnerPlan> parse_plan(const std::string& json);

}  // namespace lockstep
