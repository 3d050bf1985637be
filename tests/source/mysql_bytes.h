// Events of the binary log, made by hand, without checksums.
#pragma once

#include "source/mysql/binlog_types.h"
#include "source/mysql/gtid.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::test {

inline std::string little(std::uint64_t value, std::size_t size) {
  std::string out;
  for (std::size_t at = 0; at < size; ++at)
    out += static_cast<char>(value >> (8 * at) & 0xFF);
  return out;
}

inline std::string log_event(int type, const std::string& body, std::uint32_t end = 0) {
  constexpr std::size_t kHeader = 19;
  return little(1'700'000'000, 4) + little(static_cast<std::uint64_t>(type), 1) + little(1, 4) +
         little(kHeader + body.size(), 4) + little(end, 4) + little(0, 2) + body;
}

inline std::string rotate_event(const std::string& file) {
  return log_event(4, little(4, 8) + file);
}

inline std::string format_event() {
  return log_event(15, std::string(60, '\0') + std::string(5, '\0'));
}

inline std::string gtid_event(const Gtid& gtid, std::uint8_t flags = 0) {
  return log_event(
      162,
      little(gtid.number, 8) + little(gtid.domain, 4) + little(flags, 1) + std::string(6, '\0'));
}

inline std::string xid_event(std::uint32_t end) {
  return log_event(16, little(7, 8), end);
}

inline std::string query_event(const std::string& statement, std::uint32_t end = 0) {
  return log_event(2,
                   little(1, 4) + little(0, 4) + little(4, 1) + little(0, 2) + little(0, 2) +
                       std::string("shop", 5) + statement,
                   end);
}

struct LogColumnBytes {
  std::string name;
  LogType type;
};

// Of bigint, double and text columns. Without `has_names`: as binlog_row_metadata=NO_LOG has it.
inline std::string table_event(std::uint64_t id,
                               const std::string& table,
                               const std::vector<LogColumnBytes>& columns,
                               bool has_names = true) {
  std::string types;
  std::string metadata;
  std::string names;
  for (const LogColumnBytes& column : columns) {
    types += static_cast<char>(column.type);
    if (column.type == LogType::kDouble) metadata += little(8, 1);
    if (column.type == LogType::kBlob) metadata += little(2, 1);
    names += little(column.name.size(), 1) + column.name;
  }
  std::string body = little(id, 6) + little(1, 2) + little(4, 1) + std::string("shop", 5) +
                     little(table.size(), 1) + table + '\0' + little(columns.size(), 1) + types +
                     little(metadata.size(), 1) + metadata +
                     std::string((columns.size() + 7) / 8, '\0');
  if (has_names) body += little(4, 1) + little(names.size(), 1) + names;
  return log_event(19, body);
}

// A row (id, hr, note); hr null where it is negative. `has`: which of the three columns are there.
inline std::string image(std::int64_t id, double hr, const std::string& note, unsigned has = 7) {
  std::string values;
  unsigned nulls = 0;
  unsigned index = 0;
  if ((has & 1) != 0) {
    values += little(static_cast<std::uint64_t>(id), 8);
    ++index;
  }
  if ((has & 2) != 0) {
    std::string bits(sizeof(hr), '\0');
    std::copy_n(reinterpret_cast<const char*>(&hr), sizeof(hr), bits.begin());
    if (hr < 0) nulls |= 1U << index;
    if (hr >= 0) values += bits;
    ++index;
  }
  if ((has & 4) != 0) values += little(note.size(), 2) + note;
  return little(nulls, 1) + values;
}

// `type`: 23 insert, 24 update, 25 delete.
inline std::string rows_event(int type,
                              std::uint64_t table,
                              const std::string& images,
                              unsigned before = 7,
                              unsigned after = 7) {
  return log_event(type,
                   little(table, 6) + little(1, 2) + little(3, 1) + little(before, 1) +
                       (type == 24 ? little(after, 1) : "") + images);
}

}  // namespace lockstep::test
