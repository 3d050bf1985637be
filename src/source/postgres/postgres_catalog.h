// What a PostgreSQL server says of its tables, publications and slots.
#pragma once

#include "base/result.h"
#include "source/postgres/postgres_link.h"
#include "source/postgres/postgres_lsn.h"
#include "source/postgres/postgres_rows.h"
#include "source/postgres/postgres_types.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

// A number as the server writes it; 0 for anything else.
std::int64_t integer_of(const std::string& text);

// Value. A table's column.
struct PostgresColumn {
  std::string name;
  PostgresType type;
  RelationColumn declared;  // as the stream has it
  bool is_generated = false;
  bool in_identity = false;
  bool in_primary_key = false;
};

// Value. A table, as it is now.
struct PostgresTable {
  std::uint32_t id = 0;
  char kind = 'r';      // pg_class.relkind: 'r' table, 'p' partitioned
  char identity = 'd';  // pg_class.relreplident
  bool is_logged = true;
  bool has_deferrable_key = false;
  std::int64_t row_estimate = 0;
  std::vector<PostgresColumn> columns;

  const PostgresColumn* column(const std::string& name) const;  // nullptr: none
  std::vector<std::string> primary_key() const;
  Relation relation(const PostgresTarget& target) const;  // as the stream names it
};

// kNotFound: there is none.
Result<PostgresTable> read_table(PostgresLink& link, const PostgresTarget& target);

// The columns that a dataset can have of it; those of other types are left out.
Schema dataset_schema(const PostgresTable& table);

// Whether the table has what the dataset needs: columns, types, and a key in its identity.
Result<void> check_table(const PostgresTarget& target, const PostgresTable& table);

// Value. A replication slot.
struct PostgresSlot {
  std::string plugin;
  std::string database;
  bool is_active = false;
  std::int64_t active_pid = 0;
  std::string wal_status;  // "reserved", "extended", "unreserved", "lost"
  Lsn confirmed = 0;
  std::int64_t held_bytes = 0;  // of log that the server keeps for it
  Lsn log_end = 0;              // of the server
  // So much more log, and the server may remove what the slot needs; none: it never does.
  std::optional<std::int64_t> safe_bytes;
  std::int64_t held_bytes_max = -1;  // max_slot_wal_keep_size; -1: no limit
};

Result<std::optional<PostgresSlot>> read_slot(PostgresLink& link, const std::string& slot);

// Value. The server, as IDENTIFY_SYSTEM has it.
struct PostgresSystem {
  std::string system;
  std::int64_t timeline = 0;
  Lsn flushed = 0;
  std::string database;
};

Result<PostgresSystem> identify(PostgresLink& replication);

// The targets' tables that the publication does not have. nullopt: there is no such publication.
Result<std::optional<std::vector<std::string>>> unpublished(
    PostgresLink& link, const std::string& publication, const std::vector<PostgresTarget>& targets);

// An error for a publication that leaves out changes of a table: of a partitioned one as a whole,
// or of rows that its filter does not take.
Result<void> check_publication_of(PostgresLink& link,
                                  const std::string& publication,
                                  const PostgresTarget& target,
                                  const PostgresTable& table);

std::string quoted_table(const PostgresTarget& target);  // "public"."vitals"

// The statements that make a publication, or add tables to it.
std::string create_publication_sql(const std::string& publication,
                                   const std::vector<PostgresTarget>& targets);

}  // namespace lockstep
