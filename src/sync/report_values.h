// How values look in reports.
#pragma once

#include "hub/records.h"
#include "source/source.h"
#include "sync/sync.h"
#include "table/batch.h"

#include <nlohmann/json.hpp>

#include <string>

namespace lockstep {

std::string rfc3339(Timestamp time);  // "2026-01-31T08:00:00.000000Z"
Json json_of_value(const Value& value);
Json json_of_row(const Batch& batch, std::int64_t row);  // an object by column
Json parsed_or_null(const std::string& json);            // stored JSON; null when empty
Json version_summary(
    const ModelVersionRecord& version);  // model, version, snapshot, status, reason, metrics

// A position in its source's own words; why not when the source cannot be made.
std::string describe_position(Io& io,
                              const Configuration& configuration,
                              const SourceConfiguration& source,
                              const Position& position);

}  // namespace lockstep
