#include "base/out_of_memory.h"

#include <new>
#include <string_view>
#include <unistd.h>

namespace lockstep {
namespace {

// Without an allocation, and without what would run at the end of the process.
[[noreturn]] void end_process() {
  constexpr std::string_view kMessage =
      "error: out of memory\n"
      "try: give the process more memory, or lower commit_rows_max, and start again\n";
  // There is nobody left to tell that telling failed.
  static_cast<void>(::write(STDERR_FILENO, kMessage.data(), kMessage.size()));
  ::_exit(1);
}

}  // namespace

void end_when_out_of_memory() {
  std::set_new_handler(end_process);
}

}  // namespace lockstep
