// The tables' definitions. SQLite keeps the comments: `.schema` in its shell shows them.
//
// Weights stand last, since SQLite reads a row from the front and leaves what it does not need. No
// table is WITHOUT ROWID: DuckDB scans by rowid.
//
// These are the tables of format 1, as they stay; what came since is in hub/format.cpp.
#include "hub/format.h"
#include "hub/record_store.h"
#include "hub/record_store_query.h"

namespace lockstep {
namespace {

constexpr const char* kHubTables = R"sql(
CREATE TABLE lockstep_meta(  -- the hub itself
  key VARCHAR NOT NULL PRIMARY KEY,  -- format, hub_id, fingerprint_key, epoch, configuration
  value VARCHAR NOT NULL  -- fingerprint_key as hex; epoch in decimal digits
);
CREATE TABLE lockstep_table(  -- which DuckLake table is which layer of which dataset
  table_id BIGINT NOT NULL PRIMARY KEY,  -- ducklake_table.table_id
  layer VARCHAR NOT NULL,  -- raw, clean, train, rejected
  dataset VARCHAR NOT NULL,
  key VARCHAR NOT NULL  -- JSON list of the key columns' names, in order
);
CREATE TABLE lockstep_commit(  -- one row a commit, with or without a snapshot
  commit_id BIGINT NOT NULL PRIMARY KEY,  -- from 0, rising by 1
  snapshot_id BIGINT,  -- ducklake_snapshot.snapshot_id; NULL: a commit without rows
  kind VARCHAR NOT NULL,  -- init, changes, revert, recalibration, alias, configuration, maintenance, foreign
  commit_time BIGINT NOT NULL,  -- microseconds since 1970, UTC; strictly rising
  source_time BIGINT,  -- of the newest source commit in it, likewise; NULL: unknown
  inserted BIGINT NOT NULL,  -- rows of raw that entered without one of their key leaving
  updated BIGINT NOT NULL,
  deleted BIGINT NOT NULL,
  rejected BIGINT NOT NULL,  -- rows that entered the layer rejected, net of those that left
  message VARCHAR NOT NULL
);
CREATE UNIQUE INDEX lockstep_commit_by_snapshot ON lockstep_commit(snapshot_id);
CREATE TABLE lockstep_position(  -- how far each source has been read
  source VARCHAR NOT NULL,
  part VARCHAR NOT NULL,  -- a file, a partition, a table; the source's own word
  position VARCHAR NOT NULL,  -- opaque to all but the source
  commit_id BIGINT NOT NULL,  -- the commit that moved it here
  PRIMARY KEY (source, part)
);
CREATE TABLE lockstep_override(  -- reverted changes that their source must not bring back
  dataset VARCHAR NOT NULL,
  key BLOB NOT NULL,  -- encoded (source, key columns)
  row_hash BLOB NOT NULL,  -- of the source's row that was reverted; empty: a reverted delete
  PRIMARY KEY (dataset, key)
);
)sql";

constexpr const char* kModelTables = R"sql(
CREATE TABLE lockstep_definition(  -- what a model version's meaning depends on
  sha256 VARCHAR NOT NULL PRIMARY KEY,  -- of the JSON, 64 hex digits
  model VARCHAR NOT NULL,
  json VARCHAR NOT NULL  -- steps with pinned fits, scales, learner settings
);
CREATE TABLE lockstep_model_version(
  model VARCHAR NOT NULL,
  version BIGINT NOT NULL,  -- from 1, rising by 1 within the model
  snapshot_id BIGINT NOT NULL,  -- the data that it was made from
  definition VARCHAR NOT NULL,  -- lockstep_definition.sha256
  kind VARCHAR NOT NULL,  -- calibration, increment, recalibration, revert
  status VARCHAR NOT NULL,  -- ready, blocked, unsolved
  reason VARCHAR NOT NULL,  -- why blocked or unsolved; else empty
  folded BIGINT NOT NULL,  -- rows in the training sums
  tested BIGINT NOT NULL,  -- rows in the test sums
  refused BIGINT NOT NULL,  -- rows outside the pinned ranges
  unlabelled BIGINT NOT NULL,  -- rows without a target
  fingerprint VARCHAR NOT NULL,  -- of the multiset of rows, 32 hex digits
  weights_sha256 VARCHAR NOT NULL,
  metrics VARCHAR NOT NULL,  -- JSON object
  parent BIGINT,  -- the version that this one follows
  duration_us BIGINT NOT NULL,  -- fold and solve
  weights BLOB NOT NULL,  -- empty when unsolved
  PRIMARY KEY (model, version)
);
CREATE INDEX lockstep_model_version_by_snapshot ON lockstep_model_version(snapshot_id);
CREATE INDEX lockstep_model_version_by_status ON lockstep_model_version(model, status, version);
CREATE TABLE lockstep_alias_event(  -- what an alias names from then on; rows are only added
  event_id BIGINT NOT NULL PRIMARY KEY,  -- from 1, rising by 1
  model VARCHAR NOT NULL,
  alias VARCHAR NOT NULL,
  follow BIGINT NOT NULL,  -- 1: the newest ready version; 0: exactly the one in `version`
  version BIGINT,
  event_time BIGINT NOT NULL,  -- microseconds since 1970, UTC
  who VARCHAR NOT NULL,  -- gate, revert, or the user's name
  why VARCHAR NOT NULL
);
CREATE INDEX lockstep_alias_event_by_alias ON lockstep_alias_event(model, alias, event_id);
CREATE TABLE lockstep_model_state(  -- the gate's latch and rolling errors
  model VARCHAR NOT NULL PRIMARY KEY,
  json VARCHAR NOT NULL
);
CREATE TABLE lockstep_checkpoint(  -- files with learners' states: a cache, the last two a model
  model VARCHAR NOT NULL,
  definition VARCHAR NOT NULL,
  snapshot_id BIGINT NOT NULL,
  path VARCHAR NOT NULL,  -- relative to the data path
  sha256 VARCHAR NOT NULL,
  size_bytes BIGINT NOT NULL,
  PRIMARY KEY (model, definition, snapshot_id)
);
)sql";

}  // namespace

Result<void> RecordStore::create_tables() {
  TRY(catalog_.execute(kHubTables));
  TRY(catalog_.execute(kModelTables));
  return run_format_steps(catalog_, 1);
}

Result<void> write_row(Catalog& catalog, std::string_view sql, std::initializer_list<Cell> values) {
  Statement* const statement = TRY(catalog.cached(sql));
  const ResetAtEnd at_end(*statement);
  return statement->run(values);
}

Result<std::string> text_row(const Statement& row) {
  return std::string(row.text(0));
}

std::optional<std::int64_t> optional_integer(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.integer(column);
}

Cell cell_of(const std::optional<std::int64_t>& value) {
  if (!value.has_value()) return {};
  return *value;
}

}  // namespace lockstep
