// Opening a source of type `postgres`: its publication, its slot, and its place in the log.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "source/postgres_copy.h"
#include "source/postgres_link.h"
#include "source/postgres_position.h"
#include "source/postgres_settings.h"

#include <memory>
#include <vector>

namespace lockstep {

// What opening needs. Holds for a call.
struct PostgresOpening {
  Io& io;
  PostgresServer& server;
  const PostgresSettings& settings;
  const std::vector<PostgresTarget>& targets;
};

// A new slot, and the copy of all tables as they are where it begins.
struct BegunCopy {
  std::unique_ptr<PostgresLink> replication;
  std::unique_ptr<PostgresCopy> copy;
  PostgresPosition position;
};

// `before`: where the source was read to, under another slot or without one of the tables.
Result<BegunCopy> begin_copy(const PostgresOpening& opening, const PostgresPosition& before);

// A connection on which the stream can be started at `position`. kRefused: changes behind it would
// be missing.
Result<std::unique_ptr<PostgresLink>> resume(const PostgresOpening& opening,
                                             const PostgresPosition& position);

Result<void> start_stream(const PostgresOpening& opening, PostgresLink& replication, Lsn position);

}  // namespace lockstep
