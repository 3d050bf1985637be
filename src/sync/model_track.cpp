#include "sync/model_track.h"

#include "sync/dataset_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lockstep {
namespace {

constexpr std::int64_t kTestSampleRows = 2'048;
constexpr std::int64_t kCheckpointRows = 100'000;
constexpr std::int64_t kCheckpointFoldUs = 2'000'000;
constexpr std::int64_t kSecondCalibrationFactor = 10;

void add_errors(BatchErrors& into, const BatchErrors& from) {
  into.row_count += from.row_count;
  const auto add = [](auto& sums, const auto& more) {
    sums.resize(std::max(sums.size(), more.size()));
    for (std::size_t target = 0; target < more.size(); ++target)
      sums[target] += more[target];
  };
  add(into.target_rows, from.target_rows);
  add(into.absolute_error_sum, from.absolute_error_sum);
  add(into.squared_error_sum, from.squared_error_sum);
}

std::int64_t net_rows(const Batch& batch) {
  std::int64_t sum = 0;
  for (const std::int8_t sign : batch.signs())
    sum += sign;
  return sum;
}

// Whether any definition may count one of the rows among its test rows.
bool may_have_test_rows(const Batch& batch) {
  for (int column = 0; column < batch.schema().size(); ++column) {
    if (batch.schema().field(column).type != Type::kText) continue;
    for (std::int64_t row = 0; row < batch.row_count(); ++row) {
      if (!batch.is_null(column, row) && batch.text_at(column, row) == "test") return true;
    }
  }
  return false;
}

Batch entering_rows(const Batch& batch) {
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < batch.row_count(); ++row) {
    if (batch.sign(row) > 0) rows.push_back(row);
  }
  const bool all = static_cast<std::int64_t>(rows.size()) == batch.row_count();
  return all ? batch : batch.select_rows(rows);
}

}  // namespace

Result<std::unique_ptr<ModelTrack>> ModelTrack::open(
    Io& io, Hub& hub, const ModelConfiguration& model, const DatasetFlow& flow, bool fresh) {
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): the constructor is private
  std::unique_ptr<ModelTrack> track(
      new ModelTrack(io, hub, model, flow, TRY(fingerprint_hash(hub))));
  track->spec_ = TRY(parse_model_spec(
      model.learn, model.name, flow.pipeline().train_schema(), flow.pipeline().train_key()));
  track->needed_ = TRY(columns_needed(flow, model));
  if (const auto memory = TRY(hub.model_state(model.name)))
    track->memory_ = TRY(parse_gate_memory(*memory));
  track->champion_alias_ = TRY(hub.alias(model.name, "champion"));
  const auto ready = TRY(hub.newest_version(model.name, VersionStatus::kReady));
  track->newest_ready_ = ready ? ready->version : 0;
  if (const auto newest = TRY(hub.newest_version(model.name, std::nullopt))) {
    track->next_version_ = newest->version + 1;
    if (!fresh) TRY_IN(track->restore(), fmt::format("model '{}'", model.name));
  }
  return track;
}

Result<void> ModelTrack::restore() {
  const auto newest = TRY(hub_.newest_version(model_.name, std::nullopt));
  const auto newest_definition = TRY(hub_.definition(newest->definition));
  // What was learned through other steps cannot be added to: it waits for its recalibration.
  const bool fits =
      !newest_definition ||
      TRY(same_steps(TRY(steps_of_definition(newest_definition->json)), flow_, needed_));
  if (!fits) return {};
  current_ = TRY(restore_lineage(newest->definition));
  if (auto standing = TRY(load_standing(newest->version)))
    last_solution_ = std::move(standing->solution);
  TRY(reload_champion(nullptr));
  TRY(keep_lineage_of_champion());
  if (memory_.reference > 0) reference_ = TRY(load_standing(memory_.reference));
  // What changed while the configuration did not have the model was counted by nobody.
  const Batch since =
      TRY(hub_.changes(flow_.table(Layer::kTrain), newest->snapshot, hub_.latest_snapshot()));
  memory_.pending_changes = std::max(memory_.pending_changes, since.row_count());
  return rebuild_sample(nullptr);
}

