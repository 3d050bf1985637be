// Values of lockstep.yaml with a unit behind them: "20%", "2x", "1000 rows".
#pragma once

#include "base/config.h"
#include "base/io.h"
#include "base/result.h"

#include <cstdint>
#include <string>

namespace lockstep {

Result<double> share_of(const Node& node, const std::string& what);   // "20%" or 0.2: from 0 to 1
Result<double> factor_of(const Node& node, const std::string& what);  // "2x" or 2: above 1
Result<std::int64_t> rows_of(const Node& node,
                             const std::string& what);  // "1000 rows" or 1000: at least 1

// `node` with every ${NAME} and ${file:PATH} in its scalars filled in.
Result<Node> fill_in(Io& io, const Node& node, const std::string& directory);

}  // namespace lockstep
