// The catalog layer: one SQL database that holds the hub's catalog, and nothing about what the
// tables mean.
//
// A Catalog is a connection. Statements are prepared; values are bound, never pasted. Identifiers
// that come from users pass through quote_identifier. One Transaction at a time; it rolls back
// unless it is committed.
//
// What it promises:
//   catalog-1  A committed transaction is durable: SQLite runs in WAL mode with synchronous=FULL.
//              Only a cache may do without (SqliteUse).
//   catalog-2  A transaction is seen whole or not at all, by every reader, whatever dies and when.
//   catalog-3  A write transaction is taken at once (BEGIN IMMEDIATE), so a second writer fails at
//              the start (kLocked), never in the middle.
//   catalog-4  After a failed write, truncation or sync of the database's files the connection
//              refuses further work (kIo): the process must open it anew, which recovers. Nothing
//              is retried.
//   catalog-5  Every file operation passes through Io::before, so that a test can fail or end the
//              process at each. Shared memory does not: it is no file that outlives a crash.
//
// What it does not do: know DuckLake, datasets or models (hub does).
//
//   auto catalog = TRY(open_sqlite(io, "hub/catalog.sqlite", CatalogMode::kWrite));
//   auto transaction = TRY(catalog->begin());
//   auto insert = TRY(catalog->prepare("INSERT INTO t(id, name) VALUES (?, ?)"));
//   TRY(insert->run({std::int64_t{7}, std::string("seven")}));
//   TRY(transaction->commit());
#pragma once

#include "base/io.h"
#include "base/result.h"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lockstep {

// Value. What a cell of the catalog holds; Blob tells bytes from text.
struct Blob {
  std::string bytes;
  bool operator==(const Blob&) const = default;
};

using Cell = std::variant<std::monostate, std::int64_t, double, std::string, Blob>;

// Resource. A prepared statement, which must not outlive its catalog. Columns are counted from 0,
// parameters too. A NaN is stored as NULL, as SQLite does.
// A statement that stands on a row keeps its view of the database, and with it the write-ahead log,
// until it is reset or done.
class Statement {
 public:
  virtual ~Statement() = default;

  virtual void bind(int parameter, const Cell& value) = 0;
  virtual void bind_null(int parameter) = 0;
  virtual void bind_integer(int parameter, std::int64_t value) = 0;
  virtual void bind_text(int parameter, std::string_view value) = 0;  // copied
  // Not copied: the text stays where it is until the statement was stepped and the parameter is
  // bound anew.
  virtual void bind_borrowed_text(int parameter, std::string_view value) = 0;
  virtual void bind_blob(int parameter, std::string_view value) = 0;  // copied

  // true: a row is there to read; false: done. After false, or before new values are bound, call
  // reset().
  virtual Result<bool> step() = 0;
  virtual void reset() = 0;

  virtual bool is_null(int column) const = 0;
  virtual std::int64_t integer(int column) const = 0;
  virtual double real(int column) const = 0;
  virtual std::string_view text(int column) const = 0;  // valid until the next step or reset
  virtual Cell cell(int column) const = 0;
  virtual int column_count() const = 0;

  // Binds, runs to the end, resets.
  Result<void> run(std::initializer_list<Cell> values);
};

// Resource. Rolls back when it goes without a commit.
class Transaction {
 public:
  virtual ~Transaction() = default;
  // After an error that says nothing of waiting (kLocked), only opening the catalog anew tells
  // whether it was committed; in any case whole or not at all.
  virtual Result<void> commit() = 0;
};

enum class CatalogMode {
  kRead,    // must exist; never writes to the database or its log
  kWrite,   // must exist
  kCreate,  // created when missing
};

// Resource. One connection; one thread at a time.
class Catalog {
 public:
  virtual ~Catalog() = default;

  virtual Result<std::unique_ptr<Statement>> prepare(std::string_view sql) = 0;
  // A statement kept and reused for the same text. Valid as long as the catalog; reset when handed
  // out.
  virtual Result<Statement*> cached(std::string_view sql) = 0;
  // Statements without parameters and results, parted by semicolons.
  virtual Result<void> execute(std::string_view sql) = 0;
  virtual Result<std::unique_ptr<Transaction>> begin() = 0;
  // A consistent view over several reads; ends when it goes.
  virtual Result<std::unique_ptr<Transaction>> begin_read() = 0;
  virtual bool table_exists(std::string_view name) = 0;

  // Bytes of the write-ahead log not yet moved into the database.
  virtual std::uint64_t log_bytes() const = 0;
  // Moves what it can without making anybody wait, and without waiting for readers. It syncs, so it
  // does not belong into a commit; SQLite's own automatic checkpoints are off. Not for kRead.
  virtual Result<void> checkpoint() = 0;
  // The same beside whoever writes, on a thread of its own: begins it, or goes on with what an
  // earlier call began, whose failure it tells. Nobody waits for long. Under kIo: checkpoint().
  virtual Result<void> checkpoint_beside() = 0;

  // First row and column, for single values; monostate when there is no row.
  Result<Cell> single(std::string_view sql, std::initializer_list<Cell> values = {});
};

// Whose files the database is kept in.
enum class SqliteFiles {
  // The operating system's, with its locks and its shared memory, so that other processes, DuckDB
  // among them, read and checkpoint at the same time. Io is told of each operation before it
  // happens, and may make it fail; it also is the clock and the random numbers.
  // Nobody may open and close these files in the same process by other means: that would drop
  // SQLite's locks on them (POSIX).
  kSystem,
  // Those of Io, for a disk in memory. No shared memory: one connection at a time, also to read; a
  // second one is kLocked.
  kIo,
};

// What a database is for.
enum class SqliteUse {
  kRecords,  // a commit is durable when it returns (catalog-1)
  // What can be made again. A power loss may take the newest commits, and leaves the others whole.
  // Each page has a checksum: one that is not what was written is told (kCorrupt) when it is read.
  kCache,
};

// kNoHub when the file does not exist (kRead, kWrite); kCorrupt when it is no database; kLocked
// when another process writes at this moment and goes on for over five seconds; kDenied when the
// file may not be written (kWrite, kCreate). The folder must exist. `io` must outlive the catalog.
Result<std::unique_ptr<Catalog>> open_sqlite(Io& io,
                                             const std::string& path,
                                             CatalogMode mode,
                                             SqliteFiles files = SqliteFiles::kSystem,
                                             SqliteUse use = SqliteUse::kRecords);

// "na""me", for identifiers that cannot be bound.
std::string quote_identifier(std::string_view name);

}  // namespace lockstep
