// SQLite on the files of an Io, for a disk in memory. There is no shared memory, so a connection
// has the database to itself; the lock is Io's, on a file beside the database.
#include "catalog/vfs.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

namespace lockstep {
namespace {

// SQLite allocates this; it is made in open_file and ends in close_file.
struct IoFile : sqlite3_file {
  VfsState* state = nullptr;
  std::string path;
  std::unique_ptr<File> file;
  std::unique_ptr<FileLock> lock;
  int lock_level = SQLITE_LOCK_NONE;
  bool is_database = false;  // not its log
  bool is_new = false;       // its name is not durable yet
  bool delete_on_close = false;
};

VfsState& state_of(sqlite3_vfs* vfs) {
  return *static_cast<VfsState*>(vfs->pAppData);
}

IoFile& opened(sqlite3_file* file) {
  return *static_cast<IoFile*>(file);
}

int fail(IoFile& file, IoOperation operation, Error error, int code) {
  return fail_operation(*file.state, operation, std::move(error), code);
}

int close_file(sqlite3_file* file) {
  IoFile& open = opened(file);
  int code = SQLITE_OK;
  open.file.reset();
  if (open.delete_on_close) {
    Result<void> removed = open.state->io.remove(open.path);
    if (!removed.ok()) {
      code = fail(open, IoOperation::kRemove, std::move(removed).error(), SQLITE_IOERR_DELETE);
    }
  }
  std::destroy_at(&open);
  return code;
}

int read_file(sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset) {
  const std::span<std::byte> buffer(static_cast<std::byte*>(bytes), static_cast<std::size_t>(size));
  auto count = opened(file).file->read_at(static_cast<std::uint64_t>(offset), buffer);
  if (!count.ok()) {
    return fail(opened(file), IoOperation::kRead, std::move(count).error(), SQLITE_IOERR_READ);
  }
  if (count.value() == buffer.size()) {
    VfsState& state = *opened(file).state;
    const bool is_checked = opened(file).is_database && is_cache_page(state, buffer.size());
    return is_checked ? check_page(state, {opened(file).path, buffer, offset}) : SQLITE_OK;
  }
  std::ranges::fill(buffer.subspan(count.value()), std::byte{0});  // SQLite relies on the zeros
  return SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  std::span buffer(static_cast<const std::byte*>(bytes), static_cast<std::size_t>(size));
  SealedPage sealed;
  if (opened(file).is_database && is_cache_page(*opened(file).state, buffer.size())) {
    const int code = seal_page(*opened(file).state, {opened(file).path, buffer, offset}, sealed);
    if (code != SQLITE_OK) return code;
    buffer = sealed;
  }
  Result<void> done = opened(file).file->write_at(static_cast<std::uint64_t>(offset), buffer);
  if (done.ok()) return SQLITE_OK;
  return fail(opened(file), IoOperation::kWrite, std::move(done).error(), SQLITE_IOERR_WRITE);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  Result<void> done = opened(file).file->truncate(static_cast<std::uint64_t>(size));
  if (done.ok()) return SQLITE_OK;
  return fail(opened(file), IoOperation::kTruncate, std::move(done).error(), SQLITE_IOERR_TRUNCATE);
}

int sync_file(sqlite3_file* file, int) {
  IoFile& open = opened(file);
  Result<void> done = open.file->sync();
  if (done.ok() && open.is_new) done = open.state->io.sync_directory(parent_path(open.path));
  if (!done.ok()) {
    return fail(open, IoOperation::kSync, std::move(done).error(), SQLITE_IOERR_FSYNC);
  }
  open.is_new = false;
  return SQLITE_OK;
}

int size_of_file(sqlite3_file* file, sqlite3_int64* size) {
  auto bytes = opened(file).file->size_bytes();
  if (!bytes.ok()) {
    return fail(opened(file), IoOperation::kRead, std::move(bytes).error(), SQLITE_IOERR_FSTAT);
  }
  *size = static_cast<sqlite3_int64>(bytes.value());
  return SQLITE_OK;
}

int lock_file(sqlite3_file* file, int level) {
  IoFile& open = opened(file);
  if (open.lock == nullptr) {
    auto lock = open.state->io.lock(open.path + "-lock");
    if (!lock.ok() && lock.error().code == Code::kLocked) return SQLITE_BUSY;
    if (!lock.ok()) {
      return fail(open, IoOperation::kLock, std::move(lock).error(), SQLITE_IOERR_LOCK);
    }
    open.lock = std::move(lock).value();
  }
  open.lock_level = std::max(open.lock_level, level);
  return SQLITE_OK;
}

int unlock_file(sqlite3_file* file, int level) {
  IoFile& open = opened(file);
  open.lock_level = std::min(open.lock_level, level);
  if (open.lock_level == SQLITE_LOCK_NONE) open.lock.reset();
  return SQLITE_OK;
}

int check_reserved(sqlite3_file* file, int* is_reserved) {
  *is_reserved = opened(file).lock_level >= SQLITE_LOCK_RESERVED ? 1 : 0;
  return SQLITE_OK;
}

int control_file(sqlite3_file*, int, void*) {
  return SQLITE_NOTFOUND;
}

int sector_size(sqlite3_file*) {
  return 4096;
}

// None: in particular, a torn write may harm its whole sector.
int characteristics(sqlite3_file*) {
  return 0;
}

// Version 1: without shared memory SQLite keeps the index of its write-ahead log in its heap.
constexpr sqlite3_io_methods kMethods = {
    .iVersion = 1,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = size_of_file,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = check_reserved,
    .xFileControl = control_file,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

Result<void> open_by_flags(IoFile& made, int flags) {
  Io& io = made.state->io;
  const Result<FileInfo> info = io.info(made.path);
  if (!info.ok() && info.error().code != Code::kNotFound) return info.error();
  if (!info.ok() && (flags & SQLITE_OPEN_CREATE) == 0) return info.error();
  made.is_new = !info.ok();
  OpenMode mode = OpenMode::kRead;
  if ((flags & SQLITE_OPEN_READWRITE) != 0) mode = OpenMode::kReadWrite;
  if ((flags & SQLITE_OPEN_EXCLUSIVE) != 0) mode = OpenMode::kCreateNew;
  made.file = TRY(io.open(made.path, mode));
  return {};
}

int open_file(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  // Only temporary files have no name, and those are kept in memory (temp_store).
  if (path == nullptr) return SQLITE_CANTOPEN;
  IoFile& made = *std::construct_at(static_cast<IoFile*>(file));
  made.state = &state_of(vfs);
  made.path = path;
  made.is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
  made.delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  Result<void> done = open_by_flags(made, flags);
  if (!done.ok()) {
    const bool missing = done.error().code == Code::kNotFound;
    const int code = missing ? SQLITE_CANTOPEN : SQLITE_IOERR;
    fail(made, IoOperation::kOpen, std::move(done).error(), code);
    std::destroy_at(&made);
    file->pMethods = nullptr;  // after the end of `made`, so that the store stays
    return code;
  }
  made.pMethods = &kMethods;
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* path, int sync_directory) {
  VfsState& state = state_of(vfs);
  Result<void> done = state.io.remove(path);
  if (!done.ok() && done.error().code == Code::kNotFound) return SQLITE_IOERR_DELETE_NOENT;
  if (done.ok() && sync_directory != 0) done = state.io.sync_directory(parent_path(path));
  if (done.ok()) return SQLITE_OK;
  return fail_operation(state, IoOperation::kRemove, std::move(done).error(), SQLITE_IOERR_DELETE);
}

// An empty file does not count as there, as in SQLite's own file system.
int access_file(sqlite3_vfs* vfs, const char* path, int flags, int* answer) {
  VfsState& state = state_of(vfs);
  Result<FileInfo> info = state.io.info(path);
  if (!info.ok() && info.error().code != Code::kNotFound) {
    return fail_operation(state, IoOperation::kOpen, std::move(info).error(), SQLITE_IOERR_ACCESS);
  }
  const bool there = info.ok();
  *answer = there && (flags != SQLITE_ACCESS_EXISTS || info.value().size_bytes > 0) ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* path, int size, char* full) {
  const std::size_t length = std::strlen(path);
  if (length >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
  std::copy_n(path, length + 1, full);
  return SQLITE_OK;
}

}  // namespace

void use_io_files(sqlite3_vfs& vfs) {
  vfs.szOsFile = static_cast<int>(sizeof(IoFile));
  vfs.xOpen = open_file;
  vfs.xDelete = delete_file;
  vfs.xAccess = access_file;
  vfs.xFullPathname = full_path;
}

}  // namespace lockstep
