// The sync layer: brings hub, steps and models together. It alone knows both sources and models.
//
// An Engine is the writer of one hub: it reads source batches, finds the old rows, prepares, folds,
// solves, asks the gate, and commits everything at once. Reports read a hub and change nothing.
//
// What it promises:
//   sync-1  A commit holds the rows, the source's position, a version of every calibrated model
//           that trains with commits, and the gate's decision: one transaction, or nothing.
//   sync-2  A source hears committed() only after its rows' commit is durable: once a batch, in
//           order. What waits is gathered: into one snapshot, or one for each batch that are made
//           durable together, as the hub's snapshot_per says. A batch is never split.
//   sync-3  Each source row ends in raw, or in rejected with a reason, or is refused as a whole
//           file is; what raw holds ends in clean, in rejected, or was filtered, and nothing else.
//   sync-4  The state that a version is solved from is the exact sum of the train rows at its
//           snapshot; verify() proves it from raw.
//   sync-5  The gate judges with evidence from before the batch, and a block latches until a
//           revert, an accept or a recalibration.
//   sync-6  After a failed commit, or a failed group of them, the state in memory is dropped and
//           made again from the hub.
//
// What it does not do: serve predictions over a network, or read the command line.
//
//   Configuration configuration = TRY(load_configuration(io, "lockstep.yaml"));
//   auto engine = TRY(Engine::open(io, log, configuration, {}));
//   Json report = TRY(engine->sync({}));
#pragma once

#include "base/io.h"
#include "base/log.h"
#include "base/result.h"
#include "sync/configuration.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

class Hub;
class PushDesk;
class Source;
class Surface;
struct ModelVersionRecord;
struct SourceRequest;

// A report: what commands print with --json, with the fields in the order of
// docs/reference/json.md.
using Json = nlohmann::ordered_json;

struct Progress {
  std::string what;  // "vitals"
  std::uint64_t done = 0;
  std::uint64_t total = 0;  // 0: unknown
  std::string unit;         // "rows", "bytes"
};

struct EngineOptions {
  bool apply = false;            // take a plan that rebuilds or loses
  bool accept_deletes = false;   // let a mirror delete more than max_delete
  std::string kernel;            // LOCKSTEP_KERNEL
  std::string who = "lockstep";  // for alias events
  std::function<void(const Progress&)> progress;
  std::function<bool()> stop;  // asked between commits
  bool upkeep = true;          // moves and collects rows beside the commits
  Surface* surface = nullptr;  // hears of what was committed; outlives the engine
  PushDesk* pushes = nullptr;  // where changes are brought to; outlives the engine
  // Instead of the source that the settings name: rows from memory, for tests and benchmarks.
  std::function<Result<std::unique_ptr<Source>>(Io&, const SourceRequest&)> make_source;
};

// Resource; one thread at a time. Holds the writer's lock.
class Engine {
 public:
  // Creates the hub when there is none. kRefused with the plan in the message when the
  // configuration changed in a way that rebuilds or loses, and !apply.
  static Result<std::unique_ptr<Engine>> open(Io& io,
                                              Log& log,
                                              const Configuration& configuration,
                                              EngineOptions options);
  virtual ~Engine() = default;

  // Reads all sources until nothing is left. {snapshot, changes: {inserted, updated, deleted},
  // rejected, commits, versions: [{model, version, status, reason, metrics, made, blocked}],
  // duration_s, errors: [{source, code, message, hint}], applied}: a source that failed stops no
  // other. applied: [text], the plan that opening carried out.
  virtual Result<Json> sync() = 0;
  // Waits for sources up to timeout_us; true: there may be something.
  virtual Result<bool> wait(std::int64_t timeout_us) = 0;

  // One command of a user, the same whether it came over the daemon's socket or from this process:
  //   {"command": "sync"}
  //   {"command": "revert", "snapshot": "12", "conflicts": "refuse" | "keep-later" | "overwrite"}
  //   {"command": "recalibrate", "model": "bp"}
  //   {"command": "alias-set", "model": "bp", "alias": "champion", "version": 7 | "latest", "why":
  //   "..."}
  //   {"command": "rollback", "model": "bp", "version": 7 | null}
  //   {"command": "accept", "model": "bp"}
  //   {"command": "compact"}: {tables: [{table, rows, files}], snapshot}
  //   {"command": "gc"}: {snapshots, files, deleted}
  //   {"command": "tag-set", "tag": "release", "snapshot": "12"}, {"command": "tag-delete", "tag":
  //   "release"}
  virtual Result<Json> execute(const Json& command) = 0;

  // One small step of keeping the hub compact; between commits, as often as one likes.
  virtual void tend() = 0;
  // Finishes what tend() began, and whatever else is worth doing: for a writer that is about to
  // end.
  virtual Result<void> settle() = 0;

  virtual Hub& hub() = 0;
};

// ---- reports; each reads only. A version is "bp", "bp@7" or "bp@champion"; a snapshot "12", "-1"
// or "latest".

struct ModelReference {
  std::string model;
  std::optional<std::int64_t> version;
  std::string alias;  // "champion" when neither was given
};

ModelReference parse_model_reference(std::string_view text);
// The version that it names; kNotFound says what there is.
Result<ModelVersionRecord> referred_version(Hub& hub, const ModelReference& reference);

