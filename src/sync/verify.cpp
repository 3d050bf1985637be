// Proof by retraining: from raw at the version's snapshot, through the definition's steps, to the
// weights.
#include "hub/hub.h"
#include "sync/dataset_columns.h"
#include "sync/dataset_flow.h"
#include "sync/model_track.h"
#include "sync/report_values.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {
namespace {

constexpr std::size_t kDifferencesShown = 10;

// What stands in `train` and does not follow from raw, and the other way.
Result<void> compare_train(const Batch& stored,
                           const Batch& made,
                           const std::vector<std::string>& key_names,
                           std::vector<std::string>& differences) {
  if (!(stored.schema() == made.schema())) {
    differences.emplace_back("the train layer's columns are not those of the definition");
    return {};
  }
  const std::vector<int> key = TRY(made.schema().require_all(key_names));
  const std::vector<Batch> both = {stored.with_all_signs(-1), made};
  const Batch rest = TRY(net(TRY(concatenate(made.schema(), both)), key));
  for (std::int64_t row = 0; row < rest.row_count(); ++row) {
    if (differences.size() == kDifferencesShown) {
      differences.push_back(fmt::format("... {} differences in train in all", rest.row_count()));
      return {};
    }
    differences.push_back(fmt::format("train: {} {}",
                                      key_text(rest, key, row),
                                      rest.sign(row) < 0
                                          ? "is stored, but does not follow from raw"
                                          : "follows from raw, but is not stored so"));
  }
  return {};
}

// Retention removed the rows: there is nothing to retrain from.
Json expired_version(const ModelVersionRecord& version) {
  Json out;
  out["model"] = version.model;
  out["version"] = version.version;
  out["snapshot"] = number(version.snapshot);
  out["exact"] = false;
  out["expired"] = true;
  out["fingerprint"] = version.fingerprint;
  out["weights_sha256"] = version.weights_sha256;
  out["retrained_weights_sha256"] = nullptr;
  out["differences"] = {fmt::format("snapshot {} has expired", number(version.snapshot))};
  out["rows"] = 0;
  return out;
}

Result<Json> verify_version(Hub& hub,
                            const ModelVersionRecord& version,
                            const VerifyOptions& options) {
  if (!TRY(hub.is_retained(version.snapshot))) return expired_version(version);
  const auto definition = TRY(hub.definition(version.definition));
  if (!definition)
    return make_error(Code::kCorrupt,
                      fmt::format("definition {} is not in the catalog", version.definition));
  const std::unique_ptr<DatasetFlow> flow =
      TRY(flow_of_definition(hub, definition->json, version.snapshot));
  std::vector<std::string> differences;
  if (sha256_hex(definition->json) != version.definition)
    differences.emplace_back("the definition is not what its hash says");
  Batch train = TRY(hub.read(flow->table(Layer::kTrain), version.snapshot));
  if (!options.quick) {
    const Batch raw = TRY(hub.read(flow->table(Layer::kRaw), version.snapshot));
    const Batch made = (TRY(flow->build(raw))).train;
    TRY(compare_train(train, made, flow->pipeline().train_key(), differences));
    train = made;
  }
  Lineage lineage;
  lineage.definition = {definition->json, definition->sha256};
  lineage.learner = TRY(make_sum_learner(lineage.definition, flow->pipeline().train_schema()));
  lineage.state = lineage.learner->make_state();
  TRY(lineage.learner->fold(lineage.state, train, TRY(fingerprint_hash(hub))));
  const std::string fingerprint = fingerprint_text(lineage.state);
  if (fingerprint != version.fingerprint) {
    differences.push_back(fmt::format(
        "fingerprint: {} was committed, {} is retrained", version.fingerprint, fingerprint));
  }
  std::string retrained;
  const Result<Solution> solution = lineage.learner->solve(lineage.state);
  if (solution.ok()) retrained = sha256_hex(serialize_solution(solution.value()));
  if (retrained != version.weights_sha256) {
    differences.push_back(fmt::format(
        "weights: {} was committed, {} is retrained", version.weights_sha256, retrained));
  }
  if (!version.weights.empty() && sha256_hex(version.weights) != version.weights_sha256) {
    differences.emplace_back("the stored weights are not what their hash says");
  }
  Json out;
  out["model"] = version.model;
  out["version"] = version.version;
  out["snapshot"] = number(version.snapshot);
  out["exact"] = differences.empty();
  out["expired"] = false;
  out["fingerprint"] = version.fingerprint;
  out["weights_sha256"] = version.weights_sha256;
  out["retrained_weights_sha256"] = retrained;
  out["differences"] = differences;
  out["rows"] = train.row_count();
  return out;
}

Result<std::vector<ModelVersionRecord>> versions_to_verify(Hub& hub, const std::string& reference) {
  if (!reference.empty()) {
    const ModelReference parsed = parse_model_reference(reference);
    std::vector<ModelVersionRecord> out = {TRY(referred_version(hub, parsed))};
    return out;
  }
  std::vector<ModelVersionRecord> out;
  for (const std::string& model : TRY(hub.models())) {
    const auto newest = TRY(hub.newest_version(model, std::nullopt));
    const auto champion = TRY(resolve_alias(hub, model, "champion"));
    if (champion && newest && *champion != newest->version) {
      if (const auto record = TRY(hub.version(model, *champion))) out.push_back(*record);
    }
    if (newest) out.push_back(*TRY(hub.version(model, newest->version)));
  }
  return out;
}

}  // namespace

Result<Json> verify(Hub& hub, const std::string& reference, const VerifyOptions& options) {
  Json out = Json::array();
  const std::vector<ModelVersionRecord> versions = TRY(versions_to_verify(hub, reference));
  std::uint64_t done = 0;
  for (const ModelVersionRecord& version : versions) {
    out.push_back(TRY_IN(verify_version(hub, version, options),
                         fmt::format("{}@{}", version.model, version.version)));
    if (options.progress) options.progress({"verify", ++done, versions.size(), "versions"});
  }
  return out;
}

}  // namespace lockstep
