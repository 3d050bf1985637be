// What a crash of the simulated machine may leave, and what it may not.
#include "base/simulated_io.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace lockstep {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string get(Io& io, const std::string& path) {
  const Result<std::string> text = read_file(io, path, 1 << 20);
  return text.ok() ? text.value() : "missing";
}

// base-3
TEST(SimulatedIo, KeepsWhatWasSynced) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::unique_ptr<SimulatedIo> io = make_simulated_io(seed);
    ASSERT_TRUE(io->make_directories("/hub/data").ok());
    ASSERT_TRUE(write_file_atomically(*io, "/hub/data/a", "first").ok());
    ASSERT_TRUE(write_file_atomically(*io, "/hub/data/a", "second").ok());
    io->crash();
    EXPECT_EQ(get(*io, "/hub/data/a"), "second") << seed;
    EXPECT_EQ(io->list("/hub/data").value().size(), 1u) << seed;
  }
}

TEST(SimulatedIo, MayLoseNamesThatWereNotSynced) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::unique_ptr<SimulatedIo> io = make_simulated_io(seed);
    ASSERT_TRUE(write_file_atomically(*io, "/old", "y").ok());
    const std::unique_ptr<File> file = io->open("/new", OpenMode::kCreateNew).value();
    ASSERT_TRUE(file->write_at(0, bytes_of("x")).ok());
    ASSERT_TRUE(file->sync().ok());
    ASSERT_TRUE(io->remove("/old").ok());
    io->crash();
    seen.insert(get(*io, "/new") + " " + get(*io, "/old"));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"x y", "x missing", "missing y", "missing missing"}));
}

TEST(SimulatedIo, KeepsDropsOrTearsUnsyncedWritesBySector) {
  int kept = 0;
  int dropped = 0;
  int torn = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const std::unique_ptr<SimulatedIo> io = make_simulated_io(seed);
    ASSERT_TRUE(write_file_atomically(*io, "/a", std::string(2048, 'o')).ok());
    const std::unique_ptr<File> file = io->open("/a", OpenMode::kReadWrite).value();
    ASSERT_TRUE(file->write_at(100, bytes_of(std::string(1800, 'n'))).ok());
    EXPECT_EQ(get(*io, "/a"),
              std::string(100, 'o') + std::string(1800, 'n') + std::string(148, 'o'));
    io->crash();
    const std::string after = get(*io, "/a");
    ASSERT_EQ(after.size(), 2048u);
    const auto count = std::count(after.begin(), after.end(), 'n');
    // Within a sector the write is whole or not there at all.
    for (std::size_t offset = 101; offset < 1900; ++offset) {
      const bool same = after[offset] == after[offset - 1];
      ASSERT_TRUE(same || offset % 512 == 0) << seed << " " << offset;
    }
    kept += count == 1800;
    dropped += count == 0;
    torn += count != 0 && count != 1800;
  }
  EXPECT_GT(kept, 10);
  EXPECT_GT(dropped, 10);
  EXPECT_GT(torn, 10);
}

