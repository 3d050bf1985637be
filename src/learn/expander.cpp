#include "learn/expander.h"

#include "learn/column_reader.h"
#include "learn/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace lockstep {
namespace {

constexpr std::int32_t kOne = 1 << kFixedPointBits;
constexpr double kDeviationsMax =
    64;  // of a random feature's input: far beyond, the cosine is noise anyway

int count_in_fourier(const LearnerPlan& plan) {
  const auto in = [](const FeaturePlan& feature) { return feature.in_fourier; };
  return static_cast<int>(std::count_if(plan.features.begin(), plan.features.end(), in));
}

double factor_of(const Scale& scale) {
  return power_of_two(kFixedPointBits - scale.exponent);
}

std::string category_text(const Batch& batch, int column, std::int64_t row) {
  return value_text(batch.value(column, row));
}

Result<int> bound_column(const Schema& schema, const std::string& name, Type type) {
  const int index = TRY(schema.require(name));
  const Type found = schema.field(index).type;
  if (found == type) return index;
  return invalid(fmt::format("column '{}' is {}, but the model was made from {}",
                             name,
                             type_name(found),
                             type_name(type)),
                 "recalibrate the model, or cast the column");
}

}  // namespace

// One call of expand(): what its parts share.
struct Expander::Block {
  const Batch& batch;
  int source_column;  // of the feature at hand
  std::int64_t offset;
  std::int64_t count;
  ExpandedRows& out;
  NumberColumn& numbers;
  std::vector<double>& fourier_input;  // [row][place]

  std::int32_t* row(std::int64_t index) const { return out.q.data() + index * out.column_count; }

  void refuse(std::int64_t index, std::string_view name, std::string_view why) const {
    const auto i = static_cast<std::size_t>(index);
    if (out.fates[i] == RowFate::kUnlabelled || out.fates[i] == RowFate::kRefused) return;
    out.fates[i] = RowFate::kRefused;
    if (out.wants_reasons) out.reasons[i] = fmt::format("{} is {}", name, why);
  }
};

std::int32_t fixed_point(double value, const Scale& scale) {
  const double scaled = (value - scale.centre) * factor_of(scale);
  return rounded(scaled);
}

Expander::Expander(LearnerPlan plan)
    : plan_(std::move(plan)),
      layout_(layout_of(plan_)),
      fourier_(plan_.fourier, count_in_fourier(plan_)) {
  int place = 0;
  for (const FeaturePlan& feature : plan_.features) {
    fourier_place_.push_back(feature.in_fourier ? place++ : -1);
    std::map<std::string, int, std::less<>> index;
    for (const std::string& category : feature.categories)
      index.emplace(category, static_cast<int>(index.size()));
    category_index_.push_back(std::move(index));
  }
}

Result<Binding> Expander::bind_for_predict(const Schema& schema) const {
  Binding binding;
  for (const FeaturePlan& feature : plan_.features) {
    binding.features.push_back(TRY(bound_column(schema, feature.name, feature.type)));
  }
  return binding;
}

Result<void> Expander::expect(const Schema& schema) {
  if (expected_ && expected_->first == schema) return {};
  Binding binding = TRY(bind_for_fold(schema));
  expected_.emplace(schema, std::move(binding));
  return {};
}

Result<Binding> Expander::bind_for_fold(const Schema& schema) const {
  if (expected_ && expected_->first == schema) return expected_->second;
  Binding binding = TRY(bind_for_predict(schema));
  for (const TargetPlan& target : plan_.targets) {
    binding.targets.push_back(TRY(bound_column(schema, target.name, target.type)));
  }
  if (!plan_.split_column.empty()) {
    binding.split = TRY(bound_column(schema, plan_.split_column, Type::kText));
    binding.used.push_back(binding.split);
  }
  binding.key = TRY(schema.require_all(plan_.key));
  for (const auto* list : {&binding.key, &binding.features, &binding.targets}) {
    binding.used.insert(binding.used.end(), list->begin(), list->end());
  }
  return binding;
}

