// SQLite's own files, with Io told of each operation first. Locks and shared memory stay SQLite's:
// the other processes that read the same file, DuckDB among them, know no others.
#include "catalog/vfs.h"

#include <sqlite3.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <utility>

namespace lockstep {
namespace {

// Bytes. SQLite's own function for a write takes the lower 17 bits of a size.
constexpr std::size_t kGatheredMax = 120 * std::size_t{1024};

// Bytes that were written to a log one piece behind the other, and go to the file in one piece: a
// commit writes each page and its header by themselves, and a call costs more than the page does.
// Nobody reads a log's end before it was synced, but the connection that wrote it.
struct GatheredWrites {
  std::unique_ptr<std::byte[]> bytes;  // none: each piece is written at once
  std::size_t size = 0;
  sqlite3_int64 offset = 0;  // of the first

  bool takes(std::size_t more, sqlite3_int64 at) const {
    const bool behind = size == 0 || at == offset + static_cast<sqlite3_int64>(size);
    return behind && size + more <= kGatheredMax;
  }

  void add(std::span<const std::byte> piece, sqlite3_int64 at) {
    if (size == 0) offset = at;
    std::memcpy(bytes.get() + size, piece.data(), piece.size());
    size += piece.size();
  }
};

// SQLite allocates this, and room for its own file right behind it.
struct SystemFile : sqlite3_file {
  VfsState* state = nullptr;
  sqlite3_file* real = nullptr;
  const char* path = "";     // SQLite keeps it until the file is closed
  bool is_database = false;  // not its log
  GatheredWrites gathered;
};

VfsState& state_of(sqlite3_vfs* vfs) {
  return *static_cast<VfsState*>(vfs->pAppData);
}

SystemFile& opened(sqlite3_file* file) {
  return *static_cast<SystemFile*>(file);
}

sqlite3_file* real_of(sqlite3_file* file) {
  return opened(file).real;
}

int before(VfsState& state, IoOperation operation, const char* path, int failure) {
  Result<void> result = state.io.before(operation, path);
  if (result.ok()) return SQLITE_OK;
  return fail_operation(state, operation, std::move(result).error(), failure);
}

int before(sqlite3_file* file, IoOperation operation, int failure) {
  return before(*opened(file).state, operation, opened(file).path, failure);
}

// For what the operating system itself refused.
int after_write(sqlite3_file* file, int code) {
  if (code != SQLITE_OK) opened(file).state->write_failed = true;
  return code;
}

int write_gathered(sqlite3_file* file) {
  GatheredWrites& gathered = opened(file).gathered;
  const auto size = static_cast<int>(std::exchange(gathered.size, 0));
  if (size == 0) return SQLITE_OK;
  sqlite3_file* const real = real_of(file);
  return after_write(file,
                     real->pMethods->xWrite(real, gathered.bytes.get(), size, gathered.offset));
}

int close_file(sqlite3_file* file) {
  // What was not synced is in no commit; a write that fails leaves the log as a crash would.
  static_cast<void>(write_gathered(file));
  sqlite3_file* const real = real_of(file);
  const int code = real->pMethods->xClose(real);
  std::destroy_at(&opened(file));
  return code;
}

int read_file(sqlite3_file* file, void* bytes, int size, sqlite3_int64 offset) {
  int code = before(file, IoOperation::kRead, SQLITE_IOERR_READ);
  if (code == SQLITE_OK) code = write_gathered(file);
  if (code != SQLITE_OK) return code;
  code = real_of(file)->pMethods->xRead(real_of(file), bytes, size, offset);
  const CachePage page{
      .path = opened(file).path,
      .bytes = {static_cast<const std::byte*>(bytes), static_cast<std::size_t>(size)},
      .offset = offset};
  VfsState& state = *opened(file).state;
  const bool is_checked = opened(file).is_database && is_cache_page(state, page.bytes.size());
  return code == SQLITE_OK && is_checked ? check_page(state, page) : code;
}

int write_file(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  int code = before(file, IoOperation::kWrite, SQLITE_IOERR_WRITE);
  if (code != SQLITE_OK) return code;
  GatheredWrites& gathered = opened(file).gathered;
  const std::span piece(static_cast<const std::byte*>(bytes), static_cast<std::size_t>(size));
  if (opened(file).is_database && is_cache_page(*opened(file).state, piece.size())) {
    SealedPage sealed;
    code = seal_page(*opened(file).state, {opened(file).path, piece, offset}, sealed);
    if (code != SQLITE_OK) return code;
    return after_write(file,
                       real_of(file)->pMethods->xWrite(real_of(file), sealed.data(), size, offset));
  }
  if (gathered.bytes != nullptr && !gathered.takes(piece.size(), offset)) {
    code = write_gathered(file);
    if (code != SQLITE_OK) return code;
  }
  if (gathered.bytes != nullptr && gathered.takes(piece.size(), offset)) {
    gathered.add(piece, offset);
    return SQLITE_OK;
  }
  return after_write(file, real_of(file)->pMethods->xWrite(real_of(file), bytes, size, offset));
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  int code = before(file, IoOperation::kTruncate, SQLITE_IOERR_TRUNCATE);
  if (code == SQLITE_OK) code = write_gathered(file);
  if (code != SQLITE_OK) return code;
  return after_write(file, real_of(file)->pMethods->xTruncate(real_of(file), size));
}

int sync_file(sqlite3_file* file, int flags) {
  int code = before(file, IoOperation::kSync, SQLITE_IOERR_FSYNC);
  if (code == SQLITE_OK) code = write_gathered(file);
  if (code != SQLITE_OK) return code;
  return after_write(file, real_of(file)->pMethods->xSync(real_of(file), flags));
}

int size_of_file(sqlite3_file* file, sqlite3_int64* size) {
  const int code = write_gathered(file);
  if (code != SQLITE_OK) return code;
  return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

int lock_file(sqlite3_file* file, int level) {
  const int code = before(file, IoOperation::kLock, SQLITE_IOERR_LOCK);
  if (code != SQLITE_OK) return code;
  return real_of(file)->pMethods->xLock(real_of(file), level);
}

int unlock_file(sqlite3_file* file, int level) {
  return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

int check_reserved(sqlite3_file* file, int* is_reserved) {
  return real_of(file)->pMethods->xCheckReservedLock(real_of(file), is_reserved);
}

int control_file(sqlite3_file* file, int operation, void* argument) {
  return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

int sector_size(sqlite3_file* file) {
  return real_of(file)->pMethods->xSectorSize(real_of(file));
}

int characteristics(sqlite3_file* file) {
  return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

// A template for the last parameter's qualifier, which this code base spells nowhere else.
template <typename Memory>
int map_shared(sqlite3_file* file, int region, int size, int extend, Memory memory) {
  return real_of(file)->pMethods->xShmMap(real_of(file), region, size, extend, memory);
}

int lock_shared(sqlite3_file* file, int offset, int count, int flags) {
  return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

void shared_barrier(sqlite3_file* file) {
  real_of(file)->pMethods->xShmBarrier(real_of(file));
}

int unmap_shared(sqlite3_file* file, int remove) {
  return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

// Version 2, not 3: without xFetch SQLite maps no database pages, and every read passes through
// here.
constexpr sqlite3_io_methods kMethods = {
    .iVersion = 2,
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
    .xShmMap = map_shared,
    .xShmLock = lock_shared,
    .xShmBarrier = shared_barrier,
    .xShmUnmap = unmap_shared,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open_file(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* out_flags) {
  VfsState& state = state_of(vfs);
  SystemFile& made = *std::construct_at(static_cast<SystemFile*>(file));
  made.pMethods = nullptr;
  made.state = &state;
  if (path != nullptr) made.path = path;
  made.real = reinterpret_cast<sqlite3_file*>(&made + 1);
  int code = before(state, IoOperation::kOpen, made.path, SQLITE_IOERR);
  if (code != SQLITE_OK) return code;
  code = state.system->xOpen(state.system, path, made.real, flags, out_flags);
  if (code != SQLITE_OK) return code;
  made.pMethods = &kMethods;
  made.is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
  // Without room for them each write goes its way at once: so a cache, whose commits nobody syncs,
  // shows them to other connections.
  if (!state.is_cache && (flags & SQLITE_OPEN_WAL) != 0) {
    // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): make_unique would throw through SQLite
    made.gathered.bytes.reset(new (std::nothrow) std::byte[kGatheredMax]);
  }
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* path, int sync_directory) {
  VfsState& state = state_of(vfs);
  const int code = before(state, IoOperation::kRemove, path, SQLITE_IOERR_DELETE);
  if (code != SQLITE_OK) return code;
  return state.system->xDelete(state.system, path, sync_directory);
}

int access_file(sqlite3_vfs* vfs, const char* path, int flags, int* answer) {
  sqlite3_vfs* const system = state_of(vfs).system;
  return system->xAccess(system, path, flags, answer);
}

int full_path(sqlite3_vfs* vfs, const char* path, int size, char* full) {
  sqlite3_vfs* const system = state_of(vfs).system;
  return system->xFullPathname(system, path, size, full);
}

}  // namespace

void use_system_files(sqlite3_vfs& vfs) {
  const VfsState& state = state_of(&vfs);
  static_assert(sizeof(SystemFile) % alignof(sqlite3_int64) == 0, "the file behind is aligned");
  vfs.szOsFile = static_cast<int>(sizeof(SystemFile)) + state.system->szOsFile;
  vfs.mxPathname = state.system->mxPathname;
  vfs.xOpen = open_file;
  vfs.xDelete = delete_file;
  vfs.xAccess = access_file;
  vfs.xFullPathname = full_path;
}

}  // namespace lockstep
