// The writer of one hub. Internal to sync: the rest of the program sees Engine in sync/sync.h.
#pragma once

#include "hub/hub.h"
#include "source/source.h"
#include "sync/dataset_flow.h"
#include "sync/gather.h"
#include "sync/learning.h"
#include "sync/surface.h"

#include <nlohmann/json.hpp>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lockstep {

struct ColumnsChange;
struct Plan;
struct Predictor;
struct SyncTotals;

// Resource; one thread at a time. After a failed commit it takes no more work: open another
// (sync-6).
class HubEngine final : public Engine {
 public:
  HubEngine(Io& io, Log& log, Configuration configuration, EngineOptions options)
      : io_(io),
        log_(log),
        configuration_(std::move(configuration)),
        options_(std::move(options)) {}

  Result<void> start();

  Result<Json> sync() override;
  Result<bool> wait(std::int64_t timeout_us) override;
  Result<Json> execute(const Json& command) override;

  void tend() override;
  Result<void> settle() override;

  Hub& hub() override { return *hub_; }

 private:
  struct Feed {  // a source with the datasets that it feeds
    const SourceConfiguration* configuration = nullptr;
    std::vector<std::string> datasets;  // of its targets
    std::unique_ptr<Source> source;
    Position position;

    struct Owed {
      Position changes;
      std::optional<CommitId> commit;  // none: a load's
    };

    std::vector<Owed> unacknowledged;  // its batches in the open group, in order
    std::optional<Error> error;        // why it gives nothing now
    std::int64_t retry_at_us = 0;      // when it is opened again, by the steady clock
    std::int64_t retry_pause_us = 0;
    bool paused = false;           // by command, until it is resumed
    bool anew = false;             // it is read from its beginning, whatever its position says
    bool looked_for_load = false;  // that an earlier writer left
    std::string warned;            // of what endangers it, as it was told
    Pace pace;
    std::uint64_t bytes_total = 0;  // the most that was ever left to read: the progress bar's end

    const std::string& dataset_of(const SourceBatch& batch) const {
      return datasets[static_cast<std::size_t>(batch.target)];
    }
  };

  // start.cpp
  Result<void> open_hub();
  Result<void> leave_load(Feed& feed);
  Result<void> take_configuration();
  Result<void> open_flows();
  Result<void> open_tracks();
  Result<void> make_owed_versions(bool new_models_too);
  Result<void> open_feeds();
  Result<std::unique_ptr<Source>> source_of(const SourceRequest& request);
  Result<bool> open_feed(Feed& feed);
  Result<bool> know_columns(const Feed& feed, SourceRequest& request);
  Result<void> create_tables(const DatasetFlow& flow);

  // engine_foreign.cpp
  Result<void> adopt_foreign();
  Result<void> open_known_flows();
  Result<void> refuse_unknown_datasets(SnapshotId before);

  // engine_apply.cpp
  Result<void> apply_plan(const Plan& plan);
  Result<void> rebuild_dataset(const std::string& dataset, CommitRequest& request);
  Result<void> alter_dataset(const std::string& dataset, const Plan& plan, CommitRequest& request);
  Result<void> lay_out_dataset(const std::string& dataset,
                               const Plan& plan,
                               CommitRequest& request);
  Result<bool> follow_layer(const TableDefinition& after,
                            const ColumnsChange& columns,
                            const Batch& rows,
                            CommitRequest& request);
  Result<Batch> rejected_anew(const DatasetFlow& flow, const Batch& of_steps);
  Result<void> retrain(const ModelConfiguration& model, const Batch& train, CommitRequest& request);

  // engine_load.cpp
  struct LoadNote;  // what a load has done so far, beside the staged rows
  std::string load_name(const Feed& feed);
  struct LoadInput;  // where its batches come from
  Result<void> resume_loads(SyncTotals& totals);
  Result<void> resume_load(Feed& feed, SyncTotals& totals);
  Result<std::optional<SourceBatch>> first_behind(Feed& feed, const LoadNote& note);
  Result<void> fold_left(const Feed& feed, const LoadNote& note, std::int64_t count);
  Result<void> leave(const Feed& feed, LoadNote& note, const Error& why);
  Result<std::optional<SourceBatch>> next_of_load(Feed& feed,
                                                  const LoadNote& note,
                                                  LoadInput& input);
  Result<std::optional<SourceBatch>> next_of_transaction(Feed& feed);
  Result<void> load(Feed& feed, LoadInput& input, LoadNote note, SyncTotals& totals);
  Result<void> note_sweep(const Feed& feed, SourceBatch& batch, LoadNote& note);
  Result<void> stage_sweeps(Feed& feed, LoadNote& note);
  Result<DatasetChange> take(const Feed& feed, const SourceBatch& batch, const LoadNote& note);
  Result<void> finish_models(const LoadNote& note,
                             const std::string& dataset,
                             const Batch& train,
                             CommitRequest& request);
  Result<void> fold_staged(const std::string& dataset, const Batch& train, std::int64_t stage);
  Result<void> stage_batch(Feed& feed, const SourceBatch& batch, LoadNote& note);
  Result<void> commit_load(Feed& feed,
                           const std::optional<SourceBatch>& batch,
                           LoadNote note,
                           SyncTotals& totals);

