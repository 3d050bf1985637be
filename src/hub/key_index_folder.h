// The folder of a hub's key indexes, beside its catalog: names of files, and what each index's
// record says.
#pragma once

#include "base/hash.h"
#include "base/io.h"
#include "hub/key_run.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value. The newest commit that an index's files cover, told so that another history of the same
// hub is told from it: one from before a restore, or one in which somebody else went on.
struct IndexStamp {
  std::int64_t snapshot = 0;
  std::int64_t time_us = 0;       // of that snapshot
  std::int64_t next_file_id = 0;  // as of it: files from here on are newer
  std::int64_t row_count = 0;     // of the table, at it

  bool operator==(const IndexStamp&) const = default;
};

// Value. What an index's files are. Of two records that of the higher number holds.
struct IndexRecord {
  std::uint64_t number = 0;
  IndexStamp stamp;
  std::vector<KeyRunInfo> runs;  // newest first
};

// Files with this in their names are of ordered indexes (hub/ordered_indexes.h), in the same
// folder.
inline constexpr std::string_view kOrderedEnding = ".ordered";

struct KeyIndexLimits {
  std::size_t recent_max = 4'096;     // entries in memory, then they become a run
  std::size_t build_max = 1U << 20U;  // entries in memory while an index is made: 32 MB
};

// Resource. Safe as its Io is. The record of a table stands in two files that are written in turn,
// so that one that is torn leaves the other:
//
//   "LOCKIDX1", number, hub id (36 bytes), table id, snapshot, time, next file id, row count,
//   number of runs, then id and number of entries of each, and XXH3 of all that
//
// Integers have 8 bytes, little-endian.
class KeyIndexFolder final {
 public:
  KeyIndexFolder(Io& io, std::string path, std::string hub_id, std::string_view fingerprint_key);
  KeyIndexFolder(const KeyIndexFolder&) = delete;
  KeyIndexFolder& operator=(const KeyIndexFolder&) = delete;

  KeyHash hash(std::string_view key) const;

  // The newest that is whole and of this hub and table; none: there is none.
  std::optional<IndexRecord> read_record(std::int64_t table_id) const;
  Result<void> write_record(std::int64_t table_id, const IndexRecord& record);

  Result<std::unique_ptr<KeyRunWriter>> create_run(std::int64_t table_id);
  Result<std::shared_ptr<const KeyRun>> open_run(std::int64_t table_id, const KeyRunInfo& run);
  void remove_run(std::int64_t table_id, std::uint64_t run);

  // Removes a table's files but the record's runs; without a record all of them.
  void clean(std::int64_t table_id, const std::optional<IndexRecord>& record);
  // Removes the files of other tables.
  void keep_tables(const std::set<std::int64_t>& table_ids);

  KeyIndexLimits limits;

 private:
  std::string run_path(std::int64_t table_id, std::uint64_t run) const;
  std::string record_path(std::int64_t table_id, std::uint64_t number) const;
  std::optional<IndexRecord> read_record_file(std::int64_t table_id, std::uint64_t number) const;
  void remove_where(const std::function<bool(std::string_view name)>& chosen);

  Io& io_;
  const std::string path_;
  const std::string hub_id_;
  const KeyedHash hash_;
};

}  // namespace lockstep
