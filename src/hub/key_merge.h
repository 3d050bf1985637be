// Several runs of the key index become one, a few entries at a time.
#pragma once

#include "hub/key_run.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace lockstep {

struct KeyMergeOptions {
  bool drops_gone = false;  // no older run is left that a gone key must hide
  bool distinct = false;    // no key stands in two of them: else kCorrupt
};

// Resource. Of entries with one key that of the newest run stays.
class KeyMerge final {
 public:
  using Runs = std::vector<std::shared_ptr<const KeyRun>>;

  // `runs` newest first; `out` is empty.
  KeyMerge(Runs runs, std::unique_ptr<KeyRunWriter> out, const KeyMergeOptions& options);
  KeyMerge(const KeyMerge&) = delete;
  KeyMerge& operator=(const KeyMerge&) = delete;

  // Takes up to so many entries. true: all are taken, and finish() may be called.
  Result<bool> step(std::int64_t entry_count);

  Result<KeyRunInfo> finish() { return out_->finish(); }

  const Runs& runs() const { return runs_; }

 private:
  struct Head {
    KeyHash key;
    std::size_t run = 0;  // the lower the newer

    // For a heap with the least on top.
    bool operator<(const Head& other) const {
      return key == other.key ? run > other.run : key > other.key;
    }
  };

  Result<void> start();
  Result<void> push(std::size_t run);
  Result<void> take(const KeyEntry& entry);

  const Runs runs_;
  const std::unique_ptr<KeyRunWriter> out_;
  const KeyMergeOptions options_;
  std::vector<std::unique_ptr<KeyRunCursor>> cursors_;
  std::vector<Head> heads_;
  bool started_ = false;
  bool took_any_ = false;
  KeyHash last_;
};

}  // namespace lockstep
