// The values of the binary log's cells. Pure.
#pragma once

#include "source/mysql/binlog.h"
#include "source/mysql/binlog_row.h"
#include "source/mysql/mysql_types.h"
#include "source/tables/read_cell.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value. A column of the log, and what is to be made of its cells.
struct LogReading {
  MysqlReading how;
  LogColumn column;
  std::vector<std::string> labels;  // in UTF-8
};

LogReading make_log_reading(const MysqlReading& how, const LogColumn& column);

// Whether a column of this form can have values of that kind: else the catalog and the log speak of
// different tables.
bool can_be(const LogColumn& column, MysqlKind kind);

// A cell that is there. Nothing: its value is in `out`; else why it cannot be stored. A text that
// had to be made is in `scratch`.
std::optional<std::string> read_log_cell(std::string_view bytes,
                                         const LogReading& reading,
                                         ReadCell& out,
                                         std::string& scratch);

// In UTF-8; nullopt: the bytes are no text of it. A text of kUtf8 is as it is.
std::optional<std::string> utf8_of(std::string_view bytes, MysqlCharset charset);

}  // namespace lockstep
