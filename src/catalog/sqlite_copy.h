// Copying a catalog that others go on writing to.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "catalog/catalog.h"

#include <string>

namespace lockstep {

// The database as a reader sees it at one moment, in a new file, durably. kRefused when there is a
// file already. A copy that failed is not left behind.
Result<void> copy_sqlite(Io& io,
                         const std::string& from,
                         const std::string& to,
                         SqliteFiles files = SqliteFiles::kSystem);

}  // namespace lockstep
