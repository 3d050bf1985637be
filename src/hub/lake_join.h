// A lake that another program made becomes a hub, beside what is there already.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "hub/lake_tables.h"

#include <string>

namespace lockstep {

// Adds the schemas of the layers in one snapshot, and returns it; the newest when all are there.
// kUnsupported or kRefused, with the reason: encrypted files, files in another folder than
// `data_path`, a schema of a layer's name somewhere else. kTooNew: another version than 1.0.
Result<LakeSnapshot> join_lake(Catalog& catalog, Io& io, const std::string& data_path);

// kRefused when a table or view of another program has this name, which SQL reads in any case.
Result<void> refuse_name_of_others(Catalog& catalog, const TableName& name);

}  // namespace lockstep
