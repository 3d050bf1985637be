// Hubs on a simulated disk, and what becomes of them when an operation of the disk fails.
//
// A line adds an action to the failures:
//   fail_each_operation({"compaction", base, [](Hub& hub) { return hub.compact(); }});
// runs it on copies of `base` with each of its operations failed in turn, by an error and by a full
// disk, and checks after each: the error says something; the same hub takes no harm when it is used
// further; killed, or with the power lost, or closed and opened again, the hub is as it was before
// or as it is after the action, after it when the action said so; and it goes on committing. The
// simulated disk loses what a failed sync should have made durable (base/io.h), so whoever takes a
// second sync for an answer loses data here; and no file may be synced twice.
#pragma once

#include "base/simulated_io.h"
#include "hub/hub_image.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace lockstep {

inline HubPlace simulated_place() {
  return {"sqlite-on-io:/hub/catalog.sqlite", "/hub/data"};
}

// With an empty hub on it.
inline std::unique_ptr<SimulatedMachine> simulated_machine(std::uint64_t seed) {
  auto io = make_simulated_machine(seed);
  must(Hub::create(*io, simulated_place(), "configuration: here"));
  return io;
}

inline Result<std::unique_ptr<Hub>> open_on(SimulatedMachine& io, const HubOptions& options = {}) {
  return open_hub(io, simulated_place(), HubMode::kWrite, options);
}

enum class Fault { kError, kDiskFull };

// While it lives: the operation of number `at`, counted from 1, fails; or the disk is full from
// then on. Operations may come from any thread.
class FaultAt final {
 public:
  FaultAt(SimulatedMachine& io, Fault fault, int at) : io_(io), fault_(fault), at_(at) {
    io_.observe([this](IoOperation operation, std::string_view path) {
      return before(operation, std::string(path));
    });
  }

  ~FaultAt() {
    io_.observe({});
    io_.set_free_bytes(std::uint64_t{1} << 40U);
  }

  FaultAt(const FaultAt&) = delete;
  FaultAt& operator=(const FaultAt&) = delete;

  bool happened() const { return count_ >= at_; }

  // A full disk shows only where bytes are written.
  bool was_a_write() const { return operation_ == IoOperation::kWrite; }

  std::string text() const {
    return fmt::format("operation {}: {} {}", at_, io_operation_name(operation_), path_);
  }

  // A file was synced again after its sync had failed, without being opened anew.
  bool retried() const { return retried_; }

 private:
  Result<void> before(IoOperation operation, const std::string& path) {
    const int count = ++count_;
    if (count > at_) watch(operation, path);
    if (count != at_) return {};
    operation_ = operation;
    path_ = path;
    if (fault_ == Fault::kDiskFull) {
      io_.set_free_bytes(0);
      return {};
    }
    const auto info = io_.info(path);
    in_doubt_ = operation == IoOperation::kSync && info.ok() && !info.value().is_directory;
    return make_error(Code::kIo, "the test's disk failed");
  }

  void watch(IoOperation operation, const std::string& path) {
    if (!in_doubt_ || path != path_) return;
    if (operation == IoOperation::kSync) retried_ = true;
    if (operation == IoOperation::kOpen) in_doubt_ = false;
  }

  SimulatedMachine& io_;
  const Fault fault_;
  const int at_;
  std::atomic<int> count_ = 0;
  IoOperation operation_ = IoOperation::kOpen;
  std::string path_;
  std::atomic<bool> in_doubt_ = false;
  std::atomic<bool> retried_ = false;
};

struct FaultedAction {
  std::string name;
  const SimulatedMachine& base;  // a machine with a hub, which nobody has open
  std::function<Result<void>(Hub&)> run;
  HubOptions options{};
  // What a hub may hold after a failure besides all from before and all from after; an action that
  // is several commits names what lies between. Nobody: nothing.
  std::function<bool(const HubImage& image, const HubImage& before, const HubImage& after)>
      also_allowed{};
};

struct FaultCounts {
  int operations = 0;  // that failed, each once
  int told = 0;        // of which the action told an error
};