// {in_lockstep, reason, snapshot, commit, time, hub: {...disk use...}, datasets: [{name, rows,
// clean, train, rejected}],
//  models: [{name, champion, newest, status, latched, why, behind_commits, metrics}], sources:
//  [{name, type, position}], writer: {running, pid}}
Result<Json> report_status(Io& io, Hub& hub, const Configuration& configuration);
// [{commit, snapshot, kind, time, inserted, updated, deleted, rejected, message, versions: [{model,
// version, status}]}]
Result<Json> report_log(Hub& hub, std::int64_t newest_count, bool maintenance_too = false);
// [{tag, snapshot, time, who}]
Result<Json> report_tags(Hub& hub);
// What a gc would remove. {snapshots: [number], files: [path], orphans: [path]}
Result<Json> report_collection(Hub& hub, const CollectionLimits& limits);
// What there is to compact. {tables: [{table, rows}], snapshot}
Result<Json> report_compaction(Hub& hub);
// One commit in full: the same fields, and tables: [{table, inserted, updated, deleted}], versions
// in full.
Result<Json> report_show(Hub& hub, const std::string& snapshot);

struct DiffOptions {
  std::int64_t rows_max = 20;                              // in the report
  std::function<Result<void>(const Json& row)> sink = {};  // gets all rows instead
};

// {from, to, tables: [{table, added, removed, changed, columns: {name: changed}, numbers: {name:
// {rows, mean_before, mean_after, largest}}}], rows: [{table, key, change, before, after}]}
// Rows in key order, read in bounded memory.
Result<Json> report_diff(Hub& hub,
                         const std::string& from,
                         const std::string& to,
                         const DiffOptions& options);
// {from: {version, snapshot}, to: ..., same_definition, features: {added, removed}, definition:
// [{path, from, to}], rows: {inserted, updated, deleted}, metrics: [{name, from, to}],
//  weights: [{target, column, from, to}]}  largest change first
Result<Json> report_model_diff(Hub& hub, const std::string& from, const std::string& to);
// [{model, version, snapshot, kind, status, reason, folded, tested, refused, unlabelled,
// fingerprint, weights_sha256,
//   definition, metrics, aliases, duration_ms}]
Result<Json> report_models(Hub& hub, const std::string& model, std::int64_t newest_count);
// [{dataset, source, record, stage, reason, row}]
Result<Json> report_rejected(Hub& hub, const std::string& dataset, std::int64_t rows_max);
// [{id, model, alias, version, follow, time, who, why}]; `history` false: those in force.
Result<Json> report_aliases(Hub& hub, const std::string& model, bool history);

struct VerifyOptions {
  bool quick = false;  // from train instead of raw
  std::function<void(const Progress&)> progress;
};

// [{model, version, snapshot, exact, expired, fingerprint, weights_sha256,
// retrained_weights_sha256, differences: [text],
//   rows}]; one a model (its champion and newest version) when `reference` is empty.
// What a version was made from is in the hub whole; the configuration may have gone on since.
Result<Json> verify(Hub& hub, const std::string& reference, const VerifyOptions& options);

struct PredictOptions {
  std::string input;    // .csv .tsv .ndjson .parquet, compressed or not: raw rows of the dataset
  std::string output;   // a file, or empty: `sink`
  double level = 0.95;  // 0: no intervals
  std::function<Result<void>(std::string_view)> sink;  // CSV
};

// Rows go through the dataset's steps, then the model. Output: the key columns, a column a target
// (and _low, _high), model_version, data_version, and refused (why there is no prediction). {model,
// version, snapshot, rows, refused}
Result<Json> predict(Io& io, Hub& hub, const std::string& reference, const PredictOptions& options);

struct ExportOptions {
  std::string layer = "clean";
  std::string at = "latest";
  std::string output;
  std::function<Result<void>(std::string_view)> sink;  // CSV
  std::string where;  // "age >= 60 and ward = 'A'"; empty: all rows
};

// Rows in key order. {dataset, layer, snapshot, rows, output, files_read, files_skipped,
// files_skipped_by_partition, row_groups_read, row_groups_skipped}
Result<Json> export_dataset(Io& io,
                            Hub& hub,
                            const std::string& dataset,
                            const ExportOptions& options);

// Ten rows from raw to prediction; commits nothing and needs no hub. {dataset, source, raw, clean,
// train, rejected, model, prediction}: each a list of objects.
Result<Json> preview(Io& io,
                     const Configuration& configuration,
                     const std::string& dataset,
                     std::int64_t row_count);

// [{level: ok|warn|fail, what, message, hint}]: configuration, sources, hub, and the plan of what
// would change.
Result<Json> check(Io& io, const Configuration& configuration);

// "12"; a tag; "latest" or "-1", the newest with data; "-2", the one before; or a time as
// "2026-11-20T08:00", UTC unless it says otherwise: the newest with data at or before it.
Result<std::int64_t> resolve_snapshot(Hub& hub, const std::string& text);

// ---- the daemon

struct DaemonOptions {
  EngineOptions engine;
};

// Syncs, watches, takes commands on the hub's socket until stop(); finishes the commit in hand.
Result<void> run_daemon(Io& io,
                        Log& log,
                        const Configuration& configuration,
                        const DaemonOptions& options);

// Sends a command to the hub's daemon; nullopt: there is none. kInterrupted: no answer in time.
Result<std::optional<Json>> ask_daemon(Io& io,
                                       const Configuration& configuration,
                                       const Json& command,
                                       std::int64_t timeout_us = 600'000'000);

// The process of this hub's daemon; nullopt: none is running. Asks it nothing, so it answers amid a
// long commit too.
std::optional<std::int64_t> daemon_process(Io& io, const Configuration& configuration);

}  // namespace lockstep
