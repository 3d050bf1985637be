#include "base/base.h"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <set>

namespace lockstep {
namespace {

// The example in base.h.
Result<std::int64_t> rows_of(Io& io, const std::string& path) {
  const std::string text = TRY_IN(read_file(io, path, 1 << 20), "reading the configuration");
  const Node node = TRY(parse_yaml(text, path));
  const Node* rows = node.find("rows");
  if (rows == nullptr) return invalid_at(node.mark, "'rows' is missing", "add 'rows: 1000'");
  return rows->integer("'rows'");
}

TEST(Base, ItsExampleWorks) {
  const std::unique_ptr<SimulatedIo> io = make_simulated_io(1);
  EXPECT_EQ(rows_of(*io, "/f").error().message,
            "reading the configuration: cannot open /f: No such file or directory");
  ASSERT_TRUE(write_file_atomically(*io, "/f", "rows: 12").ok());
  EXPECT_EQ(rows_of(*io, "/f").value(), 12);
  ASSERT_TRUE(write_file_atomically(*io, "/f", "rows: x").ok());
  EXPECT_EQ(rows_of(*io, "/f").error().message, "/f:1:7: 'rows' is 'x', not a whole number");
  ASSERT_TRUE(write_file_atomically(*io, "/f", "row: 1").ok());
  EXPECT_EQ(rows_of(*io, "/f").error().hint, "add 'rows: 1000'");
}

TEST(Result, EachCodeHasARowOfItsOwn) {
  std::set<std::string> names;
  for (int number = 0; number <= static_cast<int>(Code::kInterrupted); ++number) {
    const CodeInfo& info = code_info(static_cast<Code>(number));
    EXPECT_EQ(static_cast<int>(info.code), number);
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_GT(info.exit_code, 0);
    EXPECT_GE(info.http_status, 400);
  }
}

// base-1
TEST(Result, CarriesContextUp) {
  const auto inner = []() -> Result<int> { return invalid("bad byte", "save as UTF-8"); };
  const auto middle = [&]() -> Result<std::string> {
    return std::to_string(TRY_IN(inner(), "row 3"));
  };
  const auto outer = [&]() -> Result<void> {
    TRY_IN(middle(), "reading a.csv");
    return {};
  };
  EXPECT_EQ(outer().error(),
            (Error{Code::kInvalid, "reading a.csv: row 3: bad byte", "save as UTF-8"}));
  EXPECT_EQ(Result<int>(3).with_context("x").value(), 3);
  EXPECT_EQ(inner().with_context("x").error().message, "x: bad byte");
}

TEST(ResultDeathTest, IsNotReadAsWhatItIsNot) {
  const Result<int> value = 3;
  const Result<int> error = invalid("no");
  EXPECT_DEATH(static_cast<void>(error.value()), "value\\(\\) of an error");
  EXPECT_DEATH(static_cast<void>(value.error()), "error\\(\\) of a value");
}

TEST(Log, WritesALineWithoutColourIntoAPipe) {
  testing::internal::CaptureStderr();
  {
    const std::unique_ptr<Log> log = make_stderr_log(LogLevel::kInfo);
    log->debug("not shown");
    log->info("12 {} rows");
    log->error("two\nlines \x1b[31m");
    make_silent_log()->error("nowhere");
  }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find("not shown"), std::string::npos);
  EXPECT_EQ(text.find("nowhere"), std::string::npos);
  ASSERT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_EQ(text[10], 'T');
  EXPECT_EQ(text.substr(23, 18), "Z info 12 {} rows\n");
  EXPECT_NE(text.find("Z error two lines  [31m\n"), std::string::npos);
}

TEST(Thread, HasRunWhenItIsGone) {
  std::atomic<int> count = 0;
  {
    const Thread first([&] { ++count; });
    const Thread second([&] { ++count; });
  }
  EXPECT_EQ(count, 2);
  EXPECT_GE(hardware_threads(), 1U);
}

TEST(StopSignal, IsRequestedByTheFirstSignal) {
  for (const int number : {SIGINT, SIGTERM}) {
    const StopSignal stop;
    EXPECT_FALSE(stop.requested());
    std::raise(number);
    EXPECT_TRUE(stop.requested());
  }
}

TEST(StopSignalDeathTest, ASecondInterruptEndsTheProcess) {
  const auto interrupt_twice = [] {
    const StopSignal stop;
    std::raise(SIGINT);
    std::raise(SIGINT);
  };
  EXPECT_EXIT(interrupt_twice(), testing::ExitedWithCode(130), "");
}

TEST(StopSignal, PutsTheOldHandlersBack) {
  struct sigaction before = {};
  struct sigaction after = {};
  ASSERT_EQ(sigaction(SIGINT, nullptr, &before), 0);
  {
    const StopSignal stop;
  }
  ASSERT_EQ(sigaction(SIGINT, nullptr, &after), 0);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

}  // namespace
}  // namespace lockstep
