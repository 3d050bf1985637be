// One connection to SQLite, and what its failures mean. Internal to the catalog layer.
#pragma once

#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/log_mover.h"
#include "catalog/vfs.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace lockstep {

struct CloseDatabase {
  void operator()(sqlite3* database) const;
};

using Database = std::unique_ptr<sqlite3, CloseDatabase>;

// Resource. One thread at a time.
class SqliteConnection final {
 public:
  SqliteConnection(Io& io,
                   std::string path,
                   CatalogMode mode,
                   SqliteFiles files,
                   SqliteUse use = SqliteUse::kRecords)
      : io_(io), path_(std::move(path)), mode_(mode), files_(files), use_(use) {}

  ~SqliteConnection();
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  Result<void> open();

  sqlite3* database() const { return database_.get(); }

  // kIo from the first failed write or sync on (catalog-4).
  Result<void> usable() const;
  Result<void> execute(std::string_view sql);
  Result<sqlite3_stmt*> prepare(std::string_view sql);
  // What `code` means; `doing` says what was tried.
  Error error(int code, std::string_view doing);

  std::uint64_t log_bytes() const;
  Result<void> checkpoint();
  Result<void> checkpoint_beside();

 private:
  Result<Database> connect(int flags);
  Result<void> set_up();
  Result<void> make_room_for_checksums();
  Result<void> use_log();
  Result<void> checkpoint_on(sqlite3* database);
  Result<void> finish_moving();
  Error error_of(sqlite3* database, int code, std::string_view doing);
  void note_commit(std::int64_t frames);
  static int after_commit(void* connection, sqlite3* database, const char* schema, int frames);

  Io& io_;
  const std::string path_;
  const CatalogMode mode_;
  const SqliteFiles files_;
  const SqliteUse use_;
  // In this order, so that the connections go before the files below them, and the main one last
  // but for those: it is the one that tidies up the write-ahead log.
  std::unique_ptr<SqliteVfs> vfs_;
  Database database_;
  Database checkpointer_;
  std::unique_ptr<LogMover> mover_;
  std::int64_t frame_bytes_ = 0;   // a page and its header in the write-ahead log
  std::int64_t log_frames_ = 0;    // in the log
  std::int64_t moved_frames_ = 0;  // of these, in the database too
  std::int64_t mover_frames_ = 0;  // in the log when the mover began
  int mover_rounds_ = 0;
};

}  // namespace lockstep
