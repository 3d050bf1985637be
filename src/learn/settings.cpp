#include "learn/plan.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace lockstep {
namespace {

using Kind = Setting::Type;

constexpr std::array<Setting, 7> kModelSettings = {{
    {"features", Kind::kTexts, "", "The columns of the train layer that the model reads.", true},
    {"targets", Kind::kTexts, "", "The numeric columns that it predicts.", true},
    {"split",
     Kind::kText,
     "split",
     "The text column that says which rows are for testing: those with \"test\" in it."},
    {"expand", Kind::kNode, "", "The expansions, a list; its order has no meaning."},
    {"learner", Kind::kNode, "{type: ridge, l2: auto}", "The algorithm and its settings."},
    {"outside",
     Kind::kChoice,
     "clip",
     "What happens to a feature outside its pinned range: moved to the edge, or the row refused.",
     false,
     "clip | reject"},
    {"per_target",
     Kind::kBoolean,
     "false",
     "Train each target on the rows that have it, instead of on rows that have them all."},
}};

constexpr std::array<Setting, 2> kLearnerSettings = {{
    {"type", Kind::kChoice, "ridge", "The algorithm.", false, "ridge"},
    {"l2",
     Kind::kText,
     "auto",
     "The penalty on squared weights, 0 or more; auto: by generalised cross-validation at "
     "calibration."},
}};

constexpr std::array<Setting, 2> kOneHot = {{
    {"columns", Kind::kTexts, "", "Columns of text, bool or int.", true},
    {"categories",
     Kind::kInteger,
     "32",
     "At most so many of the commonest values.",
     false,
     {},
     1,
     1000},
}};

constexpr std::array<Setting, 1> kIndicators = {{
    {"columns", Kind::kTexts, "", "Features; none given: all of them."},
}};

constexpr std::array<Setting, 2> kImpute = {{
    {"with",
     Kind::kChoice,
     "mean",
     "What takes a missing number's place.",
     false,
     "mean | constant"},
    {"value", Kind::kNumber, "", "The constant, in units of the column."},
}};

constexpr std::array<Setting, 3> kWinsorize = {{
    {"low",
     Kind::kNumber,
     "0.01",
     "Numbers below this quantile are moved to it.",
     false,
     {},
     0,
     0.5},
    {"high",
     Kind::kNumber,
     "0.99",
     "Numbers above this quantile are moved to it.",
     false,
     {},
     0.5,
     1},
    {"columns", Kind::kTexts, "", "Numeric features; none given: all of them."},
}};

constexpr std::array<Setting, 2> kSplines = {{
    {"knots",
     Kind::kInteger,
     "6",
     "Bends in the line of each column, at quantiles.",
     false,
     {},
     1,
     64},
    {"columns", Kind::kTexts, "", "Numeric features; none given: all of them."},
}};

constexpr std::array<Setting, 4> kFourier = {{
    {"features", Kind::kInteger, "256", "Number of random cosines.", false, {}, 1, 4096},
    {"gamma",
     Kind::kNumber,
     "",
     "How fast likeness falls with squared distance; default 1 / number of columns.",
     false,
     {},
     1e-6,
     1000},
    {"seed", Kind::kInteger, "1", "Of the random frequencies.", false, {}, 0, 1e15},
    {"columns", Kind::kTexts, "", "Numeric features; none given: all of them."},
}};

constexpr std::array<ExpansionInfo, 7> kExpansions = {{
    {"one_hot",
     kOneHot,
     "A column of 0 and 1 for each common value of a column.",
     "one_hot: [ward]"},
    {"indicators", kIndicators, "A column that is 1 where a feature is missing.", "indicators"},
    {"impute",
     kImpute,
     "Fills missing numbers; the mean is that of the rows at every solve.",
     "impute: {with: mean}"},
    {"standardize", {}, "Lets the penalty act on columns of deviation 1.", "standardize"},
    {"winsorize",
     kWinsorize,
     "Moves extreme numbers to a quantile.",
     "winsorize: {low: 0.01, high: 0.99}"},
    {"splines", kSplines, "Lets the line of each number bend at quantiles.", "splines: 6"},
    {"fourier",
     kFourier,
     "Random cosines of all numbers together: smooth interactions.",
     "fourier: {features: 256, gamma: 0.02}"},
}};

// `standardize`, `splines: 6` and `splines: {knots: 6}` all become a name and a map: what is no map
// is the value of the first setting.
struct Item {
  const ExpansionInfo* info = nullptr;
  Node settings;
};

Result<Item> parse_item(const Node& node) {
  const bool named = node.is_map() && node.fields.size() == 1;
  if (!named && !node.is_scalar()) {
    return invalid_at(
        node.mark, "an expansion is a name, or a name with settings", "write: - splines: 6");
  }
  const std::string& name = named ? node.fields[0].first : node.scalar;
  std::vector<std::string> names;
  Item item;
  for (const ExpansionInfo& info : kExpansions) {
    names.emplace_back(info.name);
    if (info.name == name) item.info = &info;
  }
  if (item.info == nullptr) {
    const auto near = nearest(name, names);
    std::string list;
    for (const std::string& each : names)
      list += (list.empty() ? "" : ", ") + each;
    return invalid_at(node.mark,
                      "no such expansion: '" + name + "'",
                      near ? "did you mean '" + *near + "'?" : "there are: " + list);
  }
  item.settings.kind = Node::Kind::kMap;
  item.settings.mark = node.mark;
  if (!named || node.fields[0].second.is_null()) return item;
  const Node& value = node.fields[0].second;
  if (value.is_map()) {
    item.settings = value;
  } else if (item.info->settings.empty()) {
    return invalid_at(value.mark, "'" + name + "' has no settings", "write: - " + name);
  } else {
    item.settings.fields.emplace_back(std::string(item.info->settings[0].name), value);
  }
  return item;
}

Result<std::vector<std::string>> feature_columns(const Settings& settings,
                                                 const std::vector<std::string>& features) {
  if (!settings.has("columns")) return std::vector<std::string>{};
  std::vector<std::string> columns = settings.texts("columns");
  for (const std::string& column : columns) {
    if (std::find(features.begin(), features.end(), column) != features.end()) continue;
    const auto near = nearest(column, features);
    return invalid_at(settings.mark(),
                      "'" + column + "' is no feature of the model",
                      near ? "did you mean '" + *near + "'?" : "add it to `features`");
  }
  return columns;
}

Result<void> read_impute(const Settings& settings, Expansions& into) {
  into.impute =
      settings.text("with") == "mean" ? Expansions::Impute::kMean : Expansions::Impute::kConstant;
  if (into.impute == Expansions::Impute::kMean) return {};
  if (!settings.has("value")) {
    return invalid_at(settings.mark(), "impute with a constant needs its value", "add: value: 0");
  }
  into.constant = settings.number("value");
  return {};
}

Result<void> read_item(const Item& item,
                       const std::vector<std::string>& features,
                       Expansions& into) {
  const std::string_view name = item.info->name;
  const Settings settings = TRY(
      Settings::parse(item.settings, item.info->settings, "expansion '" + std::string(name) + "'"));
  if (name == "standardize") {
    into.standardize = true;
    return {};
  }
  if (name == "impute") return read_impute(settings, into);
  std::vector<std::string> columns = TRY(feature_columns(settings, features));
  if (name == "one_hot") {
    into.one_hot = {std::move(columns), settings.integer("categories")};
  } else if (name == "indicators") {
    into.indicators = true;
    into.indicator_columns = std::move(columns);
  } else if (name == "winsorize") {
    into.winsorize = {std::move(columns), settings.number("low"), settings.number("high")};
  } else if (name == "splines") {
    into.splines = {std::move(columns), settings.integer("knots")};
  } else {
    into.fourier = {std::move(columns), settings.integer("features"), {}, settings.integer("seed")};
    if (settings.has("gamma")) into.fourier->gamma = settings.number("gamma");
  }
  return {};
}

// Numbers are read without one_hot, so a text column must be listed there.
Result<void> check_types(const ModelSpec& spec, const Node& node, const Schema& train) {
  const Expansions expansions = TRY(parse_expansions(spec.expand, spec.features));
  const Node* features = node.find("features");
  const auto& hot = expansions.one_hot.columns;
  for (std::size_t i = 0; i < spec.features.size(); ++i) {
    const std::string& name = spec.features[i];
    const Type type = train.field(TRY(train.require(name))).type;
    const bool listed = std::find(hot.begin(), hot.end(), name) != hot.end();
    const bool in_list = features->is_list() && i < features->items.size();
    const Mark& mark = in_list ? features->items[i].mark : features->mark;
    if (type == Type::kText && !listed) {
      return invalid_at(mark,
                        "feature '" + name + "' is text, and a model reads numbers",
                        "add to expand: - one_hot: [" + name + "]");
    }
    if (listed && type != Type::kText && type != Type::kBool && type != Type::kInt) {
      return invalid_at(mark,
                        "one_hot of '" + name + "', a " + std::string(type_name(type)),
                        "one_hot takes columns of text, bool or int");
    }
  }
  return {};
}

Result<void> check_names(const ModelSpec& spec, const Node& node, const Schema& train) {
  std::vector<std::string> seen;
  for (const auto* list : {&spec.features, &spec.targets}) {
    const Node& at = *node.find(list == &spec.features ? "features" : "targets");
    if (list->empty()) return invalid_at(at.mark, "the list is empty", "name at least one column");
    for (const std::string& name : *list) {
      const auto index = train.require(name);
      if (!index.ok()) return invalid_at(at.mark, index.error().message, index.error().hint);
      if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
        return invalid_at(
            at.mark, "'" + name + "' is named twice", "a column is a feature or a target, once");
      }
      seen.push_back(name);
      if (list == &spec.targets && train.field(index.value()).type == Type::kText) {
        return invalid_at(at.mark, "target '" + name + "' is text", "a target is a number");
      }
    }
  }
  return {};
}

