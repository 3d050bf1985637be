// All that a hub tells, as a value: two hubs with equal images hold the same.
#pragma once

#include "base/hash.h"
#include "hub/hub_support.h"

#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <string>

namespace lockstep {

// What is told, by what it is told of: "rows of raw.vitals at 3" -> their number and a hash.
using HubImage = std::map<std::string, std::string>;

// The source whose positions an image leaves out: a test moves it to see that a hub goes on.
inline constexpr const char* kProbeSource = "probe";

inline std::string rows_line(const TableName& table, std::int64_t snapshot) {
  return fmt::format("rows of {} at {}", table_text(table), snapshot);
}

// Whatever their order.
inline std::string rows_digest(const Batch& rows) {
  std::uint64_t sum = 0;
  std::string bytes;
  for (std::int64_t row = 0; row < rows.row_count(); ++row) {
    bytes.clear();
    append_row_bytes(rows, row, bytes);
    sum += hash64(bytes);
  }
  return fmt::format("{} rows {:016x}", rows.row_count(), sum);
}

inline std::string version_digest(const ModelVersionRecord& version) {
  return fmt::format("of {} at {}: {} {} {}",
                     version.definition,
                     number(version.snapshot),
                     version.fingerprint,
                     version.weights,
                     version.metrics);
}

inline std::string position_line(const std::string& source, const std::string& part) {
  return fmt::format("position of {} in {}", source, part);
}

inline Result<void> add_rows(Hub& hub, SnapshotId at, HubImage& image) {
  for (const TableDefinition& table : TRY(hub.tables(at))) {
    image[rows_line(table.name, number(at))] = rows_digest(TRY(hub.read(table.name, at)));
  }
  return {};
}

inline Result<void> add_records(Hub& hub, HubImage& image) {
  for (const auto& [source, parts] : TRY(hub.positions())) {
    if (source == kProbeSource) continue;
    for (const auto& [part, position] : parts)
      image[position_line(source, part)] = position;
  }
  for (const std::string& model : TRY(hub.models())) {
    for (const ModelVersionRecord& listed : TRY(hub.versions(model, 1'000'000))) {
      const auto version = TRY(hub.version(model, listed.version));
      if (version) image[fmt::format("{} v{}", model, listed.version)] = version_digest(*version);
    }
    image["state of " + model] = TRY(hub.model_state(model)).value_or("");
  }
  for (const AliasEvent& event : TRY(hub.alias_history(""))) {
    image[fmt::format("alias event {}", event.id)] =
        fmt::format("{} {} v{} {}", event.model, event.alias, event.version.value_or(0), event.why);
  }
  return {};
}

// Every retained snapshot's rows, and every record. Commits that make no snapshot show by what they
// record.
inline Result<HubImage> image_of(Hub& hub) {
  HubImage image;
  for (const CommitRecord& commit : TRY(hub.commits({.count = 1'000'000}))) {
    if (!commit.snapshot || !TRY(hub.is_retained(*commit.snapshot))) continue;
    image[fmt::format("snapshot {}", number(*commit.snapshot))] = commit.message;
    TRY(add_rows(hub, *commit.snapshot, image));
  }
  TRY(add_records(hub, image));
  return image;
}

// The first things that two images tell differently.
inline std::string image_difference(const HubImage& left, const HubImage& right) {
  std::string text;
  int shown = 0;
  const auto compare = [&](const HubImage& one, const HubImage& other, const char* which) {
    for (const auto& [line, told] : one) {
      const auto found = other.find(line);
      if (found != other.end() && found->second == told) continue;
      if (++shown < 8) text += fmt::format("{} has {}: {}\n", which, line, told);
    }
  };
  compare(left, right, "the first");
  compare(right, left, "the second");
  return text;
}

}  // namespace lockstep
