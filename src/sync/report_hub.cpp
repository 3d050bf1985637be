// Reports about commits: status, log, show.
#include "hub/hub.h"
#include "sync/gate.h"
#include "sync/model_track.h"
#include "sync/report_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

namespace lockstep {
namespace {

constexpr std::int64_t kDaemonPatienceUs = 1'000'000;

bool has_data(const CommitRecord& commit) {
  return commit.snapshot &&
         (commit.kind == CommitKind::kChanges || commit.kind == CommitKind::kRevert ||
          commit.kind == CommitKind::kForeign || commit.kind == CommitKind::kConfiguration);
}

Json commit_json(const CommitRecord& commit) {
  Json out;
  out["commit"] = number(commit.id);
  out["snapshot"] = commit.snapshot ? Json(number(*commit.snapshot)) : Json(nullptr);
  out["kind"] = commit_kind_name(commit.kind);
  out["time"] = rfc3339(commit.time);
  out["inserted"] = commit.inserted;
  out["updated"] = commit.updated;
  out["deleted"] = commit.deleted;
  out["rejected"] = commit.rejected;
  out["message"] = commit.message;
  return out;
}

Result<Json> table_changes(Hub& hub, SnapshotId snapshot) {
  Json out = Json::array();
  const SnapshotId before{number(snapshot) - 1};
  for (const TableDefinition& table : TRY(hub.tables(snapshot))) {
    if (!TRY(hub.table(table.name, before))) continue;
    const Batch change = TRY(hub.changes(table.name, before, snapshot));
    if (change.row_count() == 0) continue;
    const std::vector<int> key = TRY(change.schema().require_all(table.key));
    std::map<std::string, int> seen;
    for (std::int64_t row = 0; row < change.row_count(); ++row) {
      seen[encode_key(change, key, row)] |= change.sign(row) < 0 ? 1 : 2;
    }
    std::array<std::int64_t, 4> counts{};
    for (const auto& [bytes, bits] : seen)
      ++counts[static_cast<std::size_t>(bits)];
    out.push_back({{"table", table_text(table.name)},
                   {"inserted", counts[2]},
                   {"updated", counts[3]},
                   {"deleted", counts[1]}});
  }
  return out;
}

struct ModelStanding {
  Json json;
  bool in_step = true;
  std::string why;
};

// Commits with data, the newest first: that one, if there is any, all behind a snapshot, and
// perhaps some before. History may be long, and is read as far as that takes.
Result<std::vector<CommitRecord>> data_commits(Hub& hub, SnapshotId behind) {
  for (std::int64_t asked = 16;; asked *= 4) {
    std::vector<CommitRecord> out = TRY(hub.commits({.count = asked}));
    const bool all = static_cast<std::int64_t>(out.size()) < asked;
    const bool reached = std::any_of(out.begin(), out.end(), [&](const CommitRecord& commit) {
      return commit.snapshot && *commit.snapshot <= behind;
    });
    std::erase_if(out, [](const CommitRecord& commit) { return !has_data(commit); });
    if (all || (reached && !out.empty())) return out;
  }
}

Result<ModelStanding> standing_of(Hub& hub, const ModelConfiguration& model) {
  ModelStanding out;
  out.json["name"] = model.name;
  const auto newest = TRY(hub.newest_version(model.name, std::nullopt));
  const auto champion = TRY(resolve_alias(hub, model.name, "champion"));
  GateMemory memory;
  if (const auto stored = TRY(hub.model_state(model.name)))
    memory = TRY(parse_gate_memory(*stored));
  out.json["champion"] = champion ? Json(*champion) : Json(nullptr);
  out.json["newest"] = newest ? Json(newest->version) : Json(nullptr);
  out.json["status"] = newest ? version_status_name(newest->status) : "warming";
  out.json["latched"] = memory.latched;
  out.json["why"] = newest ? newest->reason
                    : memory.why.empty()
                        ? fmt::format("waiting for {} rows", model.calibrate_after_rows)
                        : memory.why;
  out.json["snapshot"] = newest ? Json(number(newest->snapshot)) : Json(nullptr);
  // Commits of other datasets leave it where it is.
  const bool behind = !newest || memory.pending_changes > 0;
  const SnapshotId since = newest ? newest->snapshot : SnapshotId{0};
  const std::vector<CommitRecord> with_data =
      TRY(data_commits(hub, behind ? since : hub.latest_snapshot()));
  const SnapshotId data_snapshot = with_data.empty() ? SnapshotId{0} : *with_data.front().snapshot;
  out.json["behind_commits"] =
      std::count_if(with_data.begin(), with_data.end(), [&](const CommitRecord& commit) {
        return behind && (!newest || *commit.snapshot > since);
      });
  out.json["pending_changes"] = memory.pending_changes;
  out.json["metrics"] = newest ? parsed_or_null(newest->metrics) : Json(nullptr);
  if (!newest) {
    out.why = fmt::format("{} is warming", model.name);
  } else if (newest->snapshot < data_snapshot && memory.pending_changes > 0) {
    out.in_step = false;
    out.why = fmt::format("{} has {} changes to learn", model.name, memory.pending_changes);
  } else if (champion && *champion == newest->version) {
    out.why.clear();  // ready, or accepted by hand
  } else if (newest->status != VersionStatus::kReady) {
    out.in_step = false;
    out.why = fmt::format("{} v{} is {}: {}",
                          model.name,
                          newest->version,
                          version_status_name(newest->status),
                          newest->reason);
  } else if (champion && *champion != newest->version) {
    out.in_step = false;
    out.why = fmt::format(
        "{}'s champion is held at v{}, the newest is v{}", model.name, *champion, newest->version);
  }
  return out;
}

Result<Json> dataset_json(Hub& hub, const DatasetConfiguration& dataset) {
  Json out;
  out["name"] = dataset.name;
  const SnapshotId at = hub.latest_snapshot();
  const std::array<std::pair<const char*, Layer>, 4> layers = {{{"rows", Layer::kRaw},
                                                                {"clean", Layer::kClean},
                                                                {"train", Layer::kTrain},
                                                                {"rejected", Layer::kRejected}}};
  for (const auto& [name, layer] : layers) {
    const TableName table{layer, dataset.name};
    out[name] = TRY(hub.table(table, at)) ? TRY(hub.row_count(table, at)) : 0;
  }
  return out;
}

Json disk_json(const DiskUse& use, std::int64_t commits) {
  Json out;
  out["catalog_bytes"] = use.catalog_bytes;
  out["log_bytes"] = use.log_bytes;
  out["data_bytes"] = use.data_bytes;
  out["data_files"] = use.data_files;
  out["inlined_rows"] = use.inlined_rows;
  const auto total = static_cast<double>(use.catalog_bytes + use.data_bytes);
  out["bytes_per_commit"] =
      commits > 0 ? Json(static_cast<std::int64_t>(total / static_cast<double>(commits)))
                  : Json(nullptr);
  return out;
}

// The newest commits without those that only keep the hub compact.
Result<std::vector<CommitRecord>> commits_of_users(Hub& hub, std::int64_t newest_count) {
  for (std::int64_t asked = newest_count;; asked *= 4) {
    std::vector<CommitRecord> commits = TRY(hub.commits({.count = asked}));
    const bool all = static_cast<std::int64_t>(commits.size()) < asked;
    std::erase_if(commits, [](const CommitRecord& commit) {
      return commit.kind == CommitKind::kMaintenance;
    });
    const bool enough = static_cast<std::int64_t>(commits.size()) >= newest_count;
    if (enough) commits.resize(static_cast<std::size_t>(newest_count));
    if (enough || all) return commits;
  }
}

// As the daemon sees them now, by name. One amid a long commit answers later than anybody waits:
// what is in the hub can be told without it.
std::map<std::string, Json> states_of_daemon(Io& io, const Configuration& configuration) {
  const auto answer =
      ask_daemon(io, configuration, Json{{"command", "sources"}}, kDaemonPatienceUs);
  std::map<std::string, Json> out;
  if (!answer.ok() || !answer.value() || !answer.value()->is_array()) return out;
  for (const Json& state : *answer.value())
    out[state.value("name", std::string())] = state;
  return out;
}

// Where the daemon answers HTTP; null: it does not, or is amid a long commit.
Json address_of_daemon(Io& io, const Configuration& configuration) {
  const auto answer =
      ask_daemon(io, configuration, Json{{"command", "surface"}}, kDaemonPatienceUs);
  if (!answer.ok() || !answer.value()) return nullptr;
  std::string address = answer.value()->value("listen", std::string());
  return address.empty() ? Json(nullptr) : Json(std::move(address));
}

Result<Json> sources_json(Io& io, Hub& hub, const Configuration& configuration) {
  Json out = Json::array();
  const auto positions = TRY(hub.positions());
  const auto states = states_of_daemon(io, configuration);
  for (const SourceConfiguration& source : configuration.sources) {
    Json one = {{"name", source.name}, {"type", source.type}};
    const auto position = positions.find(source.name);
    one["position"] = position == positions.end()
                          ? ""
                          : describe_position(io, configuration, source, position->second);
    const auto state = states.find(source.name);
    for (const char* field : {"state", "error", "hint", "retry_s", "lag"})
      one[field] = state == states.end() ? Json(nullptr) : state->second.value(field, Json());
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace

Result<Json> report_status(Io& io, Hub& hub, const Configuration& configuration) {
  Json out;
  const std::vector<CommitRecord> commits = TRY(hub.commits({.count = 1}));
  std::vector<std::string> reasons;
  bool in_step = true;
  Json models = Json::array();
  for (const ModelConfiguration& model : configuration.models) {
    ModelStanding standing = TRY(standing_of(hub, model));
    in_step = in_step && standing.in_step;
    if (!standing.why.empty()) reasons.push_back(standing.why);
    models.push_back(std::move(standing.json));
  }
  out["in_lockstep"] = in_step;
  out["reason"] = fmt::format("{}", fmt::join(reasons, "; "));
  out["snapshot"] = number(hub.latest_snapshot());
  out["commit"] = commits.empty() ? 0 : number(commits.front().id);
  out["time"] = commits.empty() ? Json(nullptr) : Json(rfc3339(commits.front().time));
  out["hub"] = disk_json(TRY(hub.disk_use()), commits.empty() ? 0 : number(commits.front().id));
  out["hub"]["log_max_bytes"] = configuration.hub.log_bytes_max;
  out["hub"]["free_bytes"] = TRY(io.free_bytes(configuration.hub.data));
  out["datasets"] = Json::array();
  for (const DatasetConfiguration& dataset : configuration.datasets) {
    out["datasets"].push_back(TRY(dataset_json(hub, dataset)));
  }
  out["models"] = std::move(models);
  out["sources"] = TRY(sources_json(io, hub, configuration));
  const std::optional<std::int64_t> daemon = daemon_process(io, configuration);
  out["writer"] = {{"running", daemon.has_value()},
                   {"pid", daemon ? Json(*daemon) : Json(nullptr)}};
  if (configuration.serve.enabled) out["writer"]["listen"] = address_of_daemon(io, configuration);
  return out;
}

Result<Json> report_log(Hub& hub, std::int64_t newest_count, bool maintenance_too) {
  Json out = Json::array();
  const std::vector<CommitRecord> commits = maintenance_too
                                                ? TRY(hub.commits({.count = newest_count}))
                                                : TRY(commits_of_users(hub, newest_count));
  for (const CommitRecord& commit : commits) {
    Json line = commit_json(commit);
    line["versions"] = Json::array();
    if (commit.snapshot) {
      for (const ModelVersionRecord& version : TRY(hub.versions_of_snapshot(*commit.snapshot))) {
        line["versions"].push_back({{"model", version.model},
                                    {"version", version.version},
                                    {"status", version_status_name(version.status)},
                                    {"metrics", parsed_or_null(version.metrics)}});
      }
    }
    out.push_back(std::move(line));
  }
  return out;
}

Result<Json> report_show(Hub& hub, const std::string& snapshot) {
  const SnapshotId at{TRY(resolve_snapshot(hub, snapshot))};
  const auto commit = TRY(hub.commit_of_snapshot(at));
  if (!commit) {
    return make_error(Code::kNotFound,
                      fmt::format("snapshot {} belongs to no commit of Lockstep", number(at)),
                      "lockstep log");
  }
  Json out = commit_json(*commit);
  out["source_time"] = commit->source_time ? Json(rfc3339(*commit->source_time)) : Json(nullptr);
  // What a version was made from may be gone; what it is stays.
  const bool retained = TRY(hub.is_retained(at));
  const bool has_before = number(at) > 0 && TRY(hub.is_retained(SnapshotId{number(at) - 1}));
  out["tables"] = retained && has_before ? TRY(table_changes(hub, at))
                  : number(at) == 0      ? Json::array()
                                         : Json(nullptr);
  out["versions"] = Json::array();
  for (const ModelVersionRecord& version : TRY(hub.versions_of_snapshot(at))) {
    Json summary = version_summary(version);
    summary["verifiable"] = retained;
    summary["fingerprint"] = version.fingerprint;
    summary["weights_sha256"] = version.weights_sha256;
    summary["definition"] = version.definition;
    out["versions"].push_back(std::move(summary));
  }
  return out;
}

}  // namespace lockstep
