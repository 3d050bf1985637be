// A terminal and a world in memory: what a user would see, as texts.
#pragma once

#include "base/io.h"
#include "cli/cli.h"

#include <memory>
#include <string>
#include <vector>

namespace lockstep {

class FakeTerminal final : public Terminal {
 public:
  bool interactive = false;
  std::string answer;
  std::string output;
  std::string talk;

  bool input_is_terminal() const override { return interactive; }

  bool output_is_terminal() const override { return interactive; }

  bool error_is_terminal() const override { return interactive; }

  int width() const override { return 100; }

  Result<void> write_output(std::string_view text) override {
    output += text;
    return {};
  }

  void write_error(std::string_view text) override { talk += text; }

  Result<std::string> read_line() override { return answer; }
};

// Runs command lines against a disk in memory.
struct FakeWorld {
  std::unique_ptr<SimulatedIo> io = make_simulated_io(1);
  FakeTerminal terminal;

  int run(const std::vector<std::string>& words) {
    terminal.output.clear();
    terminal.talk.clear();
    const World world{
        *io, terminal, [] { return false; }, [](LogLevel) { return make_silent_log(); }};
    return run_lockstep(world, words);
  }
};

inline View pipe_view() {
  return View{};
}

inline View terminal_view() {
  View view;
  view.terminal = true;
  view.width = 120;
  view.now_us = 1'000'000'000'000'000;  // 2001-09-09T01:46:40Z
  return view;
}

}  // namespace lockstep
