#include "cli/terminal.h"

#include <cerrno>
#include <cstring>
#include <sys/ioctl.h>
#include <unistd.h>

namespace lockstep {
namespace {

constexpr int kDefaultWidth = 80;
constexpr int kNarrowest = 40;  // below it a table is unreadable however it is cut
constexpr std::size_t kLineBytesMax = 4096;

Result<void> write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      return make_error(Code::kIo, std::string("cannot write the output: ") + std::strerror(errno));
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

class SystemTerminal final : public Terminal {
 public:
  bool input_is_terminal() const override { return ::isatty(STDIN_FILENO) == 1; }

  bool output_is_terminal() const override { return ::isatty(STDOUT_FILENO) == 1; }

  bool error_is_terminal() const override { return ::isatty(STDERR_FILENO) == 1; }

  int width() const override {
    winsize size = {};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0) return kDefaultWidth;
    return size.ws_col < kNarrowest ? kNarrowest : size.ws_col;
  }

  Result<void> write_output(std::string_view text) override {
    return write_all(STDOUT_FILENO, text);
  }

  void write_error(std::string_view text) override {
    const Result<void> written = write_all(STDERR_FILENO, text);
    if (!written.ok()) return;  // nobody is left to tell
  }

  Result<std::string> read_line() override {
    std::string line;
    while (line.size() < kLineBytesMax) {
      char letter = 0;
      const ssize_t count = ::read(STDIN_FILENO, &letter, 1);
      if (count < 0) return make_error(Code::kInterrupted, "no answer was given");
      if (count == 0 && line.empty()) {
        return make_error(Code::kInterrupted, "the input ended before an answer");
      }
      if (count == 0 || letter == '\n') return line;
      line += letter;
    }
    return invalid("the answer is longer than a line");
  }
};

}  // namespace

std::unique_ptr<Terminal> make_system_terminal() {
  return std::make_unique<SystemTerminal>();
}

}  // namespace lockstep
