// One table of promises, kept by the machine's own Io and by the simulated one.
#include "base/io.h"

#include "base/thread.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <sys/stat.h>

namespace lockstep {
namespace {

class IoTest : public testing::TestWithParam<const char*> {
 protected:
  IoTest() {
    if (std::string(GetParam()) == "simulated") {
      io_ = make_simulated_io(7);
      folder_ = "/work";
      EXPECT_TRUE(io_->make_directories(folder_).ok());
      return;
    }
    std::string name = (std::filesystem::temp_directory_path() / "lockstep-io-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    io_ = make_system_io();
    folder_ = name;
  }

  ~IoTest() override {
    if (std::string(GetParam()) == "system") std::filesystem::remove_all(folder_);
  }

  std::string in(std::string_view name) const { return join_path(folder_, name); }

  void put(const std::string& path, std::string_view text) {
    const Result<void> written = write_file_atomically(*io_, path, text);
    ASSERT_TRUE(written.ok()) << written.error().message;
  }

  std::string get(const std::string& path) {
    const Result<std::string> text = read_file(*io_, path, 1 << 20);
    return text.ok() ? text.value() : "error: " + text.error().message;
  }

  std::unique_ptr<Io> io_;
  std::string folder_;
};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

template <typename T>
Code code_of(const Result<T>& result) {
  EXPECT_FALSE(result.ok());
  return result.ok() ? Code::kUsage : result.error().code;
}

INSTANTIATE_TEST_SUITE_P(Both,
                         IoTest,
                         testing::Values("system", "simulated"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(IoTest, ReadsWhatWasWritten) {
  const std::unique_ptr<File> file = io_->open(in("a"), OpenMode::kCreateNew).value();
  ASSERT_TRUE(file->write_at(0, bytes_of("hello")).ok());
  ASSERT_TRUE(file->write_at(8, bytes_of("there")).ok());
  EXPECT_EQ(file->size_bytes().value(), 13u);
  std::string text(20, '?');
  EXPECT_EQ(file->read_at(1, std::as_writable_bytes(std::span(text))).value(), 12u);
  EXPECT_EQ(text.substr(0, 12), std::string("ello\0\0\0there", 12));
  EXPECT_EQ(file->read_at(13, std::as_writable_bytes(std::span(text))).value(), 0u);
  ASSERT_TRUE(file->truncate(2).ok());
  ASSERT_TRUE(file->sync().ok());
  EXPECT_EQ(get(in("a")), "he");
  ASSERT_TRUE(file->truncate(4).ok());
  EXPECT_EQ(get(in("a")), std::string("he\0\0", 4));
}

TEST_P(IoTest, OpensByMode) {
  EXPECT_EQ(code_of(io_->open(in("a"), OpenMode::kRead)), Code::kNotFound);
  EXPECT_TRUE(io_->open(in("a"), OpenMode::kReadWrite).ok());
  EXPECT_TRUE(io_->open(in("a"), OpenMode::kReadWrite).ok());
  EXPECT_TRUE(io_->open(in("a"), OpenMode::kRead).ok());
  EXPECT_EQ(code_of(io_->open(in("a"), OpenMode::kCreateNew)), Code::kIo);
  EXPECT_EQ(code_of(io_->open(in("none/a"), OpenMode::kReadWrite)), Code::kNotFound);
  EXPECT_EQ(code_of(io_->open(folder_, OpenMode::kRead)), Code::kIo);
}

TEST_P(IoTest, NamesThePathAndTheNextStepInItsErrors) {
  const Result<std::unique_ptr<File>> missing = io_->open(in("none.csv"), OpenMode::kRead);
  EXPECT_EQ(missing.error().message,
            "cannot open " + in("none.csv") + ": No such file or directory");
  EXPECT_EQ(missing.error().hint, "check the path, and that it is on this machine");
}

TEST_P(IoTest, ListsByNameWithSizes) {
  put(in("b.csv"), "12345");
  put(in("a.csv"), "");
  ASSERT_TRUE(io_->make_directories(in("c/d")).ok());
  const std::vector<FileInfo> files = io_->list(folder_).value();
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[0].path, in("a.csv"));
  EXPECT_EQ(files[0].size_bytes, 0u);
  EXPECT_EQ(files[1].path, in("b.csv"));
  EXPECT_EQ(files[1].size_bytes, 5u);
  EXPECT_FALSE(files[1].is_directory);
  EXPECT_EQ(files[2].path, in("c"));
  EXPECT_TRUE(files[2].is_directory);
  EXPECT_EQ(code_of(io_->list(in("none"))), Code::kNotFound);
  EXPECT_FALSE(io_->list(in("a.csv")).ok());
}

TEST_P(IoTest, TellsAboutOneFile) {
  const std::int64_t before_us = io_->now_us() - 2'000'000;  // file times tick coarsely
  put(in("a"), "123");
  const FileInfo info = io_->info(in("a")).value();
  EXPECT_EQ(info.path, in("a"));
  EXPECT_EQ(info.size_bytes, 3u);
  EXPECT_GE(info.modified_us, before_us);
  EXPECT_LE(info.modified_us, io_->now_us() + 2'000'000);
  EXPECT_TRUE(io_->info(folder_).value().is_directory);
  EXPECT_EQ(code_of(io_->info(in("b"))), Code::kNotFound);
}

TEST_P(IoTest, RenameReplaces) {
  put(in("old"), "old");
  put(in("new"), "new");
  ASSERT_TRUE(io_->rename(in("new"), in("old")).ok());
  EXPECT_EQ(get(in("old")), "new");
  EXPECT_EQ(code_of(io_->info(in("new"))), Code::kNotFound);
  EXPECT_EQ(code_of(io_->rename(in("new"), in("old"))), Code::kNotFound);
  ASSERT_TRUE(io_->make_directories(in("folder")).ok());
  ASSERT_TRUE(io_->rename(in("old"), in("folder/moved")).ok());
  EXPECT_EQ(get(in("folder/moved")), "new");
  EXPECT_FALSE(io_->rename(in("folder/moved"), in("none/moved")).ok());
}

TEST_P(IoTest, RemovesFilesAndEmptyFolders) {
  ASSERT_TRUE(io_->make_directories(in("c")).ok());
  put(in("c/a"), "x");
  EXPECT_EQ(code_of(io_->remove(in("c"))), Code::kIo);
  EXPECT_TRUE(io_->remove(in("c/a")).ok());
  EXPECT_EQ(code_of(io_->remove(in("c/a"))), Code::kNotFound);
  EXPECT_TRUE(io_->remove(in("c")).ok());
}

TEST_P(IoTest, MakesFoldersAgainWithoutComplaint) {
  ASSERT_TRUE(io_->make_directories(in("a/b/c")).ok());
  ASSERT_TRUE(io_->make_directories(in("a/b/c")).ok());
  put(in("a/file"), "");
  EXPECT_FALSE(io_->make_directories(in("a/file/d")).ok());
  EXPECT_FALSE(io_->make_directories(in("a/file")).ok());
}

// base-5
TEST_P(IoTest, OneLockAtATime) {
  std::unique_ptr<FileLock> lock = io_->lock(in("lock")).value();
  const Result<std::unique_ptr<FileLock>> second = io_->lock(in("lock"));
  EXPECT_EQ(code_of(second), Code::kLocked);
  EXPECT_TRUE(io_->lock(in("other")).ok());
  lock.reset();
  EXPECT_TRUE(io_->lock(in("lock")).ok());
}

// base-4
TEST_P(IoTest, ReplacesAFileWholeOrNotAtAll) {
  put(in("a"), "first");
  put(in("a"), "second");
  EXPECT_EQ(get(in("a")), "second");
  // Whatever fails, the old bytes stay and nothing is left beside.
  for (const IoOperation failing :
       {IoOperation::kOpen, IoOperation::kWrite, IoOperation::kRename}) {
    io_->observe([&](IoOperation operation, std::string_view) -> Result<void> {
      if (operation == failing) return make_error(Code::kIo, "no");
      return {};
    });
    EXPECT_EQ(write_file_atomically(*io_, in("a"), "third").error().message, "no");
    io_->observe({});
    EXPECT_EQ(get(in("a")), "second");
    EXPECT_EQ(io_->list(folder_).value().size(), 1u) << io_operation_name(failing);
  }
}

TEST_P(IoTest, RefusesToReadAFileThatIsTooLarge) {
  put(in("a"), "12345");
  EXPECT_EQ(read_file(*io_, in("a"), 5).value(), "12345");
  EXPECT_EQ(code_of(read_file(*io_, in("a"), 4)), Code::kInvalid);
}

// base-2
TEST_P(IoTest, TellsItsObserverOfEachOperation) {
  std::string seen;
  io_->observe([&](IoOperation operation, std::string_view path) -> Result<void> {
    seen += std::string(io_operation_name(operation)) + " " + file_name(path) + "; ";
    return {};
  });
  ASSERT_TRUE(io_->make_directories(in("d")).ok());
  {
    const std::unique_ptr<File> file = io_->open(in("d/a"), OpenMode::kCreateNew).value();
    ASSERT_TRUE(file->write_at(0, bytes_of("x")).ok());
    ASSERT_TRUE(file->truncate(0).ok());
    ASSERT_TRUE(file->sync().ok());
    ASSERT_TRUE(file->read_at(0, {}).ok());
  }
  ASSERT_TRUE(io_->rename(in("d/a"), in("d/b")).ok());
  ASSERT_TRUE(io_->list(in("d")).ok());
  ASSERT_TRUE(io_->remove(in("d/b")).ok());
  ASSERT_TRUE(io_->lock(in("l")).ok());
  EXPECT_EQ(seen,
            "sync " + file_name(parent_path(folder_)) + "; make_directory d; sync " +
                file_name(folder_) +
                "; open a; write a; truncate a; sync a; read a; rename b; sync d; list d; "
                "remove b; lock l; ");
}

TEST_P(IoTest, FailsWithTheObserversError) {
  io_->observe([](IoOperation, std::string_view) -> Result<void> {
    return make_error(Code::kIo, "pulled the plug");
  });
  EXPECT_EQ(io_->open(in("a"), OpenMode::kReadWrite).error().message, "pulled the plug");
  EXPECT_EQ(io_->lock(in("a")).error().message, "pulled the plug");
  EXPECT_EQ(io_->sync_directory(folder_).error().message, "pulled the plug");
  EXPECT_EQ(io_->make_directories(in("x")).error().message, "pulled the plug");
  io_->observe({});
  EXPECT_TRUE(io_->list(folder_).value().empty());
}

TEST_P(IoTest, ClocksGoForward) {
  const std::int64_t wall = io_->now_us();
  const std::int64_t before = io_->monotonic_us();
  io_->sleep_us(2000);
  EXPECT_GE(io_->monotonic_us() - before, 2000);
  EXPECT_GE(io_->now_us() - wall, 1000);
  EXPECT_GT(wall, 1'700'000'000'000'000);
}

TEST_P(IoTest, GivesRandomUuidsOfVersionFour) {
  std::set<std::string> seen;
  for (int round = 0; round < 100; ++round) {
    const std::string uuid = random_uuid(*io_);
    ASSERT_EQ(uuid.size(), 36u);
    EXPECT_EQ(uuid[14], '4');
    EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
    EXPECT_EQ(uuid[8], '-');
    EXPECT_EQ(uuid[23], '-');
    seen.insert(uuid);
  }
  EXPECT_EQ(seen.size(), 100u);
}

TEST_P(IoTest, TalksOverALocalSocket) {
  const std::string path = in("socket");
  EXPECT_EQ(code_of(io_->connect_local(path)), Code::kNotFound);
  std::unique_ptr<Listener> listener = io_->listen_local(path).value();
  EXPECT_EQ(code_of(io_->listen_local(path)), Code::kLocked);
  while (listener->accept(1000).value() != nullptr)
    continue;  // the callers that looked for us
  std::string heard;
  {
    const Thread server([&] {
      const std::unique_ptr<Connection> caller = listener->accept(10'000'000).value();
      std::string buffer(100, '\0');
      while (heard.size() < 5) {
        const std::size_t count =
            caller->read(std::as_writable_bytes(std::span(buffer)), 10'000'000).value();
        heard += buffer.substr(0, count);
      }
      EXPECT_TRUE(caller->write(bytes_of("good day")).ok());
    });
    const std::unique_ptr<Connection> client = io_->connect_local(path).value();
    std::string buffer(100, '\0');
    EXPECT_EQ(code_of(client->read(std::as_writable_bytes(std::span(buffer)), 1000)),
              Code::kInterrupted);
    ASSERT_TRUE(client->write(bytes_of("hello")).ok());
    std::string answer;
    while (true) {
      const std::size_t count =
          client->read(std::as_writable_bytes(std::span(buffer)), 10'000'000).value();
      if (count == 0) break;
      answer += buffer.substr(0, count);
    }
    EXPECT_EQ(answer, "good day");
  }
  EXPECT_EQ(heard, "hello");
  EXPECT_EQ(listener->accept(1000).value(), nullptr);
  listener.reset();
  EXPECT_EQ(code_of(io_->connect_local(path)), Code::kNotFound);
  EXPECT_TRUE(io_->listen_local(path).ok());
}

TEST(SystemSockets, AreTakenAwayOnlyByTheirOwnListener) {
  const auto io = make_system_io();
  std::string folder = (std::filesystem::temp_directory_path() / "lockstep-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/socket";
  std::unique_ptr<Listener> first = io->listen_local(path).value();
  std::filesystem::remove(path);
  const std::unique_ptr<Listener> second = io->listen_local(path).value();
  first.reset();
  EXPECT_TRUE(io->connect_local(path).ok());
  std::filesystem::remove_all(folder);
}

TEST_P(IoTest, WakesWhenAFolderChanges) {
  ASSERT_TRUE(io_->make_directories(in("drop/old")).ok());
  const std::unique_ptr<DirectoryWatch> watch = io_->watch({in("drop")}).value();
  EXPECT_FALSE(watch->wait(1000).value());
  put(in("drop/a"), "x");
  EXPECT_TRUE(watch->wait(5'000'000).value());
  EXPECT_FALSE(watch->wait(1000).value());
  put(in("drop/old/b"), "x");
  EXPECT_TRUE(watch->wait(5'000'000).value());
  ASSERT_TRUE(io_->make_directories(in("drop/new/deep")).ok());
  EXPECT_TRUE(watch->wait(5'000'000).value());
  EXPECT_FALSE(watch->wait(1000).value());
  put(in("drop/new/deep/c"), "x");
  EXPECT_TRUE(watch->wait(5'000'000).value());
  ASSERT_TRUE(io_->remove(in("drop/a")).ok());
  EXPECT_TRUE(watch->wait(5'000'000).value());
  EXPECT_EQ(code_of(io_->watch({in("none")})), Code::kNotFound);
}

TEST_P(IoTest, KnowsAbsolutePathsAndFreeSpace) {
  EXPECT_EQ(io_->absolute(in("a/../b/./c/")).value(), io_->absolute(in("b/c")).value());
  EXPECT_EQ(io_->absolute("x").value().front(), '/');
  EXPECT_GT(io_->free_bytes(folder_).value(), 0u);
  EXPECT_EQ(code_of(io_->free_bytes(in("none"))), Code::kNotFound);
  EXPECT_FALSE(io_->environment("LOCKSTEP_NO_SUCH_NAME").has_value());
  EXPECT_GT(io_->process_id(), 0);
}

TEST(SystemIo, ListensAtALongPathForTheOwnerOnly) {
  std::string name = (std::filesystem::temp_directory_path() / "lockstep-io-XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  const std::string folder = join_path(name, std::string(120, 'd'));
  const std::unique_ptr<Io> io = make_system_io();
  ASSERT_TRUE(io->make_directories(folder).ok());
  const std::string path = join_path(folder, "socket");
  {
    const Result<std::unique_ptr<Listener>> listener = io->listen_local(path);
    ASSERT_TRUE(listener.ok()) << listener.error().message;
    struct stat status = {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    EXPECT_TRUE(io->connect_local(path).ok());
  }
  ASSERT_TRUE(write_file_atomically(*io, path, "a file").ok());
  EXPECT_EQ(code_of(io->listen_local(path)), Code::kIo);
  EXPECT_EQ(read_file(*io, path, 100).value(), "a file");
  std::filesystem::remove_all(name);
}

TEST(SystemIo, ReadsTheEnvironment) {
  ASSERT_EQ(setenv("LOCKSTEP_TEST_NAME", "value", 1), 0);
  EXPECT_EQ(make_system_io()->environment("LOCKSTEP_TEST_NAME"), "value");
}

TEST(Paths, AreJoinedAndTakenApart) {
  struct Case {
    const char* directory;
    const char* name;
    const char* joined;
    const char* parent;
    const char* last;
  };

  // clang-format off
  constexpr Case kCases[] = {
      {"a", "b", "a/b", "a", "b"},
      {"a/", "b", "a/b", "a", "b"},
      {"/", "b", "/b", "/", "b"},
      {"", "b", "b", ".", "b"},
      {"a", "/b/c", "/b/c", "/b", "c"},
      {"a", "", "a", ".", "a"},
      {"/a", "b/", "/a/b/", "/a", "b"},
      {"/", "", "/", "/", ""},
  };
  // clang-format on
  for (const Case& row : kCases) {
    const std::string joined = join_path(row.directory, row.name);
    EXPECT_EQ(joined, row.joined);
    EXPECT_EQ(parent_path(joined), row.parent) << joined;
    EXPECT_EQ(file_name(joined), row.last) << joined;
  }
}

}  // namespace
}  // namespace lockstep