Result<std::string> split_column(const Settings& settings, const Schema& train) {
  const Node* given = settings.given("split");
  const std::string name = settings.text("split");
  const auto index = train.index_of(name);
  if (index && train.field(*index).type == Type::kText) return name;
  if (given == nullptr) return std::string{};
  if (index) return invalid_at(given->mark, "split column '" + name + "' is not text");
  const Error missing = train.require(name).error();
  return invalid_at(given->mark, missing.message, missing.hint);
}

}  // namespace

std::span<const Setting> model_settings() {
  return kModelSettings;
}

std::span<const Setting> learner_settings() {
  return kLearnerSettings;
}

std::span<const ExpansionInfo> expansions() {
  return kExpansions;
}

Result<Expansions> parse_expansions(const Node& list, const std::vector<std::string>& features) {
  Expansions result;
  if (list.is_null()) return result;
  if (!list.is_list())
    return invalid_at(list.mark, "expand is a list", "write: expand: [impute, standardize]");
  std::vector<std::string_view> seen;
  for (const Node& node : list.items) {
    const Item item = TRY(parse_item(node));
    if (std::find(seen.begin(), seen.end(), item.info->name) != seen.end()) {
      return invalid_at(node.mark,
                        "expansion '" + std::string(item.info->name) + "' is listed twice");
    }
    seen.push_back(item.info->name);
    TRY(read_item(item, features, result));
  }
  return result;
}

