#include "base/log.h"

#include "base/assert.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <array>

namespace lockstep {
namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  LOCKSTEP_ASSERT(false, "a log level is unknown to spdlog");
  return spdlog::level::off;
}

// A message may hold bytes from data: line breaks would forge lines, escapes drive the terminal.
std::string one_line(std::string_view message) {
  std::string line;
  for (const char letter : message) {
    const auto code = static_cast<unsigned char>(letter);
    line += code < 0x20 || code == 0x7F ? ' ' : letter;
  }
  return line;
}

class StderrLog final : public Log {
 public:
  explicit StderrLog(LogLevel lowest)
      : logger_("lockstep", std::make_shared<spdlog::sinks::stderr_color_sink_mt>()) {
    logger_.set_level(spdlog_level(lowest));
    // The sink colours what stands between %^ and %$ only when stderr is a terminal.
    logger_.set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
    logger_.flush_on(spdlog::level::debug);
  }

  void write(LogLevel level, std::string_view message) override {
    logger_.log(spdlog_level(level), one_line(message));
  }

 private:
  spdlog::logger logger_;
};

class SilentLog final : public Log {
 public:
  void write(LogLevel, std::string_view) override {}
};

}  // namespace

std::unique_ptr<Log> make_stderr_log(LogLevel lowest) {
  return std::make_unique<StderrLog>(lowest);
}

std::unique_ptr<Log> make_silent_log() {
  return std::make_unique<SilentLog>();
}

}  // namespace lockstep