void Expander::expand(const Batch& batch,
                      const Binding& binding,
                      std::int64_t offset,
                      std::int64_t count,
                      ExpandedRows& out) const {
  const auto rows = static_cast<std::size_t>(count);
  out.column_count = column_count();
  out.q.assign(rows * static_cast<std::size_t>(out.column_count), 0);
  out.fates.assign(rows, RowFate::kTrain);
  out.target_present.assign(rows * plan_.targets.size(), 0);
  if (out.wants_reasons) out.reasons.assign(rows, {});
  NumberColumn numbers;
  std::vector<double> fourier_input(rows * static_cast<std::size_t>(fourier_.column_count()));
  Block block{batch, 0, offset, count, out, numbers, fourier_input};
  if (!binding.targets.empty()) expand_targets(block, binding);
  for (std::size_t i = 0; i < plan_.features.size(); ++i) {
    block.source_column = binding.features[i];
    if (plan_.features[i].categorical) {
      expand_categories(block, i, layout_.first_of_feature[i]);
    } else {
      expand_number(block, i, layout_.first_of_feature[i]);
    }
  }
  if (fourier_.feature_count() > 0) expand_fourier(block);
  for (std::int64_t row = 0; row < count; ++row)
    block.row(row)[layout_.constant] = kOne;
}

void Expander::expand_targets(const Block& block, const Binding& binding) const {
  const std::size_t target_count = plan_.targets.size();
  std::vector<int> present(static_cast<std::size_t>(block.count), 0);
  std::vector<std::uint8_t> bad(static_cast<std::size_t>(block.count), 0);
  for (std::size_t t = 0; t < target_count; ++t) {
    read_numbers(block.batch, binding.targets[t], block.offset, block.count, block.numbers);
    const Scale& scale = plan_.targets[t].scale;
    for (std::size_t i = 0; i < present.size(); ++i) {
      if (block.numbers.missing[i] != 0) continue;
      const double value = block.numbers.values[i];
      ++present[i];
      if (!(value >= scale.low && value <= scale.high)) {
        bad[i] = 1;
        continue;
      }
      block.out.target_present[i * target_count + t] = 1;
      block.row(static_cast<std::int64_t>(i))[layout_.constant + 1 + static_cast<int>(t)] =
          fixed_point(value, scale);
    }
  }
  const int needed = plan_.per_target ? 1 : static_cast<int>(target_count);
  for (std::size_t i = 0; i < present.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    RowFate& fate = block.out.fates[i];
    if (binding.split >= 0 && !block.batch.is_null(binding.split, block.offset + row) &&
        block.batch.text_at(binding.split, block.offset + row) == "test") {
      fate = RowFate::kTest;
    }
    if (present[i] < needed) {
      fate = RowFate::kUnlabelled;
    } else if (bad[i] != 0) {
      block.refuse(row, "a target", "not finite, or beyond the model's range");
    }
  }
}

// The usual block of a feature without knots: every number is there, finite, and taken. false: some
// number is not, and the feature's values are to be looked at one by one.
bool Expander::expand_plain(const Block& block, std::size_t feature_index, int column) const {
  const FeaturePlan& feature = plan_.features[feature_index];
  if (block.out.kernel == nullptr || !feature.knots.empty() || fourier_place_[feature_index] >= 0)
    return false;
  // Of any type: a value that is not finite, or beyond what the model takes, is not within.
  const double largest = std::numeric_limits<double>::max();
  const double low = plan_.reject_outside ? feature.scale.low : -largest;
  const double high = plan_.reject_outside ? feature.scale.high : largest;
  int special = 0;
  for (std::size_t i = 0; i < block.numbers.values.size(); ++i) {
    const double value = block.numbers.values[i];
    special |= static_cast<int>(block.numbers.missing[i] != 0) | static_cast<int>(!(value >= low)) |
               static_cast<int>(!(value <= high));
  }
  if (special != 0) return false;
  const Quantisation how = {
      feature.clip_low, feature.clip_high, feature.scale.centre, factor_of(feature.scale)};
  block.out.kernel->quantise(
      block.numbers.values, how, block.row(0) + column, block.out.column_count);
  return true;
}