// The sums of the champion's definition, when it is another than the newest's. After a rollback
// these are not at hand.
Result<void> ModelTrack::keep_lineage_of_champion() {
  if (!current_ || !champion_ || champion_->definition == current_->definition.sha256) {
    other_.reset();
    return {};
  }
  if (other_ && other_->definition.sha256 == champion_->definition) return {};
  other_.reset();
  // Its steps may be others than today's; then its sums cannot be kept, and it is not judged
  // against.
  const auto record = TRY(hub_.definition(champion_->definition));
  if (record && TRY(same_steps(TRY(steps_of_definition(record->json)), flow_, needed_))) {
    other_ = TRY(restore_lineage(champion_->definition));
  }
  return {};
}

Result<Lineage> ModelTrack::restore_lineage(const std::string& definition_sha256) {
  const auto record = TRY(hub_.definition(definition_sha256));
  if (!record)
    return make_error(Code::kCorrupt, "definition " + definition_sha256 + " is not in the catalog");
  Lineage lineage;
  lineage.definition = {record->json, record->sha256};
  lineage.learner = TRY(make_sum_learner(lineage.definition, flow_.pipeline().train_schema()));
  TRY(bring_to(hub_, model_.name, flow_.table(Layer::kTrain), hub_.latest_snapshot(), lineage));
  return lineage;
}

Result<std::optional<Standing>> ModelTrack::load_standing(std::int64_t version) {
  const auto record = TRY(hub_.version(model_.name, version));
  if (!record || record->weights.empty()) return std::optional<Standing>();
  return std::optional<Standing>(
      Standing{.version = version,
               .definition = record->definition,
               .snapshot = record->snapshot,
               .solution = std::make_shared<const Solution>(TRY(parse_solution(record->weights))),
               .test = {}});
}

// As resolve_alias() says, from what the writer knows.
std::optional<std::int64_t> ModelTrack::champion_version() const {
  if (!champion_alias_) return std::nullopt;
  if (!champion_alias_->follow || newest_ready_ == 0) return champion_alias_->version;
  return std::max(newest_ready_, champion_alias_->version.value_or(0));
}

// `made`: the version that was committed just now, whose weights need not be read again.
Result<void> ModelTrack::reload_champion(const ModelVersionRecord* made) {
  const std::optional<std::int64_t> version = champion_version();
  if (!version) {
    champion_.reset();
    return {};
  }
  if (champion_ && champion_->version == *version) return {};
  if (made != nullptr && made->version == *version && last_solution_) {
    champion_ = Standing{*version, made->definition, made->snapshot, last_solution_, last_test_};
  } else {
    champion_ = TRY(load_standing(*version));
  }
  return {};
}

Result<void> ModelTrack::rebuild_sample(const Batch* all_train) {
  sample_ = TRY(make_test_sample(*current_->learner, kTestSampleRows));
  if (all_train != nullptr) return sample_->apply(*all_train);
  std::unique_ptr<Scan> scan =
      TRY(hub_.scan(flow_.table(Layer::kTrain), hub_.latest_snapshot(), {}));
  for (;;) {
    const std::optional<Batch> batch = TRY(scan->next());
    if (!batch) return {};
    TRY(sample_->apply(*batch));
  }
}

Result<Batch> ModelTrack::train_rows_with(const ModelChange& change) {
  if (change.replaces_train) return change.train;
  const TableName table = flow_.table(Layer::kTrain);
  const Batch head = TRY(hub_.read(table, hub_.latest_snapshot()));
  std::vector<Batch> parts = {head};
  for (std::int64_t stage = 0; stage < change.stages_before; ++stage)
    parts.push_back(TRY(hub_.staged(table, stage)));
  parts.push_back(change.train);
  const Batch all = TRY(concatenate(head.schema(), parts));
  const std::vector<int> key = TRY(head.schema().require_all(flow_.pipeline().train_key()));
  return net(all, key);
}

