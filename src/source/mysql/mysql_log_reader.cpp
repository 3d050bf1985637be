#include "source/mysql/mysql_log_reader.h"

#include <chrono>
#include <cstring>
#include <utility>

namespace lockstep {
namespace {

// In front of each event that waits.
struct WaitingHead {
  std::uint32_t size = 0;
  bool is_unpacked = false;
};

}  // namespace

MysqlLogReader::MysqlLogReader(Fetch fetch, std::function<void()> cancel)
    : fetch_(std::move(fetch)), cancel_(std::move(cancel)) {
  thread_ = std::make_unique<Thread>([this] { run(); });
}

MysqlLogReader::~MysqlLogReader() {
  {
    const std::scoped_lock lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  cancel_();
  thread_.reset();
}

void MysqlLogReader::run() {
  for (;;) {
    const Result<SentEvent> event = fetch_();
    if (event.ok() && keep(event.value())) continue;
    const std::scoped_lock lock(mutex_);
    if (!event.ok()) error_ = event.error();
    changed_.notify_all();
    return;
  }
}

// false: nobody wants more.
bool MysqlLogReader::keep(const SentEvent& event) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ends_ || come_.size() < kWaitingMax; });
  if (ends_) return false;
  const bool was_empty = come_.empty();
  const WaitingHead head = {static_cast<std::uint32_t>(event.bytes.size()), event.is_unpacked};
  come_.append(reinterpret_cast<const char*>(&head), sizeof(head));
  come_ += event.bytes;
  lock.unlock();
  if (was_empty) changed_.notify_all();
  return true;
}

Result<std::optional<SentEvent>> MysqlLogReader::receive() {
  if (given_ == taken_.size()) {
    taken_.clear();
    given_ = 0;
    const std::scoped_lock lock(mutex_);
    std::swap(taken_, come_);
    if (taken_.empty() && error_) return *error_;
    if (taken_.size() >= kWaitingMax) changed_.notify_all();
  }
  if (taken_.empty()) return std::optional<SentEvent>();
  WaitingHead head;
  std::memcpy(&head, taken_.data() + given_, sizeof(head));
  const std::string_view bytes(taken_.data() + given_ + sizeof(head), head.size);
  given_ += sizeof(head) + head.size;
  return std::optional(SentEvent{bytes, head.is_unpacked});
}

bool MysqlLogReader::wait(std::int64_t timeout_us) {
  if (given_ < taken_.size()) return true;
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::microseconds(timeout_us), [&] {
    return !come_.empty() || error_.has_value();
  });
}

std::uint64_t MysqlLogReader::waiting_bytes() {
  const std::scoped_lock lock(mutex_);
  return come_.size() + (taken_.size() - given_);
}

}  // namespace lockstep
