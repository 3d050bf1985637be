// Ctrl-C and `kill`, as a question that loops ask between two pieces of work.
#pragma once

namespace lockstep {

// Resource. While it lives, the first SIGINT or SIGTERM sets requested(), so that the commit in
// hand can be finished; a second SIGINT ends the process at once with code 130, which loses nothing
// that was committed. Waits on files, sockets and folders return early when a signal comes. One at
// a time in a process, since signals belong to the process; the destructor puts the old handlers
// back.
class StopSignal final {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // Safe from many threads.
  bool requested() const;
};

}  // namespace lockstep