Result<std::optional<double>> parse_l2(const Node& learner) {
  Node node = learner;
  if (node.is_null()) node.kind = Node::Kind::kMap;
  const Settings settings = TRY(Settings::parse(node, kLearnerSettings, "learner"));
  const std::string text = settings.text("l2");
  if (text == "auto") return std::optional<double>{};
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool read = status == std::errc{} && end == text.data() + text.size();
  if (!read || !std::isfinite(value) || value < 0) {
    return invalid_at(
        settings.mark(), "l2 is '" + text + "'", "write `auto`, or a number of 0 or more");
  }
  return std::optional<double>{value};
}

Result<ModelSpec> parse_model_spec(const Node& node,
                                   const std::string& name,
                                   const Schema& train,
                                   const std::vector<std::string>& key) {
  const Settings settings = TRY(Settings::parse(node, kModelSettings, "model '" + name + "'"));
  ModelSpec spec;
  spec.name = name;
  spec.features = settings.texts("features");
  spec.targets = settings.texts("targets");
  spec.key = key;
  if (const Node* expand = settings.given("expand")) spec.expand = *expand;
  if (const Node* learner = settings.given("learner")) spec.learner = *learner;
  spec.reject_outside = settings.text("outside") == "reject";
  spec.per_target = settings.boolean("per_target");
  spec.split_column = TRY(split_column(settings, train));
  TRY(check_names(spec, node, train));
  TRY(check_types(spec, node, train));
  TRY(parse_l2(spec.learner));
  return spec;
}

}  // namespace lockstep