void Expander::expand_number(const Block& block, std::size_t feature_index, int column) const {
  const FeaturePlan& feature = plan_.features[feature_index];
  const int missing = layout_.missing_of_feature[feature_index];
  const bool fills_later = missing >= 0 && plan_.impute == Expansions::Impute::kMean;
  const double fill = plan_.impute == Expansions::Impute::kConstant ? plan_.constant : feature.mean;
  const int place = fourier_place_[feature_index];
  read_numbers(block.batch, block.source_column, block.offset, block.count, block.numbers);
  if (expand_plain(block, feature_index, column)) return;
  for (std::int64_t row = 0; row < block.count; ++row) {
    std::int32_t* q = block.row(row);
    const bool is_missing = block.numbers.missing[static_cast<std::size_t>(row)] != 0;
    double value = block.numbers.values[static_cast<std::size_t>(row)];
    if (is_missing) {
      if (plan_.impute == Expansions::Impute::kNone) block.refuse(row, feature.name, "missing");
      if (missing >= 0) q[missing] = kOne;
      value = fill;
    } else if (!std::isfinite(value)) {
      block.refuse(row, feature.name, "not finite");
      continue;
    } else if (plan_.reject_outside && (value < feature.scale.low || value > feature.scale.high)) {
      block.refuse(row, feature.name, "outside its pinned range");
      continue;
    }
    value = std::clamp(value, feature.clip_low, feature.clip_high);
    if (place >= 0) {
      const double x = (value - feature.mean) / feature.deviation;
      block.fourier_input[static_cast<std::size_t>(row * fourier_.column_count() + place)] =
          std::clamp(x, -kDeviationsMax, kDeviationsMax);
    }
    if (is_missing && fills_later) continue;
    q[column] = fixed_point(value, feature.scale);
    const Scale hinge{0, feature.scale.exponent + 1};
    for (std::size_t k = 0; k < feature.knots.size(); ++k) {
      const double above = value - feature.knots[k];
      q[column + 1 + static_cast<int>(k)] = above > 0 ? fixed_point(above, hinge) : 0;
    }
  }
}

void Expander::expand_categories(const Block& block, std::size_t feature_index, int column) const {
  const auto& index = category_index_[feature_index];
  const int missing = layout_.missing_of_feature[feature_index];
  const bool is_text = plan_.features[feature_index].type == Type::kText;
  for (std::int64_t row = 0; row < block.count; ++row) {
    std::int32_t* q = block.row(row);
    const std::int64_t source_row = block.offset + row;
    if (missing >= 0 && block.batch.is_null(block.source_column, source_row)) {
      q[missing] = kOne;
      continue;
    }
    int place = static_cast<int>(index.size());  // other
    if (!block.batch.is_null(block.source_column, source_row)) {
      const auto found =
          is_text ? index.find(block.batch.text_at(block.source_column, source_row))
                  : index.find(category_text(block.batch, block.source_column, source_row));
      if (found != index.end()) place = found->second;
    }
    q[column + place] = kOne;
  }
}

void Expander::expand_fourier(const Block& block) const {
  const auto width = static_cast<std::size_t>(fourier_.column_count());
  std::vector<double> cosines(static_cast<std::size_t>(fourier_.feature_count()));
  for (std::int64_t row = 0; row < block.count; ++row) {
    const RowFate fate = block.out.fates[static_cast<std::size_t>(row)];
    if (fate == RowFate::kRefused || fate == RowFate::kUnlabelled) continue;
    fourier_.compute({block.fourier_input.data() + static_cast<std::size_t>(row) * width, width},
                     cosines);
    std::int32_t* q = block.row(row) + layout_.first_fourier;
    for (std::size_t k = 0; k < cosines.size(); ++k) {
      q[k] = rounded(cosines[k] * kOne);
    }
  }
}

}  // namespace lockstep
