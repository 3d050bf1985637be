// One dataset on its way through the layers: source batch -> raw -> clean, train and rejected. Pure
// but for look-ups.
#pragma once

#include "base/result.h"
#include "hub/hub.h"
#include "prepare/prepare.h"
#include "source/source.h"
#include "sync/configuration.h"
#include "table/batch.h"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

// The system columns of raw, before the dataset's own.
inline constexpr int kRawSystemColumns = 4;  // _source _sequence _source_time _origin

struct ChangeCounts {
  std::int64_t inserted = 0;
  std::int64_t updated = 0;
  std::int64_t deleted = 0;
  std::int64_t rejected = 0;
  std::int64_t skipped = 0;  // rows of a reverted change that their source sent again

  void add(const ChangeCounts& more);
};

// What one batch does to the tables of its dataset.
struct DatasetChange {
  std::vector<TableChange> tables;  // those that change
  Batch train;                      // signed train rows: what models fold
  ChangeCounts counts;
  std::vector<OverrideRecord> remove_overrides;
};

class RejectedChange;

// What a source gave, to be taken as one change: a key's last row counts. A batch that replaces its
// origin stands alone.
struct IncomingRows {
  std::span<const SourceBatch> batches;  // in order
  std::string source;
  std::int64_t sequence = 0;  // of the commit that will hold it
  double max_delete = 0.2;
  bool accept_deletes = false;
  std::span<const OverrideRecord> removed_overrides = {};  // by earlier batches of the same load
};

// What other programs did to raw since the newest commit of ours. The hub holds it.
struct ForeignRows {
  const Batch& delta;     // signed raw rows
  CommitId commit{};      // the one that adopts them
  SnapshotId snapshot{};  // the newest of theirs
};

struct RawDelta;

// Resource; const and safe from many threads. Made from the configuration, or from a definition's
// steps.
class DatasetFlow final {
 public:
  // `columns`: the dataset's, declared or pinned in the hub.
  static Result<std::unique_ptr<DatasetFlow>> make(const DatasetConfiguration& dataset,
                                                   const Schema& columns);
  // From steps_json() of a definition.
  static Result<std::unique_ptr<DatasetFlow>> from_steps(const std::string& steps_json);

  const DatasetConfiguration& dataset() const { return dataset_; }

  const Schema& columns() const { return columns_; }

  const std::vector<std::string>& key() const { return key_; }

  const Pipeline& pipeline() const { return *pipeline_; }

  const Schema& raw_schema() const { return raw_schema_; }

  // Canonical: everything that says how train follows from raw.
  std::string steps_json() const;
  std::vector<TableDefinition> tables() const;

  TableName table(Layer layer) const { return {layer, dataset_.name}; }

  // What a source's batches change. Refusals of the source become rows of rejected.
  Result<DatasetChange> take(Hub& hub, const IncomingRows& incoming) const;
  // What signed raw rows change in all layers, raw among them. At most one -1 and one +1 a key.
  Result<DatasetChange> change(Hub& hub, const Batch& raw_delta) const;

  // What follows from rows that raw holds already. kRefused: one of them cannot be taken.
  Result<DatasetChange> adopt(Hub& hub, const ForeignRows& foreign) const;

  // All of clean, train and rejected from all of raw: for a plan that rebuilds, and for verify.
  struct Layers {
    Batch clean;
    Batch train;
    Batch rejected;
  };

  Result<Layers> build(const Batch& raw) const;

 private:
  DatasetFlow() = default;

  Result<DatasetChange> spread(Hub& hub, const RawDelta& raw, RejectedChange& rejected) const;

  DatasetConfiguration dataset_;
  Schema columns_;
  std::vector<std::string> key_;
  Schema raw_schema_;
  std::shared_ptr<const Pipeline> pipeline_;
  // Where the keys stand: in raw with the source and without, in clean, and in train.
  std::vector<int> raw_key_;
  std::vector<int> own_key_;
  std::vector<int> clean_key_;
  std::vector<int> train_key_;
  std::vector<int> own_columns_;  // of raw: the dataset's
};

// The key columns that a dataset without a key of its own has (the files source fills them).
std::vector<std::string> effective_key(const DatasetConfiguration& dataset);

// raw's: the source before the dataset's own.
std::vector<std::string> raw_key(const std::vector<std::string>& key);

// Columns of a raw table that are the dataset's own.
Schema dataset_columns(const Schema& raw_schema);

}  // namespace lockstep
