// What a writer remembers of its compaction between two calls.
#pragma once

#include "hub/background.h"
#include "hub/compact_flush.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace lockstep {

// Resource. At its end it waits for what is underway, whose files nobody will name.
struct Compaction {
  Compaction(Io& io_in, const std::string& catalog) : io(io_in), thread(io_in, catalog) {}

  ~Compaction() {
    thread.finish();
    if (flushed && flushed->ok()) remove_flushed(io, flushed->value());
  }

  Compaction(const Compaction&) = delete;
  Compaction& operator=(const Compaction&) = delete;

  Io& io;
  std::optional<Result<FlushedRows>> flushed;  // the work's result, once it is done
  std::map<std::int64_t, std::int64_t>
      looked_at;  // table id, place up to which rows were looked at
  Background thread;
};

}  // namespace lockstep
