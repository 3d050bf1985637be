#include "hub/key_index.h"

#include "base/assert.h"

#include <algorithm>

namespace lockstep {

namespace {

// A run is merged with the next older one unless that is so many times larger: few runs to look
// through, and each entry is written some five times on its way from 16,000 entries to 16 million.
constexpr std::int64_t kRunRatio = 4;
// Amid a load, whose runs are large, so many may be looked through: each has filters, and is
// written once less often.
constexpr std::size_t kLoadRuns = 8;
// Entries that a merge takes for each that came: enough to end before the same merge is due again.
constexpr std::int64_t kMergePace = 16;
constexpr std::int64_t kStepEntries = 65'536;
// What a commit takes of it beside what its own rows make due, a millisecond's worth: what it
// leaves is the next one's.
constexpr std::int64_t kSettleEntries = 4'096;
// Runs from memory whose part of merging may wait.
constexpr std::int64_t kSpillsWaiting = 4;
// Moved entries that count as come at each commit: few, so that no commit waits for long.
constexpr std::int64_t kMovedPace = 256;
// The folder follows the newest snapshot at least so closely, since the snapshot of a stamp has to
// be there when the index is loaded.
constexpr std::int64_t kSnapshotsMax = 10'000;

Result<void> check_distinct(const std::vector<KeyEntry>& entries) {
  const auto same = std::ranges::adjacent_find(entries, std::ranges::equal_to{}, &KeyEntry::key);
  if (same == entries.end()) return {};
  return make_error(Code::kCorrupt, "a key names two current rows");
}

}  // namespace

void KeyIndex::attach(KeyIndexFolder& folder, std::int64_t table_id, CurrentPlaces current) {
  folder_ = &folder;
  table_id_ = table_id;
  current_ = std::move(current);
  recent_.clear();
  runs_.clear();
  merges_.clear();
}

std::optional<IndexStamp> KeyIndex::load() {
  LOCKSTEP_ASSERT(folder_ != nullptr, "hub: an index without a folder is loaded");
  const auto record = folder_->read_record(table_id_);
  folder_->clean(table_id_, record);
  if (!record) return std::nullopt;
  KeyMerge::Runs runs;
  for (const KeyRunInfo& info : record->runs) {
    auto run = folder_->open_run(table_id_, info);
    // Whatever is wrong with it: the index is made again.
    if (!run.ok()) return std::nullopt;
    runs.push_back(std::move(run).value());
  }
  runs_ = std::move(runs);
  record_ = *record;
  return record_.stamp;
}

Result<std::int64_t> KeyIndex::rebuild() {
  LOCKSTEP_ASSERT(folder_ != nullptr, "hub: an index without a folder is rebuilt");
  abandon_move();  // whose rows the new runs would hide, or be hidden by
  runs_.clear();
  merges_.clear();
  replaced_.clear();
  record_ = IndexRecord{record_.number, {}, {}};
  folder_->clean(table_id_, std::nullopt);
  lost_ = true;  // until it is whole
  std::int64_t row_count = 0;
  TRY(read_current(row_count));
  lost_ = false;
  uncovered_ = !runs_.empty();
  changed_ = uncovered_;
  return row_count;
}

Result<void> KeyIndex::read_current(std::int64_t& row_count) {
  Entries entries;
  TRY(current_([&](std::string_view key, const RowPlace& place) -> Result<void> {
    if (!fits_entry(place)) return make_error(Code::kUnsupported, "row or file ids beyond 2^40");
    entries.push_back(entry_of(folder_->hash(key), place));
    ++row_count;
    if (entries.size() < folder_->limits.build_max) return {};
    return add_run(entries);
  }));
  if (runs_.empty() && entries.size() < folder_->limits.recent_max) {
    std::ranges::sort(entries, {}, &KeyEntry::key);
    TRY(check_distinct(entries));
    // What is in memory already is newer.
    for (const KeyEntry& entry : entries)
      recent_.try_emplace(entry.key, Words{entry.first, entry.second});
    return {};
  }
  if (!entries.empty()) TRY(add_run(entries));
  if (runs_.size() < 2) return {};
  KeyMerge merge(
      runs_, TRY(folder_->create_run(table_id_)), {.drops_gone = true, .distinct = true});
  while (!TRY(merge.step(kStepEntries))) {
  }
  return finish_merge(merge);
}

Result<std::optional<RowPlace>> KeyIndex::find(std::string_view key) {
  FoundPlaces places = TRY(find_hashes({folder_->hash(key)}));
  return places.front();
}

Result<FoundPlaces> KeyIndex::find_all(std::span<const std::string> keys) {
  std::vector<KeyHash> hashes;
  hashes.reserve(keys.size());
  for (const std::string& key : keys)
    hashes.push_back(folder_->hash(key));
  return find_hashes(hashes);
}

Result<FoundPlaces> KeyIndex::find_hashes(const std::vector<KeyHash>& keys) {
  if (!lost_) {
    auto places = look_up(keys);
    if (places.ok()) return places;
  }
  if (ahead_) {
    return make_error(Code::kIo,
                      "the key index was lost amid a load",
                      "open the hub anew: what was committed shows then");
  }
  // What could not be read is made again from the rows; if that fails, its error is the one to
  // tell.
  TRY_IN(rebuild(), "making a key index: ");
  return look_up(keys);
}

Result<FoundPlaces> KeyIndex::look_up(const std::vector<KeyHash>& keys) const {
  struct Wanted {
    KeyHash key;
    std::size_t index = 0;
  };

  FoundPlaces places(keys.size());
  std::vector<Wanted> wanted;
  wanted.reserve(keys.size());
  for (std::size_t index = 0; index < keys.size(); ++index) {
    const auto recent = recent_.find(keys[index]);
    if (recent == recent_.end()) {
      wanted.push_back({keys[index], index});
      continue;
    }
    const KeyEntry entry{keys[index], recent->second.first, recent->second.second};
    if (!entry.is_gone()) places[index] = entry.place();
  }
  if (!runs_.empty()) std::ranges::sort(wanted, {}, &Wanted::key);
  for (const auto& run : runs_) {
    KeyPage page;
    std::size_t missing = 0;
    for (const Wanted& one : wanted) {
      const KeyEntry* entry = TRY(run->find(one.key, page));
      if (entry == nullptr) {
        wanted[missing++] = one;
      } else if (!entry->is_gone()) {
        places[one.index] = entry->place();
      }
    }
    wanted.resize(missing);
  }
  return places;
}

void KeyIndex::set(std::string_view key, const RowPlace& place) {
  newest_file_ = std::max(newest_file_, place.file_id);
  ++came_;
  put(entry_of(folder_->hash(key), place));
}

void KeyIndex::erase(std::string_view key) {
  const KeyHash hash = folder_->hash(key);
  ++came_;
  if (runs_.empty()) {
    recent_.erase(hash);
  } else {
    put(gone_entry(hash));
  }
}

void KeyIndex::put(const KeyEntry& entry) {
  recent_.insert_or_assign(entry.key, Words{entry.first, entry.second});
}

void KeyIndex::add_file(const FileRows& rows) {
  LOCKSTEP_ASSERT(rows.keys.size() == rows.row_ids.size(), "hub: keys without row ids");
  const auto place = [&](std::size_t row) {
    return RowPlace{.row_id = rows.row_ids[row],
                    .file_id = rows.file_id,
                    .position = rows.first_position + static_cast<std::int64_t>(row)};
  };
  if (rows.keys.size() < folder_->limits.recent_max) {
    for (std::size_t row = 0; row < rows.keys.size(); ++row)
      set(rows.keys[row], place(row));
    return;
  }
  Entries entries;
  entries.reserve(rows.keys.size());
  for (std::size_t row = 0; row < rows.keys.size(); ++row)
    entries.push_back(entry_of(folder_->hash(rows.keys[row]), place(row)));
  uncovered_ = true;
  ahead_ = true;
  newest_file_ = std::max(newest_file_, rows.file_id);
  // What is in memory is older, and would hide what comes.
  Result<void> added = spill();
  if (added.ok()) added = add_run(entries);
  if (!added.ok()) lose();
}

// What comes from here on stands in memory and in runs of its own, before which the moved rows get
// their place.
void KeyIndex::begin_move() {
  if (!recent_.empty()) make_room();
  moving_ = true;
  since_move_ = 0;
}

void KeyIndex::abandon_move() {
  moving_ = false;
  since_move_ = 0;
}

void KeyIndex::finish_move(const MovedPlaces& moved) {
  LOCKSTEP_ASSERT(can_finish_move(), "hub: rows were moved that an index did not follow");
  const std::size_t since_move = since_move_;
  abandon_move();
  newest_file_ = std::max(newest_file_, moved.file_id);
  if (lost_) return;  // made again from the rows as they lie now
  // begin_move() left all that there was in runs.
  LOCKSTEP_ASSERT(since_move < runs_.size(), "hub: rows were moved that an index did not have");
  auto run = folder_->open_run(table_id_, moved.run);
  if (!run.ok()) {
    lose();
    return;
  }
  runs_.insert(runs_.begin() + static_cast<std::ptrdiff_t>(since_move), std::move(run).value());
  moved_ += moved.run.entry_count;
  changed_ = true;
  uncovered_ = true;
}

Result<void> KeyIndex::add_run(Entries& entries) {
  std::ranges::sort(entries, {}, &KeyEntry::key);
  TRY(check_distinct(entries));
  const auto writer = TRY(folder_->create_run(table_id_));
  for (const KeyEntry& entry : entries)
    TRY(writer->add(entry));
  runs_.insert(runs_.begin(), TRY(folder_->open_run(table_id_, TRY(writer->finish()))));
  if (moving_) ++since_move_;
  work_ += static_cast<std::int64_t>(entries.size());
  changed_ = true;
  entries.clear();
  return {};
}

Result<void> KeyIndex::spill() {
  Entries entries;
  entries.reserve(recent_.size());
  // They are sorted before anybody sees their order.
  for (const auto& [key, words] : recent_) {
    const KeyEntry entry{key, words.first, words.second};
    if (!runs_.empty() || !entry.is_gone()) entries.push_back(entry);
  }
  if (!entries.empty()) TRY(add_run(entries));
  recent_.clear();
  return {};
}

void KeyIndex::make_room() {
  uncovered_ = true;
  if (!spill().ok()) lose();
}

// The files as the record tells them stay right; only this process knows of newer ones no more. The
// next look-up makes the index again, and tells what hinders it.
void KeyIndex::lose() {
  lost_ = true;
}

bool KeyIndex::settle(const IndexStamp& stamp, SettlePace pace) {
  if (newest_file_ >= stamp.next_file_id) return false;
  ahead_ = false;
  if (lost_ || pace == SettlePace::kNone) return false;
  LOCKSTEP_ASSERT(stamp.snapshot >= record_.stamp.snapshot, "hub: an index goes back");
  const Result<bool> settled = settle_now(stamp, pace);
  if (settled.ok()) return settled.value();
  lose();
  return true;
}

Result<bool> KeyIndex::settle_now(const IndexStamp& stamp, SettlePace pace) {
  const std::size_t much = folder_->limits.recent_max / (pace == SettlePace::kAll ? 4 : 1);
  const bool old = !runs_.empty() && stamp.snapshot - record_.stamp.snapshot >= kSnapshotsMax;
  // Amid a move a stamp would say that the file to which rows move is known.
  const bool stamps = !moving_ && (recent_.size() >= much || old || uncovered_);
  const bool spills = stamps || wants_room();
  bool merged = false;
  if (spills) {
    uncovered_ = true;
    TRY(spill());
  }
  // A commit takes one of the two, unless more comes than the others make up for.
  if (!spills || work_ > kSpillsWaiting * static_cast<std::int64_t>(folder_->limits.recent_max)) {
    TRY(start_merges());
    merged = TRY(step_merges(SettlePace::kShare));
  }
  came_ = 0;
  if (stamps) {
    TRY(record(stamp));
  } else if (changed_ && !moving_) {
    TRY(record(record_.stamp));
  }
  return spills || merged;
}

void KeyIndex::merge_runs() {
  const bool are_few = runs_.size() < kLoadRuns && merges_.empty();
  if (lost_ || are_few) return;
  const Result<void> started = start_merges();
  if (!started.ok() || !step_merges(SettlePace::kAll).ok()) lose();
}

bool KeyIndex::is_merging(const std::shared_ptr<const KeyRun>& run) const {
  return std::ranges::any_of(merges_, [&](const auto& merge) {
    return std::ranges::find(merge->runs(), run) != merge->runs().end();
  });
}

Result<void> KeyIndex::start_merges() {
  std::size_t first = 0;
  while (first < runs_.size()) {
    std::size_t end = first;
    std::int64_t entry_count = 0;
    // Rows that move get their place behind those that came since.
    const std::size_t last = first < since_move_ ? since_move_ : runs_.size();
    while (end < last && !is_merging(runs_[end]) &&
           (end == first || entry_count * kRunRatio > runs_[end]->info().entry_count)) {
      entry_count += runs_[end]->info().entry_count;
      ++end;
    }
    if (end - first >= 2) {
      const auto from = runs_.begin() + static_cast<std::ptrdiff_t>(first);
      merges_.push_back(std::make_unique<KeyMerge>(
          KeyMerge::Runs(from, runs_.begin() + static_cast<std::ptrdiff_t>(end)),
          TRY(folder_->create_run(table_id_)),
          KeyMergeOptions{.drops_gone = end == runs_.size()}));
    }
    first = std::max(end, first + 1);
  }
  return {};
}

Result<bool> KeyIndex::step_merges(SettlePace pace) {
  const std::int64_t moved = std::min(moved_, kMovedPace);
  moved_ -= moved;
  work_ += moved;
  // Many small steps cost more than few.
  if (work_ < static_cast<std::int64_t>(folder_->limits.recent_max / 32)) return false;
  const std::int64_t due = work_ * kMergePace;
  const std::int64_t entry_count =
      pace == SettlePace::kAll ? due : std::min(due, kSettleEntries + came_ * kMergePace);
  work_ -= (entry_count + kMergePace - 1) / kMergePace;
  const bool any = !merges_.empty();
  for (std::size_t index = 0; index < merges_.size();) {
    if (!TRY(merges_[index]->step(entry_count))) {
      ++index;
      continue;
    }
    TRY(finish_merge(*merges_[index]));
    merges_.erase(merges_.begin() + static_cast<std::ptrdiff_t>(index));
  }
  return any;
}

Result<void> KeyIndex::finish_merge(KeyMerge& merge) {
  const KeyRunInfo info = TRY(merge.finish());
  const auto from = std::ranges::find(runs_, merge.runs().front());
  LOCKSTEP_ASSERT(from != runs_.end(), "hub: merged runs are not there");
  for (const auto& run : merge.runs())
    replaced_.push_back(run->info().id);
  const auto place = static_cast<std::size_t>(from - runs_.begin());
  if (place < since_move_) since_move_ -= merge.runs().size() - 1;
  const auto at = runs_.erase(from, from + static_cast<std::ptrdiff_t>(merge.runs().size()));
  changed_ = true;
  runs_.insert(at, TRY(folder_->open_run(table_id_, info)));
  return {};
}

Result<void> KeyIndex::record(const IndexStamp& stamp) {
  IndexRecord next{record_.number + 1, stamp, {}};
  for (const auto& run : runs_)
    next.runs.push_back(run->info());
  TRY(folder_->write_record(table_id_, next));
  record_ = std::move(next);
  changed_ = false;
  uncovered_ = false;
  for (const std::uint64_t run : replaced_)
    folder_->remove_run(table_id_, run);
  replaced_.clear();
  return {};
}

void KeyIndex::discard() {
  runs_.clear();
  merges_.clear();
  recent_.clear();
  folder_->clean(table_id_, std::nullopt);
}

}  // namespace lockstep
