// The source of type `postgres`: tables of a PostgreSQL database, by logical replication.
//
// It begins with a copy of all tables in one snapshot, and goes on with the stream from there. A
// transaction is given whole (source-7). The position is the end of the last transaction; the
// server is told only of what is committed, so that its slot never moves beyond the hub. With
// nothing to commit the position follows the server's log at each heartbeat.
//
// Refused, since changes would be lost without a word: another server or timeline, a position ahead
// of the server's log, a slot that is missing, lost or was moved by somebody else. The way out is
// another slot name: then the tables are copied anew, and compared with what the hub has.
#pragma once

#include "source/postgres/postgres_link.h"
#include "source/source.h"

#include <memory>

namespace lockstep {

Result<std::unique_ptr<Source>> make_postgres_source(Io& io, const SourceRequest& request);

// The same over another way to reach the server: for tests.
Result<std::unique_ptr<Source>> make_postgres_source_of(Io& io,
                                                        const SourceRequest& request,
                                                        std::unique_ptr<PostgresServer> server);

}  // namespace lockstep
