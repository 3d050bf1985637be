// The program's version, as in CMakeLists.txt; a test compares them.
#pragma once

namespace lockstep {

constexpr const char* kVersion = "0.1.0";

}  // namespace lockstep
