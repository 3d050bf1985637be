// The version of the hub's own form: the lockstep_* tables, and what stands beside DuckLake's own
// in its catalog. Internal to the hub.
//
// The catalog says its version in lockstep_meta, under `format`. A program reads every format up to
// its own, and refuses a newer one (kTooNew). The first writer that opens an older hub brings it
// up, in the transaction in which it takes its epoch: whole, or not at all. Readers upgrade
// nothing; what an older format lacks is empty to them. A new hub is made of format 1 and all
// steps, so that it is the same as an upgraded one.
#pragma once

#include "base/result.h"
#include "catalog/catalog.h"

#include <cstdint>

namespace lockstep {

// The one that this program writes.
extern const std::int64_t kHubFormat;

// The catalog's. kNoHub without the hub's tables, kTooNew above kHubFormat.
Result<std::int64_t> hub_format(Catalog& catalog);

// Inside the caller's transaction. The steps from `format` on; a new hub begins at 1.
Result<void> run_format_steps(Catalog& catalog, std::int64_t format);
// Inside the caller's transaction: the steps that the catalog lacks, and its new format. Nothing
// when it is of today.
Result<void> upgrade_hub_format(Catalog& catalog);

}  // namespace lockstep
