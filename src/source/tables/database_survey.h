// What tables a database has that datasets could follow: for `lockstep init`.
#pragma once

#include "base/result.h"
#include "table/types.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value.
struct SurveyedTable {
  std::string schema_name;
  std::string table;
  Schema schema;                      // the columns that a dataset can have
  std::vector<std::string> key;       // the primary key; empty: none that a dataset can have
  std::vector<std::string> left_out;  // "tags integer[]"
  std::string unfollowable;           // why it cannot be followed at all; empty: it can
  std::int64_t row_estimate = 0;
};

// Value.
struct SurveyedDatabase {
  std::string type;  // of the source that follows it: "postgres"
  std::string name;
  bool has_password = false;  // in the url
  std::vector<SurveyedTable> tables;
};

// The type of the source that follows a database with such a url; empty: there is none.
std::string database_type_of(std::string_view url);

// Of all schemas but the server's own. By database_type_of(); kUsage where it is empty.
Result<SurveyedDatabase> survey_database(const std::string& url);

// Partitions are part of their table.
Result<SurveyedDatabase> survey_postgres(const std::string& url);

// Of the database that the url names, else of all but the server's own.
Result<SurveyedDatabase> survey_mysql(const std::string& url);

}  // namespace lockstep
