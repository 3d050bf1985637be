// What a writer shows to the outside while it works: what it committed, and which version of each
// model answers now. A server implements it; the engine knows no network.
#pragma once

#include "base/result.h"
#include "source/source.h"
#include "sync/sync.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lockstep {

struct ChangeCounts;
struct Champion;

// Value. One durable commit.
struct CommitNews {
  Completion completion;
  std::string source;                 // whose rows it holds; empty: of none
  std::vector<std::string> datasets;  // whose rows changed
  bool has_snapshot = false;
  std::int64_t inserted = 0;
  std::int64_t updated = 0;
  std::int64_t deleted = 0;
  std::int64_t rejected = 0;

  void tell_counts(const std::string& of_source, const ChangeCounts& counts);
};

// Interface. Called by the writer's thread, which waits meanwhile.
class Surface {
 public:
  virtual ~Surface() = default;
  // The hub is open, and this process writes. An error: it cannot be shown.
  virtual Result<void> opened() = 0;
  // Before who brought the rows of a commit hears of it: its champion answers by then.
  virtual void champion(std::shared_ptr<const Champion> champion) = 0;
  virtual void committed(const CommitNews& news) = 0;
  // As the command "sources" tells them; now and then, and after each command.
  virtual void sources(const Json& states) = 0;
  virtual void standing_by() = 0;           // another process writes
  virtual void closed() = 0;                // the hub, until opened() comes again
  virtual std::string address() const = 0;  // where it can be asked; empty: nowhere yet
};

}  // namespace lockstep
