#include "base/io_error.h"
#include "base/io_system_parts.h"

#include <climits>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace lockstep {
namespace {

constexpr mode_t kSocketMode = 0600;
constexpr int kWaitingCallersMax = 64;
constexpr time_t kWriteTimeoutSeconds = 30;  // a caller that reads nothing must not hold us up

// Where a socket stands. sun_path holds 107 bytes, a hub's folder may be longer: then the folder is
// opened and named through /proc, so the descriptor must live as long as the address is used.
struct Address {
  sockaddr_un value = {};
  std::optional<Descriptor> folder;
};

Result<Address> address_of(const std::string& path) {
  Address address;
  address.value.sun_family = AF_UNIX;
  std::string shown = path;
  if (shown.size() >= sizeof address.value.sun_path) {
    address.folder.emplace(::open(parent_path(path).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!address.folder->ok()) return system_error(errno, "open the folder of", path);
    shown = fmt::format("/proc/self/fd/{}/{}", address.folder->number(), file_name(path));
  }
  if (shown.size() >= sizeof address.value.sun_path) {
    return system_error(ENAMETOOLONG, "use the socket", path);
  }
  std::memcpy(static_cast<char*>(address.value.sun_path), shown.c_str(), shown.size() + 1);
  return address;
}

// The socket calls take the address of every family as a sockaddr; POSIX asks for this cast.
const sockaddr* generic(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address.value);
}

Result<Descriptor> open_socket(const std::string& path) {
  Descriptor descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!descriptor.ok()) return system_error(errno, "open the socket", path);
  return descriptor;
}

class SystemConnection final : public Connection {
 public:
  SystemConnection(std::string path, Descriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {
    const timeval limit = {kWriteTimeoutSeconds, 0};
    ::setsockopt(descriptor_.number(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }

  Result<std::size_t> read(std::span<std::byte> buffer, std::int64_t timeout_us) override {
    if (TRY(wait_readable(descriptor_.number(), timeout_us, path_)) != Ready::kYes) {
      return make_error(Code::kInterrupted,
                        fmt::format("nothing came from {} within {} ms", path_, timeout_us / 1000),
                        "see whether the program at the other end still runs");
    }
    ssize_t count = ::recv(descriptor_.number(), buffer.data(), buffer.size(), 0);
    while (count < 0 && errno == EINTR) {
      count = ::recv(descriptor_.number(), buffer.data(), buffer.size(), 0);
    }
    if (count < 0 && errno == ECONNRESET) return std::size_t{0};
    if (count < 0) return system_error(errno, "read from", path_);
    return static_cast<std::size_t>(count);
  }

  Result<void> write(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t count = ::send(descriptor_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return system_error(errno, "write to", path_);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return {};
  }

 private:
  const std::string path_;
  const Descriptor descriptor_;
};

class SystemListener final : public Listener {
 public:
  SystemListener(std::string path, Descriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {
    is_known_ = ::lstat(path_.c_str(), &file_) == 0;
  }

  // Another program may listen at the path by now: its socket stays.
  ~SystemListener() override {
    struct stat now = {};
    const bool ours = is_known_ && ::lstat(path_.c_str(), &now) == 0 &&
                      now.st_dev == file_.st_dev && now.st_ino == file_.st_ino;
    if (ours) ::unlink(path_.c_str());
  }

  SystemListener(const SystemListener&) = delete;
  SystemListener& operator=(const SystemListener&) = delete;

  Result<std::unique_ptr<Connection>> accept(std::int64_t timeout_us) override {
    std::unique_ptr<Connection> nobody;
    if (TRY(wait_readable(descriptor_.number(), timeout_us, path_)) != Ready::kYes) return nobody;
    Descriptor caller(::accept4(descriptor_.number(), nullptr, nullptr, SOCK_CLOEXEC));
    if (caller.ok()) {
      return std::unique_ptr<Connection>(
          std::make_unique<SystemConnection>(path_, std::move(caller)));
    }
    // The caller may have gone away between the two calls.
    if (errno == EINTR || errno == ECONNABORTED || errno == EAGAIN) return nobody;
    return system_error(errno, "accept a caller at", path_);
  }

 private:
  const std::string path_;
  const Descriptor descriptor_;
  struct stat file_ = {};
  bool is_known_ = false;
};

// A socket file whose program died would block the next one: nobody answers there, so it may go.
Result<void> clear_stale(const std::string& path) {
  struct stat status = {};
  if (::lstat(path.c_str(), &status) < 0) return {};
  if (!S_ISSOCK(status.st_mode)) return system_error(EEXIST, "listen at", path);
  if (connect_system_socket(path).ok()) {
    return make_error(Code::kLocked,
                      fmt::format("cannot listen at {}: another program does", path),
                      "stop it first");
  }
  if (::unlink(path.c_str()) < 0 && errno != ENOENT) {
    return system_error(errno, "remove the old socket", path);
  }
  return {};
}

}  // namespace

Result<Ready> wait_readable(int descriptor, std::int64_t timeout_us, const std::string& path) {
  pollfd request = {descriptor, POLLIN, 0};
  const std::int64_t timeout_ms = std::clamp<std::int64_t>((timeout_us + 999) / 1000, 0, INT_MAX);
  const int count = ::poll(&request, 1, static_cast<int>(timeout_ms));
  if (count > 0) return Ready::kYes;
  if (count == 0) return Ready::kTimedOut;
  if (errno == EINTR) return Ready::kSignalled;
  return system_error(errno, "wait for", path);
}

Result<std::unique_ptr<Listener>> listen_system_socket(const std::string& path) {
  TRY(clear_stale(path));
  const Address address = TRY(address_of(path));
  Descriptor descriptor = TRY(open_socket(path));
  // Before bind, so that there is no moment at which others may connect.
  if (::fchmod(descriptor.number(), kSocketMode) < 0) return system_error(errno, "guard", path);
  if (::bind(descriptor.number(), generic(address), sizeof address.value) < 0) {
    return system_error(errno, "listen at", path);
  }
  if (::chmod(path.c_str(), kSocketMode) < 0) return system_error(errno, "guard", path);
  if (::listen(descriptor.number(), kWaitingCallersMax) < 0) {
    return system_error(errno, "listen at", path);
  }
  return std::unique_ptr<Listener>(std::make_unique<SystemListener>(path, std::move(descriptor)));
}

Result<std::unique_ptr<Connection>> connect_system_socket(const std::string& path) {
  const Address address = TRY(address_of(path));
  Descriptor descriptor = TRY(open_socket(path));
  if (::connect(descriptor.number(), generic(address), sizeof address.value) < 0) {
    if (errno != ECONNREFUSED) return system_error(errno, "connect to", path);
    return make_error(Code::kNotFound,
                      fmt::format("cannot connect to {}: no program listens there", path),
                      "start it with 'lockstep run'");
  }
  return std::unique_ptr<Connection>(
      std::make_unique<SystemConnection>(path, std::move(descriptor)));
}

}  // namespace lockstep
