// What a writer remembers of its compaction between two calls.
#pragma once

#include "hub/background.h"
#include "hub/compact_flush.h"
#include "hub/compact_merge.h"
#include "hub/garbage.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace lockstep {

// Resource. At its end it waits for what is underway, whose files nobody will name.
struct Compaction {
  Compaction(Io& io_in, const std::string& catalog) : io(io_in), thread(io_in, catalog) {}

  ~Compaction() {
    thread.finish();
    if (flushed && flushed->ok()) remove_flushed(io, flushed->value());
    if (merge && merged && merged->ok()) remove_merged(*merge, merged->value());
  }

  Compaction(const Compaction&) = delete;
  Compaction& operator=(const Compaction&) = delete;

  Io& io;
  TableName table;                             // that is at work, or was
  std::optional<Result<FlushedRows>> flushed;  // the work's result, once it is done
  std::optional<MergeWork> merge;              // none: the work is a flush
  std::optional<Result<MergedFiles>> merged;
  std::map<std::int64_t, std::int64_t>
      looked_at;  // table id, place up to which rows were looked at
  std::map<std::int64_t, std::int64_t>
      dead_before;  // table id, snapshot from which on all are kept: files may have dead rows
  std::set<std::int64_t> passed_over;  // files that are not worth a merge as they are
  std::deque<LeavingFile> left;        // files that are gone, but for deletes of their rows
  Background thread;
};

}  // namespace lockstep
