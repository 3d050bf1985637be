// The daemon on a thread: what is dropped is committed, and commands come over its socket.
#include "base/thread.h"
#include "sync/world.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>

namespace lockstep::test {
namespace {

const char* const kYaml =
    "sources:\n  a: {type: files, path: \"in/*.csv\", mode: upsert}\n"
    "datasets:\n  d: {from: [a], key: [id], columns: {id: int, x: float}}\n";

// Resource. The destructor stops the daemon and waits for it.
class Daemon final {
 public:
  Daemon(World& world, const Configuration& configuration)
      : thread_([this, &world, &configuration] {
          DaemonOptions options;
          options.engine.stop = [this] { return stop_.load(); };
          const std::unique_ptr<Io> io = make_system_io();
          result_ = run_daemon(*io, world.log(), configuration, options);
        }) {}

  ~Daemon() { stop_ = true; }

  Result<void>& result() { return result_; }

  void stop() { stop_ = true; }

 private:
  std::atomic<bool> stop_ = false;
  Result<void> result_;
  Thread thread_;  // last: it ends before what it writes to
};

// Asks until it holds, at most half a minute.
bool eventually(Io& io, const std::function<bool()>& holds) {
  for (int attempt = 0; attempt < 1'500; ++attempt) {
    if (holds()) return true;
    io.sleep_us(20'000);
  }
  return false;
}

class Daemons : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.configure(kYaml);
    Result<Configuration> configuration = world_.configuration();
    ASSERT_TRUE(configuration.ok()) << configuration.error().message;
    configuration_ = configuration.value();
    std::filesystem::create_directories(world_.path("in"));
  }

  std::int64_t rows_in_hub() {
    const HubPlace place{configuration_.hub.catalog, configuration_.hub.data};
    Result<std::unique_ptr<Hub>> hub = Hub::open(world_.io(), place, HubMode::kRead);
    if (!hub.ok()) return -1;
    const Result<std::int64_t> count =
        hub.value()->row_count({Layer::kRaw, "d"}, hub.value()->latest_snapshot());
    return count.ok() ? count.value() : -1;
  }

  Result<std::optional<Json>> ask(const Json& command) {
    return ask_daemon(world_.io(), configuration_, command);
  }

  bool answers() {
    const Result<std::optional<Json>> answer = ask({{"command", "sync"}});
    return answer.ok() && answer.value().has_value();
  }

  World world_;
  Configuration configuration_;
};

TEST_F(Daemons, NobodyAnswersWhereNoneRuns) {
  const Result<std::optional<Json>> answer = ask({{"command", "sync"}});
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_FALSE(answer.value().has_value());
}

TEST_F(Daemons, CommitAFileThatIsDroppedWhileTheyRun) {
  world_.put("in/1.csv", "id,x\n1,10\n2,20\n");
  const Daemon daemon(world_, configuration_);
  EXPECT_TRUE(eventually(world_.io(), [this] { return rows_in_hub() == 2; }));
  world_.put("in/2.csv", "id,x\n3,30\n");
  EXPECT_TRUE(eventually(world_.io(), [this] { return rows_in_hub() == 3; }));
}

TEST_F(Daemons, RunACommandAndTellItsRefusals) {
  world_.put("in/1.csv", "id,x\n1,10\n2,20\n");
  const Daemon daemon(world_, configuration_);
  ASSERT_TRUE(eventually(world_.io(), [this] { return rows_in_hub() == 2; }));
  ASSERT_TRUE(eventually(world_.io(), [this] { return answers(); }));
  const Result<std::optional<Json>> reverted = ask({{"command", "revert"}, {"snapshot", "latest"}});
  ASSERT_TRUE(reverted.ok()) << reverted.error().message;
  ASSERT_TRUE(reverted.value().has_value());
  EXPECT_EQ((*reverted.value())["changes"]["deleted"], 2);
  EXPECT_EQ(rows_in_hub(), 0);
  const Result<std::optional<Json>> refused = ask({{"command", "accept"}, {"model", "none"}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kNotFound);
  EXPECT_EQ(refused.error().message, "there is no model 'none' in this hub");
  const Result<std::optional<Json>> unknown = ask({{"command", "dance"}});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code, Code::kUsage);
}

TEST_F(Daemons, KeepASecondWriterOut) {
  world_.put("in/1.csv", "id,x\n1,10\n");
  {
    const Daemon daemon(world_, configuration_);
    ASSERT_TRUE(eventually(world_.io(), [this] { return answers(); }));
    const Result<void> second = world_.try_open();
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().code, Code::kLocked) << second.error().message;
  }
  const Result<void> after = world_.try_open();
  EXPECT_TRUE(after.ok()) << after.error().message;
}

TEST_F(Daemons, StandByWhileAnotherWritesAndTakeOverAfterIt) {
  world_.put("in/1.csv", "id,x\n1,10\n");
  world_.open();
  world_.sync();
  {
    const Daemon daemon(world_, configuration_);
    world_.put("in/2.csv", "id,x\n2,20\n");
    world_.io().sleep_us(500'000);
    EXPECT_EQ(rows_in_hub(), 1);
    EXPECT_FALSE(answers());
    world_.close();
    EXPECT_TRUE(eventually(world_.io(), [this] { return rows_in_hub() == 2; }));
    EXPECT_TRUE(eventually(world_.io(), [this] { return answers(); }));
  }
  EXPECT_TRUE(world_.try_open().ok());
}

TEST_F(Daemons, StopWhileTheyStandBy) {
  world_.open();
  Daemon daemon(world_, configuration_);
  world_.io().sleep_us(300'000);
  daemon.stop();
  EXPECT_TRUE(world_.is_open());
}

TEST_F(Daemons, StopWhenTheyAreToldTo) {
  Daemon daemon(world_, configuration_);
  ASSERT_TRUE(eventually(world_.io(), [this] { return answers(); }));
  daemon.stop();
  EXPECT_TRUE(eventually(world_.io(), [this] { return world_.try_open().ok(); }));
}

}  // namespace
}  // namespace lockstep::test
