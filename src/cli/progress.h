// How far a long piece of work has come: a bar on a terminal, a line a minute elsewhere.
#pragma once

#include "cli/command.h"

#include <cstdint>
#include <functional>
#include <string>

namespace lockstep {

struct Progress;

// "vitals  [#####     ]  50 %  140,323 of 280,647 rows  12,000 rows/s  12 s left", cut to `width`
// columns. The rate and the time left come from the whole time so far.
std::string progress_text(const Progress& progress, std::int64_t elapsed_us, int width);

// Resource; one thread at a time. Shows nothing in the first second, under --quiet, or of work that
// ends before it.
class ProgressLine final {
 public:
  explicit ProgressLine(Session& session);
  ~ProgressLine();  // wipes the bar
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void update(const Progress& progress);
  void wipe();
  // For options; this line must outlive the work.
  std::function<void(const Progress&)> callback();

 private:
  Session& session_;
  std::int64_t started_us_;
  std::int64_t shown_us_;
  std::string what_;
  bool drawn_ = false;
};

}  // namespace lockstep
