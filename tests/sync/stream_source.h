// A source of transactions in memory: what a test or a benchmark puts there, in order, once.
#pragma once

#include "source/source.h"
#include "table/batch.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::test {

// Value but for its identity: outlives the engines that read it. Batches are numbered from 1; a
// position is the number of a transaction's last.
struct Stream {
  std::vector<SourceBatch> transactions;
  std::int64_t acknowledged = 0;
  // So many may be read and not acknowledged yet: clients that each wait for their answer.
  std::int64_t in_flight_max = INT64_MAX;
  std::int64_t reads_left = INT64_MAX;  // then reading fails, as a connection does
};

// Resource. Gives every transaction after the position that it was opened at.
class StreamSource final : public Source {
 public:
  explicit StreamSource(Stream& stream) : stream_(stream) {}

  Capabilities capabilities() const override {
    return {.replays = true, .old_rows = false, .deletes = true, .transactions = true};
  }

  Result<Schema> infer_schema(int) override {
    return make_error(Code::kNotFound, "a stream's columns are declared");
  }

  Result<Schema> infer_newest_schema(int) override { return infer_schema(0); }

  Result<void> open(const Position& position) override {
    next_ = number_of(position);
    // What is committed counts as heard, whether or not the answer was still given; what is not
    // comes again.
    stream_.acknowledged = next_;
    return {};
  }

  Result<std::optional<SourceBatch>> next(const SourceLimits&) override {
    const bool waits = next_ < static_cast<std::int64_t>(stream_.transactions.size()) &&
                       next_ - stream_.acknowledged < stream_.in_flight_max;
    if (!waits) return std::optional<SourceBatch>();
    if (stream_.reads_left-- <= 0) return make_error(Code::kIo, "the stream broke off");
    SourceBatch batch = stream_.transactions[static_cast<std::size_t>(next_)];
    ++next_;
    const bool goes_on = batch.whole && batch.has_more && !batch.resumes;
    if (!goes_on) batch.position_changes = {{"", std::to_string(next_)}};
    return std::optional<SourceBatch>(std::move(batch));
  }

  // Once a batch, in order (source-6).
  Result<void> committed(const Position& changes) override {
    ++stream_.acknowledged;
    LOCKSTEP_ASSERT(changes.empty() || number_of(changes) == stream_.acknowledged,
                    "source-6: acknowledged out of order");
    return {};
  }

  Result<bool> wait(std::int64_t) override {
    return next_ < static_cast<std::int64_t>(stream_.transactions.size());
  }

  std::string describe(const Position& position) const override {
    return "transaction " + std::to_string(number_of(position));
  }

  SourceLag lag() override { return {}; }

 private:
  static std::int64_t number_of(const Position& position) {
    const auto found = position.find("");
    std::int64_t number = 0;
    if (found == position.end()) return number;
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), number);
    return number;
  }

  Stream& stream_;
  std::int64_t next_ = 0;  // how many were given
};

}  // namespace lockstep::test
