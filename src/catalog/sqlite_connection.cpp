#include "catalog/sqlite_connection.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace lockstep {
namespace {

constexpr int kBusyTimeoutMs = 5000;
constexpr std::int64_t kFrameHeaderBytes = 24;  // sqlite.org/fileformat2.html, 4.1
// What came while the log was moved beside the commits is moved beside them too, as long as it is
// more than this, which takes a millisecond or two.
constexpr std::int64_t kRestBytes = 1 << 20;
constexpr int kMoverRoundsMax = 4;
constexpr const char* kFirstRead = "SELECT count(*) FROM sqlite_schema";

struct Meaning {
  int sqlite_code;  // primary
  Code code;
  const char* hint;
};

constexpr Meaning kMeanings[] = {
    {SQLITE_BUSY, Code::kLocked, "try again when the other process is done"},
    {SQLITE_LOCKED, Code::kLocked, "try again when the other process is done"},
    {SQLITE_CORRUPT, Code::kCorrupt, "restore the catalog from a back-up"},
    {SQLITE_NOTADB, Code::kCorrupt, "check that the configuration names the catalog's file"},
    {SQLITE_FULL, Code::kIo, "make room on the disk, then start again"},
    {SQLITE_READONLY, Code::kDenied, "check the rights of the file and of its folder"},
    {SQLITE_PERM, Code::kDenied, "check the rights of the file and of its folder"},
    {SQLITE_AUTH, Code::kDenied, "check the rights of the file and of its folder"},
    {SQLITE_CANTOPEN, Code::kIo, "check that the folder exists and may be written"},
    {SQLITE_IOERR, Code::kIo, ""},
    {SQLITE_NOMEM, Code::kIo, ""},
    {SQLITE_INTERRUPT, Code::kInterrupted, ""},
    {SQLITE_SCHEMA, Code::kLocked, "try again"},
};

Meaning meaning_of(int code) {
  for (const Meaning& meaning : kMeanings) {
    if (meaning.sqlite_code == (code & 0xff)) return meaning;
  }
  return {code, Code::kInvalid, ""};
}

bool is_about_files(int code) {
  const int primary = code & 0xff;
  return primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN || primary == SQLITE_FULL;
}

}  // namespace

void CloseDatabase::operator()(sqlite3* database) const {
  const int code = sqlite3_close(database);
  LOCKSTEP_ASSERT(code == SQLITE_OK, "a statement outlives its catalog");
}

SqliteConnection::~SqliteConnection() {
  // The last connection to close moves the log into the database. Not when the log is in doubt: the
  // next open recovers from it; and a reader writes nothing.
  if (database_ == nullptr) return;
  const bool leave_log = mode_ == CatalogMode::kRead || vfs_->state().write_failed;
  if (leave_log) {
    sqlite3_db_config(database_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  }
}

Result<void> SqliteConnection::open() {
  if (mode_ != CatalogMode::kCreate) {
    const Result<FileInfo> info = io_.info(path_);
    if (!info.ok() && info.error().code == Code::kNotFound) {
      return make_error(Code::kNoHub,
                        fmt::format("catalog {} does not exist", path_),
                        "make the hub first: lockstep sync");
    }
    TRY(info);
  }
  vfs_ = TRY(SqliteVfs::make(io_, files_));
  vfs_->state().is_cache = use_ == SqliteUse::kCache;
  int flags = SQLITE_OPEN_READWRITE;
  if (mode_ == CatalogMode::kRead) flags = SQLITE_OPEN_READONLY;
  if (mode_ == CatalogMode::kCreate) flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  database_ = TRY(connect(flags));
  return set_up();
}

Result<Database> SqliteConnection::connect(int flags) {
  sqlite3* raw = nullptr;
  const int code =
      sqlite3_open_v2(path_.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, vfs_->name().c_str());
  Database database(raw);
  if (code != SQLITE_OK) return error_of(raw, code, "opening it");
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, kBusyTimeoutMs);
  return database;
}

