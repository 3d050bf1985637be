#include "source/postgres/postgres_catalog.h"

#include "source/tables/table_columns.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

namespace lockstep {
namespace {

char letter_of(const std::string& text, char fallback) {
  return text.empty() ? fallback : text.front();
}

// A domain is shown as what it is made of, through domains of domains.
constexpr const char* kColumns = R"(
WITH RECURSIVE base(start, oid, modifier) AS (
  SELECT a.attnum, a.atttypid, a.atttypmod FROM pg_attribute a
   WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT b.start, t.typbasetype, t.typtypmod FROM base b JOIN pg_type t ON t.oid = b.oid
   WHERE t.typtype = 'd')
SELECT a.attname, t.oid, b.modifier, format_type(a.atttypid, a.atttypmod), t.typtype, t.typcategory,
       a.attgenerated <> '',
       coalesce(a.attnum = ANY (i.indkey), false),
       coalesce(a.attnum = ANY (p.indkey), false), a.atttypid, a.atttypmod
  FROM pg_attribute a
  JOIN base b ON b.start = a.attnum
  JOIN pg_type t ON t.oid = b.oid AND t.typtype <> 'd'
  JOIN pg_class c ON c.oid = a.attrelid
  LEFT JOIN pg_index p ON p.indrelid = c.oid AND p.indisprimary
  LEFT JOIN pg_index i ON i.indrelid = c.oid
       AND (c.relreplident = 'd' AND i.indisprimary OR c.relreplident = 'i' AND i.indisreplident)
 WHERE a.attrelid = $1::oid
 ORDER BY a.attnum)";

constexpr const char* kSlot = R"(
SELECT coalesce(plugin, ''), coalesce(database, ''), active, coalesce(active_pid, 0), coalesce(wal_status, ''),
       coalesce(confirmed_flush_lsn, '0/0'),
       coalesce(pg_wal_lsn_diff(log_end, restart_lsn), 0)::bigint, log_end, safe_wal_size,
       pg_size_bytes(current_setting('max_slot_wal_keep_size'))
  FROM pg_replication_slots,
       (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END) AS log(log_end)
 WHERE slot_name = $1)";

}  // namespace

