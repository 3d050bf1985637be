// A source of type `query`: tables, views and queries of any database, read by SELECT every so
// often.
//
// A look at a table compares all its rows with the hub (`replaces_origin`), or reads those since a
// watermark. It is of one moment, and one run of whole batches. Each table has a position of its
// own. Between two looks nothing is held at the database.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "source/query/query_database.h"
#include "source/source.h"

#include <memory>

namespace lockstep {

Result<std::unique_ptr<Source>> make_query_source(Io& io, const SourceRequest& request);

// On a database that the caller reaches in its own way: for tests.
Result<std::unique_ptr<Source>> make_query_source_of(Io& io,
                                                     const SourceRequest& request,
                                                     std::unique_ptr<QueryDatabase> database);

}  // namespace lockstep