  // engine.cpp
  Result<bool> look_at_sources(SyncTotals& totals);
  Result<bool> step(Feed& feed, SyncTotals& totals);
  bool begins_load(std::span<const SourceBatch> batches) const;
  std::span<SourceBatch> before_a_load(std::span<SourceBatch> batches) const;
  IncomingRows incoming_of(const Feed& feed, std::span<const SourceBatch> batches);

  struct ChangedTrain {
    std::string dataset;
    ModelChange change;
  };

  Result<std::vector<ChangedTrain>> take_batches(Feed& feed,
                                                 std::span<SourceBatch> batches,
                                                 CommitRequest& request,
                                                 ChangeCounts& counts);
  Result<void> commit_batches(Feed& feed, std::span<SourceBatch> batches, SyncTotals& totals);
  Result<void> add_models(const std::string& dataset,
                          const ModelChange& change,
                          CommitRequest& request);
  Result<Committed> commit(CommitRequest& request);
  Result<void> commit_learning(std::vector<ChangedTrain> trains,
                               CommitRequest& request,
                               SyncTotals& totals);
  Result<void> take_learned(SyncTotals& totals);
  Result<void> catch_up(SyncTotals& totals);
  Result<void> add_learned(const Learned& learned, SyncTotals& totals);
  Result<void> flush(SyncTotals& totals);
  void acknowledge(SyncTotals& totals);
  void keep_up();
  Result<void> require_sound() const;
  void report_progress(Feed& feed, const SyncTotals& totals);

  // engine_surface.cpp
  bool has_listeners() const;
  CommitNews news_of(const CommitRequest& request, const Committed& committed) const;
  void note_versions(CommitId commit, const std::vector<ModelVersionRecord>& versions);
  const Completion& completion_of(const Feed::Owed& owed) const;
  Result<void> keep_answers();
  Result<std::optional<KeptAnswer>> kept_answer(const Feed& feed,
                                                int target,
                                                const std::string& key);
  void show_champions();
  Result<void> show_champion(const std::string& model, const Standing& standing);
  void tell_news();
  Result<Json> push_state(const std::string& token);

  // commands.cpp
  Result<Json> run(const Json& command);
  Result<Json> revert(const Json& command);
  Result<Json> recalibrate(const Json& command);
  Result<Json> set_alias(const Json& command);
  Result<Json> rollback(const Json& command);
  Result<Json> accept(const Json& command);
  Result<ModelTrack*> track(const std::string& model);
  Result<ModelVersionRecord> usable_version(const std::string& model, std::int64_t version);
  Result<Json> pin_alias(const std::string& model,
                         const std::string& alias,
                         std::int64_t version,
                         std::string why);

  // engine_sources.cpp
  Result<bool> wait_for_sources(std::int64_t timeout_us);
  bool has_something(Feed& feed, std::int64_t timeout_us);
  void fail(Feed& feed, Error error);
  void fail(Feed& feed, Error error, SyncTotals& totals);
  Result<void> read_pauses();
  Result<Feed*> feed_of(const std::string& source);
  Result<Json> set_paused(const std::string& source, bool paused);
  Result<Json> resync(const std::string& source);
  Json source_states();
  void mind_sources();

  // engine_upkeep.cpp
  void mind_log();
  Result<void> upkeep_step();
  Result<Json> compact();
  Result<Json> gc();
  Result<Json> set_tag(const std::string& name, const std::string& snapshot);
  Result<Json> delete_tag(const std::string& name);

  Io& io_;
  Log& log_;
  const Configuration configuration_;
  const EngineOptions options_;
  std::unique_ptr<Hub> hub_;
  std::map<std::string, std::unique_ptr<DatasetFlow>> flows_;  // where columns are known
  std::vector<std::unique_ptr<ModelTrack>> tracks_;
  Learning learning_{tracks_};
  std::deque<Committed> learning_for_;  // commits whose models are at work, in order
  std::vector<Feed> feeds_;
  std::vector<ModelVersionRecord> owed_versions_;  // made without a source, and not reported yet
  std::vector<std::int64_t> adopted_;              // foreign snapshots, not reported yet
  ChangeCounts adopted_counts_;
  bool failed_ = false;
  bool leaves_load_ = false;      // failed_ by the source, in the middle of a transaction
  std::vector<CommitNews> news_;  // of the open group, and of a load
  std::map<std::string, std::int64_t> shown_;  // the champions, by model
  std::map<std::pair<std::string, bool>, std::shared_ptr<const Predictor>> predictors_;
  SnapshotId opened_at_{};            // the newest when it began
  Group group_;                       // what is committed and not durable yet
  std::vector<std::string> applied_;  // the plan that opening carried out, for the first report
  std::int64_t next_progress_us_ = 0;
  std::vector<std::string> unfinished_;  // sources whose load was stopped
  std::int64_t next_warning_us_ = 0;
  std::int64_t next_upkeep_us_ = 0;
  UpkeepTurns upkeep_;
  bool log_is_long_ = false;
};

// What a model adds to a commit goes into its request.
void add_to(CommitRequest& request, ModelCommit made);
Json versions_json(const std::vector<ModelVersionRecord>& versions);

}  // namespace lockstep
