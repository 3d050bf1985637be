// What tables a PostgreSQL database has that datasets could follow: for `lockstep init`.
#pragma once

#include "base/result.h"
#include "table/types.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

// Value.
struct SurveyedTable {
  std::string schema_name;
  std::string table;
  Schema schema;                      // the columns that a dataset can have
  std::vector<std::string> key;       // the primary key; empty: none that a dataset can have
  std::vector<std::string> left_out;  // "tags integer[]"
  std::int64_t row_estimate = 0;
};

// Value.
struct SurveyedDatabase {
  std::string name;
  bool has_password = false;  // in the url
  std::vector<SurveyedTable> tables;
};

// Of all schemas but the server's own; partitions are part of their table.
Result<SurveyedDatabase> survey_postgres(const std::string& url);

}  // namespace lockstep
