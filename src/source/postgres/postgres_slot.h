// Opening a source of type `postgres`: its publication, its slot, and its place in the log.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "source/postgres/postgres_copy.h"
#include "source/postgres/postgres_link.h"
#include "source/postgres/postgres_position.h"
#include "source/postgres/postgres_settings.h"

#include <map>
#include <memory>
#include <set>
#include <string>
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

// The copy of some tables, while the stream of all goes on: of those that came later, or are others
// now. Its slot is gone with it.
struct CopyOfSome {
  std::unique_ptr<PostgresCopy> copy;
  std::map<std::string, CopiedTable> tables;  // what it moves their positions to
};

Result<CopyOfSome> begin_copy_of(const PostgresOpening& opening,
                                 const std::set<std::string>& origins);

// The tables that are not as they were when they were copied, or never were.
Result<std::set<std::string>> find_stale(const PostgresOpening& opening,
                                         PostgresLink& link,
                                         const std::map<std::string, CopiedTable>& copied);

// `before`: where the source was read to, under another slot.
Result<BegunCopy> begin_copy(const PostgresOpening& opening, const PostgresPosition& before);

// Goes on with a first copy that another process left (source-8). Its rows are of two moments: the
// log between the two, from the position on, brings them to one. No copy in what it returns: that
// is all there was left to do.
Result<BegunCopy> resume_copy(const PostgresOpening& opening, const PostgresPosition& position);

// A connection on which the stream can be started at `position`. kRefused: changes behind it would
// be missing.
Result<std::unique_ptr<PostgresLink>> resume(const PostgresOpening& opening,
                                             const PostgresPosition& position);

Result<void> start_stream(const PostgresOpening& opening, PostgresLink& replication, Lsn position);

}  // namespace lockstep
