// What engine.cpp and engine_load.cpp share.
#pragma once

#include "sync/engine.h"
#include "sync/sweep.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace lockstep {

// What one sync did, added up over its commits.
struct SyncTotals {
  ChangeCounts counts;
  std::int64_t commits = 0;
  std::vector<ModelVersionRecord> newest;  // of each model that got a version
  std::map<std::string, std::int64_t> blocked;
  std::map<std::string, std::int64_t> made;
  std::set<std::string> stopped;  // sources that failed
  Json errors = Json::array();

  void stop(const std::string& source, const Error& error) {
    stopped.insert(source);
    errors.push_back({{"source", source},
                      {"code", code_info(error.code).name},
                      {"message", error.message},
                      {"hint", error.hint}});
  }

  void add(const ChangeCounts& more) { counts.add(more); }

  void add(const std::vector<ModelVersionRecord>& versions) {
    for (const ModelVersionRecord& version : versions) {
      std::erase_if(newest,
                    [&](const ModelVersionRecord& old) { return old.model == version.model; });
      newest.push_back(version);
      newest.back().weights.clear();
      made[version.model] += 1;
      if (version.status == VersionStatus::kBlocked) blocked[version.model] += 1;
    }
  }
};

// What a load has done so far, beside the rows: what the next writer must know to go on with it.
struct HubEngine::LoadNote {
  Position position;  // the parts that it moved
  std::vector<OverrideRecord> removed_overrides;
  ChangeCounts counts;
  std::string origin;
  std::optional<Timestamp> source_time;
  std::set<std::string> changed;  // datasets
  bool whole = false;             // it is a transaction of the source
  bool resumes = false;           // which another process can go on with
  bool schema_pending = false;
  // Of tables that it gives as a whole, by target. Not in the journal: such a load begins anew.
  std::map<int, Sweep> sweeps;

  // The batch of a dataset with its change, folded or about to be.
  void add(const std::string& dataset, const SourceBatch& batch, const DatasetChange& change);

  bool is_of(const SourceBatch& batch) const {
    return whole || origin.empty() || origin == batch.origin;
  }

  std::string json() const;
  static Result<LoadNote> parse(const std::string& json);
};

// Where the batches of one file come from.
struct HubEngine::LoadInput {
  std::span<SourceBatch> ahead;          // given already; the source is asked behind them
  std::optional<Error> ended = {};       // it failed behind them
  std::optional<SourceBatch> next = {};  // given, and of another file
};

}  // namespace lockstep