Result<void> SqliteConnection::set_up() {
  if (files_ == SqliteFiles::kIo) TRY(execute("PRAGMA locking_mode=EXCLUSIVE"));
  TRY(execute("PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=OFF"));
  // Of a database that is made now. A commit of one row touches a page of each table and index: the
  // less of them is written, summed up and synced, the sooner it is durable.
  if (mode_ == CatalogMode::kCreate)
    TRY(execute(fmt::format("PRAGMA page_size={}", kSqlitePageBytes)));
  if (mode_ == CatalogMode::kCreate && use_ == SqliteUse::kCache) TRY(make_room_for_checksums());
  TRY(execute(kFirstRead));  // here it shows whether this is a database
  if (mode_ == CatalogMode::kRead) return {};
  if (sqlite3_db_readonly(database_.get(), "main") != 0) {
    return make_error(Code::kDenied,
                      fmt::format("catalog {} may not be written", path_),
                      "check the rights of the file and of its folder");
  }
  return use_log();
}

Result<void> SqliteConnection::make_room_for_checksums() {
  int bytes = kPageChecksumBytes;
  const int code =
      sqlite3_file_control(database_.get(), "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes);
  if (code != SQLITE_OK) return error(code, "making room for checksums");
  return {};
}

Result<void> SqliteConnection::use_log() {
  // A new file of a cache is worth no sync: one that is torn is none.
  if (use_ == SqliteUse::kCache) TRY(execute("PRAGMA synchronous=OFF"));
  sqlite3_stmt* const statement = TRY(prepare("PRAGMA journal_mode=WAL"));
  const int code = sqlite3_step(statement);
  const bool is_wal =
      code == SQLITE_ROW &&
      sqlite3_stricmp(reinterpret_cast<const char*>(sqlite3_column_text(statement, 0)), "wal") == 0;
  sqlite3_finalize(statement);
  if (code != SQLITE_ROW) return error(code, "starting its write-ahead log");
  if (!is_wal) {
    return make_error(
        Code::kUnsupported,
        fmt::format("catalog {} cannot have a write-ahead log on this file system", path_),
        "put the hub on a local disk");
  }
  // The limit cuts a log that one long read made large when the log starts anew. The cache holds
  // the pages of a group of commits: those that do not fit are written to the log more than once.
  TRY(execute("PRAGMA journal_size_limit=268435456; PRAGMA cache_size=-16384"));
  // NORMAL syncs when the log is moved, which keeps the database whole.
  TRY(execute(use_ == SqliteUse::kRecords ? "PRAGMA synchronous=FULL"
                                          : "PRAGMA synchronous=NORMAL"));
  sqlite3_stmt* const page = TRY(prepare("PRAGMA page_size"));
  if (sqlite3_step(page) == SQLITE_ROW) {
    frame_bytes_ = sqlite3_column_int64(page, 0) + kFrameHeaderBytes;
  }
  sqlite3_finalize(page);
  LOCKSTEP_ASSERT(frame_bytes_ > kFrameHeaderBytes, "SQLite tells no page size");
  const Result<FileInfo> log = io_.info(path_ + "-wal");
  if (log.ok()) log_frames_ = static_cast<std::int64_t>(log.value().size_bytes) / frame_bytes_;
  // Replaces the automatic checkpoint, which would run inside a commit.
  sqlite3_wal_hook(database_.get(), after_commit, this);
  return {};
}

Result<void> SqliteConnection::usable() const {
  if (!vfs_->state().write_failed) return {};
  return make_error(Code::kIo,
                    fmt::format("catalog {}: an earlier write failed, and the files are in doubt "
                                "until the catalog is opened anew",
                                path_),
                    "start again: opening the catalog recovers it");
}

Result<void> SqliteConnection::execute(std::string_view sql) {
  TRY(usable());
  const int code =
      sqlite3_exec(database_.get(), std::string(sql).c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code, sql);
  return {};
}

Result<sqlite3_stmt*> SqliteConnection::prepare(std::string_view sql) {
  TRY(usable());
  sqlite3_stmt* statement = nullptr;
  const char* rest = nullptr;
  const int code = sqlite3_prepare_v3(database_.get(),
                                      sql.data(),
                                      static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT,
                                      &statement,
                                      &rest);
  if (code != SQLITE_OK) return error(code, sql);
  LOCKSTEP_ASSERT(statement != nullptr, "a statement without SQL in it");
  const std::string_view unread = sql.substr(static_cast<std::size_t>(rest - sql.data()));
  if (unread.find_first_not_of(" \t\n;") == std::string_view::npos) return statement;
  sqlite3_finalize(statement);
  return invalid(fmt::format("catalog {}: more than one statement at once: {}", path_, sql));
}

Error SqliteConnection::error(int code, std::string_view doing) {
  return error_of(database_.get(), code, doing);
}

Error SqliteConnection::error_of(sqlite3* database, int code, std::string_view doing) {
  constexpr std::size_t kShownMax = 200;  // an INSERT of a thousand rows helps nobody
  const std::string tried(doing.substr(0, kShownMax));
  const std::string context = fmt::format("catalog {}: {}", path_, tried);
  std::optional<Error> failure = std::exchange(vfs_->state().failure, std::nullopt);
  if (failure.has_value() && is_about_files(code)) {
    return std::move(*failure).with_context(context);
  }
  Meaning meaning = meaning_of(code);
  const bool denied = (code & 0xff) == SQLITE_CANTOPEN && database != nullptr &&
                      sqlite3_system_errno(database) == EACCES;
  if (denied) meaning = meaning_of(SQLITE_PERM);
  std::string why = database == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(database);
  if ((code & 0xff) == SQLITE_FULL) why = "disk full";
  return make_error(meaning.code, fmt::format("{}: {}", context, why), meaning.hint);
}

int SqliteConnection::after_commit(void* connection, sqlite3*, const char*, int frames) {
  static_cast<SqliteConnection*>(connection)->note_commit(frames);
  return SQLITE_OK;
}

void SqliteConnection::note_commit(std::int64_t frames) {
  // When all was moved the log may have started anew, which the number alone does not tell. Then
  // nothing is counted as moved: too many, until the next checkpoint, rather than too few.
  if (frames < log_frames_ || moved_frames_ == log_frames_) moved_frames_ = 0;
  log_frames_ = frames;
}

std::uint64_t SqliteConnection::log_bytes() const {
  if (mode_ == CatalogMode::kRead) {
    const Result<FileInfo> log = io_.info(path_ + "-wal");
    return log.ok() ? log.value().size_bytes : 0;
  }
  return static_cast<std::uint64_t>((log_frames_ - moved_frames_) * frame_bytes_);
}

Result<void> SqliteConnection::finish_moving() {
  if (mover_ == nullptr || !mover_->is_underway()) return {};
  Result<void> moved = mover_->finish();
  if (!moved.ok() && mover_->in_doubt()) vfs_->state().write_failed = true;
  return moved;
}

// The log starts anew only when all of it was moved while nobody writes. So the last bit of it is
// moved by the one who writes.
Result<void> SqliteConnection::checkpoint_beside() {
  if (files_ == SqliteFiles::kIo) return checkpoint();
  TRY(usable());
  if (mover_ == nullptr) mover_ = std::make_unique<LogMover>(io_, path_, use_);
  if (mover_->is_underway()) {
    if (!mover_->is_done()) return {};
    TRY(finish_moving());
    const std::int64_t since = log_frames_ - (log_frames_ < mover_frames_ ? 0 : mover_frames_);
    if (since * frame_bytes_ <= kRestBytes || mover_rounds_ >= kMoverRoundsMax) return checkpoint();
  } else {
    mover_rounds_ = 0;
  }
  mover_frames_ = log_frames_;
  ++mover_rounds_;
  return mover_->start();
}

Result<void> SqliteConnection::checkpoint() {
  TRY(usable());
  TRY(finish_moving());
  LOCKSTEP_ASSERT(mode_ != CatalogMode::kRead, "a checkpoint through a reader");
  // With the database to itself a connection can only checkpoint by itself.
  if (files_ == SqliteFiles::kIo) return checkpoint_on(database_.get());
  if (checkpointer_ == nullptr) {
    Database made = TRY(connect(SQLITE_OPEN_READWRITE));
    sqlite3_db_config(made.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    // Without a read before it, SQLite has not seen the log and moves nothing.
    const int code = sqlite3_exec(made.get(), kFirstRead, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return error_of(made.get(), code, "reading before a checkpoint");
    checkpointer_ = std::move(made);
  }
  return checkpoint_on(checkpointer_.get());
}

Result<void> SqliteConnection::checkpoint_on(sqlite3* database) {
  int frames = 0;
  int moved = 0;
  const int code =
      sqlite3_wal_checkpoint_v2(database, "main", SQLITE_CHECKPOINT_PASSIVE, &frames, &moved);
  if ((code & 0xff) == SQLITE_BUSY) return {};  // another process moves the log right now
  if (code != SQLITE_OK) return error_of(database, code, "moving the write-ahead log");
  log_frames_ = std::max(frames, 0);
  moved_frames_ = std::max(moved, 0);
  return {};
}

}  // namespace lockstep
