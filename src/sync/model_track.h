// One model as the writer carries it: its learner and exact state at the hub's head, the champion,
// the gate's memory.
#pragma once

#include "base/hash.h"
#include "base/io.h"
#include "base/log.h"
#include "base/result.h"
#include "hub/hub.h"
#include "learn/learn.h"
#include "sync/configuration.h"
#include "sync/dataset_flow.h"
#include "sync/gate.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lockstep {

// A definition with its learner and the sums of every row at the head.
struct Lineage {
  Definition definition;
  std::unique_ptr<SumLearner> learner;
  ModelState state;
};

// The steps that a definition holds.
Result<std::string> steps_of_definition(const std::string& definition_json);
// Folds a whole table in pieces.
Result<void> fold_table(
    Hub& hub, const TableName& table, SnapshotId at, const KeyedHash& hash, Lineage& lineage);
// The sums of a lineage at a snapshot: from a checkpoint and the changes since, or from all rows.
Result<void> bring_to(
    Hub& hub, const std::string& model, const TableName& train, SnapshotId at, Lineage& lineage);

// What a model adds to a commit.
struct ModelCommit {
  std::optional<ModelVersionRecord> version;
  std::vector<AliasEvent> aliases;
  std::optional<DefinitionRecord> definition;
  ModelStateRecord memory;
};

struct ModelChange {
  Batch train;            // signed rows of the dataset's train layer
  SnapshotId snapshot{};  // of the commit; the head, when nothing changes
  VersionKind kind = VersionKind::kIncrement;
  bool force = false;           // make a version whatever the trigger says
  bool release = false;         // let go of the latch before judging
  bool replaces_train = false;  // `train` is all of the layer, made anew
  bool more = false;  // of a load that goes on: folded now, judged with the load's last rows
  std::int64_t stages_before = 0;  // of that load
};

// A version that others are measured against.
struct Standing {
  std::int64_t version = 0;
  std::string definition;
  SnapshotId snapshot{};
  std::shared_ptr<const Solution> solution;
  std::optional<Metrics> test;  // on the test rows of now, once they were asked for
};

// Resource; one thread at a time. After a failed commit it is thrown away and opened again.
class ModelTrack final {
 public:
  // Brings the state to the hub's head, from a checkpoint and the changes since, or from all rows.
  // `fresh`: the layers are being made anew, so that what was learned so far does not fit them any
  // more.
  static Result<std::unique_ptr<ModelTrack>> open(Io& io,
                                                  Hub& hub,
                                                  const ModelConfiguration& model,
                                                  const DatasetFlow& flow,
                                                  bool fresh = false);

  // Folds, solves, asks the gate. Changes the state in memory; what it returns is to be committed.
  Result<ModelCommit> advance(const ModelChange& change);
  // A full retrain with everything fitted afresh, on the head with `change.train` applied.
  Result<ModelCommit> recalibrate(const ModelChange& change);
  // Lets go of the latch: the champion moves to `version` and follows from there.
  ModelCommit accept(const std::string& who, std::int64_t version);
  // After each commit, whether or not it holds what the three above returned.
  Result<void> committed(const CommitRequest& request);
  // Writes a checkpoint when enough was folded since the last one. Between commits.
  Result<void> checkpoint(SnapshotId head);

  // How many rows advance() and committed() may take, one commit after the other, before one of
  // them might ask the hub: for all rows, to calibrate on them, or for a champion that is not at
  // hand.
  std::int64_t rows_alone() const;

  bool warming() const { return !current_.has_value(); }

  // Whether its rows changed since its newest version, and its trigger says that they are to be
  // learned now.
  bool owes_version() const { return current_ && memory_.pending_changes > 0 && due(); }

  const ModelConfiguration& model() const { return model_; }

  const GateMemory& memory() const { return memory_; }

  const std::optional<Standing>& champion() const { return champion_; }

