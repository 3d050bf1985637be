#include "source/postgres/postgres_slot.h"

#include "source/postgres/postgres_catalog.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace lockstep {
namespace {

constexpr std::int64_t kSlotBusyUs = 10'000'000;
constexpr std::int64_t kSlotPauseUs = 100'000;
// A first copy that was left goes on behind the last such chunk: 16 MB of a table, by which no
// figure of the copy changes.
constexpr std::int64_t kChunkBlocks = 2048;
constexpr const char* kSlotIsActive = "55006";
constexpr const char* kLockTimeout = "55P03";

std::string copy_anew(const PostgresSettings& settings) {
  return fmt::format("lockstep resync {} copies its tables anew and changes what differs",
                     settings.name);
}

Result<void> publish(const PostgresOpening& opening, PostgresLink& link) {
  const std::string& name = opening.settings.publication;
  const auto missing = TRY(unpublished(link, name, opening.targets));
  std::string sql;
  if (!missing) {
    sql = create_publication_sql(name, opening.targets);
  } else if (!missing->empty()) {
    sql = fmt::format(
        "ALTER PUBLICATION {} ADD TABLE {}", quote_name(name), fmt::join(*missing, ", "));
  } else {
    return {};
  }
  Result<PostgresAnswer> made = link.query(sql, {});
  if (made.ok()) return {};
  Error error = std::move(made).error();
  error.hint = "let the tables' owner run: " + sql + ";";
  return std::move(error).with_context(fmt::format("publication '{}'", name));
}

Result<void> drop_slot(PostgresLink& link, const std::string& slot) {
  const auto there = TRY(read_slot(link, slot));
  if (!there) return {};
  if (there->is_active) {
    return make_error(
        Code::kIo,
        fmt::format("replication slot '{}' is used by process {}", slot, there->active_pid),
        "end the other reader, or give this source another slot");
  }
  TRY_IN(link.query("SELECT pg_drop_replication_slot($1)", {slot}), "dropping the slot");
  return {};
}

Result<std::string> who_blocks(PostgresLink& link) {
  const PostgresAnswer found = TRY(link.query(
      "SELECT pid || ' of ' || coalesce(usename, '?') || ' since ' || xact_start FROM "
      "pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() ORDER BY "
      "xact_start LIMIT 1",
      {}));
  return found.rows.empty() ? "" : found.text(0, 0);
}

struct NewSlot {
  Lsn start = 0;
  std::string snapshot;
};

// The server waits for every transaction that is writing: not for ever.
Result<NewSlot> create_slot(PostgresLink& replication,
                            PostgresLink& link,
                            const std::string& name_and_kind) {
  TRY(replication.query("SET lock_timeout = '30s'", {}));
  Result<PostgresAnswer> made = replication.query(
      fmt::format("CREATE_REPLICATION_SLOT {}LOGICAL pgoutput (SNAPSHOT 'export')", name_and_kind),
      {});
  if (!made.ok()) {
    Error error = std::move(made).error();
    if (replication.error_code() == kLockTimeout) {
      error.hint = fmt::format(
          "a transaction has been writing all the while ({}): end it, and try "
          "again",
          TRY(who_blocks(link)));
    }
    return std::move(error).with_context("making the replication slot");
  }
  const PostgresAnswer& answer = made.value();
  if (answer.rows.empty() || answer.rows.front().size() < 3)
    return make_error(Code::kIo, "PostgreSQL does not say where the new slot begins");
  NewSlot slot;
  slot.start = parse_lsn(answer.text(0, 1)).value_or(0);
  slot.snapshot = answer.text(0, 2);
  if (slot.start == 0) return make_error(Code::kIo, "PostgreSQL gives no place of the new slot");
  return slot;
}

// Where its rows are stored, for as long as the transaction lasts: it holds the table's lock.
Result<void> look_at_storage(PostgresLink& link, CopyTable& table) {
  if (table.is_partitioned) return {};
  const std::string name = quoted_table(table.target);
  TRY(link.query(fmt::format("LOCK TABLE ONLY {} IN ACCESS SHARE MODE", name), {}));
  const PostgresAnswer storage =
      TRY(link.query("SELECT pg_relation_filenode($1::regclass), pg_relation_size($1::regclass) / "
                     "current_setting('block_size')::bigint",
                     {name}));
  if (storage.rows.empty()) return make_error(Code::kIo, "PostgreSQL does not say where rows are");
  table.node = integer_of(storage.text(0, 0));
  table.block_count = integer_of(storage.text(0, 1));
  return {};
}

// `link` sees what the slot's snapshot has, and the copy takes it over.
Result<CopyRequest> look_in_snapshot(PostgresLink& link,
                                     const NewSlot& slot,
                                     const std::string& publication,
                                     const std::vector<PostgresTarget>& targets) {
  CopyRequest out;
  out.lsn = slot.start;
  TRY(link.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", {}));
  TRY(link.query("SET TRANSACTION SNAPSHOT " + quote_text(slot.snapshot), {}));
  for (const PostgresTarget& target : targets) {
    const PostgresTable table = TRY(read_table(link, target));
    TRY(check_table(target, table));
    TRY(check_publication_of(link, publication, target, table));
    CopyTable one{.target = target, .is_partitioned = table.kind == 'p'};
    one.copied = {slot.start, table_shape(target, table.relation(target))};
    TRY(look_at_storage(link, one));
    out.tables.push_back(std::move(one));
  }
  return out;
}

std::map<std::string, CopiedTable> copied_tables(const CopyRequest& request) {
  std::map<std::string, CopiedTable> out;
  for (const CopyTable& table : request.tables)
    out[table.target.origin()] = table.copied;
  return out;
}

// A snapshot whose place in the log is known, beside a stream or before one. The slot goes with the
// connection that made it; `link` keeps the snapshot.
Result<CopyRequest> look_beside(const PostgresOpening& opening,
                                PostgresLink& link,
                                const std::vector<PostgresTarget>& targets) {
  const std::unique_ptr<PostgresLink> replication =
      TRY(opening.server.connect(LinkKind::kReplication));
  constexpr std::size_t kNameRoom = 58;
  const std::string name = opening.settings.slot.substr(0, kNameRoom) + "_copy";
  const NewSlot slot = TRY(create_slot(*replication, link, quote_name(name) + " TEMPORARY "));
  return look_in_snapshot(link, slot, opening.settings.publication, targets);
}

}  // namespace

Result<BegunCopy> begin_copy(const PostgresOpening& opening, const PostgresPosition& before) {
  BegunCopy begun;
  std::unique_ptr<PostgresLink> link = TRY(opening.server.connect(LinkKind::kQueries));
  for (const PostgresTarget& target : opening.targets)
    TRY(check_table(target, TRY(read_table(*link, target))));
  TRY(publish(opening, *link));
  begun.replication = TRY(opening.server.connect(LinkKind::kReplication));
  const PostgresSystem system = TRY(identify(*begun.replication));
  // One of before has no use: what it would give is in the copy. Nobody else uses this name.
  TRY(drop_slot(*link, opening.settings.slot));
  const bool had_another =
      !before.is_empty() && before.slot != opening.settings.slot && before.system == system.system;
  if (had_another) TRY(drop_slot(*link, before.slot));
  const NewSlot slot =
      TRY(create_slot(*begun.replication, *link, quote_name(opening.settings.slot) + " "));
  CopyRequest request =
      TRY(look_in_snapshot(*link, slot, opening.settings.publication, opening.targets));
  begun.position = {.system = system.system,
                    .timeline = system.timeline,
                    .slot = opening.settings.slot,
                    .lsn = slot.start,
                    .tables = {},
                    .copy = {}};
  request.resumes = true;
  request.chunk_blocks = kChunkBlocks;
  request.begin = begun.position.parts();
  begun.position.tables = copied_tables(request);
  request.position_changes = begun.position.parts();
  add_progress(request.position_changes, std::nullopt);
  begun.copy = std::make_unique<PostgresCopy>(std::move(link), std::move(request));
  return begun;
}

Result<BegunCopy> resume_copy(const PostgresOpening& opening, const PostgresPosition& position) {
  LOCKSTEP_ASSERT(position.copy.has_value(), "source: a copy that was whole goes on");
  BegunCopy begun;
  begun.replication = TRY(resume(opening, position));
  begun.position = position;
  std::vector<PostgresTarget> left;
  for (const PostgresTarget& target : opening.targets) {
    if (!position.tables.contains(target.origin())) left.push_back(target);
  }
  if (left.empty()) return begun;
  std::unique_ptr<PostgresLink> link = TRY(opening.server.connect(LinkKind::kQueries));
  CopyRequest request = TRY(look_beside(opening, *link, left));
  CopyTable& first = request.tables.front();
  const bool is_same = first.target.origin() == position.copy->origin &&
                       first.node == position.copy->node && !first.is_partitioned;
  if (!is_same) {
    return make_error(Code::kRefused,
                      fmt::format("the rows of table {} were written anew since they were copied",
                                  position.copy->origin));
  }
  first.first_block = position.copy->block;
  // Of what was copied before, the log from there on counts.
  if (first.first_block > 0) first.copied.lsn = position.lsn;
  request.resumes = true;
  request.goes_on_behind = true;
  request.chunk_blocks = kChunkBlocks;
  request.begin = position.parts();
  begun.position.tables.merge(copied_tables(request));
  begun.copy = std::make_unique<PostgresCopy>(std::move(link), std::move(request));
  return begun;
}

Result<CopyOfSome> begin_copy_of(const PostgresOpening& opening,
                                 const std::set<std::string>& origins) {
  std::unique_ptr<PostgresLink> link = TRY(opening.server.connect(LinkKind::kQueries));
  std::vector<PostgresTarget> targets;
  for (const PostgresTarget& target : opening.targets) {
    if (origins.contains(target.origin())) targets.push_back(target);
  }
  TRY(publish(opening, *link));
  CopyOfSome out;
  CopyRequest request = TRY(look_beside(opening, *link, targets));
  out.tables = copied_tables(request);
  for (const auto& [origin, table] : out.tables)
    add_copied(request.position_changes, origin, table);
  // The other tables are still where the stream is.
  request.schema_pending = opening.targets.size() > targets.size();
  out.copy = std::make_unique<PostgresCopy>(std::move(link), std::move(request));
  return out;
}

Result<std::set<std::string>> find_stale(const PostgresOpening& opening,
                                         PostgresLink& link,
                                         const std::map<std::string, CopiedTable>& copied) {
  std::set<std::string> stale;
  for (const PostgresTarget& target : opening.targets) {
    const auto known = copied.find(target.origin());
    const bool is_same =
        known != copied.end() &&
        known->second.shape == table_shape(target, TRY(read_table(link, target)).relation(target));
    if (!is_same) stale.insert(target.origin());
  }
  return stale;
}

Result<std::unique_ptr<PostgresLink>> resume(const PostgresOpening& opening,
                                             const PostgresPosition& position) {
  std::unique_ptr<PostgresLink> replication = TRY(opening.server.connect(LinkKind::kReplication));
  const PostgresSystem system = TRY(identify(*replication));
  const std::string& slot = opening.settings.slot;
  const auto refuse = [&](const std::string& why) {
    return make_error(Code::kRefused, why, copy_anew(opening.settings));
  };
  if (system.system != position.system)
    return refuse("the database is on another server than the one that was followed");
  if (system.timeline != position.timeline) {
    return refuse(
        fmt::format("the server is on timeline {}, and {} was followed: a standby took "
                    "over, or a backup was restored",
                    system.timeline,
                    position.timeline));
  }
  if (position.lsn > system.flushed) {
    return refuse(
        fmt::format("the hub has followed the server to {}, whose log ends at {}: it lost "
                    "what came last",
                    lsn_text(position.lsn),
                    lsn_text(system.flushed)));
  }
  const std::unique_ptr<PostgresLink> link = TRY(opening.server.connect(LinkKind::kQueries));
  const auto there = TRY(read_slot(*link, slot));
  if (!there) return refuse(fmt::format("replication slot '{}' is gone", slot));
  if (there->wal_status == "lost") {
    return refuse(
        fmt::format("replication slot '{}' is lost: the server removed log that it needed", slot));
  }
  if (there->plugin != "pgoutput")
    return refuse(fmt::format("replication slot '{}' is of plugin {}", slot, there->plugin));
  if (there->confirmed > position.lsn) {
    return refuse(
        fmt::format("replication slot '{}' stands at {}, beyond {} where the hub is: it "
                    "was made anew, or somebody else reads it",
                    slot,
                    lsn_text(there->confirmed),
                    lsn_text(position.lsn)));
  }
  return replication;
}

Result<void> start_stream(const PostgresOpening& opening, PostgresLink& replication, Lsn position) {
  const std::string sql =
      fmt::format("START_REPLICATION SLOT {} LOGICAL {} (proto_version '1', publication_names {})",
                  quote_name(opening.settings.slot),
                  lsn_text(position),
                  quote_text(quote_name(opening.settings.publication)));
  const std::int64_t end_us = opening.io.monotonic_us() + kSlotBusyUs;
  for (;;) {
    Result<void> started = replication.start_stream(sql);
    if (started.ok()) return started;
    // A reader that died a moment ago holds the slot until the server notices.
    const bool is_busy = replication.error_code() == kSlotIsActive;
    if (!is_busy || opening.io.monotonic_us() >= end_us) return started;
    opening.io.sleep_us(kSlotPauseUs);
  }
}

}  // namespace lockstep