// Moves the probe's position.
inline Result<void> probe(Hub& hub, const std::string& position) {
  CommitRequest request;
  request.positions[kProbeSource] = {{"", position}};
  TRY(hub.commit(request));
  return {};
}

// What must hold, whatever failed.
class FaultVerdict final {
 public:
  explicit FaultVerdict(const FaultedAction& action) : action_(action) {
    const auto machine = action.base.copy(0);
    auto hub = must(open_on(*machine, action.options));
    before_ = must(image_of(*hub));
    must(action.run(*hub));
    after_ = must(image_of(*hub));
  }

  struct Outcome {
    bool done = false;                  // the action said so
    std::optional<std::string> probed;  // what was committed to the probe afterwards
  };

  void expect(SimulatedMachine& machine, const Outcome& outcome) const {
    auto hub = open_on(machine, action_.options);
    ASSERT_TRUE(hub.ok()) << hub.error().message;
    const auto image = image_of(*hub.value());
    ASSERT_TRUE(image.ok()) << image.error().message;
    if (outcome.done) {
      EXPECT_EQ(image_difference(image.value(), after_), "") << "the action said that it was done";
    } else {
      EXPECT_TRUE(allowed(image.value()))
          << "against before: " << image_difference(image.value(), before_)
          << "against after: " << image_difference(image.value(), after_);
    }
    if (outcome.probed) {
      EXPECT_EQ(must(hub.value()->positions())[kProbeSource][""], *outcome.probed);
    }
    const auto went_on = probe(*hub.value(), "reopened");
    EXPECT_TRUE(went_on.ok()) << went_on.error().message;
  }

 private:
  bool allowed(const HubImage& image) const {
    if (image == before_ || image == after_) return true;
    return action_.also_allowed && action_.also_allowed(image, before_, after_);
  }

  const FaultedAction& action_;
  HubImage before_;
  HubImage after_;
};

// One operation. false: the action has no operation of this number.
inline bool fail_one_operation(const FaultVerdict& verdict,
                               const FaultedAction& action,
                               Fault fault,
                               int at,
                               FaultCounts& counts) {
  const auto machine = action.base.copy(static_cast<std::uint64_t>(at));
  auto hub = must(open_on(*machine, action.options));
  FaultVerdict::Outcome outcome;
  std::string text;
  {
    const FaultAt armed(*machine, fault, at);
    const Result<void> done = action.run(*hub);
    if (!armed.happened()) return false;
    if (fault == Fault::kDiskFull && !armed.was_a_write()) return true;
    text = fmt::format(
        "{}, {}, {}", action.name, fault == Fault::kDiskFull ? "disk full" : "error", armed.text());
    EXPECT_FALSE(armed.retried()) << text << ": a failed sync was tried again";
    outcome.done = done.ok();
    counts.operations += 1;
    counts.told += done.ok() ? 0 : 1;
    EXPECT_TRUE(done.ok() || !done.error().message.empty()) << text;
    if (fault == Fault::kDiskFull && !done.ok()) {
      EXPECT_FALSE(done.error().hint.empty()) << text << ": " << done.error().message;
    }
  }
  SCOPED_TRACE(text);
  if (probe(*hub, text).ok()) outcome.probed = text;
  const auto killed = machine->copy(1);
  const auto lost = machine->copy(static_cast<std::uint64_t>(at) * 2 + 1);
  lost->crash();
  verdict.expect(*killed, outcome);
  verdict.expect(*lost, outcome);
  hub.reset();
  verdict.expect(*machine, outcome);
  return true;
}

inline FaultCounts fail_each_operation(const FaultedAction& action) {
  FaultCounts counts;
  const FaultVerdict verdict(action);
  for (const Fault fault : {Fault::kError, Fault::kDiskFull}) {
    for (int at = 1; fail_one_operation(verdict, action, fault, at, counts); ++at) {
      if (testing::Test::HasFailure() || at > 20'000) {
        ADD_FAILURE() << action.name << " stopped at operation " << at;
        return counts;
      }
    }
  }
  return counts;
}

}  // namespace lockstep