// base-10
TEST(SimulatedIo, RepeatsItselfBySeed) {
  const auto run = [](std::uint64_t seed) {
    const std::unique_ptr<SimulatedIo> io = make_simulated_io(seed);
    std::string story = random_uuid(*io);
    for (int round = 0; round < 20; ++round) {
      const std::string path = "/" + std::to_string(round % 3);
      const std::unique_ptr<File> file = io->open(path, OpenMode::kReadWrite).value();
      EXPECT_TRUE(
          file->write_at(static_cast<std::uint64_t>(round * 100), bytes_of(std::string(900, 'x')))
              .ok());
      if (round % 5 == 4) io->crash();
      for (const FileInfo& info : io->list("/").value()) {
        story += info.path + ":" + get(*io, info.path) + ":" + std::to_string(info.modified_us);
      }
    }
    return story;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(SimulatedIo, ACrashInvalidatesFilesAndFreesLocks) {
  const std::unique_ptr<SimulatedIo> io = make_simulated_io(1);
  const std::unique_ptr<File> file = io->open("/a", OpenMode::kReadWrite).value();
  std::unique_ptr<FileLock> old_lock = io->lock("/lock").value();
  io->crash();
  EXPECT_EQ(file->write_at(0, bytes_of("x")).error().message,
            "/a was open when the machine crashed");
  EXPECT_EQ(file->sync().error().code, Code::kIo);
  EXPECT_FALSE(file->size_bytes().ok());
  const Result<std::unique_ptr<FileLock>> lock = io->lock("/lock");
  ASSERT_TRUE(lock.ok());
  old_lock.reset();
  EXPECT_EQ(io->lock("/lock").error().code, Code::kLocked);
}

TEST(SimulatedIo, RunsOutOfSpace) {
  const std::unique_ptr<SimulatedIo> io = make_simulated_io(1);
  io->set_free_bytes(1000);
  const std::unique_ptr<File> file = io->open("/a", OpenMode::kReadWrite).value();
  ASSERT_TRUE(file->write_at(0, bytes_of(std::string(600, 'x'))).ok());
  const Result<void> full = file->write_at(600, bytes_of(std::string(500, 'x')));
  EXPECT_EQ(full.error().code, Code::kIo);
  EXPECT_EQ(full.error().hint, "the disk is full; free some space and start again");
  EXPECT_EQ(get(*io, "/a").size(), 1000u) << "what does not fit is cut off";
  EXPECT_EQ(io->free_bytes("/").value(), 0u);
  ASSERT_TRUE(file->write_at(0, bytes_of(std::string(600, 'y'))).ok());
  ASSERT_TRUE(io->remove("/a").ok());
  EXPECT_EQ(io->free_bytes("/").value(), 1000u);
}

// As kernels do: the pages count as clean after the failure, whatever became of them.
TEST(SimulatedIo, AFailedSyncLosesWhatTheNextOneDoesNotBringBack) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::unique_ptr<SimulatedMachine> io = make_simulated_machine(seed);
    ASSERT_TRUE(write_file_atomically(*io, "/a", "old").ok());
    const std::unique_ptr<File> file = io->open("/a", OpenMode::kReadWrite).value();
    ASSERT_TRUE(file->write_at(0, bytes_of("new")).ok());
    io->observe([](IoOperation operation, std::string_view) -> Result<void> {
      if (operation != IoOperation::kSync) return {};
      return make_error(Code::kIo, "the test's disk failed");
    });
    EXPECT_FALSE(file->sync().ok());
    EXPECT_FALSE(io->rename("/a", "/b").ok());
    io->observe({});
    EXPECT_EQ(get(*io, "/b"), "new");
    ASSERT_TRUE(file->sync().ok());
    ASSERT_TRUE(io->sync_directory("/").ok());
    io->crash();
    seen.insert(get(*io, "/a") + " " + get(*io, "/b"));
  }
  EXPECT_EQ(seen,
            (std::set<std::string>{"old missing", "new missing", "missing old", "missing new"}));
}

TEST(SimulatedIo, AFolderWhoseNameWasNotMadeDurableIsMadeAnew) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::unique_ptr<SimulatedIo> io = make_simulated_io(seed);
    int syncs = 0;
    io->observe([&](IoOperation operation, std::string_view) -> Result<void> {
      if (operation != IoOperation::kSync || ++syncs != 3) return {};
      return make_error(Code::kIo, "the test's disk failed");
    });
    EXPECT_FALSE(io->make_directories("/a/b/c").ok());
    ASSERT_TRUE(io->make_directories("/a/b/c").ok());
    io->crash();
    EXPECT_TRUE(io->info("/a/b/c").ok()) << seed;
  }
}

// Like a process that died between the two.
TEST(SimulatedIo, AFolderThatIsThereIsMadeDurable) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const std::unique_ptr<SimulatedMachine> io = make_simulated_machine(seed);
    ASSERT_TRUE(write_file_atomically(*io, "/x", "").ok());
    std::unique_ptr<SimulatedMachine> after_death;
    io->observe([&](IoOperation operation, std::string_view) -> Result<void> {
      if (operation == IoOperation::kSync) after_death = io->copy(seed);
      return {};
    });
    ASSERT_TRUE(io->make_directories("/a").ok());
    ASSERT_TRUE(after_death->info("/a").ok());
    ASSERT_TRUE(after_death->make_directories("/a").ok());
    after_death->crash();
    EXPECT_TRUE(after_death->info("/a").ok()) << seed;
  }
}

