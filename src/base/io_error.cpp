#include "base/io_error.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace lockstep {
namespace {

struct Advice {
  int system_code;
  Code code;
  const char* hint;
};

constexpr std::array kAdvice = {
    Advice{ENOENT, Code::kNotFound, "check the path, and that it is on this machine"},
    Advice{ENOTDIR, Code::kNotFound, "a part of the path is a file, not a folder"},
    Advice{EACCES, Code::kDenied, "give the user that runs lockstep rights to it"},
    Advice{EPERM, Code::kDenied, "give the user that runs lockstep rights to it"},
    Advice{EROFS, Code::kDenied, "the file system is mounted read-only; mount it for writing"},
    Advice{ENOSPC, Code::kIo, "the disk is full; free some space and start again"},
    Advice{EDQUOT, Code::kIo, "the user's disk quota is used up; free some space"},
    Advice{EMFILE, Code::kIo, "too many open files; raise the limit with 'ulimit -n 4096'"},
    Advice{ENFILE, Code::kIo, "the machine has too many open files; close some programs"},
    Advice{EIO, Code::kIo, "the disk reports a fault; look at the system's log"},
    Advice{EEXIST, Code::kIo, "something of that name is already there"},
    Advice{ENOTEMPTY, Code::kIo, "the folder still holds files"},
    Advice{EISDIR, Code::kIo, "it is a folder; name a file"},
    Advice{ENAMETOOLONG, Code::kIo, "use a shorter path"},
    Advice{ELOOP, Code::kIo, "its symbolic links point at each other"},
    Advice{EFBIG, Code::kIo, "the file system does not hold files of that size"},
};

}  // namespace

Error system_error(int system_code, std::string_view verb, std::string_view path) {
  const char* words = strerrordesc_np(system_code);
  Error error = make_error(
      Code::kIo,
      fmt::format("cannot {} {}: {}", verb, path, words == nullptr ? "unknown error" : words));
  for (const Advice& advice : kAdvice) {
    if (advice.system_code != system_code) continue;
    error.code = advice.code;
    error.hint = advice.hint;
  }
  return error;
}

}  // namespace lockstep
