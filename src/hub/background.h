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

// Resource; one owner, who starts and finishes. What the work makes, it keeps where the owner looks
// only after finish().
class Background final {
 public:
  using Work = std::function<void(Catalog& reader)>;

  Background(Io& io, std::string catalog) : io_(io), path_(std::move(catalog)) {}

  // Opens the connection when there is none yet. Nothing may be underway.
  Result<void> start(Work work);

  bool is_underway() const { return thread_ != nullptr; }

  bool is_done() const { return done_.load(std::memory_order_acquire); }

  void finish() { thread_.reset(); }  // waits

 private:
  Io& io_;
  const std::string path_;
  std::unique_ptr<Catalog> reader_;
  std::atomic<bool> done_ = false;
  std::unique_ptr<Thread> thread_;  // last, so that it ends before what it uses
};

}  // namespace lockstep
