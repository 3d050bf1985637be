#include "sync/learning.h"

#include "sync/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace lockstep {

Result<void> learn_change(const std::vector<std::unique_ptr<ModelTrack>>& tracks,
                          const std::string& dataset,
                          const ModelChange& change,
                          CommitRequest& request) {
  for (const std::unique_ptr<ModelTrack>& track : tracks) {
    if (track->model().dataset != dataset) continue;
    ModelCommit made =
        TRY_IN(track->advance(change), fmt::format("model '{}'", track->model().name));
    add_to(request, std::move(made));
  }
  return {};
}

Result<void> tell_committed(const std::vector<std::unique_ptr<ModelTrack>>& tracks,
                            const CommitRequest& request) {
  for (const std::unique_ptr<ModelTrack>& track : tracks)
    TRY_IN(track->committed(request), "after a commit");
  return {};
}

Learning::Learning(const std::vector<std::unique_ptr<ModelTrack>>& tracks) : tracks_(tracks) {
}

Learning::~Learning() {
  {
    const std::scoped_lock lock(mutex_);
    stop_ = true;
  }
  is_started_.notify_one();
}

bool Learning::takes(const Batch& train) {
  if (is_idle()) {
    room_ = std::numeric_limits<std::int64_t>::max();
    for (const std::unique_ptr<ModelTrack>& track : tracks_)
      room_ = std::min(room_, track->rows_alone());
  }
  return train.row_count() <= room_;
}

void Learning::start(const std::string& dataset, ModelChange change) {
  LOCKSTEP_ASSERT(change.train.row_count() <= room_, "sync: rows that need the hub to be learned");
  room_ -= change.train.row_count();
  ++under_way_;
  {
    const std::scoped_lock lock(mutex_);
    tasks_.push_back({dataset, std::move(change)});
  }
  if (thread_ == nullptr) thread_ = std::make_unique<Thread>([this] { run(); });
  is_started_.notify_one();
}

std::optional<Learned> Learning::take_done() {
  std::unique_lock lock(mutex_);
  return pop(lock);
}

Learned Learning::take() {
  LOCKSTEP_ASSERT(!is_idle(), "sync: nothing is being learned");
  std::unique_lock lock(mutex_);
  is_done_.wait(lock, [this] { return !done_.empty(); });
  return *pop(lock);
}

std::optional<Learned> Learning::pop(std::unique_lock<std::mutex>& lock) {
  LOCKSTEP_ASSERT(lock.owns_lock(), "sync: what was learned is taken without its lock");
  if (done_.empty()) return std::nullopt;
  std::optional<Learned> learned = std::move(done_.front());
  done_.pop_front();
  --under_way_;
  return learned;
}

void Learning::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    is_started_.wait(lock, [this] { return stop_ || !tasks_.empty(); });
    if (stop_) return;
    const Task task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    Learned learned = learn(task);
    lock.lock();
    done_.push_back(std::move(learned));
    is_done_.notify_one();
    // After a failure the tracks have folded rows that will not be committed.
    if (done_.back().failure) return;
  }
}

Learned Learning::learn(const Task& task) {
  Learned learned;
  Result<void> known = learn_change(tracks_, task.dataset, task.change, learned.models);
  if (known.ok()) known = tell_committed(tracks_, learned.models);
  if (!known.ok()) learned.failure = std::move(known).error();
  return learned;
}

}  // namespace lockstep
