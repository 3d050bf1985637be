// The manual and the JSON schema of lockstep.yaml, from the one table of settings.
#include "learn/learn.h"
#include "prepare/prepare.h"
#include "sync/configuration.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace lockstep {
namespace {

const char* type_text(Setting::Type type) {
  using enum Setting::Type;
  switch (type) {
    case kText:
      return "text";
    case kInteger:
      return "whole number";
    case kNumber:
      return "number";
    case kBoolean:
      return "true or false";
    case kTexts:
      return "list of texts";
    case kChoice:
      return "choice";
    case kDuration:
      return "duration";
    case kBytes:
      return "size";
    case kNode:
      return "see below";
  }
  return "";
}

nlohmann::ordered_json type_schema(const Setting& setting) {
  using enum Setting::Type;
  nlohmann::ordered_json out;
  out["description"] = setting.text;
  if (setting.type == kInteger) out["type"] = "integer";
  if (setting.type == kNumber) out["type"] = "number";
  if (setting.type == kBoolean) out["type"] = "boolean";
  if (setting.type == kDuration) out["pattern"] = "^[0-9]+(ms|s|m|h|d)$";
  if (setting.type == kTexts) out["type"] = {"array", "string"};
  if (setting.type == kChoice) {
    std::string_view rest = setting.choices;
    while (!rest.empty()) {
      const std::size_t bar = rest.find(" | ");
      out["enum"].push_back(rest.substr(0, bar));
      rest = bar == std::string_view::npos ? std::string_view() : rest.substr(bar + 3);
    }
  }
  const bool number = setting.type == kInteger || setting.type == kNumber;
  if (number && setting.min) out["minimum"] = *setting.min;
  if (number && setting.max) out["maximum"] = *setting.max;
  return out;
}

nlohmann::ordered_json object_schema(std::span<const Setting> settings) {
  nlohmann::ordered_json out;
  out["type"] = "object";
  out["additionalProperties"] = false;
  out["properties"] = nlohmann::ordered_json::object();
  for (const Setting& setting : settings) {
    out["properties"][std::string(setting.name)] = type_schema(setting);
    if (setting.required) out["required"].push_back(setting.name);
  }
  return out;
}

void add_section(std::string& out, const SettingsSection& section) {
  out += fmt::format("\n## {}\n\n{}\n\n| setting | type | default | meaning |\n|---|---|---|---|\n",
                     section.name,
                     section.text);
  for (const Setting& setting : section.settings) {
    const std::string type = setting.type == Setting::Type::kChoice
                                 ? std::string(setting.choices)
                                 : std::string(type_text(setting.type));
    std::string escaped;
    for (const char c : type)
      escaped += c == '|' ? std::string("\\|") : std::string(1, c);
    out += fmt::format("| `{}` | {} | {} | {} |\n",
                       setting.name,
                       escaped,
                       setting.required           ? "required"
                       : setting.fallback.empty() ? ""
                                                  : fmt::format("`{}`", setting.fallback),
                       setting.text);
  }
}

}  // namespace

std::string configuration_manual() {
  std::string out =
      "# lockstep.yaml\n\nMade by `lockstep manual configuration` from the table of settings that "
      "the parser itself "
      "uses.\n\n`${NAME}` is taken from the environment, `${file:PATH}` from a file; neither is "
      "ever stored.\n";
  for (const SettingsSection& section : settings_sections())
    add_section(out, section);
  out +=
      "\n## Steps\n\nOf `clean` and `train`, in the order in which they are written.\n\n| step | "
      "meaning | example |\n|---|---|---|\n";
  for (const StepInfo& step : steps()) {
    std::string example;
    for (const char c : step.example)
      example += c == '|' ? std::string("\\|") : std::string(1, c);
    out += fmt::format("| `{}` | {} | `{}` |\n", step.name, step.text, example);
  }
  return out;
}

std::string configuration_json_schema() {
  nlohmann::ordered_json out;
  out["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  out["title"] = "lockstep.yaml";
  nlohmann::ordered_json definitions;
  for (const SettingsSection& section : settings_sections()) {
    definitions[std::string(section.name)] = object_schema(section.settings);
  }
  const nlohmann::ordered_json top = definitions["top"];
  for (const auto& [name, value] : top.items())
    out[name] = value;
  out["properties"]["hub"] = {{"$ref", "#/$defs/hub"}};
  out["properties"]["sources"] = {{"type", "object"},
                                  {"additionalProperties", {{"$ref", "#/$defs/files"}}}};
  out["properties"]["datasets"] = {{"type", "object"},
                                   {"additionalProperties", {{"$ref", "#/$defs/dataset"}}}};
  out["properties"]["models"] = {{"type", "object"},
                                 {"additionalProperties", {{"$ref", "#/$defs/model"}}}};
  out["properties"]["serve"] = {{"$ref", "#/$defs/serve"}};
  definitions.erase("top");
  out["$defs"] = definitions;
  return out.dump(2) + "\n";
}

}  // namespace lockstep
