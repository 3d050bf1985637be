#include "base/io_error.h"
#include "base/io_system_parts.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <filesystem>
#include <map>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lockstep {
namespace {

constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_CREATE | IN_MODIFY | IN_MOVED_TO |
                                  IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr std::size_t kDirectoriesMax = 8192;

class SystemWatch final : public DirectoryWatch {
 public:
  explicit SystemWatch(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

  // Watches `path` and every folder below it. A folder that vanishes meanwhile is no error.
  Result<void> add(const std::string& path, bool must_exist) {
    TRY(add_one(path, must_exist));
    std::error_code failure;
    using Walk = std::filesystem::recursive_directory_iterator;
    Walk walk(path, std::filesystem::directory_options::skip_permission_denied, failure);
    while (!failure && walk != Walk()) {
      if (walk->is_directory(failure) && !walk->is_symlink(failure)) {
        TRY(add_one(walk->path().string(), false));
      }
      walk.increment(failure);
    }
    return {};
  }

  Result<bool> wait(std::int64_t timeout_us) override {
    if (TRY(wait_readable(descriptor_.number(), timeout_us, "the watched folders")) !=
        Ready::kYes) {
      return false;
    }
    return drain();
  }

 private:
  Result<void> add_one(const std::string& path, bool must_exist) {
    if (paths_.size() >= kDirectoriesMax) {
      return make_error(Code::kUnsupported,
                        fmt::format("cannot watch {}: more than {} folders", path, kDirectoriesMax),
                        "watch a folder further down");
    }
    const int number = ::inotify_add_watch(descriptor_.number(), path.c_str(), kEvents);
    if (number >= 0) {
      paths_[number] = path;
      return {};
    }
    if (!must_exist && (errno == ENOENT || errno == ENOTDIR || errno == EACCES)) return {};
    Error error = system_error(errno, "watch", path);
    if (errno == ENOSPC) {
      error.hint = "raise the limit with 'sysctl fs.inotify.max_user_watches=524288'";
    }
    return error;
  }

  // Takes all events that are there; new folders are watched before anyone is told.
  Result<bool> drain() {
    bool changed = false;
    alignas(inotify_event) std::array<char, 16384> buffer;
    while (true) {
      const ssize_t count = ::read(descriptor_.number(), buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return changed;
      if (count <= 0) return system_error(errno, "read from", "the watched folders");
      changed = true;
      TRY(take({buffer.data(), static_cast<std::size_t>(count)}));
    }
  }

  Result<void> take(std::string_view events) {
    while (!events.empty()) {
      inotify_event event = {};
      LOCKSTEP_ASSERT(events.size() >= sizeof event, "the kernel gave a part of an event");
      std::memcpy(&event, events.data(), sizeof event);
      const bool is_new = (event.mask & (IN_CREATE | IN_MOVED_TO)) != 0;
      const auto found = paths_.find(event.wd);
      if (is_new && (event.mask & IN_ISDIR) != 0 && found != paths_.end()) {
        const char* name = events.data() + sizeof event;  // ends in a zero byte
        TRY(add(join_path(found->second, name), false));
      }
      if ((event.mask & IN_IGNORED) != 0) paths_.erase(event.wd);
      events.remove_prefix(sizeof event + event.len);
    }
    return {};
  }

  const Descriptor descriptor_;
  std::map<int, std::string> paths_;  // by watch number
};

}  // namespace

Result<std::unique_ptr<DirectoryWatch>> watch_system_directories(
    const std::vector<std::string>& directories) {
  Descriptor descriptor(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!descriptor.ok()) return system_error(errno, "watch", "folders");
  auto watch = std::make_unique<SystemWatch>(std::move(descriptor));
  for (const std::string& directory : directories)
    TRY(watch->add(directory, true));
  return std::unique_ptr<DirectoryWatch>(std::move(watch));
}

}  // namespace lockstep
