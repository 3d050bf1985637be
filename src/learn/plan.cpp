#include "learn/plan.h"

#include "learn/layout.h"
#include "learn/units.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

using Json = nlohmann::json;

// Names of the generators of everything random in a definition; a change of one is another
// definition.
constexpr const char* kFourierGenerator = "splitmix64, box-muller, 1";

Json scale_json(const Scale& scale) {
  return {{"centre", scale.centre},
          {"exponent", scale.exponent},
          {"low", scale.low},
          {"high", scale.high}};
}

Scale parse_scale(const Json& json) {
  return {json.at("centre").get<double>(),
          json.at("exponent").get<int>(),
          json.at("low").get<double>(),
          json.at("high").get<double>()};
}

Json feature_json(const FeaturePlan& feature) {
  Json json = {{"name", feature.name},
               {"type", type_name(feature.type)},
               {"missing_seen", feature.missing_seen},
               {"missing_shown", feature.missing_shown}};
  if (feature.categorical) {
    json["categories"] = feature.categories;
    return json;
  }
  json["scale"] = scale_json(feature.scale);
  json["mean"] = feature.mean;
  json["deviation"] = feature.deviation;
  json["clip"] = {feature.clip_low, feature.clip_high};
  json["knots"] = feature.knots;
  json["in_fourier"] = feature.in_fourier;
  return json;
}

// A name that is no type becomes text, which check_plan() refuses where a number belongs.
Type parse_type(const Json& json) {
  return type_of_name(json.get<std::string>()).value_or(Type::kText);
}

FeaturePlan parse_feature(const Json& json) {
  FeaturePlan feature;
  feature.name = json.at("name").get<std::string>();
  feature.type = parse_type(json.at("type"));
  feature.missing_seen = json.at("missing_seen").get<bool>();
  feature.missing_shown = json.at("missing_shown").get<bool>();
  feature.categorical = json.contains("categories");
  if (feature.categorical) {
    feature.categories = json.at("categories").get<std::vector<std::string>>();
    return feature;
  }
  feature.scale = parse_scale(json.at("scale"));
  feature.mean = json.at("mean").get<double>();
  feature.deviation = json.at("deviation").get<double>();
  feature.clip_low = json.at("clip").at(0).get<double>();
  feature.clip_high = json.at("clip").at(1).get<double>();
  feature.knots = json.at("knots").get<std::vector<double>>();
  feature.in_fourier = json.at("in_fourier").get<bool>();
  return feature;
}

const char* impute_name(Expansions::Impute impute) {
  if (impute == Expansions::Impute::kMean) return "mean";
  return impute == Expansions::Impute::kConstant ? "constant" : "none";
}

Expansions::Impute parse_impute(const std::string& name) {
  if (name == "mean") return Expansions::Impute::kMean;
  return name == "constant" ? Expansions::Impute::kConstant : Expansions::Impute::kNone;
}

LearnerPlan read_plan(const Json& json) {
  LearnerPlan plan;
  for (const Json& feature : json.at("features"))
    plan.features.push_back(parse_feature(feature));
  for (const Json& target : json.at("targets")) {
    plan.targets.push_back({target.at("name").get<std::string>(),
                            parse_type(target.at("type")),
                            parse_scale(target.at("scale"))});
  }
  if (json.contains("fourier")) {
    const Json& fourier = json.at("fourier");
    plan.fourier = {fourier.at("features").get<int>(),
                    fourier.at("gamma").get<double>(),
                    fourier.at("seed").get<std::uint64_t>()};
  }
  const Json& spec = json.at("spec");
  plan.key = spec.at("key").get<std::vector<std::string>>();
  plan.split_column = spec.at("split").get<std::string>();
  plan.reject_outside = spec.at("outside").get<std::string>() == "reject";
  plan.per_target = spec.at("per_target").get<bool>();
  plan.impute = parse_impute(json.at("impute").at("with").get<std::string>());
  plan.constant = json.at("impute").at("value").get<double>();
  plan.standardize = json.at("standardize").get<bool>();
  plan.l2 = json.at("l2").get<double>();
  plan.spec = spec.dump();
  return plan;
}

