#include "source/postgres/postgres_check.h"

#include "source/postgres/postgres_catalog.h"
#include "source/postgres/postgres_watch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <utility>

namespace lockstep {
namespace {

using Level = SourceFinding::Level;
using Findings = std::vector<SourceFinding>;

constexpr std::int64_t kOldestVersion = 140'000;

void add(Findings& out, Level level, std::string text, std::string hint = {}) {
  out.push_back({level, std::move(text), std::move(hint)});
}

constexpr const char* kServer = R"(
SELECT current_setting('server_version_num'), current_setting('wal_level'),
       current_setting('max_replication_slots')::bigint - (SELECT count(*) FROM pg_replication_slots),
       current_setting('max_wal_senders')::bigint - (SELECT count(*) FROM pg_stat_replication),
       (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user),
       current_user, current_setting('server_version'), current_setting('max_slot_wal_keep_size'))";

Result<void> check_server(PostgresLink& link, bool has_slot, Findings& out) {
  const PostgresAnswer answer = TRY(link.query(kServer, {}));
  const std::string version = answer.text(0, 6);
  if (integer_of(answer.text(0, 0)) < kOldestVersion) {
    add(out,
        Level::kFailure,
        fmt::format("the server is PostgreSQL {}", version),
        "14 or newer is needed");
  } else {
    add(out, Level::kOk, fmt::format("connected to PostgreSQL {}", version));
  }
  if (answer.text(0, 1) != "logical") {
    add(out,
        Level::kFailure,
        fmt::format("wal_level is {}", answer.text(0, 1)),
        "run: ALTER SYSTEM SET wal_level = logical; then restart the server");
  }
  if (!has_slot && integer_of(answer.text(0, 2)) < 1) {
    add(out,
        Level::kFailure,
        "no replication slot is free",
        "raise max_replication_slots and restart the server, or drop a slot that nobody reads");
  }
  if (integer_of(answer.text(0, 3)) < 1) {
    add(out,
        Level::kFailure,
        "no WAL sender is free",
        "raise max_wal_senders and restart the server");
  }
  if (answer.text(0, 4) != "t") {
    const std::string role = quote_name(answer.text(0, 5));
    add(out,
        Level::kFailure,
        fmt::format("role {} may not replicate", role),
        fmt::format("run: ALTER ROLE {} REPLICATION;", role));
  }
  if (answer.text(0, 7) == "-1") {
    add(out,
        Level::kWarning,
        "max_slot_wal_keep_size has no limit: if Lockstep stays away, the log fills the disk",
        "run: ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf();");
  }
  return {};
}

// Whether a unique index lies within the dataset's key: then a key names one row.
Result<bool> key_is_unique(PostgresLink& link, const PostgresTarget& target) {
  std::vector<std::string> names;
  for (const int key : target.key)
    names.push_back(quote_text(target.schema.field(key).name));
  const PostgresAnswer found = TRY(link.query(
      fmt::format("SELECT 1 FROM pg_index i WHERE i.indrelid = $1::regclass AND i.indisunique AND "
                  "i.indpred IS NULL AND i.indexprs IS NULL AND NOT EXISTS (SELECT 1 FROM "
                  "pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY "
                  "((i.indkey::int2[])[0:i.indnkeyatts - 1]) AND a.attname NOT IN ({}))",
                  fmt::join(names, ", ")),
      {quoted_table(target)}));
  return !found.rows.empty();
}

void check_identity(const PostgresTarget& target, const PostgresTable& table, Findings& out) {
  if (!table.is_logged) {
    add(out,
        Level::kFailure,
        fmt::format("table {} is unlogged or temporary, and is not replicated", target.origin()),
        fmt::format("run: ALTER TABLE {} SET LOGGED;", quoted_table(target)));
  }
  for (const PostgresColumn& column : table.columns) {
    if (column.in_identity) return;
  }
  add(out,
      Level::kWarning,
      fmt::format("table {} has no replica identity: once it is published, the database refuses "
                  "every update and delete of it",
                  target.origin()),
      fmt::format("give it a primary key, or run: ALTER TABLE {} REPLICA IDENTITY FULL;",
                  quoted_table(target)));
}

Result<void> check_target(PostgresLink& link,
                          const std::string& publication,
                          const SourceTarget& requested,
                          Findings& out) {
  PostgresTarget target = TRY(parse_target(requested, 0));
  Result<PostgresTable> table = read_table(link, target);
  if (!table.ok()) {
    add(out, Level::kFailure, table.error().message, table.error().hint);
    return {};
  }
  if (target.schema.size() == 0) {  // it will have those of the table
    SourceTarget known = requested;
    known.schema = dataset_schema(table.value());
    target = TRY(parse_target(known, 0));
  }
  if (Result<void> fit = check_table(target, table.value()); !fit.ok()) {
    add(out, Level::kFailure, fit.error().message, fit.error().hint);
    return {};
  }
  check_identity(target, table.value(), out);
  const Result<void> published = check_publication_of(link, publication, target, table.value());
  if (!published.ok()) add(out, Level::kFailure, published.error().message, published.error().hint);
  const PostgresAnswer rights = TRY(link.query(
      "SELECT has_table_privilege($1::regclass, 'SELECT'), current_user", {quoted_table(target)}));
  if (rights.text(0, 0) != "t") {
    add(out,
        Level::kFailure,
        fmt::format("table {} may not be read", target.origin()),
        fmt::format(
            "run: GRANT SELECT ON {} TO {};", quoted_table(target), quote_name(rights.text(0, 1))));
  }
  if (!TRY(key_is_unique(link, target))) {
    add(out,
        Level::kWarning,
        fmt::format("the dataset's key is not unique in table {}: rows of one key replace each "
                    "other",
                    target.origin()),
        "take the columns of the primary key, or of another unique index");
  }
  add(out,
      Level::kOk,
      fmt::format("table {}: about {} rows", target.origin(), table.value().row_estimate));
  return {};
}

// Whether the role may make a publication of the tables, or add them to one.
Result<bool> may_publish(PostgresLink& link, const std::vector<PostgresTarget>& targets) {
  for (const PostgresTarget& target : targets) {
    const PostgresAnswer owned = TRY(link.query(
        "SELECT has_database_privilege(current_database(), 'CREATE') AND bool_and(pg_has_role("
        "relowner, 'USAGE')) FROM pg_class WHERE oid = to_regclass($1)",
        {quoted_table(target)}));
    if (owned.text(0, 0) != "t") return false;
  }
  return true;
}

Result<void> check_publication(PostgresLink& link,
                               const std::string& name,
                               const std::vector<PostgresTarget>& targets,
                               Findings& out) {
  const auto missing = TRY(unpublished(link, name, targets));
  if (missing && missing->empty()) {
    add(out, Level::kOk, fmt::format("publication {} has the tables", name));
    return {};
  }
  const std::string sql = missing ? fmt::format("ALTER PUBLICATION {} ADD TABLE {}",
                                                quote_name(name),
                                                fmt::join(*missing, ", "))
                                  : create_publication_sql(name, targets);
  if (TRY(may_publish(link, targets))) {
    add(out, Level::kOk, fmt::format("the first copy will run: {};", sql));
    return {};
  }
  add(out,
      Level::kFailure,
      missing ? fmt::format("publication {} lacks {}", name, fmt::join(*missing, ", "))
              : fmt::format("publication {} is missing, and this role may not make it", name),
      fmt::format("let the tables' owner run: {};", sql));
  return {};
}

void check_slot(const std::string& name, const std::optional<PostgresSlot>& slot, Findings& out) {
  if (!slot) {
    add(out, Level::kOk, fmt::format("replication slot {} will be made with the first copy", name));
    return;
  }
  if (std::optional<SourceFinding> danger = slot_danger(name, *slot)) {
    out.push_back(*std::move(danger));
    return;
  }
  add(out,
      Level::kOk,
      fmt::format("replication slot {} holds {:.1f} MB of the server's log ({})",
                  name,
                  static_cast<double>(slot->held_bytes) / 1e6,
                  slot->wal_status));
}

Result<void> look(PostgresServer& server,
                  const PostgresSettings& settings,
                  const std::vector<SourceTarget>& requested,
                  Findings& out) {
  const std::unique_ptr<PostgresLink> link = TRY(server.connect(LinkKind::kQueries));
  const auto slot = TRY(read_slot(*link, settings.slot));
  TRY(check_server(*link, slot.has_value(), out));
  std::vector<PostgresTarget> targets;
  for (const SourceTarget& one : requested) {
    targets.push_back(TRY(parse_target(one, static_cast<int>(targets.size()))));
    TRY(check_target(*link, settings.publication, one, out));
  }
  TRY(check_publication(*link, settings.publication, targets, out));
  check_slot(settings.slot, slot, out);
  return {};
}

}  // namespace

std::vector<SourceFinding> check_postgres(PostgresServer& server,
                                          const PostgresSettings& settings,
                                          const std::vector<SourceTarget>& requested) {
  Findings out;
  const Result<void> looked = look(server, settings, requested, out);
  if (!looked.ok()) add(out, Level::kFailure, looked.error().message, looked.error().hint);
  return out;
}

}  // namespace lockstep
