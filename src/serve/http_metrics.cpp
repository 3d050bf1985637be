#include "serve/http_metrics.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {
namespace {

void add_family(std::string& out,
                std::string_view name,
                std::string_view kind,
                std::string_view help) {
  out += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, kind, help);
}

std::string label_text(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

void add_source_counts(std::string& out, const BoardCounts& counts) {
  add_family(
      out, "lockstep_rows_total", "counter", "Rows of raw that changed, by source and change.");
  for (const auto& [source, count] : counts.sources) {
    const auto line = [&](std::string_view change, std::int64_t value) {
      out += fmt::format("lockstep_rows_total{{source=\"{}\",change=\"{}\"}} {}\n",
                         label_text(source),
                         change,
                         value);
    };
    line("inserted", count.inserted);
    line("updated", count.updated);
    line("deleted", count.deleted);
  }
  add_family(out, "lockstep_rejected_rows_total", "counter", "Rows that were put to rejected.");
  for (const auto& [source, count] : counts.sources) {
    out += fmt::format(
        "lockstep_rejected_rows_total{{source=\"{}\"}} {}\n", label_text(source), count.rejected);
  }
}

void add_lag(std::string& out,
             const Json& states,
             const char* field,
             std::string_view measure,
             std::string_view help) {
  const std::string name = fmt::format("lockstep_source_{}", measure);
  add_family(out, name, "gauge", help);
  for (const Json& state : states) {
    const auto lag = state.find("lag");
    if (lag == state.end() || !lag->is_object() || !lag->value(field, Json()).is_number()) continue;
    out += fmt::format("{}{{source=\"{}\"}} {}\n",
                       name,
                       label_text(state.value("name", std::string())),
                       lag->at(field).get<double>());
  }
}

void add_sources(std::string& out, const Json& states) {
  add_family(out, "lockstep_source_state", "gauge", "1 for the state that a source is in.");
  for (const Json& state : states) {
    for (const char* name : {"running", "endangered", "paused", "failing"}) {
      out += fmt::format("lockstep_source_state{{source=\"{}\",state=\"{}\"}} {}\n",
                         label_text(state.value("name", std::string())),
                         name,
                         state.value("state", std::string()) == name ? 1 : 0);
    }
  }
  add_lag(out, states, "bytes", "lag_bytes", "Bytes that a source has not given yet.");
  add_lag(out, states, "messages", "lag_messages", "Messages that a source has not given yet.");
  add_lag(
      out, states, "s", "lag_seconds", "Age of the oldest change that a source has not given yet.");
  add_lag(out,
          states,
          "safe_bytes",
          "safe_bytes",
          "Bytes that a source may still write before it drops what was not read.");
}

void add_models(std::string& out, const ServeParts& parts) {
  add_family(out, "lockstep_model_version", "gauge", "The version that is the champion now.");
  std::string data;
  std::string freshness;
  add_family(
      data, "lockstep_model_data_version", "gauge", "The snapshot that the champion is made from.");
  add_family(
      freshness,
      "lockstep_model_freshness_seconds",
      "gauge",
      "How long the oldest change waits that the champion has not seen; 0: it has seen all.");
  for (const ModelConfiguration& model : parts.configuration.models) {
    const auto champion = parts.board.champion(model.name);
    if (champion) {
      out +=
          fmt::format("lockstep_model_version{{model=\"{}\"}} {}\n", model.name, champion->version);
      data += fmt::format(
          "lockstep_model_data_version{{model=\"{}\"}} {}\n", model.name, champion->data_version);
    }
    freshness += fmt::format("lockstep_model_freshness_seconds{{model=\"{}\"}} {}\n",
                             model.name,
                             parts.board.freshness_s(model.name));
  }
  out += data + freshness;
}

void add_number(std::string& out,
                std::string_view name,
                std::string_view kind,
                std::string_view help,
                double value) {
  add_family(out, name, kind, help);
  out += fmt::format("{} {}\n", name, value);
}

}  // namespace

void HttpMetrics::add(const RouteInfo* info, int status, std::int64_t us) {
  const std::string route = info == nullptr ? "none" : std::string(info->pattern);
  const std::scoped_lock lock(mutex_);
  requests_[{route, status}] += 1;
  Times& times = times_[route];
  const auto place = std::ranges::lower_bound(kBoundsUs, us);
  times.counts[static_cast<std::size_t>(place - kBoundsUs.begin())] += 1;
  times.sum_us += us;
  times.count += 1;
}

std::string HttpMetrics::text() const {
  const std::scoped_lock lock(mutex_);
  std::string out;
  add_family(
      out, "lockstep_http_requests_total", "counter", "Requests that were answered, by status.");
  for (const auto& [place, count] : requests_) {
    out += fmt::format("lockstep_http_requests_total{{route=\"{}\",code=\"{}\"}} {}\n",
                       place.first,
                       place.second,
                       count);
  }
  const std::string name = "lockstep_http_request_duration_seconds";
  add_family(out, name, "histogram", "Time from a request's headers to its answer.");
  for (const auto& [route, times] : times_) {
    std::int64_t up_to = 0;
    for (std::size_t i = 0; i < kBoundsUs.size(); ++i) {
      up_to += times.counts[i];
      out += fmt::format("{}_bucket{{route=\"{}\",le=\"{}\"}} {}\n",
                         name,
                         route,
                         static_cast<double>(kBoundsUs[i]) / 1e6,
                         up_to);
    }
    out += fmt::format("{}_bucket{{route=\"{}\",le=\"+Inf\"}} {}\n", name, route, times.count);
    out += fmt::format(
        "{}_sum{{route=\"{}\"}} {}\n", name, route, static_cast<double>(times.sum_us) / 1e6);
    out += fmt::format("{}_count{{route=\"{}\"}} {}\n", name, route, times.count);
  }
  return out;
}

std::string metrics_text(const ServeParts& parts,
                         const HttpMetrics& requests,
                         std::int64_t connections) {
  const BoardCounts counts = parts.board.counts();
  std::string out;
  const bool writes = parts.board.standing() == WriterStanding::kWriting;
  add_number(out,
             "lockstep_ready",
             "gauge",
             "1: the hub is open, and this process writes to it.",
             writes ? 1 : 0);
  add_number(out,
             "lockstep_commits_total",
             "counter",
             "Commits since the process began.",
             static_cast<double>(counts.commits));
  add_number(out,
             "lockstep_snapshots_total",
             "counter",
             "Snapshots since the process began.",
             static_cast<double>(counts.snapshots));
  add_number(out,
             "lockstep_snapshot",
             "gauge",
             "The newest snapshot that this process made.",
             static_cast<double>(counts.snapshot));
  add_source_counts(out, counts);
  add_sources(out, parts.board.sources());
  add_models(out, parts);
  add_number(out,
             "lockstep_push_queue_bytes",
             "gauge",
             "Bytes of pushes that are not answered yet.",
             static_cast<double>(parts.pushes.bytes()));
  add_number(out,
             "lockstep_push_queue_requests",
             "gauge",
             "Pushes that are not answered yet.",
             static_cast<double>(parts.pushes.waiting()));
  add_number(out,
             "lockstep_http_connections",
             "gauge",
             "Connections that are open.",
             static_cast<double>(connections));
  return out + requests.text();
}

}  // namespace lockstep
