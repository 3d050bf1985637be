#include "base/io_error.h"
#include "base/simulated_disk.h"
#include "base/simulated_io.h"
#include "base/simulated_sockets.h"

#include <fmt/format.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <set>

namespace lockstep {
namespace {

// "a/../b/" as "/b": the working directory of a simulation is the root.
std::string normal_path(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (part == ".." && !parts.empty()) parts.pop_back();
    if (!part.empty() && part != "." && part != "..") parts.push_back(part);
  }
  return "/" + fmt::format("{}", fmt::join(parts, "/"));
}

// What belongs to the machine as a whole; files and locks share it with their Io.
struct Machine {
  explicit Machine(std::uint64_t seed) : disk(seed), numbers(~seed) {}

  Machine(const Machine& other, std::uint64_t seed)
      : disk(other.disk, seed), elapsed_us(other.elapsed_us.load()), numbers(~seed) {}

  // Each look at the clock moves it by a microsecond, so that no loop on it stands still.
  std::int64_t tick() { return elapsed_us.fetch_add(1) + 1; }

  std::int64_t now_us() { return start_us + tick(); }

  void delay() {
    const std::int64_t longest = longest_delay_us;
    if (longest == 0) return;
    const std::scoped_lock lock(mutex);
    elapsed_us += static_cast<std::int64_t>(numbers.below(static_cast<std::uint64_t>(longest) + 1));
  }

  SimulatedDisk disk;
  SimulatedSockets sockets;
  const std::int64_t start_us = 1'767'225'600'000'000;  // 2026-01-01T00:00:00Z
  std::atomic<std::int64_t> elapsed_us{0};
  std::atomic<std::int64_t> longest_delay_us{0};
  std::mutex mutex;
  SeededNumbers numbers;         // guarded by mutex
  std::set<std::string> locked;  // guarded by mutex
};

class SimulatedFile final : public File {
 public:
  SimulatedFile(Io& io, Machine& machine, std::string path, SimulatedDisk::Entry entry)
      : io_(io),
        machine_(machine),
        path_(std::move(path)),
        entry_(std::move(entry)),
        opened_after_(machine.disk.crash_count()) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> buffer) const override {
    TRY(io_.before(IoOperation::kRead, path_));
    TRY(check());
    return machine_.disk.read(*entry_, offset, buffer);
  }

  Result<void> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    TRY(io_.before(IoOperation::kWrite, path_));
    TRY(check());
    return machine_.disk.write(*entry_, offset, bytes, machine_.now_us()).with_context(path_);
  }

  Result<void> truncate(std::uint64_t size_bytes) override {
    TRY(io_.before(IoOperation::kTruncate, path_));
    TRY(check());
    return machine_.disk.truncate(*entry_, size_bytes, machine_.now_us()).with_context(path_);
  }

  Result<void> sync() override {
    const Result<void> told = io_.before(IoOperation::kSync, path_);
    TRY(check());
    if (told.ok()) {
      machine_.disk.sync_file(*entry_);
    } else {
      machine_.disk.fail_to_sync_file(*entry_);
    }
    return told;
  }

  Result<std::uint64_t> size_bytes() const override {
    TRY(check());
    return machine_.disk.size_of(*entry_);
  }

 private:
  Result<void> check() const {
    if (machine_.disk.crash_count() == opened_after_) return {};
    return make_error(Code::kIo, fmt::format("{} was open when the machine crashed", path_));
  }

  Io& io_;
  Machine& machine_;
  const std::string path_;
  const SimulatedDisk::Entry entry_;
  const std::uint64_t opened_after_;  // crashes
};

class SimulatedLock final : public FileLock {
 public:
  SimulatedLock(Machine& machine, std::string path)
      : machine_(machine), path_(std::move(path)), taken_after_(machine.disk.crash_count()) {}

  // A crash released it already, and another may hold it since.
  ~SimulatedLock() override {
    const std::scoped_lock lock(machine_.mutex);
    if (machine_.disk.crash_count() == taken_after_) machine_.locked.erase(path_);
  }

  SimulatedLock(const SimulatedLock&) = delete;
  SimulatedLock& operator=(const SimulatedLock&) = delete;

 private:
  Machine& machine_;
  const std::string path_;
  const std::uint64_t taken_after_;  // crashes
};

// Nothing else runs while a simulation waits, so a wait without a change moves the clock at once.
class SimulatedWatch final : public DirectoryWatch {
 public:
  explicit SimulatedWatch(Machine& machine)
      : machine_(machine), seen_(machine.disk.change_count()) {}

  Result<bool> wait(std::int64_t timeout_us) override {
    const std::uint64_t now = machine_.disk.change_count();
    if (now == seen_) machine_.elapsed_us += timeout_us;
    return std::exchange(seen_, now) != now;
  }

 private:
  Machine& machine_;
  std::uint64_t seen_;
};

class SimulatedMachineIo final : public SimulatedMachine {
 public:
  explicit SimulatedMachineIo(std::uint64_t seed) : machine_(seed) {}