 private:
  ModelTrack(Io& io,
             Hub& hub,
             const ModelConfiguration& model,
             const DatasetFlow& flow,
             const KeyedHash& hash)
      : io_(io), hub_(hub), model_(model), flow_(flow), hash_(hash) {}

  Result<void> restore();
  Result<Lineage> restore_lineage(const std::string& definition_sha256);
  std::optional<std::int64_t> champion_version() const;
  bool champion_is_at_hand() const;
  Result<void> reload_champion(const ModelVersionRecord* made);
  Result<void> keep_lineage_of_champion();
  Result<std::optional<Standing>> load_standing(std::int64_t version);
  Result<void> rebuild_sample(const Batch* all_train);
  Result<Batch> train_rows_with(const ModelChange& change);
  Result<Lineage> calibrated_lineage(const Batch& train);
  Result<void> fold(const Batch& train);
  bool due() const;
  Result<std::optional<ModelCommit>> calibrate_if_due(const ModelChange& change);
  Result<ModelCommit> adopt(const ModelChange& change,
                            const Batch& train,
                            Lineage fresh,
                            std::int64_t started_us);
  Result<bool> calibration_due(const ModelChange& change);

  // What a commit's rows are judged on: taken before its first rows are folded.
  struct Before {
    std::optional<ModelState> state;  // the test sums and the counts; none: they are those of now
    std::optional<Metrics> champion;
    std::optional<Metrics> reference;
    BatchErrors errors;  // of the champion on the rows so far
    std::int64_t load_rows = 0;
    std::optional<VersionKind> adopted;  // a calibration within the load, without its version yet
  };

  Before before_rows(const ModelChange& change);
  Result<ModelCommit> version_of_rows(const ModelChange& change,
                                      Before before,
                                      std::int64_t started_us);
  Result<ModelCommit> version_of_adoption(const ModelChange& change,
                                          GateEvidence evidence,
                                          const BatchErrors& errors,
                                          std::int64_t started_us);
  ModelCommit memory_alone() const;
  Lineage* lineage_of(const Standing& standing);
  Result<GateMemory::Errors> champion_errors(const Batch& train, BatchErrors& raw);
  std::optional<Metrics> metrics_of(std::optional<Standing>& standing);
  void forget_test_metrics();
  Result<ModelVersionRecord> solved_version(const ModelChange& change, std::int64_t started_us);
  Result<void> judge_version(const ModelChange& change, GateEvidence evidence, ModelCommit& commit);
  Result<void> block(const std::string& why, ModelCommit& commit);
  Result<void> pass(const ModelChange& change,
                    const GateMemory::Errors& batch,
                    ModelCommit& commit);
  std::string metrics_json(const BatchErrors& batch) const;

  Io& io_;
  Hub& hub_;
  ModelConfiguration model_;
  const DatasetFlow& flow_;
  KeyedHash hash_;
  ModelSpec spec_;
  std::set<std::string> needed_;  // the dataset's columns without which the model could not be
  std::optional<Lineage> current_;
  std::optional<Lineage> other_;  // the champion's, when it is of another definition
  std::unique_ptr<TestSample> sample_;
  std::shared_ptr<const Solution> last_solution_;  // null: the newest version was not solved
  std::optional<Metrics> last_test_;               // its metrics on the test rows of now
  std::optional<Standing> champion_;
  std::optional<AliasEvent> champion_alias_;  // in force
  std::int64_t newest_ready_ = 0;             // version; 0: none
  std::optional<Standing> reference_;
  GateMemory memory_;
  std::optional<Before> load_;  // while a load is under way
  std::int64_t next_version_ = 1;
  std::int64_t rows_since_checkpoint_ = 0;
  std::int64_t fold_us_since_checkpoint_ = 0;
};

// The version that an alias names now; nullopt: none.
Result<std::optional<std::int64_t>> resolve_alias(Hub& hub,
                                                  const std::string& model,
                                                  const std::string& alias);

// The key that the fingerprints of this hub are made with.
Result<KeyedHash> fingerprint_hash(Hub& hub);

}  // namespace lockstep
