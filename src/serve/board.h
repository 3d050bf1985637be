// What the daemon's writer tells, for those who ask: champions, states of the sources, counts. One
// thread writes, many read.
#pragma once

#include "base/io.h"
#include "source/source.h"
#include "sync/champion.h"
#include "sync/configuration.h"
#include "sync/surface.h"

#include <nlohmann/json.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace lockstep {

enum class WriterStanding : std::uint8_t { kOpening, kStandingBy, kWriting };

// Value. Since the process began.
struct SourceCounts {
  std::int64_t inserted = 0;
  std::int64_t updated = 0;
  std::int64_t deleted = 0;
  std::int64_t rejected = 0;
};

struct BoardCounts {
  std::int64_t commits = 0;
  std::int64_t snapshots = 0;
  std::int64_t snapshot = 0;  // the newest
  std::map<std::string, SourceCounts> sources;
};

class Board final {
 public:
  Board(Io& io, const Configuration& configuration);

  void set_standing(WriterStanding standing) { standing_.store(standing); }

  WriterStanding standing() const { return standing_.load(); }

  void put(std::shared_ptr<const Champion> champion);
  // nullptr: the model has no version yet, or there is no such model.
  std::shared_ptr<const Champion> champion(const std::string& model) const;
  // How long the oldest change waits that the champion has not seen; 0: it has seen all.
  double freshness_s(const std::string& model) const;

  void add(const CommitNews& news);
  BoardCounts counts() const;

  void put_sources(const Json& states);
  Json sources() const;
  bool is_paused(const std::string& source) const;

 private:
  struct Slot {  // of one model
    std::string dataset;
    std::atomic<std::shared_ptr<const Champion>> champion;
    std::atomic<std::int64_t> unseen_since_us = 0;  // 0: nothing
  };

  Io& io_;
  std::atomic<WriterStanding> standing_ = WriterStanding::kOpening;
  std::map<std::string, std::unique_ptr<Slot>> slots_;  // never changes
  mutable std::mutex mutex_;
  BoardCounts counts_;  // guarded by mutex_, as sources_
  Json sources_ = Json::array();
};

}  // namespace lockstep