TEST(SimulatedIo, ACopyIsADiskOfItsOwn) {
  const std::unique_ptr<SimulatedMachine> io = make_simulated_machine(1);
  const std::string old(20'000, 'o');
  ASSERT_TRUE(write_file_atomically(*io, "/a", old).ok());
  const std::unique_ptr<File> file = io->open("/a", OpenMode::kReadWrite).value();
  const std::unique_ptr<FileLock> lock = io->lock("/lock").value();
  ASSERT_TRUE(file->write_at(9'000, bytes_of("new")).ok());
  const std::unique_ptr<SimulatedMachine> copy = io->copy(2);
  EXPECT_EQ(copy->content_hash(), io->content_hash());
  EXPECT_TRUE(copy->lock("/lock").ok()) << "no process runs there";
  ASSERT_TRUE(file->write_at(100, bytes_of("here")).ok());
  EXPECT_EQ(get(*copy, "/a").substr(100, 4), "oooo");
  EXPECT_EQ(get(*copy, "/a").substr(9'000, 4), "newo");
  EXPECT_NE(copy->content_hash(), io->content_hash());
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const std::unique_ptr<SimulatedMachine> crashed = copy->copy(seed);
    crashed->crash();
    seen.insert(get(*crashed, "/a").substr(9'000, 4));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"oooo", "newo"})) << "unsynced writes are copied as such";
  EXPECT_EQ(get(*io, "/a").substr(100, 4), "here");
}

TEST(SimulatedIo, HoldsWhatAStringWouldHold) {
  std::mt19937_64 random(7);
  const std::unique_ptr<SimulatedMachine> io = make_simulated_machine(1);
  const std::unique_ptr<File> file = io->open("/a", OpenMode::kReadWrite).value();
  std::string model;
  std::vector<std::pair<std::unique_ptr<SimulatedMachine>, std::string>> copies;
  for (int step = 0; step < 500; ++step) {
    const std::size_t offset = random() % 30'000;
    if (random() % 5 == 0) {
      ASSERT_TRUE(file->truncate(offset).ok());
      model.resize(offset);
    } else {
      const std::string text(1 + random() % 9'000, static_cast<char>('a' + random() % 26));
      ASSERT_TRUE(file->write_at(offset, bytes_of(text)).ok());
      model.resize(std::max(model.size(), offset + text.size()));
      model.replace(offset, text.size(), text);
    }
    if (random() % 4 == 0) {
      ASSERT_TRUE(file->sync().ok());
    }
    if (random() % 20 == 0) copies.emplace_back(io->copy(1), model);
    ASSERT_EQ(get(*io, "/a"), model) << step;
  }
  for (const auto& [copy, text] : copies)
    EXPECT_EQ(get(*copy, "/a"), text);
}

TEST(SimulatedIo, DelaysMoveItsClock) {
  const std::unique_ptr<SimulatedMachine> io = make_simulated_machine(1);
  const std::int64_t before = io->now_us();
  io->set_delay_us(1'000'000);
  for (int round = 0; round < 20; ++round)
    ASSERT_TRUE(io->sync_directory("/").ok());
  EXPECT_GT(io->now_us() - before, 2'000'000);
  EXPECT_LT(io->now_us() - before, 20'000'100);
}

TEST(SimulatedIo, SleepingMovesItsClock) {
  const std::unique_ptr<SimulatedIo> io = make_simulated_io(1);
  const std::int64_t before = io->now_us();
  io->sleep_us(86'400'000'000);
  EXPECT_GE(io->now_us() - before, 86'400'000'000);
  EXPECT_LT(io->now_us() - before, 86'400'000'100);
}

}  // namespace
}  // namespace lockstep
