// The journal of a load: what a restart must know to go on behind the last whole stage. One line a
// stage: the XXH3-64 of a JSON object as 16 hex digits, a blank, the object. A line that does not
// fit its hash was not finished, and ends the journal.
#pragma once

#include "base/io.h"
#include "hub/commit_apply.h"
#include "hub/row_place.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value. What one stage does to one table.
struct LoadPart {
  std::int64_t table_id = 0;
  std::vector<RowPlace> leaving;  // also from files of earlier stages
  WrittenFiles files;             // what enters; their paths are known to the load, not here
  std::int64_t next_row_id = 0;   // after it
  std::int64_t inserted = 0;      // net of what the load itself had changed before
  std::int64_t updated = 0;
  std::int64_t removed = 0;
};

struct LoadStage {
  std::string note;  // the caller's; empty: the last, which no journal has
  std::vector<LoadPart> parts;
};

struct LoadJournalContent {
  std::string id = {};        // in the names of the load's files
  std::string name = {};      // the caller's
  std::int64_t snapshot = 0;  // the newest when the load began
  std::vector<LoadStage> stages = {};
  std::uint64_t size_bytes = 0;  // of the whole lines
};

// Resource. Appends durably.
class LoadJournal final {
 public:
  // Begins it anew, with no stages.
  static Result<std::unique_ptr<LoadJournal>> create(Io& io,
                                                     const std::string& path,
                                                     const LoadJournalContent& content);
  // Goes on behind what was read.
  static Result<std::unique_ptr<LoadJournal>> reopen(Io& io,
                                                     const std::string& path,
                                                     const LoadJournalContent& content);

  Result<void> append(const LoadStage& stage);

 private:
  LoadJournal(std::unique_ptr<File> file, std::uint64_t size_bytes)
      : file_(std::move(file)), size_bytes_(size_bytes) {}

  std::unique_ptr<File> file_;
  std::uint64_t size_bytes_;
};

std::string load_journal_path(const std::string& data_path);
// How the names of a load's files begin.
std::string load_prefix(const std::string& id);
// The same of the load whose journal is there, finished or not; empty: there is none.
Result<std::string> left_load_prefix(Io& io, const std::string& data_path);
// Whether a file below the data path is a journal or a staged file of the load with that prefix.
bool is_of_load(std::string_view prefix, std::string_view name);
// nullopt: there is none, or one that is not a journal's beginning.
Result<std::optional<LoadJournalContent>> read_load_journal(Io& io, const std::string& path);

}  // namespace lockstep