std::int64_t integer_of(const std::string& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

const PostgresColumn* PostgresTable::column(const std::string& name) const {
  const auto found = std::ranges::find(columns, name, &PostgresColumn::name);
  return found == columns.end() ? nullptr : &*found;
}

std::vector<std::string> PostgresTable::primary_key() const {
  std::vector<std::string> names;
  for (const PostgresColumn& column : columns) {
    if (column.in_primary_key) names.push_back(column.name);
  }
  return names;
}

Relation PostgresTable::relation(const PostgresTarget& target) const {
  Relation out;
  out.id = id;
  out.schema = target.schema_name;
  out.table = target.table;
  out.identity = identity;
  for (const PostgresColumn& column : columns)
    out.columns.push_back(column.declared);
  return out;
}

Result<PostgresTable> read_table(PostgresLink& link, const PostgresTarget& target) {
  const PostgresAnswer found = TRY(link.query(
      "SELECT c.oid, c.relkind, c.relreplident, c.relpersistence, greatest(c.reltuples, "
      "0)::bigint, "
      "EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND NOT "
      "i.indimmediate) "
      "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
      "WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')",
      {target.schema_name, target.table}));
  if (found.rows.empty()) {
    return make_error(Code::kNotFound,
                      fmt::format("the database has no table {}", target.origin()),
                      "write it as schema.table, in the case that the database has");
  }
  PostgresTable table;
  table.id = static_cast<std::uint32_t>(integer_of(found.text(0, 0)));
  table.kind = letter_of(found.text(0, 1), 'r');
  table.identity = letter_of(found.text(0, 2), 'd');
  table.is_logged = found.text(0, 3) == "p";
  table.row_estimate = integer_of(found.text(0, 4));
  table.has_deferrable_key = found.text(0, 5) == "t";
  const PostgresAnswer columns = TRY(link.query(kColumns, {found.text(0, 0)}));
  for (std::size_t row = 0; row < columns.rows.size(); ++row) {
    PostgresColumn column;
    column.name = columns.text(row, 0);
    column.type.oid = static_cast<std::uint32_t>(integer_of(columns.text(row, 1)));
    column.type.modifier = static_cast<std::int32_t>(integer_of(columns.text(row, 2)));
    column.type.name = columns.text(row, 3);
    column.type.kind = letter_of(columns.text(row, 4), 'b');
    column.type.category = letter_of(columns.text(row, 5), 'U');
    column.is_generated = columns.text(row, 6) == "t";
    column.in_identity = table.identity == 'f' || columns.text(row, 7) == "t";
    column.in_primary_key = columns.text(row, 8) == "t";
    column.declared = {.in_identity = column.in_identity,
                       .name = column.name,
                       .type = static_cast<std::uint32_t>(integer_of(columns.text(row, 9))),
                       .modifier = static_cast<std::int32_t>(integer_of(columns.text(row, 10)))};
    table.columns.push_back(std::move(column));
  }
  return table;
}

Schema dataset_schema(const PostgresTable& table) {
  std::vector<Field> fields;
  for (const PostgresColumn& column : table.columns) {
    const std::optional<Type> type = table_type_of(column.type);
    if (type && !column.is_generated) fields.push_back({column.name, *type});
  }
  return Schema(std::move(fields));
}

namespace {

Result<void> check_column(const PostgresTarget& target,
                          const PostgresTable& table,
                          const Field& field) {
  const PostgresColumn* column = table.column(field.name);
  if (column == nullptr) {
    std::vector<std::string> names;
    for (const PostgresColumn& one : table.columns)
      names.push_back(one.name);
    return missing_table_column(target, field.name, names);
  }
  if (column->is_generated) {
    return invalid(
        fmt::format("column '{}' of table {} is generated, and PostgreSQL does not replicate it",
                    field.name,
                    target.origin()),
        "leave it out of the dataset's columns, and compute it in a step");
  }
  const std::optional<Type> own = table_type_of(column->type);
  if (!own) return unsupported_table_column(target, field.name, column->type.name);
  if (!fits(column->type, field.type))
    return unfit_table_column(target, field, column->type.name, own);
  return {};
}

}  // namespace

Result<void> check_table(const PostgresTarget& target, const PostgresTable& table) {
  for (const Field& field : target.schema.fields())
    TRY(check_column(target, table, field));
  if (table.has_deferrable_key) {
    return make_error(
        Code::kUnsupported,
        fmt::format("the primary key of table {} is deferrable: two rows may have one "
                    "key for a while, and the stream does not tell them apart",
                    target.origin()),
        "make the constraint NOT DEFERRABLE");
  }
  const bool has_identity = std::ranges::any_of(table.columns, &PostgresColumn::in_identity);
  if (!has_identity) return {};  // it takes inserts only: the server refuses others
  for (const int key : target.key) {
    const std::string& name = target.schema.field(key).name;
    const PostgresColumn* column = table.column(name);
    if (column == nullptr || column->in_identity) continue;
    return invalid(
        fmt::format("key column '{}' of table {} is not in its replica identity: a delete would "
                    "not tell which row left",
                    name,
                    target.origin()),
        fmt::format("take the primary key as the dataset's key, or run: ALTER TABLE {} REPLICA "
                    "IDENTITY FULL;",
                    quoted_table(target)));
  }
  return {};
}

Result<std::optional<PostgresSlot>> read_slot(PostgresLink& link, const std::string& slot) {
  const PostgresAnswer found = TRY(link.query(kSlot, {slot}));
  if (found.rows.empty()) return std::optional<PostgresSlot>();
  PostgresSlot out;
  out.plugin = found.text(0, 0);
  out.database = found.text(0, 1);
  out.is_active = found.text(0, 2) == "t";
  out.active_pid = integer_of(found.text(0, 3));
  out.wal_status = found.text(0, 4);
  out.confirmed = parse_lsn(found.text(0, 5)).value_or(0);
  out.held_bytes = integer_of(found.text(0, 6));
  out.log_end = parse_lsn(found.text(0, 7)).value_or(0);
  if (found.rows.front().at(8)) out.safe_bytes = integer_of(found.text(0, 8));
  out.held_bytes_max = integer_of(found.text(0, 9));
  return std::optional(std::move(out));
}

Result<PostgresSystem> identify(PostgresLink& replication) {
  const PostgresAnswer found = TRY(replication.query("IDENTIFY_SYSTEM", {}));
  if (found.rows.empty() || found.rows.front().size() < 4)
    return make_error(Code::kIo, "PostgreSQL does not say which server it is");
  PostgresSystem out;
  out.system = found.text(0, 0);
  out.timeline = integer_of(found.text(0, 1));
  out.flushed = parse_lsn(found.text(0, 2)).value_or(0);
  out.database = found.text(0, 3);
  return out;
}

Result<std::optional<std::vector<std::string>>> unpublished(
    PostgresLink& link,
    const std::string& publication,
    const std::vector<PostgresTarget>& targets) {
  const PostgresAnswer there =
      TRY(link.query("SELECT 1 FROM pg_publication WHERE pubname = $1", {publication}));
  if (there.rows.empty()) return std::optional<std::vector<std::string>>();
  const PostgresAnswer tables = TRY(link.query(
      "SELECT schemaname || '.' || tablename FROM pg_publication_tables WHERE pubname = $1",
      {publication}));
  std::vector<std::string> missing;
  for (const PostgresTarget& target : targets) {
    const bool has = std::ranges::any_of(tables.rows, [&](const PostgresAnswer::Row& row) {
      return row.front().value_or("") == target.origin();
    });
    if (!has) missing.push_back(quoted_table(target));
  }
  return std::optional(std::move(missing));
}

Result<void> check_publication_of(PostgresLink& link,
                                  const std::string& publication,
                                  const PostgresTarget& target,
                                  const PostgresTable& table) {
  const PostgresAnswer found = TRY(link.query(
      "SELECT p.pubviaroot, p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate, "
      "coalesce(to_jsonb(t) ->> 'rowfilter', '') FROM pg_publication p JOIN pg_publication_tables "
      "t "
      "USING (pubname) WHERE p.pubname = $1 AND t.schemaname = $2 AND t.tablename = $3",
      {publication, target.schema_name, target.table}));
  if (found.rows.empty()) return {};
  const std::string name = quote_name(publication);
  if (table.kind == 'p' && found.text(0, 0) != "t") {
    return invalid(
        fmt::format(
            "publication {} gives the partitions of {} and not the table", name, target.origin()),
        fmt::format("run: ALTER PUBLICATION {} SET (publish_via_partition_root = true);", name));
  }
  if (found.text(0, 1) != "t") {
    return invalid(fmt::format("publication {} leaves out some kinds of changes", name),
                   fmt::format("run: ALTER PUBLICATION {} SET (publish = 'insert, update, delete, "
                               "truncate');",
                               name));
  }
  if (!found.text(0, 2).empty()) {
    return make_error(
        Code::kUnsupported,
        fmt::format("publication {} gives only rows of {} with {}",
                    name,
                    target.origin(),
                    found.text(0, 2)),
        "take the filter out of the publication, and filter in the dataset's clean steps");
  }
  return {};
}

std::string quoted_table(const PostgresTarget& target) {
  return quote_name(target.schema_name) + "." + quote_name(target.table);
}

std::string create_publication_sql(const std::string& publication,
                                   const std::vector<PostgresTarget>& targets) {
  std::vector<std::string> tables;
  for (const PostgresTarget& target : targets)
    tables.push_back(quoted_table(target));
  return fmt::format("CREATE PUBLICATION {} FOR TABLE {} WITH (publish_via_partition_root = true)",
                     quote_name(publication),
                     fmt::join(tables, ", "));
}

}  // namespace lockstep
