// What a look-up asks by: the bytes of some columns, a row each.
#pragma once

#include "hub/lake_tables.h"

#include <string>
#include <vector>

namespace lockstep {

// encode_key of the columns `names` of `asked`, in that order. kInvalid: one is missing, or has
// another type than in the table, so that its bytes would not compare.
Result<std::vector<std::string>> asked_keys(const LakeTable& table,
                                            const std::vector<std::string>& names,
                                            const Batch& asked);

}  // namespace lockstep
