#include "sync/learning.h"

#include "sync/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace lockstep {

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
  for (const std::unique_ptr<ModelTrack>& track : tracks_) {
    if (track->model().dataset != task.dataset) continue;
    Result<ModelCommit> made = track->advance(task.change);
    if (!made.ok()) {
      learned.failure =
          std::move(made).error().with_context(fmt::format("model '{}'", track->model().name));
      return learned;
    }
    add_to(learned.models, std::move(made).value());
  }
  for (const std::unique_ptr<ModelTrack>& track : tracks_) {
    if (Result<void> known = track->committed(learned.models); !known.ok()) {
      learned.failure = std::move(known).error().with_context("after a commit");
      return learned;
    }
  }
  return learned;
}

}  // namespace lockstep
