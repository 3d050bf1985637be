#include "hub/key_merge.h"

#include "base/assert.h"

#include <algorithm>

namespace lockstep {

KeyMerge::KeyMerge(Runs runs, std::unique_ptr<KeyRunWriter> out, const KeyMergeOptions& options)
    : runs_(std::move(runs)), out_(std::move(out)), options_(options) {
  for (const auto& run : runs_)
    cursors_.push_back(std::make_unique<KeyRunCursor>(run));
}

Result<void> KeyMerge::start() {
  for (std::size_t run = 0; run < runs_.size(); ++run)
    TRY(push(run));
  started_ = true;
  return {};
}

Result<void> KeyMerge::push(std::size_t run) {
  const KeyEntry* entry = TRY(cursors_[run]->entry());
  if (entry == nullptr) return {};
  heads_.push_back({entry->key, run});
  std::push_heap(heads_.begin(), heads_.end());
  return {};
}

Result<void> KeyMerge::take(const KeyEntry& entry) {
  const bool again = took_any_ && last_ == entry.key;
  LOCKSTEP_ASSERT(!took_any_ || last_ <= entry.key, "hub: a merge goes back");
  took_any_ = true;
  last_ = entry.key;
  if (again && options_.distinct) return make_error(Code::kCorrupt, "a key names two current rows");
  if (again || (options_.drops_gone && entry.is_gone())) return {};
  return out_->add(entry);
}

Result<bool> KeyMerge::step(std::int64_t entry_count) {
  if (!started_) TRY(start());
  for (std::int64_t taken = 0; taken < entry_count && !heads_.empty(); ++taken) {
    std::pop_heap(heads_.begin(), heads_.end());
    const std::size_t run = heads_.back().run;
    heads_.pop_back();
    TRY(take(*TRY(cursors_[run]->entry())));
    cursors_[run]->next();
    TRY(push(run));
  }
  return heads_.empty();
}

}  // namespace lockstep
