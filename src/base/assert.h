// Assertions that stay on in release. They mean our own bug, never bad input, and abort.
#pragma once

namespace lockstep {

[[noreturn]] void assertion_failed(const char* condition,
                                   const char* message,
                                   const char* file,
                                   int line);

}  // namespace lockstep

#define LOCKSTEP_ASSERT(condition, message)                                                    \
  do {                                                                                         \
    if (!(condition)) ::lockstep::assertion_failed(#condition, (message), __FILE__, __LINE__); \
  } while (false)
