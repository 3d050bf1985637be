// Where the current row of each key lies. A cache (hub-7): built from the table's rows, kept by the
// writer, found again after a restart.
//
// The newest entries are in memory, the others in runs (hub/key_run.h), which are merged a little
// at each commit, so that there are few and memory stays small however many keys there are. Nothing
// is synced: a file that a crash damaged is found out by its checksums when it is read, and the
// index is made again from the rows.
#pragma once

#include "hub/key_index_folder.h"
#include "hub/key_merge.h"
#include "hub/row_place.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lockstep {

// Value. Rows that stand one after another in a data file, the first of them at first_position.
struct FileRows {
  std::int64_t file_id = 0;
  std::int64_t first_position = 0;
  std::span<const std::string> keys;
  std::span<const std::int64_t> row_ids;  // as many
};

// Value. Rows that lie in another file now: each current one once, in a run that is written
// already.
struct MovedPlaces {
  KeyRunInfo run;
  std::int64_t file_id = 0;  // where they lie
};

// How much time an index may take behind a commit: none, a millisecond or two, or what it takes to
// leave little for the next start.
enum class SettlePace { kNone, kShare, kAll };

using FoundPlaces = std::vector<std::optional<RowPlace>>;
// Gives every current row of a table as of the newest commit.
using CurrentPlaces = std::function<Result<void>(const TakePlace& take)>;

// Resource. Keys are the bytes of encode_key. What tells of a commit cannot fail, since the commit
// is durable by then: an index that cannot follow is made again at the next look-up.
class KeyIndex final {
 public:
  KeyIndex() = default;
  KeyIndex(const KeyIndex&) = delete;
  KeyIndex& operator=(const KeyIndex&) = delete;

  // First of all. An index of no rows, until load() or rebuild(). `folder` outlives it.
  void attach(KeyIndexFolder& folder, std::int64_t table_id, CurrentPlaces current);

  // Takes what is in the folder, as of the stamp that it returns; what changed since is the
  // caller's to tell, by set() and erase(). nullopt: nothing usable is there.
  std::optional<IndexStamp> load();
  // Made from the rows, in bounded memory. Returns their number. What was set since the newest
  // commit stays set.
  Result<std::int64_t> rebuild();

  // nullopt: no current row.
  Result<std::optional<RowPlace>> find(std::string_view key);
  // The same for each of many keys, in their order. Costs less a key than find().
  Result<FoundPlaces> find_all(std::span<const std::string> keys);

  // The key's row lies here now, whether it had one or not.
  void set(std::string_view key, const RowPlace& place);
  void erase(std::string_view key);
  // set() for many rows of a file, at a cost that suits bulk loads and compaction.
  void add_file(const FileRows& rows);

  // Rows are read to be moved to another file, which takes a while: what is set and erased from
  // here on is newer than what finish_move() brings. All that was set is of durable commits.
  void begin_move();

  // false: the index was made anew since begin_move().
  bool can_finish_move() const { return moving_; }

  void finish_move(const MovedPlaces& moved);
  void abandon_move();

  // Behind each commit: once in a while entries go from memory to the folder, and runs are merged.
  // All that was set is of commits up to the stamp; nothing is done while rows lie in files that
  // are younger, as those of a load before its commit do. true: it took its share of time.
  bool settle(const IndexStamp& stamp, SettlePace pace);
  // Runs are merged as by settle() once there are some, and the stamp stays: amid a load, whose
  // rows are no commit's yet.
  void merge_runs();
  // Makes room in memory amid many set(), all of durable commits.
  void make_room();

  bool wants_room() const { return recent_.size() >= folder_->limits.recent_max; }

  // Of what is in the folder.
  const IndexStamp& stamp() const { return record_.stamp; }

  // The table is dropped.
  void discard();

 private:
  struct HashOfKey {
    std::size_t operator()(const KeyHash& key) const { return key.low; }
  };

  struct Words {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
  };

  using Entries = std::vector<KeyEntry>;
  using Recent = std::unordered_map<KeyHash, Words, HashOfKey>;

  Result<FoundPlaces> find_hashes(const std::vector<KeyHash>& keys);
  Result<FoundPlaces> look_up(const std::vector<KeyHash>& keys) const;
  void put(const KeyEntry& entry);
  // Sorts the entries and puts them before the other runs. kCorrupt when a key comes twice.
  Result<void> add_run(Entries& entries);
  Result<void> spill();
  Result<bool> settle_now(const IndexStamp& stamp, SettlePace pace);
  bool is_merging(const std::shared_ptr<const KeyRun>& run) const;
  Result<void> start_merges();
  // As much as a commit may wait for, or all that is due. true: entries were merged.
  Result<bool> step_merges(SettlePace pace);
  Result<void> finish_merge(KeyMerge& merge);
  Result<void> record(const IndexStamp& stamp);
  Result<void> read_current(std::int64_t& row_count);
  void lose();

  KeyIndexFolder* folder_ = nullptr;
  std::int64_t table_id_ = 0;
  CurrentPlaces current_;
  Recent recent_;
  KeyMerge::Runs runs_;                            // newest first
  bool moving_ = false;                            // between begin_move() and its end
  std::size_t since_move_ = 0;                     // so many of the runs came since its begin
  std::vector<std::unique_ptr<KeyMerge>> merges_;  // of runs that stand together
  std::vector<std::uint64_t> replaced_;            // runs that only the record names still
  IndexRecord record_;
  bool changed_ = false;    // other runs than the record says
  bool uncovered_ = false;  // and rows from after its stamp
  bool lost_ = false;
  bool ahead_ = false;  // there may be runs of rows that the catalog does not have yet
  std::int64_t newest_file_ = RowPlace::kInlined;
  std::int64_t came_ = 0;   // since the last settle()
  std::int64_t work_ = 0;   // entries that came, and whose part of merging is not done
  std::int64_t moved_ = 0;  // entries that moved, which become work bit by bit
};

}  // namespace lockstep