  SimulatedMachineIo(const Machine& machine, std::uint64_t seed) : machine_(machine, seed) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    TRY(before(IoOperation::kOpen, path));
    auto entry = TRY(machine_.disk.open(normal_path(path), mode, machine_.now_us()));
    return std::unique_ptr<File>(
        std::make_unique<SimulatedFile>(*this, machine_, path, std::move(entry)));
  }

  Result<FileInfo> info(const std::string& path) override {
    FileInfo info = TRY(machine_.disk.info(normal_path(path)));
    info.path = path;
    return info;
  }

  Result<std::vector<FileInfo>> list(const std::string& directory) override {
    TRY(before(IoOperation::kList, directory));
    std::vector<FileInfo> files = TRY(machine_.disk.list(normal_path(directory)));
    for (FileInfo& file : files)
      file.path = join_path(directory, file_name(file.path));
    return files;
  }

  // As SystemIo does it.
  Result<void> make_directories(const std::string& path) override {
    std::vector<std::string> missing;
    std::string there = normal_path(path);
    for (; there != "/"; there = parent_path(there)) {
      const Result<FileInfo> info = machine_.disk.info(there);
      if (info.ok() && info.value().is_directory) break;
      if (info.ok()) return system_error(ENOTDIR, "make the folder", path);
      missing.push_back(there);
    }
    TRY(sync_directory(parent_path(there)));
    for (auto part = missing.rbegin(); part != missing.rend(); ++part)
      TRY(make_directory(*part));
    return {};
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    TRY(before(IoOperation::kRename, to));
    TRY(machine_.disk.rename(normal_path(from), normal_path(to)));
    TRY(sync_directory(parent_path(to)));
    if (parent_path(from) != parent_path(to)) TRY(sync_directory(parent_path(from)));
    return {};
  }

  Result<void> remove(const std::string& path) override {
    TRY(before(IoOperation::kRemove, path));
    return machine_.disk.remove(normal_path(path));
  }

  Result<void> sync_directory(const std::string& path) override {
    const std::string whole = normal_path(path);
    Result<void> told = before(IoOperation::kSync, path);
    if (told.ok()) return machine_.disk.sync_directory(whole);
    machine_.disk.fail_to_sync_directory(whole);
    return told;
  }

  Result<std::string> absolute(const std::string& path) override { return normal_path(path); }

  Result<std::uint64_t> free_bytes(const std::string& path) override {
    TRY(machine_.disk.info(normal_path(path)));
    return machine_.disk.free_bytes();
  }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    TRY(before(IoOperation::kLock, path));
    const std::string whole = normal_path(path);
    TRY(machine_.disk.open(whole, OpenMode::kReadWrite, machine_.now_us()));
    {
      const std::scoped_lock guard(machine_.mutex);
      if (!machine_.locked.insert(whole).second) {
        return make_error(Code::kLocked,
                          fmt::format("cannot lock {}: another process holds it", path),
                          "wait until it is done, or stop it");
      }
    }
    return std::unique_ptr<FileLock>(std::make_unique<SimulatedLock>(machine_, whole));
  }

  std::int64_t now_us() override { return machine_.now_us(); }

  std::int64_t monotonic_us() override { return machine_.tick(); }

  void sleep_us(std::int64_t duration_us) override { machine_.elapsed_us += duration_us; }

  void random_bytes(std::span<std::byte> bytes) override {
    const std::scoped_lock guard(machine_.mutex);
    for (std::byte& byte : bytes)
      byte = static_cast<std::byte>(machine_.numbers.next() >> 56U);
  }

  // A simulation depends on nothing but its seed.
  std::optional<std::string> environment(const std::string&) override { return std::nullopt; }

  std::int64_t process_id() override { return 1; }

  Result<std::unique_ptr<Listener>> listen_local(const std::string& path) override {
    return machine_.sockets.listen(normal_path(path));
  }

  Result<std::unique_ptr<Connection>> connect_local(const std::string& path) override {
    return machine_.sockets.connect(normal_path(path));
  }

  Result<std::unique_ptr<DirectoryWatch>> watch(
      const std::vector<std::string>& directories) override {
    for (const std::string& directory : directories)
      TRY(info(directory));
    return std::unique_ptr<DirectoryWatch>(std::make_unique<SimulatedWatch>(machine_));
  }

  void observe(IoObserver observer) override { observer_ = std::move(observer); }

  Result<void> before(IoOperation operation, std::string_view path) override {
    machine_.delay();
    if (!observer_) return {};
    return observer_(operation, path);
  }

  void crash() override {
    machine_.disk.crash();
    const std::scoped_lock guard(machine_.mutex);
    machine_.locked.clear();
  }

  void set_free_bytes(std::uint64_t bytes) override { machine_.disk.set_free_bytes(bytes); }

  void set_delay_us(std::int64_t longest) override { machine_.longest_delay_us = longest; }

  std::unique_ptr<SimulatedMachine> copy(std::uint64_t seed) const override {
    return std::make_unique<SimulatedMachineIo>(machine_, seed);
  }

  std::uint64_t content_hash() const override { return machine_.disk.content_hash(); }

 private:
  Result<void> make_directory(const std::string& path) {
    TRY(before(IoOperation::kMakeDirectory, path));
    TRY(machine_.disk.make_directory(path, machine_.now_us()));
    Result<void> synced = sync_directory(parent_path(path));
    if (!synced.ok()) static_cast<void>(machine_.disk.remove(path));  // as SystemIo does it
    return synced;
  }

  Machine machine_;
  IoObserver observer_;  // constant once the Io is shared
};

}  // namespace

std::unique_ptr<SimulatedIo> make_simulated_io(std::uint64_t seed) {
  return make_simulated_machine(seed);
}

std::unique_ptr<SimulatedMachine> make_simulated_machine(std::uint64_t seed) {
  return std::make_unique<SimulatedMachineIo>(seed);
}

}  // namespace lockstep
