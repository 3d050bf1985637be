// What a track makes of a new version: its metrics, the gate's word, and where the champion goes.
#include "sync/model_track.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace lockstep {
namespace {

nlohmann::ordered_json finite(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json json_of(const Metrics& metrics) {
  nlohmann::ordered_json out;
  out["rows"] = metrics.row_count;
  out["targets"] = nlohmann::ordered_json::object();
  for (const TargetMetrics& target : metrics.targets) {
    out["targets"][target.target] = {{"rmse", finite(target.rmse)}, {"r2", finite(target.r2)}};
  }
  return out;
}

}  // namespace

Result<void> ModelTrack::judge_version(const ModelChange& change,
                                       GateEvidence evidence,
                                       ModelCommit& commit) {
  if (change.release) memory_.latched = false;
  // What an unsolved version would have been judged by waits for the next one.
  if (commit.version->status == VersionStatus::kUnsolved) return {};
  memory_.pending = {};
  if (memory_.latched) {
    commit.version->status = VersionStatus::kBlocked;
    commit.version->reason =
        fmt::format("latched since version {}: {}", memory_.latched_at, memory_.why);
    return {};
  }
  // What a revert puts back is no news: its rows were judged when they came.
  if (change.kind == VersionKind::kRevert) evidence.batch = {};
  const GateDecision decision = judge(model_.gate, memory_, evidence);
  return decision.blocked ? block(decision.why, commit) : pass(change, evidence.batch, commit);
}

Result<void> ModelTrack::block(const std::string& why, ModelCommit& commit) {
  memory_.latched = true;
  memory_.latched_at = commit.version->version;
  memory_.why = why;
  commit.version->status = VersionStatus::kBlocked;
  commit.version->reason = why;
  if (champion_alias_ && champion_alias_->follow && champion_) {
    AliasEvent event;
    event.model = model_.name;
    event.alias = "champion";
    event.version = champion_->version;
    event.who = "gate";
    event.why = fmt::format("version {} blocked: {}", commit.version->version, why);
    commit.aliases.push_back(std::move(event));
  }
  return {};
}

Result<void> ModelTrack::pass(const ModelChange& change,
                              const GateMemory::Errors& batch,
                              ModelCommit& commit) {
  remember(model_.gate, memory_, batch);
  const std::optional<AliasEvent>& alias = champion_alias_;
  const bool held_by_gate = alias && !alias->follow && alias->who == "gate";
  if (alias && !held_by_gate) return {};
  AliasEvent event;
  event.model = model_.name;
  event.alias = "champion";
  event.follow = true;
  event.version = commit.version->version;
  event.who = version_kind_name(change.kind);
  event.why = alias ? "the block was lifted" : "first version";
  commit.aliases.push_back(std::move(event));
  return {};
}

Result<ModelCommit> ModelTrack::version_of_rows(const ModelChange& change,
                                                Before before,
                                                std::int64_t started_us) {
  GateEvidence evidence;
  evidence.batch = memory_.pending;
  evidence.champion = before.champion;
  evidence.reference = before.reference;
  ModelCommit commit;
  commit.version = TRY(solved_version(change, started_us));
  commit.version->metrics = metrics_json(before.errors);
  const ModelState& rows = before.state ? *before.state : current_->state;
  if (model_.gate.enabled && last_solution_)
    evidence.challenger = current_->learner->evaluate(*last_solution_, rows, "test");
  TRY(judge_version(change, std::move(evidence), commit));
  commit.memory = {model_.name, gate_memory_json(memory_)};
  return commit;
}

Result<ModelCommit> ModelTrack::version_of_adoption(const ModelChange& change,
                                                    GateEvidence evidence,
                                                    const BatchErrors& errors,
                                                    std::int64_t started_us) {
  ModelCommit commit;
  commit.definition =
      DefinitionRecord{current_->definition.sha256, model_.name, current_->definition.json};
  commit.version = TRY(solved_version(change, started_us));
  commit.version->metrics = metrics_json(errors);
  evidence.champion = metrics_of(champion_);
  if (last_solution_)
    evidence.challenger = current_->learner->evaluate(*last_solution_, current_->state, "test");
  memory_.latched = memory_.latched && !change.release;
  memory_.reference = commit.version->version;
  TRY(judge_version(change, std::move(evidence), commit));
  if (last_solution_) {
    reference_ = Standing{commit.version->version, current_->definition.sha256, *last_solution_};
    remember_start(memory_, sample_->mean_absolute_error(*last_solution_), sample_->row_count());
  }
  commit.memory = {model_.name, gate_memory_json(memory_)};
  return commit;
}

ModelCommit ModelTrack::accept(const std::string& who, std::int64_t version) {
  ModelCommit commit;
  AliasEvent event;
  event.model = model_.name;
  event.alias = "champion";
  event.follow = true;
  event.version = version;
  event.who = who;
  event.why = memory_.latched ? fmt::format("accepted: {}", memory_.why) : "accepted";
  commit.aliases.push_back(std::move(event));
  memory_.latched = false;
  memory_.why.clear();
  if (last_solution_)
    remember_start(memory_, sample_->mean_absolute_error(*last_solution_), sample_->row_count());
  commit.memory = {model_.name, gate_memory_json(memory_)};
  return commit;
}

std::string ModelTrack::metrics_json(const BatchErrors& batch) const {
  nlohmann::ordered_json out;
  if (last_solution_) {
    out["test"] = json_of(current_->learner->evaluate(*last_solution_, current_->state, "test"));
    const std::vector<double> absolute = sample_->mean_absolute_error(*last_solution_);
    for (std::size_t target = 0; target < absolute.size(); ++target) {
      out["test"]["targets"][last_solution_->targets[target]]["mae"] = finite(absolute[target]);
    }
    out["train"] = json_of(current_->learner->evaluate(*last_solution_, current_->state, "train"));
  }
  if (batch.row_count > 0) {
    out["progressive"] = {{"rows", batch.row_count}, {"targets", nlohmann::ordered_json::object()}};
    for (std::size_t target = 0; target < batch.absolute_error_sum.size(); ++target) {
      const auto rows = static_cast<double>(batch.target_rows[target]);
      out["progressive"]["targets"][spec_.targets[target]] = {
          {"mae", finite(batch.absolute_error_sum[target] / rows)},
          {"rmse", finite(std::sqrt(batch.squared_error_sum[target] / rows))}};
    }
  }
  return out.dump();
}

}  // namespace lockstep
