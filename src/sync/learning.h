// Models learn beside the hub: on a thread of its own the tracks take the rows of each commit of
// a group, in the order of the commits, while the hub writes rows.
#pragma once

#include "base/thread.h"
#include "hub/hub.h"
#include "sync/model_track.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

// The models of the dataset learn a change; what they make goes into the request. After a failure
// the tracks hold rows that will not be committed: they are worth nothing.
Result<void> learn_change(const std::vector<std::unique_ptr<ModelTrack>>& tracks,
                          const std::string& dataset,
                          const ModelChange& change,
                          CommitRequest& request);
// All of them hear what was committed.
Result<void> tell_committed(const std::vector<std::unique_ptr<ModelTrack>>& tracks,
                            const CommitRequest& request);

// Value. What the models made of one commit.
struct Learned {
  CommitRequest models;          // versions, definitions, aliases, states
  std::optional<Error> failure;  // the tracks are worth nothing then
};

// Resource. From start() until all that was started was taken the tracks belong to it: nobody else
// touches them. Never asks the hub.
class Learning final {
 public:
  // `tracks` outlives it.
  explicit Learning(const std::vector<std::unique_ptr<ModelTrack>>& tracks);
  ~Learning();
  Learning(const Learning&) = delete;
  Learning& operator=(const Learning&) = delete;

  // Whether rows can be learned here. false: nothing is to be under way when they are learned
  // elsewhere. Once all was taken the answer may be another.
  bool takes(const Batch& train);
  void start(const std::string& dataset, ModelChange change);

  bool is_idle() const { return under_way_ == 0; }

  // The oldest that was started and not taken yet; there is one. nullopt: it is not done.
  std::optional<Learned> take_done();
  Learned take();  // waits for it

 private:
  struct Task {
    std::string dataset;
    ModelChange change;
  };

  void run();
  Learned learn(const Task& task);
  std::optional<Learned> pop(std::unique_lock<std::mutex>& lock);

  const std::vector<std::unique_ptr<ModelTrack>>& tracks_;
  std::int64_t under_way_ = 0;  // started and not taken
  std::int64_t room_ = 0;       // rows that may be started before the tracks must be asked anew
  std::mutex mutex_;
  std::condition_variable is_started_;  // or to stop
  std::condition_variable is_done_;
  std::deque<Task> tasks_;          // guarded by mutex_
  std::deque<Learned> done_;        // guarded by mutex_
  bool stop_ = false;               // guarded by mutex_
  std::unique_ptr<Thread> thread_;  // from the first start() on
};

}  // namespace lockstep
