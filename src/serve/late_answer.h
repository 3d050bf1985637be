// A request that is answered later, by whoever comes first: what it waits for, or its time.
#pragma once

#include "serve/http_message.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace lockstep {

// Resource. Lets go of the request with the first answer.
class LateAnswer final {
 public:
  explicit LateAnswer(HttpRespond respond) : respond_(std::move(respond)) {}

  void give(HttpResponse response) {
    HttpRespond respond;
    {
      const std::scoped_lock lock(mutex_);
      std::swap(respond, respond_);
    }
    if (respond) respond(std::move(response));
  }

  bool is_given() const {
    const std::scoped_lock lock(mutex_);
    return !respond_;
  }

 private:
  mutable std::mutex mutex_;
  HttpRespond respond_;
};

// Resource; safe from many threads. Those of one time limit, in the order of their times.
class LateAnswers final {
 public:
  void add(std::shared_ptr<LateAnswer> answer, std::int64_t at_us) {
    const std::scoped_lock lock(mutex_);
    while (!waiting_.empty() && waiting_.front().second->is_given())
      waiting_.pop_front();
    waiting_.emplace_back(at_us, std::move(answer));
  }

  // Those whose time is over.
  std::vector<std::shared_ptr<LateAnswer>> take_over(std::int64_t now_us) {
    const std::scoped_lock lock(mutex_);
    std::vector<std::shared_ptr<LateAnswer>> out;
    while (!waiting_.empty() && waiting_.front().first <= now_us) {
      out.push_back(std::move(waiting_.front().second));
      waiting_.pop_front();
    }
    return out;
  }

 private:
  std::mutex mutex_;
  std::deque<std::pair<std::int64_t, std::shared_ptr<LateAnswer>>> waiting_;
};

}  // namespace lockstep
