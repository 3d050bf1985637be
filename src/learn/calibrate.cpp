// Fits what a definition pins. Everything is taken from sorted values or exact sums, so that the
// order of the rows and of the batches changes no bit.
#include "base/exact_math.h"
#include "learn/column_reader.h"
#include "learn/fold_rows.h"
#include "learn/ridge.h"
#include "learn/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <utility>

namespace lockstep {
namespace {

constexpr double kNumberMax = 1e150;  // its square and its range are finite
constexpr double kFeatureWidening =
    0.5;                               // of the range seen, on each side: room for what comes later
constexpr double kTargetWidening = 8;  // wider, since a target outside is refused, not clipped
constexpr int kExponentMin = -400;

// What the usable rows hold, sorted.
struct Sample {
  std::vector<std::vector<double>> numbers;                     // [feature], of those that have it
  std::vector<std::map<std::string, std::int64_t>> categories;  // [feature], with counts
  std::vector<std::int64_t> missing;                            // [feature]
  std::vector<std::vector<double>> targets;                     // [target]
  std::int64_t row_count = 0;
  std::int64_t seen_count = 0;
};

struct Columns {
  std::vector<int> features;
  std::vector<int> targets;
  int split = -1;
};

bool contains(const std::vector<std::string>& list, const std::string& name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

Result<Columns> columns_of(const ModelSpec& spec, const Expansions& wanted, const Schema& schema) {
  Columns columns{TRY(schema.require_all(spec.features)), TRY(schema.require_all(spec.targets))};
  if (!spec.split_column.empty()) columns.split = TRY(schema.require(spec.split_column));
  for (const int index : columns.features) {
    const Field& field = schema.field(index);
    if (field.type == Type::kText && !contains(wanted.one_hot.columns, field.name)) {
      return invalid(fmt::format("feature '{}' is text, and a model reads numbers", field.name),
                     fmt::format("add to expand: - one_hot: [{}]", field.name));
    }
  }
  return columns;
}

// The usable rows of a batch: +1 for a use, with what the numbers of every column are.
class BatchSampler final {
 public:
  BatchSampler(const ModelSpec& spec,
               const Expansions& wanted,
               const Batch& batch,
               const Columns& columns)
      : spec_(spec), wanted_(wanted), batch_(batch), columns_(columns) {
    for (const int column : columns.features) {
      numbers_.emplace_back();
      if (!categorical(numbers_.size() - 1)) read(column, numbers_.back());
    }
    for (const int column : columns.targets) {
      targets_.emplace_back();
      read(column, targets_.back());
    }
  }

  void add_to(Sample& sample) const {
    for (std::size_t row = 0; row < static_cast<std::size_t>(batch_.row_count()); ++row) {
      if (is_test(row)) continue;
      ++sample.seen_count;
      if (usable(row)) add_row(row, sample);
    }
  }

 private:
  void read(int column, NumberColumn& into) const {
    read_numbers(batch_, column, 0, batch_.row_count(), into);
  }

  bool categorical(std::size_t feature) const {
    return contains(wanted_.one_hot.columns, spec_.features[feature]);
  }

  bool is_test(std::size_t row) const {
    const auto index = static_cast<std::int64_t>(row);
    if (columns_.split < 0 || batch_.is_null(columns_.split, index)) return false;
    return batch_.text_at(columns_.split, index) == "test";
  }

  static bool acceptable(const NumberColumn& column, std::size_t row) {
    return column.missing[row] != 0 || std::fabs(column.values[row]) <= kNumberMax;
  }

  bool usable(std::size_t row) const {
    std::size_t present = 0;
    for (const NumberColumn& target : targets_) {
      if (!acceptable(target, row)) return false;
      if (target.missing[row] == 0) ++present;
    }
    if (present < (spec_.per_target ? 1 : targets_.size())) return false;
    for (std::size_t i = 0; i < numbers_.size(); ++i) {
      if (categorical(i)) continue;
      if (!acceptable(numbers_[i], row)) return false;
      if (numbers_[i].missing[row] != 0 && wanted_.impute == Expansions::Impute::kNone)
        return false;
    }
    return true;
  }

  void add_row(std::size_t row, Sample& sample) const {
    const auto index = static_cast<std::int64_t>(row);
    ++sample.row_count;
    for (std::size_t i = 0; i < numbers_.size(); ++i) {
      if (batch_.is_null(columns_.features[i], index)) {
        ++sample.missing[i];
      } else if (categorical(i)) {
        ++sample.categories[i][value_text(batch_.value(columns_.features[i], index))];
      } else {
        sample.numbers[i].push_back(numbers_[i].values[row]);
      }
    }
    for (std::size_t t = 0; t < targets_.size(); ++t) {
      if (targets_[t].missing[row] == 0) sample.targets[t].push_back(targets_[t].values[row]);
    }
  }

  const ModelSpec& spec_;
  const Expansions& wanted_;
  const Batch& batch_;
  const Columns& columns_;
  std::vector<NumberColumn> numbers_;
  std::vector<NumberColumn> targets_;
};

Result<Sample> sample_of(const ModelSpec& spec,
                         const Expansions& wanted,
                         std::span<const Batch> rows) {
  Sample sample;
  sample.numbers.resize(spec.features.size());
  sample.categories.resize(spec.features.size());
  sample.missing.resize(spec.features.size());
  sample.targets.resize(spec.targets.size());
  for (const Batch& batch : rows) {
    const auto signs = batch.signs();
    if (std::any_of(signs.begin(), signs.end(), [](int sign) { return sign < 0; })) {
      return invalid("a calibration takes rows, not deletes of rows");
    }
    const Columns columns = TRY(columns_of(spec, wanted, batch.schema()));
    BatchSampler(spec, wanted, batch, columns).add_to(sample);
  }
  if (sample.row_count == 0) {
    return invalid(
        fmt::format(
            "model '{}' cannot be calibrated: none of {} training rows has finite features and "
            "all targets",
            spec.name,
            sample.seen_count),
        wanted.impute == Expansions::Impute::kNone ? "add to expand: - impute: {with: mean}" : "");
  }
  for (auto* lists : {&sample.numbers, &sample.targets}) {
    for (std::vector<double>& values : *lists)
      std::sort(values.begin(), values.end());
  }
  return sample;
}

// Of sorted values, between neighbours (Hyndman and Fan 1996, type 7).
double quantile(const std::vector<double>& sorted, double p) {
  const double place = static_cast<double>(sorted.size() - 1) * p;
  const auto low = static_cast<std::size_t>(place);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (place - static_cast<double>(low)) * (sorted[high] - sorted[low]);
}

// A range with room on both sides, and the fixed point that holds it: a power of two, so that
// numbers with few digits, such as ages, are kept exactly.
Scale fit_scale(double low, double high, double widening) {
  const double span = high > low ? high - low : std::max(1.0, std::fabs(high));
  Scale scale;
  scale.low = low - widening * span;
  scale.high = high + widening * span;
  const double half = (scale.high - scale.low) / 2;
  scale.exponent = std::max(kExponentMin, std::ilogb(half) - 2);
  while (7 * power_of_two(scale.exponent) < half)
    ++scale.exponent;
  const double grid = power_of_two(scale.exponent - 4);
  const double middle = (scale.low / 2 + scale.high / 2) / grid;
  scale.centre = (std::fabs(middle) < 0x1p50 ? round_half_even(middle) : middle) * grid;
  return scale;
}

void fit_mean(const std::vector<double>& sorted, FeaturePlan& feature) {
  double sum = 0;
  for (const double value : sorted)
    sum += std::clamp(value, feature.clip_low, feature.clip_high);
  feature.mean = sum / static_cast<double>(sorted.size());
  double squares = 0;
  for (const double value : sorted) {
    const double off = std::clamp(value, feature.clip_low, feature.clip_high) - feature.mean;
    squares += off * off;
  }
  const double deviation = exact_sqrt(squares / static_cast<double>(sorted.size()));
  feature.deviation = deviation > 0 ? deviation : 1;
}

bool applies(const std::vector<std::string>& columns, const std::string& name) {
  return columns.empty() || contains(columns, name);
}

void fit_number(const std::vector<double>& sorted, const Expansions& wanted, FeaturePlan& feature) {
  feature.in_fourier = wanted.fourier && applies(wanted.fourier->columns, feature.name);
  double low = sorted.empty() ? 0 : sorted.front();
  double high = sorted.empty() ? 0 : sorted.back();
  if (wanted.impute == Expansions::Impute::kConstant) {
    low = std::min(low, wanted.constant);
    high = std::max(high, wanted.constant);
  }
  feature.scale = fit_scale(low, high, kFeatureWidening);
  feature.clip_low = feature.scale.low;
  feature.clip_high = feature.scale.high;
  if (sorted.empty()) return;
  if (wanted.winsorize && applies(wanted.winsorize->columns, feature.name)) {
    feature.clip_low = quantile(sorted, wanted.winsorize->low);
    feature.clip_high = quantile(sorted, wanted.winsorize->high);
  }
  fit_mean(sorted, feature);
  if (!wanted.splines || !applies(wanted.splines->columns, feature.name)) return;
  const double knot_count = static_cast<double>(wanted.splines->knot_count);
  for (std::int64_t i = 1; i <= wanted.splines->knot_count; ++i) {
    const double knot = quantile(sorted, static_cast<double>(i) / (knot_count + 1));
    // A knot at an end bends nothing, and one that is there already bends nothing more.
    const bool inside = knot > std::max(sorted.front(), feature.clip_low) &&
                        knot < std::min(sorted.back(), feature.clip_high);
    if (inside && (feature.knots.empty() || knot > feature.knots.back()))
      feature.knots.push_back(knot);
  }
}

// The commonest values, ties by their text; then in the order of their text.
std::vector<std::string> fit_categories(const std::map<std::string, std::int64_t>& counts,
                                        std::int64_t count_max) {
  std::vector<std::pair<std::int64_t, std::string>> ranked;
  for (const auto& [text, count] : counts)
    ranked.emplace_back(-count, text);
  std::sort(ranked.begin(), ranked.end());
  if (ranked.size() > static_cast<std::size_t>(count_max))
    ranked.resize(static_cast<std::size_t>(count_max));
  std::vector<std::string> categories;
  for (auto& [count, text] : ranked)
    categories.push_back(std::move(text));
  std::sort(categories.begin(), categories.end());
  return categories;
}

void fit_features(const ModelSpec& spec,
                  const Expansions& wanted,
                  const Schema& schema,
                  const Sample& sample,
                  LearnerPlan& plan) {
  for (std::size_t i = 0; i < spec.features.size(); ++i) {
    FeaturePlan feature;
    feature.name = spec.features[i];
    feature.type = schema.field(*schema.index_of(feature.name)).type;
    feature.missing_seen = sample.missing[i] > 0;
    feature.missing_shown = feature.missing_seen && wanted.indicators &&
                            applies(wanted.indicator_columns, feature.name);
    feature.categorical = contains(wanted.one_hot.columns, feature.name);
    if (feature.categorical) {
      feature.categories = fit_categories(sample.categories[i], wanted.one_hot.category_count_max);
    } else {
      fit_number(sample.numbers[i], wanted, feature);
    }
    plan.features.push_back(std::move(feature));
  }
}

Result<void> fit_targets(const ModelSpec& spec,
                         const Schema& schema,
                         const Sample& sample,
                         LearnerPlan& plan) {
  for (std::size_t t = 0; t < spec.targets.size(); ++t) {
    const std::string& name = spec.targets[t];
    const std::vector<double>& sorted = sample.targets[t];
    if (sorted.empty() || sorted.front() == sorted.back()) {
      return invalid(
          fmt::format("model '{}' cannot be calibrated: target '{}' is the same in all of {} rows",
                      spec.name,
                      name,
                      sorted.size()),
          "wait for more rows, or choose another target");
    }
    const Scale scale = fit_scale(sorted.front(), sorted.back(), kTargetWidening);
    plan.targets.push_back({name, schema.field(*schema.index_of(name)).type, scale});
  }
  return {};
}

void fit_fourier(const Expansions& wanted, LearnerPlan& plan) {
  if (!wanted.fourier) return;
  const auto in = [](const FeaturePlan& feature) { return feature.in_fourier; };
  const auto columns = std::count_if(plan.features.begin(), plan.features.end(), in);
  if (columns == 0) return;
  plan.fourier = {static_cast<int>(wanted.fourier->feature_count),
                  wanted.fourier->gamma.value_or(1 / static_cast<double>(columns)),
                  static_cast<std::uint64_t>(wanted.fourier->seed)};
}

// l2 by generalised cross-validation over the sums of the same rows.
Result<double> fit_l2(const LearnerPlan& plan, std::span<const Batch> rows) {
  const Expander expander(plan);
  const SumKernel* kernel = TRY(choose_sum_kernel());
  ModelState state = empty_state(expander);
  for (const Batch& batch : rows) {
    const Binding binding = TRY(expander.bind_for_fold(batch.schema()));
    fold_rows(expander, *kernel, binding, batch, state);
  }
  return choose_l2(plan, expander.layout(), state);
}

}  // namespace

Result<Definition> calibrate(const ModelSpec& spec,
                             std::span<const Batch> rows,
                             const std::string& steps_json) {
  const Expansions wanted = TRY(parse_expansions(spec.expand, spec.features));
  const std::optional<double> l2 = TRY(parse_l2(spec.learner));
  const Sample sample = TRY(sample_of(spec, wanted, rows));
  const Schema& schema = rows[0].schema();
  LearnerPlan plan;
  plan.key = spec.key;
  plan.split_column = spec.split_column;
  plan.impute = wanted.impute;
  plan.constant = wanted.constant;
  plan.standardize = wanted.standardize;
  plan.reject_outside = spec.reject_outside;
  plan.per_target = spec.per_target;
  plan.spec = spec_json(spec, steps_json);
  fit_features(spec, wanted, schema, sample, plan);
  TRY(fit_targets(spec, schema, sample, plan));
  fit_fourier(wanted, plan);
  plan.l2 = l2 ? *l2 : TRY_IN(fit_l2(plan, rows), "model '" + spec.name + "' cannot be calibrated");
  Definition definition;
  definition.json = plan_json(plan);
  definition.sha256 = sha256_hex(definition.json);
  return definition;
}

}  // namespace lockstep
