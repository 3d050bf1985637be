// What a track makes of a new version: its metrics, the gate's word, and where the champion goes.
#include "sync/model_track.h"
#include "table/scalar_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <iterator>
#include <utility>

namespace lockstep {
namespace {

// Spelled by hand: every version has its metrics.
void append_number(double value, std::string& out) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  const std::size_t start = out.size();
  append_float_text(value, out);
  const bool is_whole = out.find_first_of(".e", start) == std::string::npos;
  if (is_whole) out += ".0";
}

// {"rows":7,"targets":{"y":{"rmse":1.5,"r2":0.9}}}
class MetricsText final {
 public:
  MetricsText(std::string& out, const char* name, std::int64_t row_count) : out_(out) {
    fmt::format_to(std::back_inserter(out_),
                   R"({}"{}":{{"rows":{},"targets":{{)",
                   out_.size() > 1 ? "," : "",
                   name,
                   row_count);
  }

  void target(const std::string& name,
              std::initializer_list<std::pair<const char*, double>> numbers) {
    if (std::exchange(any_, true)) out_ += ',';
    out_ += nlohmann::json(name).dump();
    char before = '{';
    out_ += ':';
    for (const auto& [metric, value] : numbers) {
      out_ += std::exchange(before, ',');
      fmt::format_to(std::back_inserter(out_), R"("{}":)", metric);
      append_number(value, out_);
    }
    out_ += '}';
  }

  void end() { out_ += "}}"; }

 private:
  std::string& out_;
  bool any_ = false;
};

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
  if (model_.gate.enabled && last_solution_) {
    evidence.challenger = before.state
                              ? current_->learner->evaluate(*last_solution_, *before.state, "test")
                              : *last_test_;
  }
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
  if (last_solution_) evidence.challenger = *last_test_;
  memory_.latched = memory_.latched && !change.release;
  memory_.reference = commit.version->version;
  TRY(judge_version(change, std::move(evidence), commit));
  if (last_solution_) {
    reference_ = Standing{commit.version->version,
                          current_->definition.sha256,
                          commit.version->snapshot,
                          last_solution_,
                          last_test_};
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
  std::string out = "{";
  if (last_solution_) {
    const std::vector<double> absolute = sample_->mean_absolute_error(*last_solution_);
    MetricsText test(out, "test", last_test_->row_count);
    const std::vector<std::string>& names = last_solution_->targets;
    for (const TargetMetrics& metrics : last_test_->targets) {
      // A target without test rows has no metrics.
      const auto place =
          static_cast<std::size_t>(std::ranges::find(names, metrics.target) - names.begin());
      const double mae = place < absolute.size() ? absolute[place] : std::nan("");
      test.target(metrics.target, {{"rmse", metrics.rmse}, {"r2", metrics.r2}, {"mae", mae}});
    }
    test.end();
    const Metrics learned = current_->learner->evaluate(*last_solution_, current_->state, "train");
    MetricsText train(out, "train", learned.row_count);
    for (const TargetMetrics& metrics : learned.targets)
      train.target(metrics.target, {{"rmse", metrics.rmse}, {"r2", metrics.r2}});
    train.end();
  }
  if (batch.row_count > 0) {
    MetricsText progressive(out, "progressive", batch.row_count);
    for (std::size_t target = 0; target < batch.absolute_error_sum.size(); ++target) {
      const auto rows = static_cast<double>(batch.target_rows[target]);
      progressive.target(spec_.targets[target],
                         {{"mae", batch.absolute_error_sum[target] / rows},
                          {"rmse", std::sqrt(batch.squared_error_sum[target] / rows)}});
    }
    progressive.end();
  }
  return out + "}";
}

}  // namespace lockstep
