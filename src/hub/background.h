// Work of the hub beside its commits: one piece at a time, in a thread of its own with a connection
// of its own to the catalog.
#pragma once

#include "base/io.h"
#include "base/thread.h"
#include "catalog/catalog.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>

namespace lockstep {

// Where the work reads. A disk in memory has one connection to its catalog, and no threads, so that
// what a test did can be done again: there the work is done in its owner's thread, either when it
// begins or when it is finished, which a random byte of the Io chooses.
struct BackgroundPlace {
  Io& io;
  std::string catalog;
  Catalog* only_connection = nullptr;  // on a disk in memory
};

// Resource; one owner, who starts and finishes. What the work makes, it keeps where the owner looks
// only after finish().
class Background final {
 public:
  using Work = std::function<void(Catalog& reader)>;

  explicit Background(BackgroundPlace place) : place_(std::move(place)) {}

  // Opens the connection when there is none yet. Nothing may be underway.
  Result<void> start(Work work);

  bool is_underway() const { return underway_; }

  bool is_done();

  void finish();  // waits
  void stop();    // waits; what has not begun is not done any more

 private:
  bool chance();

  const BackgroundPlace place_;
  std::unique_ptr<Catalog> reader_;
  bool underway_ = false;
  Work waiting_;  // without a thread: until it is finished
  std::atomic<bool> done_ = false;
  std::unique_ptr<Thread> thread_;  // last, so that it ends before what it uses
};

}  // namespace lockstep