Result<Lineage> ModelTrack::calibrated_lineage(const Batch& train) {
  const std::vector<Batch> rows = {train};
  Lineage lineage;
  lineage.definition = TRY_IN(calibrate(spec_, rows, flow_.steps_json()),
                              fmt::format("calibrating model '{}'", model_.name));
  lineage.learner = TRY(make_sum_learner(lineage.definition, flow_.pipeline().train_schema()));
  lineage.state = lineage.learner->make_state();
  TRY(lineage.learner->fold(lineage.state, train, hash_));
  return lineage;
}

Result<void> ModelTrack::fold(const Batch& train) {
  if (train.row_count() == 0) return {};
  const std::int64_t started = io_.monotonic_us();
  TRY(current_->learner->fold(current_->state, train, hash_));
  if (other_) TRY(other_->learner->fold(other_->state, train, hash_));
  if (may_have_test_rows(train)) forget_test_metrics();
  TRY(sample_->apply(train));
  rows_since_checkpoint_ += train.row_count();
  fold_us_since_checkpoint_ += io_.monotonic_us() - started;
  return {};
}

bool ModelTrack::due() const {
  using enum TriggerConfiguration::Kind;
  switch (model_.trigger.kind) {
    case kEveryCommit:
      return true;
    case kChanges:
      return memory_.pending_changes >= model_.trigger.changes;
    case kInterval:
      return memory_.pending_changes > 0 &&
             io_.now_us() - memory_.last_version_us >= model_.trigger.interval_us;
  }
  return true;
}

Result<bool> ModelTrack::calibration_due(const ModelChange& change) {
  if (current_) {
    const std::int64_t again = model_.calibrate_after_rows * kSecondCalibrationFactor;
    return memory_.calibrated_rows < again &&
           current_->state.counts.folded + net_rows(change.train) >= again;
  }
  std::int64_t rows = net_rows(change.train) + (load_ ? load_->load_rows : 0);
  if (!change.replaces_train) {
    rows += TRY(hub_.row_count(flow_.table(Layer::kTrain), hub_.latest_snapshot()));
  }
  return rows >= model_.calibrate_after_rows;
}

// What the gate decides moves the champion to the version just made, or leaves it.
bool ModelTrack::champion_is_at_hand() const {
  const std::optional<std::int64_t> version = champion_version();
  if (!version) return true;
  if (!champion_ || champion_->version != *version) return false;
  return champion_->definition == current_->definition.sha256 ||
         (other_ && other_->definition.sha256 == champion_->definition);
}

std::int64_t ModelTrack::rows_alone() const {
  if (!current_ || load_ || !champion_is_at_hand()) return 0;
  const std::int64_t again = model_.calibrate_after_rows * kSecondCalibrationFactor;
  if (memory_.calibrated_rows >= again) return std::numeric_limits<std::int64_t>::max();
  return std::max<std::int64_t>(0, again - 1 - current_->state.counts.folded);
}

Lineage* ModelTrack::lineage_of(const Standing& standing) {
  if (current_ && current_->definition.sha256 == standing.definition) return &*current_;
  if (other_ && other_->definition.sha256 == standing.definition) return &*other_;
  return nullptr;
}

Result<GateMemory::Errors> ModelTrack::champion_errors(const Batch& train, BatchErrors& raw) {
  Lineage* lineage = champion_ ? lineage_of(*champion_) : nullptr;
  if (lineage == nullptr || train.row_count() == 0) return GateMemory::Errors();
  raw = TRY(lineage->learner->errors(*champion_->solution, entering_rows(train)));
  return errors_of_batch(raw);
}

std::optional<Metrics> ModelTrack::metrics_of(std::optional<Standing>& standing) {
  Lineage* lineage = standing ? lineage_of(*standing) : nullptr;
  if (lineage == nullptr) return std::nullopt;
  if (!standing->test)
    standing->test = lineage->learner->evaluate(*standing->solution, lineage->state, "test");
  return standing->test;
}

// The test rows are others now.
void ModelTrack::forget_test_metrics() {
  last_test_.reset();
  for (std::optional<Standing>* standing : {&champion_, &reference_}) {
    if (*standing) (*standing)->test.reset();
  }
}

