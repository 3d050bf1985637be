// Each allocation of a commit fails once: of C++, of SQLite, and of Arrow's buffers. The process
// ends, or the commit tells an error; opened anew the hub has all of the commit or nothing of it,
// all when the commit said so. Every LOCKSTEP_ALLOCATION_STEP-th one fails. A test program of its
// own, since it replaces what all programs allocate with.
#include "base/out_of_memory.h"
#include "hub/hub_image.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace {

enum class Allocator { kCpp, kSqlite, kArrow };

// Which allocation fails, counted down once it is armed; -1: none.
struct AllocationFault {
  std::atomic<long> left{-1};
  std::atomic<bool> happened{false};
  Allocator allocator = Allocator::kCpp;

  bool strikes(Allocator asked) {
    if (left.load() < 0 || asked != allocator) return false;
    if (left.fetch_sub(1) != 0) return false;
    happened = true;
    return true;
  }

  void arm(Allocator which, long at) {
    allocator = which;
    happened = false;
    left = at;
  }
};

AllocationFault fault;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): operator new
                        // has no other way to it
sqlite3_mem_methods plain;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): SQLite's
                            // own methods are called from functions without an argument for them

void* allocate(std::size_t size) {
  void* const memory = fault.strikes(Allocator::kCpp) ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (memory != nullptr) return memory;
  if (const std::new_handler handler = std::get_new_handler(); handler != nullptr) handler();
  throw std::bad_alloc();
}

void* sqlite_allocate(int size) {
  return fault.strikes(Allocator::kSqlite) ? nullptr : plain.xMalloc(size);
}

void* sqlite_reallocate(void* memory, int size) {
  return fault.strikes(Allocator::kSqlite) ? nullptr : plain.xRealloc(memory, size);
}

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size);
}

void* operator new[](std::size_t size) {
  return allocate(size);
}

void operator delete(void* memory) noexcept {
  std::free(memory);
}

void operator delete[](void* memory) noexcept {
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

// Arrow's buffers, when its pool is the system's.
extern "C" int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
  *memory = fault.strikes(Allocator::kArrow)
                ? nullptr
                : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  return *memory == nullptr ? ENOMEM : 0;
}

namespace lockstep {
namespace {

constexpr HubOptions kSmallFiles{.inline_rows_max = 5, .log_bytes_max = 1 << 24};

// How the child that committed has ended.
enum Ending {
  kNotReached = 0,
  kOutOfMemory = 1,
  kTold = 3,
  kToldNothing = 4,
  kCommitted = 5,
  kSignal = 6
};

CommitRequest change_of(Batch rows) {
  CommitRequest request;
  request.changes.push_back({small_table().name, std::move(rows)});
  return request;
}

class AllocationFailures : public testing::Test {
 protected:
  // Before anything allocates through them.
  static void SetUpTestSuite() {
    setenv("ARROW_DEFAULT_MEMORY_POOL", "system", 1);
    ASSERT_EQ(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain), SQLITE_OK);
    sqlite3_mem_methods failing = plain;
    failing.xMalloc = sqlite_allocate;
    failing.xRealloc = sqlite_reallocate;
    ASSERT_EQ(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
  }

  void SetUp() override {
    auto hub = ground_.open(kSmallFiles);
    CommitRequest load = change_of(numbered_rows(0, 10));
    load.create.push_back(small_table());
    must(hub->commit(load));
    rows_ = 10;
  }

  // noexcept: the test's own end must not run in the child.
  Ending commit_and_fail(Allocator allocator, long at, const CommitRequest& request) noexcept {
    end_when_out_of_memory();
    if (freopen("/dev/null", "w", stderr) == nullptr) return kToldNothing;
    auto hub = ground_.open(kSmallFiles);
    must(hub->lookup(small_table().name, numbered_rows(0, 1)));  // the index is built
    fault.arm(allocator, at);
    const Result<Committed> done = hub->commit(request);
    fault.left = -1;
    // Nothing of the hub ends here but with the process.
    static_cast<void>(hub.release());
    if (!fault.happened) return kNotReached;
    if (done.ok()) return kCommitted;
    return done.error().message.empty() ? kToldNothing : kTold;
  }

  // In a process of its own: how it ended.
  int commit_in_child(Allocator allocator, long at, const CommitRequest& request) {
    const pid_t child = fork();
    if (child == 0) _exit(commit_and_fail(allocator, at, request));
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    // Arrow writes a dictionary without asking whether it got memory for it.
    EXPECT_EQ(allocator, Allocator::kArrow);
    EXPECT_EQ(WTERMSIG(status), SIGSEGV);
    return kSignal;
  }

  // Opens the hub anew: the commit of `count` rows is there whole, or not at all.
  void expect_whole(int ending, std::int64_t count, const std::string& position) {
    auto hub = ground_.open(kSmallFiles);
    const std::int64_t now =
        must(hub->read(small_table().name, hub->latest_snapshot())).row_count();
    const bool stored = now != rows_;
    EXPECT_EQ(now, stored ? rows_ + count : rows_);
    EXPECT_EQ(must(hub->positions())["source"][""] == position, stored);
    const bool told_done = ending == kCommitted || ending == kNotReached;
    EXPECT_TRUE(stored || !told_done);
    rows_ = now;
  }

  // The last one is past the end.
  void fail_each(Allocator allocator, std::int64_t row_count) {
    const long step = step_of_environment();
    int failed = 0;
    for (long at = 0;; at += step) {
      SCOPED_TRACE(fmt::format("allocation {}", at));
      CommitRequest request = change_of(numbered_rows(rows_, rows_ + row_count));
      const std::string position = std::to_string(at);
      request.positions["source"] = {{"", position}};
      const int ending = commit_in_child(allocator, at, request);
      EXPECT_NE(ending, kToldNothing);
      expect_whole(ending, row_count, position);
      ASSERT_FALSE(HasFailure());
      if (ending == kNotReached) break;
      failed += ending == kCommitted ? 0 : 1;
      ASSERT_LT(at, 100'000);
    }
    fmt::print("{} failed allocations ended the commit\n", failed);
    EXPECT_GT(failed, 0);
  }

  static long step_of_environment() {
    long step = 20;
    const auto text = make_system_io()->environment("LOCKSTEP_ALLOCATION_STEP");
    if (text) std::from_chars(text->data(), text->data() + text->size(), step);
    return step;
  }

  void TearDown() override { std::filesystem::remove_all(ground_.folder()); }

  // In memory, where the machine has it as a folder: thousands of commits cost no disk.
  static std::string new_folder() {
    const bool has_memory = std::filesystem::is_directory("/dev/shm");
    std::string name = (has_memory ? "/dev/shm" : std::filesystem::temp_directory_path().string()) +
                       "/lockstep-alloc-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    return name;
  }

  HubPlayground ground_{new_folder()};
  std::int64_t rows_ = 0;
};

TEST_F(AllocationFailures, OfCppInASmallCommitEndTheProcessAndLoseNothing) {
  fail_each(Allocator::kCpp, 2);
}

TEST_F(AllocationFailures, OfSqliteInASmallCommitAreToldAndLoseNothing) {
  fail_each(Allocator::kSqlite, 2);
}

TEST_F(AllocationFailures, OfCppInACommitToAFileEndTheProcessAndLoseNothing) {
  fail_each(Allocator::kCpp, 8);
}

TEST_F(AllocationFailures, OfArrowInACommitToAFileLoseNothing) {
  fail_each(Allocator::kArrow, 8);
}

}  // namespace
}  // namespace lockstep
