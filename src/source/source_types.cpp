#include "source/files/files.h"
#include "source/files/files_settings.h"
#include "source/http/http.h"
#include "source/kafka/kafka.h"
#include "source/kafka/kafka_settings.h"
#include "source/mysql/mysql.h"
#include "source/mysql/mysql_settings.h"
#include "source/postgres/postgres.h"
#include "source/postgres/postgres_settings.h"
#include "source/query/query.h"
#include "source/query/query_settings.h"
#include "source/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace lockstep {

void move_position(Position& position, const Position& changes) {
  for (const auto& [part, text] : changes) {
    if (text.empty()) {
      position.erase(part);
    } else {
      position[part] = text;
    }
  }
}

std::span<const SourceInfo> source_types() {
  static const std::array kTypes = {
      SourceInfo{.type = "files",
                 .text = "Files of a folder: CSV, TSV, NDJSON and Parquet, growing or replaced.",
                 .settings = files_setting_table(),
                 .make = make_files_source},
      SourceInfo{.type = "http",
                 .text = "Changes that others push over HTTP, to the daemon.",
                 .settings = http_setting_table(),
                 .make = make_http_source},
      SourceInfo{.type = "postgres",
                 .text = "Tables of a PostgreSQL database, by logical replication.",
                 .has_tables = true,
                 .settings = postgres_setting_table(),
                 .make = make_postgres_source},
      SourceInfo{.type = "kafka",
                 .text = "Topics of a Kafka cluster, each a table.",
                 .has_tables = true,
                 .settings = kafka_setting_table(),
                 .make = make_kafka_source},
      SourceInfo{.type = "mysql",
                 .text = "Tables of a MariaDB or MySQL database, by its binary log.",
                 .has_tables = true,
                 .settings = mysql_setting_table(),
                 .make = make_mysql_source},
      SourceInfo{.type = "query",
                 .text = "Tables and queries of any PostgreSQL, MariaDB, MySQL or SQLite database, "
                         "read every so often.",
                 .has_tables = true,
                 .settings = query_setting_table(),
                 .make = make_query_source},
  };
  return kTypes;
}

Result<std::unique_ptr<Source>> make_source(Io& io, const SourceRequest& request) {
  std::vector<std::string> names;
  for (const SourceInfo& info : source_types())
    names.emplace_back(info.type);
  const Node* node = request.settings.find("type");
  if (node == nullptr) {
    return invalid_at(request.settings.mark,
                      fmt::format("source '{}' has no 'type'", request.name),
                      fmt::format("write one of: {}", fmt::join(names, ", ")));
  }
  const std::string type = TRY(node->text(fmt::format("type of source '{}'", request.name)));
  for (const SourceInfo& info : source_types()) {
    if (info.type == type) return info.make(io, request);
  }
  const std::optional<std::string> near = nearest(type, names);
  return invalid_at(
      node->mark,
      fmt::format("source '{}' has the type '{}', which does not exist", request.name, type),
      near ? fmt::format("did you mean '{}'?", *near)
           : fmt::format("write one of: {}", fmt::join(names, ", ")));
}

}  // namespace lockstep