ModelTrack::Before ModelTrack::before_rows(const ModelChange& change) {
  Before before;
  before.champion = metrics_of(champion_);
  before.reference = metrics_of(reference_);
  // Of a load nobody knows yet whether it has test rows.
  if (!change.more && !may_have_test_rows(change.train)) return before;
  before.state = current_->learner->make_state();
  for (auto& [name, sum] : before.state->sums) {
    if (name.starts_with("test")) sum = current_->state.sums.at(name);
  }
  before.state->counts = current_->state.counts;
  return before;
}

ModelCommit ModelTrack::memory_alone() const {
  return {{}, {}, {}, {model_.name, gate_memory_json(memory_)}};
}

Result<ModelCommit> ModelTrack::advance(const ModelChange& change) {
  if (std::optional<ModelCommit> calibrated = TRY(calibrate_if_due(change)))
    return std::move(*calibrated);
  if (!current_) {
    // What a load brought before it is enough for a calibration is counted, since no snapshot has
    // it.
    const std::int64_t rows = net_rows(change.train) + (load_ ? load_->load_rows : 0);
    load_.reset();
    if (change.more) load_.emplace().load_rows = rows;
    return memory_alone();
  }
  const std::int64_t started = io_.monotonic_us();
  BatchErrors errors;
  const GateMemory::Errors incoming = TRY(champion_errors(change.train, errors));
  memory_.pending_changes += change.train.row_count();
  add_errors(memory_.pending, incoming);
  const bool makes = !change.more && (change.force || due());
  // The gate compares on the test rows from before the rows of the commit: its own may be the
  // poison. What a revert puts back is no poison, and what it takes away may be: there the rows
  // after it count.
  const bool undoes = change.kind == VersionKind::kRevert;
  const bool judged = model_.gate.enabled && (makes || change.more) && !undoes;
  Before before = load_ ? std::move(*load_) : judged ? before_rows(change) : Before();
  load_.reset();
  add_errors(before.errors, errors);
  TRY(fold(change.train));
  if (change.more) {
    load_ = std::move(before);
    return memory_alone();
  }
  if (before.adopted) {
    ModelChange calibration = change;
    calibration.kind = *before.adopted;
    GateEvidence evidence;
    evidence.batch = memory_.pending;
    return version_of_adoption(calibration, std::move(evidence), before.errors, started);
  }
  if (!makes) return memory_alone();
  if (model_.gate.enabled && undoes) {
    before.champion = metrics_of(champion_);
    before.reference = metrics_of(reference_);
  }
  return version_of_rows(change, std::move(before), started);
}

// nullopt: it is not due, or the rows cannot be calibrated on.
Result<std::optional<ModelCommit>> ModelTrack::calibrate_if_due(const ModelChange& change) {
  if (!TRY(calibration_due(change))) return std::optional<ModelCommit>();
  const std::int64_t started = io_.monotonic_us();
  const Batch train = TRY(train_rows_with(change));
  Result<Lineage> fresh = calibrated_lineage(train);
  if (!fresh.ok()) {
    if (fresh.error().code != Code::kInvalid) return std::move(fresh).error();
    // Rows that no model can be made of (a target without two values) hold up no commit: the model
    // goes on as it was, and tries again with the next rows.
    if (!current_) memory_.why = fresh.error().message;
    return std::optional<ModelCommit>();
  }
  ModelChange calibration = change;
  calibration.kind = current_ ? VersionKind::kRecalibration : VersionKind::kCalibration;
  return std::optional<ModelCommit>(
      TRY(adopt(calibration, train, std::move(fresh).value(), started)));
}

Result<ModelCommit> ModelTrack::recalibrate(const ModelChange& change) {
  const std::int64_t started = io_.monotonic_us();
  const Batch train = TRY(train_rows_with(change));
  return adopt(change, train, TRY(calibrated_lineage(train)), started);
}

