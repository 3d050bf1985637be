// Logging: one Log, handed down from main. Lines go to stderr; secrets never do.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace lockstep {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Safe from many threads.
class Log {
 public:
  virtual ~Log() = default;
  virtual void write(LogLevel level, std::string_view message) = 0;

  void debug(std::string_view message) { write(LogLevel::kDebug, message); }

  void info(std::string_view message) { write(LogLevel::kInfo, message); }

  void warning(std::string_view message) { write(LogLevel::kWarning, message); }

  void error(std::string_view message) { write(LogLevel::kError, message); }
};

std::unique_ptr<Log> make_stderr_log(LogLevel lowest);
std::unique_ptr<Log> make_silent_log();

}  // namespace lockstep
