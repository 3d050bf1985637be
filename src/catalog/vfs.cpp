#include "catalog/vfs.h"

#include "base/assert.h"
#include "base/hash.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

namespace lockstep {
namespace {

VfsState& state_of(sqlite3_vfs* vfs) {
  return *static_cast<VfsState*>(vfs->pAppData);
}

int random_from_io(sqlite3_vfs* vfs, int size, char* bytes) {
  const auto count = static_cast<std::size_t>(size);
  state_of(vfs).io.random_bytes(std::as_writable_bytes(std::span(bytes, count)));
  return size;
}

int sleep_by_io(sqlite3_vfs* vfs, int duration_us) {
  state_of(vfs).io.sleep_us(duration_us);
  return duration_us;
}

// SQLite counts milliseconds from the Julian day 0; 1970 began on day 2,440,587.5.
int time_of_io(sqlite3_vfs* vfs, sqlite3_int64* julian_ms) {
  constexpr sqlite3_int64 kUnixEpochMs = 210'866'760'000'000;
  *julian_ms = kUnixEpochMs + state_of(vfs).io.now_us() / 1000;
  return SQLITE_OK;
}

int days_of_io(sqlite3_vfs* vfs, double* julian_days) {
  sqlite3_int64 julian_ms = 0;
  time_of_io(vfs, &julian_ms);
  *julian_days = static_cast<double>(julian_ms) / 86'400'000.0;
  return SQLITE_OK;
}

int last_error(sqlite3_vfs* vfs, int, char*) {
  sqlite3_vfs* const system = state_of(vfs).system;
  if (system == nullptr) return 0;
  return system->xGetLastError(system, 0, nullptr);
}

}  // namespace

int fail_operation(VfsState& state, IoOperation operation, Error error, int code) {
  state.failure = std::move(error);
  state.write_failed |= operation == IoOperation::kWrite || operation == IoOperation::kTruncate ||
                        operation == IoOperation::kSync;
  return code;
}

bool is_cache_page(const VfsState& state, std::size_t size) {
  constexpr std::size_t kSmallestPage = 512;  // that SQLite knows
  return state.is_cache && size >= kSmallestPage;
}

namespace {

constexpr std::size_t kContentBytes = kSqlitePageBytes - kPageChecksumBytes;

// Of the page's place too, so that one which was written elsewhere is not taken for this one.
std::uint64_t page_checksum(const CachePage& page) {
  return hash64({reinterpret_cast<const char*>(page.bytes.data()), kContentBytes},
                static_cast<std::uint64_t>(page.offset));
}

Error damaged_page(const CachePage& page) {
  return make_error(
      Code::kCorrupt,
      fmt::format("the page at byte {} of {} is not what was written", page.offset, page.path),
      "delete the file while nobody uses it: it is a cache, and made again");
}

}  // namespace

int seal_page(VfsState& state, const CachePage& page, SealedPage& sealed) {
  if (page.bytes.size() != kSqlitePageBytes)
    return fail_operation(state, IoOperation::kWrite, damaged_page(page), SQLITE_IOERR_WRITE);
  const std::uint64_t checksum = page_checksum(page);
  static_assert(sizeof checksum == kPageChecksumBytes);
  std::ranges::copy(page.bytes.first(kContentBytes), sealed.begin());
  std::memcpy(sealed.data() + kContentBytes, &checksum, sizeof checksum);
  return SQLITE_OK;
}

int check_page(VfsState& state, const CachePage& page) {
  std::uint64_t stored = 0;
  const bool is_page = page.bytes.size() == kSqlitePageBytes;
  if (is_page) std::memcpy(&stored, page.bytes.data() + kContentBytes, sizeof stored);
  if (is_page && stored == page_checksum(page)) return SQLITE_OK;
  return fail_operation(state, IoOperation::kRead, damaged_page(page), SQLITE_IOERR_DATA);
}

SqliteVfs::SqliteVfs(Io& io) : state_(io), vfs_(std::make_unique<sqlite3_vfs>()) {
  name_ = fmt::format("lockstep-{}", fmt::ptr(this));
}

Result<std::unique_ptr<SqliteVfs>> SqliteVfs::make(Io& io, SqliteFiles files) {
  std::unique_ptr<SqliteVfs> made(new SqliteVfs(io));  // the constructor is private
  sqlite3_vfs& vfs = *made->vfs_;
  vfs.iVersion = 2;
  vfs.mxPathname = 4096;
  vfs.zName = made->name_.c_str();
  vfs.pAppData = &made->state_;
  vfs.xRandomness = random_from_io;
  vfs.xSleep = sleep_by_io;
  vfs.xCurrentTime = days_of_io;
  vfs.xCurrentTimeInt64 = time_of_io;
  vfs.xGetLastError = last_error;
  if (files == SqliteFiles::kSystem) {
    made->state_.system = sqlite3_vfs_find("unix");
    if (made->state_.system == nullptr) {
      return make_error(Code::kUnsupported, "this SQLite has no file system of the name unix");
    }
    use_system_files(vfs);
  } else {
    use_io_files(vfs);
  }
  const int code = sqlite3_vfs_register(&vfs, 0);
  if (code != SQLITE_OK) {
    return make_error(Code::kIo, fmt::format("cannot start SQLite: {}", sqlite3_errstr(code)));
  }
  return made;
}

SqliteVfs::~SqliteVfs() {
  sqlite3_vfs_unregister(vfs_.get());
}

}  // namespace lockstep
