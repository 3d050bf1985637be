#include "sync/report_values.h"

#include "source/source.h"
#include "sync/configuration_references.h"

#include <cmath>

namespace lockstep {

std::string rfc3339(Timestamp time) {
  std::string text = value_text(Value(time));
  if (text.size() > 10 && text[10] == ' ') text[10] = 'T';
  if (text.ends_with("+00")) text.replace(text.size() - 3, 3, "Z");
  return text;
}

Json json_of_value(const Value& value) {
  if (is_null(value)) return nullptr;
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return *integer;
  if (const auto* number = std::get_if<double>(&value); number != nullptr && std::isfinite(*number))
    return *number;
  if (const auto* time = std::get_if<Timestamp>(&value)) return rfc3339(*time);
  return value_text(value);
}

Json json_of_row(const Batch& batch, std::int64_t row) {
  Json out = Json::object();
  for (int column = 0; column < batch.schema().size(); ++column) {
    out[batch.schema().field(column).name] = json_of_value(batch.value(column, row));
  }
  return out;
}

Json parsed_or_null(const std::string& json) {
  Json out = Json::parse(json, nullptr, false);
  return out.is_discarded() ? Json(nullptr) : out;
}

std::string describe_position(Io& io,
                              const Configuration& configuration,
                              const SourceConfiguration& source,
                              const Position& position) {
  const auto made = make_source(io, source_request(configuration, source));
  return made.ok() ? made.value()->describe(position) : made.error().message;
}

Json version_summary(const ModelVersionRecord& version) {
  Json out;
  out["model"] = version.model;
  out["version"] = version.version;
  out["snapshot"] = number(version.snapshot);
  out["kind"] = version_kind_name(version.kind);
  out["status"] = version_status_name(version.status);
  out["reason"] = version.reason;
  out["metrics"] = parsed_or_null(version.metrics);
  return out;
}

}  // namespace lockstep