bool holds(const Scale& scale, double value) {
  constexpr int kExponentMax = 900;
  if (scale.exponent < -kExponentMax || scale.exponent > kExponentMax) return false;
  return std::fabs(value - scale.centre) < 7.9 * power_of_two(scale.exponent);
}

// Whatever passes here cannot take a row out of the fixed point's reach.
bool check_plan(const LearnerPlan& plan) {
  for (const FeaturePlan& feature : plan.features) {
    if (feature.categorical) continue;
    const bool fits = feature.type != Type::kText && feature.deviation > 0 &&
                      feature.clip_low <= feature.clip_high &&
                      holds(feature.scale, feature.clip_low) &&
                      holds(feature.scale, feature.clip_high);
    const auto inside = [&](double knot) { return holds(feature.scale, knot); };
    if (!fits || !std::all_of(feature.knots.begin(), feature.knots.end(), inside)) return false;
  }
  for (const TargetPlan& target : plan.targets) {
    if (target.type == Type::kText || !holds(target.scale, target.scale.low) ||
        !holds(target.scale, target.scale.high)) {
      return false;
    }
  }
  const bool fourier = plan.fourier.feature_count >= 0 && plan.fourier.feature_count <= 4096 &&
                       plan.fourier.gamma >= 0 && plan.fourier.gamma <= 1000;
  return fourier && !plan.features.empty() && !plan.targets.empty() && plan.l2 >= 0;
}

Json parse_or_text(const std::string& text) {
  Json json = Json::parse(text, nullptr, false);
  return json.is_discarded() ? Json(text) : json;
}

}  // namespace

std::string spec_json(const ModelSpec& spec, const std::string& steps_json) {
  const Json json = {
      {"features", spec.features},
      {"targets", spec.targets},
      {"split", spec.split_column},
      {"key", spec.key},
      {"expand", parse_or_text(spec.expand.json())},
      {"learner", parse_or_text(spec.learner.json())},
      {"outside", spec.reject_outside ? "reject" : "clip"},
      {"per_target", spec.per_target},
      // As text: the order of a step's columns has a meaning, and objects are sorted here.
      {"steps", steps_json}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string plan_json(const LearnerPlan& plan) {
  Json json = {{"version", 1},
               {"algorithm", "ridge"},
               {"fixed_point_bits", kFixedPointBits},
               {"l2", plan.l2},
               {"standardize", plan.standardize},
               {"impute", {{"with", impute_name(plan.impute)}, {"value", plan.constant}}},
               {"features", Json::array()},
               {"targets", Json::array()},
               {"spec", Json::parse(plan.spec)}};
  for (const FeaturePlan& feature : plan.features)
    json["features"].push_back(feature_json(feature));
  for (const TargetPlan& target : plan.targets) {
    json["targets"].push_back({{"name", target.name},
                               {"type", type_name(target.type)},
                               {"scale", scale_json(target.scale)}});
  }
  if (plan.fourier.feature_count > 0) {
    json["fourier"] = {{"features", plan.fourier.feature_count},
                       {"gamma", plan.fourier.gamma},
                       {"seed", plan.fourier.seed},
                       {"generator", kFourierGenerator}};
  }
  json["columns"] = layout_of(plan).names;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<LearnerPlan> parse_plan(const std::string& json) {
  const Json parsed = Json::parse(json, nullptr, false);
  if (parsed.is_discarded()) return make_error(Code::kCorrupt, "the definition is not JSON");
  try {
    if (parsed.at("version").get<int>() != 1) {
      return make_error(
          Code::kTooNew, "the definition was written by a newer program", "update lockstep");
    }
    LearnerPlan plan = read_plan(parsed);
    if (check_plan(plan)) return plan;
    return make_error(Code::kCorrupt, "the definition pins what cannot be");
  } catch (const Json::exception& error) {
    return make_error(Code::kCorrupt,
                      std::string("the definition is not complete: ") + error.what());
  }
}

Result<std::string> spec_of_definition(const std::string& definition_json) {
  return TRY(parse_plan(definition_json)).spec;
}

}  // namespace lockstep