// `train`: all rows, with `change` applied; `fresh`: made of them.
Result<ModelCommit> ModelTrack::adopt(const ModelChange& change,
                                      const Batch& train,
                                      Lineage fresh,
                                      std::int64_t started_us) {
  Before before = load_ ? std::move(*load_) : Before();
  load_.reset();
  BatchErrors errors;
  GateEvidence evidence;
  evidence.batch = TRY(champion_errors(change.train, errors));
  add_errors(before.errors, errors);
  add_errors(memory_.pending, evidence.batch);
  // A user who asks for it has seen the rows; a calibration that came of itself has not.
  if (!change.release) evidence.batch = memory_.pending;
  if (current_) TRY(fold(change.train));
  const bool same = current_ && current_->definition.sha256 == fresh.definition.sha256;
  if (current_ && champion_ && !same && champion_->definition == current_->definition.sha256)
    other_ = std::move(current_);
  current_ = std::move(fresh);
  forget_test_metrics();
  TRY(rebuild_sample(&train));
  memory_.calibrated_rows = current_->state.counts.folded;
  // Within one load it is calibrated twice at most, and has one version: of the first one's kind.
  before.adopted = before.adopted.value_or(change.kind);
  if (!change.more) {
    ModelChange adopted = change;
    adopted.kind = *before.adopted;
    return version_of_adoption(adopted, std::move(evidence), before.errors, started_us);
  }
  memory_.pending_changes += change.train.row_count();
  load_ = std::move(before);
  return memory_alone();
}

Result<ModelVersionRecord> ModelTrack::solved_version(const ModelChange& change,
                                                      std::int64_t started_us) {
  ModelVersionRecord version;
  version.model = model_.name;
  version.version = next_version_++;
  version.snapshot = change.snapshot;
  version.definition = current_->definition.sha256;
  version.kind = change.kind;
  const FoldCounts& counts = current_->state.counts;
  version.folded = counts.folded;
  version.tested = counts.tested;
  version.refused = counts.refused;
  version.unlabelled = counts.unlabelled;
  version.fingerprint = fingerprint_text(current_->state);
  if (version.version > 1) version.parent = version.version - 1;
  Result<Solution> solution = current_->learner->solve(current_->state);
  if (solution.ok()) {
    last_solution_ = std::make_shared<const Solution>(std::move(solution).value());
    last_test_ = current_->learner->evaluate(*last_solution_, current_->state, "test");
    version.weights = serialize_solution(*last_solution_);
    version.weights_sha256 = sha256_hex(version.weights);
  } else {
    // The data commits all the same: it is right, whether or not this learner can make a model of
    // it.
    last_solution_.reset();
    last_test_.reset();
    version.status = VersionStatus::kUnsolved;
    version.reason = solution.error().message;
  }
  version.duration_us = io_.monotonic_us() - started_us;
  memory_.pending_changes = 0;
  memory_.last_version_us = io_.now_us();
  return version;
}

Result<void> ModelTrack::committed(const CommitRequest& request) {
  for (const AliasEvent& event : request.aliases) {
    if (event.model == model_.name && event.alias == "champion") champion_alias_ = event;
  }
  const ModelVersionRecord* made = nullptr;
  for (const ModelVersionRecord& version : request.versions) {
    if (version.model == model_.name) made = &version;
  }
  if (made != nullptr && made->status == VersionStatus::kReady) newest_ready_ = made->version;
  TRY(reload_champion(made));
  return keep_lineage_of_champion();
}

Result<void> ModelTrack::checkpoint(SnapshotId head) {
  if (!current_) return {};
  if (rows_since_checkpoint_ < kCheckpointRows && fold_us_since_checkpoint_ < kCheckpointFoldUs)
    return {};
  const std::string bytes = serialize_state(current_->state);
  CheckpointRecord record;
  record.model = model_.name;
  record.definition = current_->definition.sha256;
  record.snapshot = head;
  record.sha256 = sha256_hex(bytes);
  record.size_bytes = static_cast<std::int64_t>(bytes.size());
  TRY(hub_.write_checkpoint(record, bytes));
  rows_since_checkpoint_ = 0;
  fold_us_since_checkpoint_ = 0;
  return {};
}

}  // namespace lockstep
