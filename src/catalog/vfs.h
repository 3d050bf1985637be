// How SQLite reaches files: a virtual file system ("VFS") of its own for each open catalog, so that
// Io stands between. Internal to the catalog layer.
//
// SQLite's list of VFSes belongs to the whole process and is guarded by SQLite. The name is made
// from the object's address, so that several catalogs, Ios and threads never meet; it leaves the
// list with the object.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "catalog/catalog.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct sqlite3_vfs;

namespace lockstep {

// What the file functions share with the connection. One thread at a time.
struct VfsState {
  explicit VfsState(Io& state_io) : io(state_io) {}

  Io& io;
  sqlite3_vfs* system = nullptr;  // SQLite's own, under kSystem
  std::optional<Error> failure;   // Io's newest; SQLite itself passes on only a number
  bool is_cache = false;          // of SqliteUse::kCache
  bool write_failed = false;  // a write, truncation or sync: the files are in doubt from then on
};

// Resource. Must outlive every connection that was opened through it.
class SqliteVfs final {
 public:
  static Result<std::unique_ptr<SqliteVfs>> make(Io& io, SqliteFiles files);
  ~SqliteVfs();
  SqliteVfs(const SqliteVfs&) = delete;
  SqliteVfs& operator=(const SqliteVfs&) = delete;

  const std::string& name() const { return name_; }

  VfsState& state() { return state_; }

 private:
  explicit SqliteVfs(Io& io);

  VfsState state_;
  std::string name_;
  std::unique_ptr<sqlite3_vfs> vfs_;
};

// Set the functions that open, delete and look for files, and what they say of themselves.
void use_system_files(sqlite3_vfs& vfs);
void use_io_files(sqlite3_vfs& vfs);

inline constexpr int kSqlitePageBytes = 2048;  // of every database that is made here
// At the end of each page of a cache; SQLite leaves the room.
inline constexpr int kPageChecksumBytes = 8;
using SealedPage = std::array<std::byte, kSqlitePageBytes>;

// A page in the database's file of a cache; not in its log, which has checksums of its own.
struct CachePage {
  std::string_view path;
  std::span<const std::byte> bytes;
  std::int64_t offset = 0;
};

// The head of the file is also read alone, in less than a page.
bool is_cache_page(const VfsState& state, std::size_t size);
// SQLite's codes. The page with its checksum; that it is the one that was written. They fail where
// the file's head was damaged too: then SQLite takes its pages to be of another size.
int seal_page(VfsState& state, const CachePage& page, SealedPage& sealed);
int check_page(VfsState& state, const CachePage& page);

// Keeps `error` for the message, notes that a write failed, and returns `code`.
int fail_operation(VfsState& state, IoOperation operation, Error error, int code);

}  // namespace lockstep
