#include "source/http/push_desk.h"

#include <algorithm>
#include <chrono>

namespace lockstep {
namespace {

constexpr std::size_t kAnswersRemembered = 10'000;

PushAnswer push_failed() {
  return {.kind = PushAnswer::Kind::kFailed,
          .json = {},
          .error = make_error(Code::kInterrupted,
                              "the source was closed before the push was committed",
                              "send it again; with its Idempotency-Key it is applied once")};
}

}  // namespace

PushDesk::Taken PushDesk::offer(Push push, Answered answered) {
  {
    const std::scoped_lock lock(mutex_);
    const auto queue = queues_.find(push.source);
    if (ended_ || queue == queues_.end()) return Taken::kClosed;
    if (!push.key.empty() && keys_.contains({push.source, push.key})) return Taken::kUnderWay;
    if (bytes_ + push.body.size() > bytes_max_) return Taken::kFull;
    bytes_ += push.body.size();
    UnderWay& one = under_way_[push.token];
    one = {.source = push.source,
           .key = push.key,
           .bytes = push.body.size(),
           .received_us = push.received_us,
           .is_kept = push.is_kept,
           .waiters = {}};
    if (answered) one.waiters.emplace_back(0, std::move(answered));
    if (!push.key.empty()) keys_[{push.source, push.key}] = push.token;
    queue->second.push_back(std::move(push));
  }
  came_.notify_all();
  return Taken::kYes;
}

bool PushDesk::is_open(const std::string& source) const {
  const std::scoped_lock lock(mutex_);
  return !ended_ && queues_.contains(source);
}

std::pair<PushDesk::Token, std::uint64_t> PushDesk::await(const std::string& token,
                                                          Answered answered) {
  PushAnswer known;
  {
    const std::scoped_lock lock(mutex_);
    const auto under_way = under_way_.find(token);
    if (under_way != under_way_.end()) {
      const std::uint64_t waiter = next_waiter_++;
      under_way->second.waiters.emplace_back(waiter, std::move(answered));
      return {Token::kWaiting, waiter};
    }
    const auto found = answered_.find(token);
    if (found == answered_.end()) return {Token::kUnknown, 0};
    known = found->second;
  }
  answered(known);
  return {Token::kAnswered, 0};
}

PushDesk::Token PushDesk::state_of(const std::string& token, PushAnswer* answer) const {
  const std::scoped_lock lock(mutex_);
  if (under_way_.contains(token)) return Token::kWaiting;
  const auto found = answered_.find(token);
  if (found == answered_.end()) return Token::kUnknown;
  if (answer != nullptr) *answer = found->second;
  return Token::kAnswered;
}

void PushDesk::forget(const std::string& token, std::uint64_t waiter) {
  const std::scoped_lock lock(mutex_);
  const auto under_way = under_way_.find(token);
  if (under_way == under_way_.end()) return;
  std::erase_if(under_way->second.waiters,
                [waiter](const auto& one) { return one.first == waiter; });
}

std::uint64_t PushDesk::bytes() const {
  const std::scoped_lock lock(mutex_);
  return bytes_;
}

std::int64_t PushDesk::waiting() const {
  const std::scoped_lock lock(mutex_);
  return static_cast<std::int64_t>(under_way_.size());
}

void PushDesk::end() {
  std::vector<std::string> left;
  {
    const std::scoped_lock lock(mutex_);
    ended_ = true;
    for (auto& [source, queue] : queues_) {
      for (const Push& push : queue)
        left.push_back(push.token);
      queue.clear();
    }
  }
  for (const std::string& token : left)
    answer(token, push_failed());
}

void PushDesk::open(const std::string& source) {
  const std::scoped_lock lock(mutex_);
  queues_.try_emplace(source);
}

std::vector<std::string> PushDesk::tokens_of(const std::string& source) const {
  std::vector<std::string> tokens;
  for (const auto& [token, one] : under_way_) {
    if (one.source == source) tokens.push_back(token);
  }
  return tokens;
}

void PushDesk::close(const std::string& source) {
  std::vector<std::string> left;
  {
    const std::scoped_lock lock(mutex_);
    queues_.erase(source);
    left = tokens_of(source);
  }
  for (const std::string& token : left)
    answer(token, push_failed());
}

std::optional<Push> PushDesk::take(const std::string& source) {
  const std::scoped_lock lock(mutex_);
  const auto queue = queues_.find(source);
  if (queue == queues_.end() || queue->second.empty()) return std::nullopt;
  std::optional<Push> push = std::move(queue->second.front());
  queue->second.pop_front();
  return push;
}

bool PushDesk::has(const std::string& source) const {
  const std::scoped_lock lock(mutex_);
  const auto queue = queues_.find(source);
  return queue != queues_.end() && !queue->second.empty();
}

bool PushDesk::wait(std::int64_t timeout_us) {
  std::unique_lock lock(mutex_);
  const auto has_any = [this] {
    return std::ranges::any_of(queues_, [](const auto& queue) { return !queue.second.empty(); });
  };
  return came_.wait_for(lock, std::chrono::microseconds(timeout_us), has_any);
}

void PushDesk::remember(const std::string& token, const PushAnswer& answer) {
  answered_[token] = answer;
  answered_order_.push_back(token);
  if (answered_order_.size() <= kAnswersRemembered) return;
  answered_.erase(answered_order_.front());
  answered_order_.pop_front();
}

void PushDesk::answer(const std::string& token, PushAnswer answer) {
  UnderWay one;
  {
    const std::scoped_lock lock(mutex_);
    const auto found = under_way_.find(token);
    if (found == under_way_.end()) return;  // it failed when its source was closed
    one = std::move(found->second);
    under_way_.erase(found);
    bytes_ -= one.bytes;
    if (!one.key.empty()) keys_.erase({one.source, one.key});
    if (one.is_kept) remember(token, answer);
  }
  for (const auto& [waiter, answered] : one.waiters)
    answered(answer);
}

SourceLag PushDesk::lag(const std::string& source, std::int64_t now_us) const {
  const std::scoped_lock lock(mutex_);
  SourceLag lag{.bytes = 0, .messages = 0, .us = {}};
  for (const auto& [token, one] : under_way_) {
    if (one.source != source) continue;
    *lag.bytes += one.bytes;
    *lag.messages += 1;
    lag.us = std::max(lag.us.value_or(0), now_us - one.received_us);
  }
  return lag;
}

}  // namespace lockstep
