// The disk fails once, at every place where it can: opened again, the hub has all of a commit or
// nothing of it, and the same bits come out in the end.
#include "sync/small_model.h"
#include "sync/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lockstep::test {
namespace {

std::string rows(int first_id, int count) {
  std::string text = "id,x,y\n";
  for (int id = first_id; id < first_id + count; ++id) {
    text += fmt::format("{},{},{}\n", id, id % 13, 2 * (id % 13) + id % 3);
  }
  return text;
}

void begin(World& world) {
  world.configure(kSmallModel);
  world.put("in/1.csv", rows(0, 40));
  world.open();
  ASSERT_TRUE(world.is_open());
  world.sync();
  world.put("in/2.csv", rows(30, 30));
}

// The n-th operation from now on fails; true: there was one.
class OneFailure final {
 public:
  // Of the operations on paths that hold `part`.
  OneFailure(World& world, int n, const std::string& part = "") : world_(world) {
    world.io().observe(
        [this, n, part](IoOperation operation, std::string_view path) -> Result<void> {
          if (path.find(part) == std::string_view::npos || count_++ != n) return {};
          happened_ = true;
          return make_error(Code::kIo,
                            fmt::format("{} of {} fails", io_operation_name(operation), path));
        });
  }

  ~OneFailure() { world_.io().observe({}); }

  bool happened() const { return happened_; }

 private:
  World& world_;
  int count_ = 0;
  bool happened_ = false;
};

void expect_whole(World& world) {
  world.open();
  ASSERT_TRUE(world.is_open());
  world.sync();
  EXPECT_EQ(world.lines(Layer::kRaw, "d").size(), 60U);
  const std::vector<ModelVersionRecord> versions = world.versions("m");
  // A file that could not be opened is told in rejected, in a snapshot of its own, until it can be.
  ASSERT_GE(versions.size(), 2U);
  EXPECT_EQ(world.lines(Layer::kRejected, "d"), std::vector<std::string>());
  static const std::string bits = versions.back().weights_sha256;  // those of the first run
  EXPECT_EQ(versions.back().weights_sha256, bits);
  world.expect_exact();
}

TEST(Failures, OfTheDiskInACommitLoseAndDoubleNothing) {
  int failed = 0;
  for (int operation = 0; operation < 2'000; ++operation) {
    SCOPED_TRACE(fmt::format("operation {}", operation));
    World world;
    begin(world);
    {
      const OneFailure failure(world, operation);
      const Result<Json> report = world.engine().sync();
      if (!failure.happened()) break;
      failed += !report.ok() || !report.value()["errors"].empty() ? 1 : 0;
    }
    expect_whole(world);
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  EXPECT_GT(failed, 5);
}

TEST(Failures, OfTheDiskAtTheStartLoseAndDoubleNothing) {
  int failed = 0;
  for (int operation = 0; operation < 2'000; ++operation) {
    SCOPED_TRACE(fmt::format("operation {}", operation));
    World world;
    begin(world);
    world.close();
    {
      const OneFailure failure(world, operation);
      const Result<void> opened = world.try_open();
      if (!failure.happened()) break;
      failed += opened.ok() ? 0 : 1;
    }
    expect_whole(world);
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  EXPECT_GT(failed, 5);
}

TEST(Failures, OfACommitEndTheWorkOfThisEngine) {
  World world;
  begin(world);
  int operation = 0;
  for (;; ++operation) {
    const OneFailure failure(world, operation, "/hub/");
    if (!world.engine().sync().ok()) break;
    ASSERT_LT(operation, 2'000);
    if (!failure.happened()) GTEST_FAIL() << "no operation failed the commit";
  }
  const Result<Json> refused = world.try_run({{"command", "recalibrate"}, {"model", "m"}});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().message, "a commit failed; the hub must be opened again");
  expect_whole(world);
}

}  // namespace
}  // namespace lockstep::test
