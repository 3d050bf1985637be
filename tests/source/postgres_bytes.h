// Messages of pgoutput, made by hand.
#pragma once

#include "source/postgres/pgoutput.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::test {

inline std::string big_endian(std::uint64_t value, int size) {
  std::string out;
  for (int shift = (size - 1) * 8; shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift & 0xFF);
  return out;
}

inline std::string zero_ended(std::string_view text) {
  return std::string(text) + '\0';
}

// "~" is an unchanged cell, nullopt null.
using Cells = std::vector<std::optional<std::string>>;

inline std::string tuple_bytes(const Cells& cells) {
  std::string out = big_endian(cells.size(), 2);
  for (const auto& cell : cells) {
    if (!cell) {
      out += 'n';
    } else if (*cell == "~") {
      out += 'u';
    } else {
      out += 't' + big_endian(cell->size(), 4) + *cell;
    }
  }
  return out;
}

inline std::string begin_bytes(Lsn commit) {
  return "B" + big_endian(commit, 8) + big_endian(1'000'000, 8) + big_endian(77, 4);
}

inline std::string commit_bytes(Lsn commit, Lsn end) {
  return "C" + big_endian(0, 1) + big_endian(commit, 8) + big_endian(end, 8) +
         big_endian(1'000'000, 8);
}

struct ColumnBytes {
  std::string name;
  std::uint32_t type = 25;
  bool in_identity = false;
};

inline std::string relation_bytes(std::uint32_t id,
                                  std::string_view table,
                                  const std::vector<ColumnBytes>& columns,
                                  char identity = 'd') {
  std::string out = "R" + big_endian(id, 4) + zero_ended("public") + zero_ended(table) + identity +
                    big_endian(columns.size(), 2);
  for (const ColumnBytes& column : columns) {
    out += big_endian(column.in_identity ? 1 : 0, 1) + zero_ended(column.name) +
           big_endian(column.type, 4) + big_endian(0xFFFFFFFF, 4);
  }
  return out;
}

inline std::string insert_bytes(std::uint32_t id, const Cells& cells) {
  return "I" + big_endian(id, 4) + "N" + tuple_bytes(cells);
}

inline std::string update_bytes(std::uint32_t id, const Cells& cells) {
  return "U" + big_endian(id, 4) + "N" + tuple_bytes(cells);
}

// `kind`: 'K' or 'O'.
inline std::string update_bytes(std::uint32_t id, char kind, const Cells& old, const Cells& cells) {
  return "U" + big_endian(id, 4) + kind + tuple_bytes(old) + "N" + tuple_bytes(cells);
}

inline std::string delete_bytes(std::uint32_t id, char kind, const Cells& old) {
  return "D" + big_endian(id, 4) + kind + tuple_bytes(old);
}

inline std::string truncate_bytes(const std::vector<std::uint32_t>& ids) {
  std::string out = "T" + big_endian(ids.size(), 4) + big_endian(1, 1);
  for (const std::uint32_t id : ids)
    out += big_endian(id, 4);
  return out;
}

inline std::string frame_bytes(Lsn log_end, std::string_view message) {
  return "w" + big_endian(0, 8) + big_endian(log_end, 8) + big_endian(0, 8) + std::string(message);
}

// `time`: of the server's clock, in microseconds since 2000.
inline std::string keepalive_bytes(Lsn log_end, bool wants_reply = false, std::uint64_t time = 0) {
  return "k" + big_endian(log_end, 8) + big_endian(time, 8) + big_endian(wants_reply ? 1 : 0, 1);
}

}  // namespace lockstep::test
