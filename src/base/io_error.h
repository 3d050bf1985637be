// What the operating system refused, as an Error: the verb, the path, its own words, and what to do
// next.
#pragma once

#include "base/result.h"

#include <string_view>

namespace lockstep {

// `system_code` is an errno. A missing file is kNotFound, missing rights kDenied, all else kIo.
Error system_error(int system_code, std::string_view verb, std::string_view path);

}  // namespace lockstep
