#include "learn/layout.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

void add_feature(const FeaturePlan& feature, int missing, std::vector<ExpandedColumn>& columns) {
  if (feature.categorical) {
    for (const std::string& category : feature.categories) {
      columns.push_back({fmt::format("{}={}", feature.name, category)});
    }
    columns.push_back({feature.name + " other"});
    return;
  }
  const Scale& scale = feature.scale;
  columns.push_back({feature.name, scale.centre, scale.exponent, missing});
  for (const double knot : feature.knots) {
    // A hinge spans the whole range, twice as wide as the distance to the centre.
    columns.push_back(
        {fmt::format("max(0, {} - {})", feature.name, knot), 0, scale.exponent + 1, missing});
  }
}

}  // namespace

Layout layout_of(const LearnerPlan& plan) {
  Layout layout;
  std::vector<ExpandedColumn> missing_columns;
  std::vector<int> place;  // [feature]: among missing_columns, or -1
  const bool fills = plan.impute == Expansions::Impute::kMean;
  for (const FeaturePlan& feature : plan.features) {
    const bool needed = feature.missing_shown || (fills && !feature.categorical);
    const bool has = feature.missing_seen && needed;
    place.push_back(has ? static_cast<int>(missing_columns.size()) : -1);
    if (has)
      missing_columns.push_back({feature.name + " missing", 0, 0, -1, feature.missing_shown});
  }
  for (std::size_t i = 0; i < plan.features.size(); ++i) {
    layout.first_of_feature.push_back(static_cast<int>(layout.columns.size()));
    // The place among the missing columns for now; their first index is known only at the end.
    add_feature(plan.features[i], fills ? place[i] : -1, layout.columns);
  }
  layout.first_fourier = static_cast<int>(layout.columns.size());
  for (int i = 0; i < plan.fourier.feature_count; ++i) {
    layout.columns.push_back({fmt::format("fourier {}", i + 1)});
  }
  const int first_missing = static_cast<int>(layout.columns.size());
  for (ExpandedColumn& column : layout.columns) {
    if (column.missing >= 0) column.missing += first_missing;
  }
  for (const int index : place)
    layout.missing_of_feature.push_back(index < 0 ? -1 : first_missing + index);
  layout.columns.insert(layout.columns.end(), missing_columns.begin(), missing_columns.end());
  layout.constant = static_cast<int>(layout.columns.size());
  for (int i = 0; i < layout.constant; ++i) {
    const ExpandedColumn& column = layout.columns[static_cast<std::size_t>(i)];
    if (!column.shown) continue;
    layout.shown.push_back(i);
    layout.names.push_back(column.name);
  }
  layout.names.emplace_back("1");
  return layout;
}

}  // namespace lockstep
