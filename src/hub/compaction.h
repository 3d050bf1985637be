// What a writer remembers of its compaction between two calls.
#pragma once

#include "hub/background.h"
#include "hub/compact_deletes.h"
#include "hub/compact_flush.h"
#include "hub/compact_merge.h"
#include "hub/garbage.h"
#include "hub/table_forms.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lockstep {

// Resource. At its end it waits for what is underway, whose files nobody will name.
struct Compaction {
  explicit Compaction(const BackgroundPlace& place) : io(place.io), thread(place) {}

  ~Compaction() {
    thread.stop();
    if (flushed && flushed->ok()) remove_flushed(io, flushed->value());
    if (merge && merged && merged->ok()) remove_merged(*merge, merged->value());
    const bool written = moved_deletes && moved_deletes->ok() && moved_deletes->value().written;
    // A file that no row names costs space and nothing else.
    if (written) static_cast<void>(io.remove(moved_deletes->value().written->path));
  }

  Compaction(const Compaction&) = delete;
  Compaction& operator=(const Compaction&) = delete;

  Io& io;
  TableName table;                             // that is at work, or was
  std::optional<Result<FlushedRows>> flushed;  // the work's result, once it is done
  std::optional<MergeWork> merge;              // the work is this merge
  std::optional<Result<MergedFiles>> merged;
  std::optional<DeletesWork> deletes;  // or this
  std::optional<Result<MovedDeletes>> moved_deletes;
  std::optional<Result<FileSurvey>> surveyed;  // or a look over all files; else it is a flush
  FileSurvey survey;                           // what is left to do of the newest
  std::int64_t surveyed_at = 0;                // the newest snapshot then
  std::map<std::string, std::int64_t>
      looked_at;  // inlined table, place up to which rows were looked at

  struct Seen {
    std::int64_t newest = 0;        // place
    std::int64_t record_count = 0;  // of the table's statistics then: it rises with each row
  };

  std::map<std::string, Seen> seen;  // inlined table, as of the newest look at it
  std::map<std::int64_t, std::int64_t>
      dead_before;  // table id, snapshot from which on all are kept: files may have dead rows

  struct Forms {
    std::int64_t altered_at = 0;
    std::vector<TableForm> older;
  };

  std::map<std::int64_t, Forms> forms;  // by table id
  std::set<std::int64_t> passed_over;   // files that are not worth a merge as they are
  std::deque<LeavingFile> left;         // files that are gone, but for deletes of their rows
  Background thread;
};

}  // namespace lockstep
