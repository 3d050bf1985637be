// Where changes are brought to sources by others: a server hands pushes in and hears what became of
// them, a source takes them in order.
//
// What it promises:
//   push-1  A push that was taken is answered exactly once: done after its commit, or failed.
//   push-2  Of one source and key at most one push is under way.
//   push-3  Bodies that are not answered yet have at most bytes_max bytes together.
//   push-4  Nobody is called back under the desk's lock.
#pragma once

#include "base/result.h"
#include "source/source.h"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

enum class PushFormat : std::uint8_t { kJson, kNdjson, kCsv, kArrow, kParquet };

struct Push {
  std::string source;
  std::string token;   // unique: who took it gives it
  std::string key;     // the sender's own name for it; empty: none
  std::string sha256;  // of all that is asked for
  PushFormat format = PushFormat::kJson;
  std::optional<Operation> operation;  // of all rows; none: as the source's settings say
  bool is_strict = false;              // one bad row refuses all
  bool is_kept = false;                // its answer is asked for by token
  std::int64_t received_us = 0;
  std::string body;
};

struct PushAnswer {
  enum class Kind : std::uint8_t {
    kDone,
    kRepeated,    // it was done before: the answer of then
    kUnreadable,  // the body as a whole
    kOtherBody,   // its key names a push of other content
    kBadRows,     // and it was strict
    kFailed,      // the source or the hub ended; with a key it may be repeated
  };
  Kind kind = Kind::kFailed;
  std::string json;  // of what was done
  Error error;       // of what was not
};

// Resource. Safe from many threads.
class PushDesk final {
 public:
  using Answered = std::function<void(const PushAnswer&)>;
  enum class Taken : std::uint8_t { kYes, kFull, kUnderWay, kClosed };
  enum class Token : std::uint8_t { kUnknown, kWaiting, kAnswered };

  explicit PushDesk(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // ---- for who brings pushes
  Taken offer(Push push, Answered answered);
  bool is_open(const std::string& source) const;
  // Calls back at once when it is answered, else later; the number is for forget(), and 0 when
  // nobody will be called.
  std::pair<Token, std::uint64_t> await(const std::string& token, Answered answered);
  Token state_of(const std::string& token, PushAnswer* answer = nullptr) const;
  void forget(const std::string& token, std::uint64_t waiter);
  std::uint64_t bytes() const;
  std::int64_t waiting() const;
  // No push is taken from now on, and what no source has taken fails.
  void end();

  // ---- for a source
  void open(const std::string& source);
  void close(const std::string& source);  // what it did not answer fails
  std::optional<Push> take(const std::string& source);
  bool has(const std::string& source) const;
  bool wait(std::int64_t timeout_us);  // for a push to any open source
  void answer(const std::string& token, PushAnswer answer);
  SourceLag lag(const std::string& source, std::int64_t now_us) const;

 private:
  struct UnderWay {
    std::string source;
    std::string key;
    std::size_t bytes = 0;
    std::int64_t received_us = 0;
    bool is_kept = false;
    std::vector<std::pair<std::uint64_t, Answered>> waiters;
  };

  std::vector<std::string> tokens_of(const std::string& source) const;
  void remember(const std::string& token, const PushAnswer& answer);

  const std::uint64_t bytes_max_;
  mutable std::mutex mutex_;
  std::condition_variable came_;
  std::map<std::string, std::deque<Push>> queues_;                   // of open sources
  std::map<std::string, UnderWay> under_way_;                        // by token
  std::map<std::pair<std::string, std::string>, std::string> keys_;  // source, key -> token
  std::map<std::string, PushAnswer> answered_;                       // the newest, by token
  std::deque<std::string> answered_order_;
  std::uint64_t bytes_ = 0;
  std::uint64_t next_waiter_ = 1;
  bool ended_ = false;
};

}  // namespace lockstep
