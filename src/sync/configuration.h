// lockstep.yaml as values: what the hub, the sources, the datasets and the models are.
#pragma once

#include "base/config.h"
#include "base/io.h"
#include "base/result.h"
#include "hub/hub.h"
#include "table/types.h"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// What one snapshot holds: all that waited, or one transaction of a source.
enum class SnapshotPer { kCommit, kTransaction };

struct HubConfiguration {
  std::string catalog;  // "sqlite:" and an absolute path
  std::string data;     // an absolute path
  std::int64_t commit_rows_max = 100'000;
  bool adopt_foreign = false;  // commits of other programs; else they are refused
  SnapshotPer snapshot_per = SnapshotPer::kCommit;
  CollectionLimits collection;  // keep, and gc_grace
  std::uint64_t log_bytes_max = std::uint64_t{1} << 30;
  bool loads_in_one = true;  // a file of more rows than that becomes one snapshot
};

struct SourceConfiguration {
  std::string name;
  std::string type;
  Node settings;
  double max_delete = 0.2;  // of a dataset's rows of this source, in one mirrored batch
  Mark mark;
};

struct DatasetConfiguration {
  std::string name;
  std::vector<std::string> from;         // names of sources
  std::vector<std::string> from_tables;  // of each, the table; empty: it has one, or none
  std::vector<std::string> key;          // empty: file and row number
  Schema columns;                        // declared; empty: inferred once, then pinned in the hub
  std::map<std::string, std::string> renamed;  // of columns: new name -> the name before
  std::string latest;  // column that picks the winner among sources; empty: the newest commit
  std::vector<PartitionKey> partition;
  std::vector<std::string> sort;
  Node clean;
  Node train;
  Mark mark;
};

struct TriggerConfiguration {
  enum class Kind { kEveryCommit, kChanges, kInterval };
  Kind kind = Kind::kEveryCommit;
  std::int64_t changes = 0;
  std::int64_t interval_us = 0;
};

struct GateConfiguration {
  bool enabled = true;
  double batch_error = 2.0;  // the champion's error on the batch, over its rolling error
  std::int64_t batch_rows_min = 20;
  double at_most_worse = 0.02;  // test RMSE over the champion's, and over the reference's
};

struct ModelConfiguration {
  std::string name;
  std::string dataset;
  Node learn;  // the map of the learner's own settings (model_settings() of learn)
  std::int64_t calibrate_after_rows = 1'000;
  TriggerConfiguration trigger;
  GateConfiguration gate;
  Mark mark;
};

// The HTTP surface of a daemon.
struct ServeConfiguration {
  bool enabled = false;
  std::string host;        // a number: 127.0.0.1, ::1, 0.0.0.0
  std::uint16_t port = 0;  // 0: a free one
  std::string token;       // what a caller must show; empty: nothing
  std::uint64_t body_bytes_max = 0;
  std::uint64_t queue_bytes_max = 0;  // of all bodies that are not answered yet
  std::int64_t connections_max = 0;
  Mark mark;
};

// Value.
struct Configuration {
  std::string path;       // of lockstep.yaml
  std::string directory;  // absolute; relative paths are from here
  std::string
      json;  // canonical, as written: ${NAME} stays, so no secret is in it. What the hub stores
  HubConfiguration hub;
  ServeConfiguration serve;
  std::vector<SourceConfiguration> sources;
  std::vector<DatasetConfiguration> datasets;
  std::vector<ModelConfiguration> models;

  const SourceConfiguration* source(std::string_view name) const;
  const DatasetConfiguration* dataset(std::string_view name) const;
  const ModelConfiguration* model(std::string_view name) const;
};

// Reads and checks everything that can be known without the hub and the data. ${NAME} is taken from
// the environment;
// ${file:PATH} is the content of a file. Every mistake names file, line, column, and what to write
// instead.
Result<Configuration> load_configuration(Io& io, const std::string& path);
Result<Configuration> parse_configuration(Io& io, std::string_view text, const std::string& path);

// The one table of settings, by section, for the manual, the JSON schema and `check`.
struct SettingsSection {
  std::string_view name;  // "hub", "dataset", "source files", "model", "gate", ...
  std::string_view text;
  std::span<const Setting> settings;
};

std::vector<SettingsSection> settings_sections();
std::string configuration_manual();       // Markdown
std::string configuration_json_schema();  // JSON Schema 2020-12

}  // namespace lockstep
