// Places in a PostgreSQL server's log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

using Lsn = std::uint64_t;

std::string lsn_text(Lsn lsn);                        // "16/B374D848"
std::optional<Lsn> parse_lsn(std::string_view text);  // nullopt: not one

}  // namespace lockstep
