// A source of type `mysql`: tables of a MariaDB or MySQL database, by its binary log.
//
// It copies the tables in one snapshot, without a lock, and goes on with the log from exactly
// there. What it has read is in the hub's own position; the server is told nothing.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "source/mysql/mysql_link.h"
#include "source/source.h"

#include <memory>

namespace lockstep {

Result<std::unique_ptr<Source>> make_mysql_source(Io& io, const SourceRequest& request);

// On a server that the caller reaches in its own way.
Result<std::unique_ptr<Source>> make_mysql_source_of(Io& io,
                                                     const SourceRequest& request,
                                                     std::unique_ptr<MysqlServer> server);

}  // namespace lockstep
