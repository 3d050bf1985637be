#include "catalog/sqlite_copy.h"

#include "catalog/sqlite_connection.h"

#include <fmt/format.h>
#include <sqlite3.h>

namespace lockstep {
namespace {

Error copy_error(SqliteVfs& vfs, int code, const std::string& path) {
  if (vfs.state().failure) return *vfs.state().failure;
  return make_error(code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? Code::kCorrupt : Code::kIo,
                    fmt::format("copying the catalog to {}: {}", path, sqlite3_errstr(code)));
}

// All pages in one step: in several, a commit in between would begin the copy anew.
Result<void> copy_pages(sqlite3* from, SqliteVfs& vfs, const std::string& path) {
  sqlite3* raw = nullptr;
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  int code = sqlite3_open_v2(path.c_str(), &raw, kFlags, vfs.name().c_str());
  const Database target(raw);
  if (code != SQLITE_OK) return copy_error(vfs, code, path);
  sqlite3_backup* const copy = sqlite3_backup_init(target.get(), "main", from, "main");
  if (copy == nullptr) return copy_error(vfs, sqlite3_errcode(target.get()), path);
  code = sqlite3_backup_step(copy, -1);
  const int finished = sqlite3_backup_finish(copy);  // an error of the step, or of the last sync
  if (code == SQLITE_DONE && finished == SQLITE_OK) return {};
  return copy_error(vfs, finished != SQLITE_OK ? finished : code, path);
}

}  // namespace

Result<void> copy_sqlite(Io& io,
                         const std::string& from,
                         const std::string& to,
                         SqliteFiles files) {
  if (io.info(to).ok()) {
    return make_error(
        Code::kRefused, fmt::format("there is a file at {} already", to), "name another place");
  }
  SqliteConnection source(io, from, CatalogMode::kRead, files);
  TRY(source.open());
  const std::unique_ptr<SqliteVfs> vfs = TRY(SqliteVfs::make(io, files));
  Result<void> copied = copy_pages(source.database(), *vfs, to);
  if (copied.ok()) copied = io.sync_directory(parent_path(to));
  if (copied.ok()) return {};
  // The first error is the one to tell; a part that stays is found by the next attempt.
  for (const char* ending : {"", "-journal"})
    static_cast<void>(io.remove(to + ending));
  return copied;
}

}  // namespace lockstep
