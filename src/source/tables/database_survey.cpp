#include "source/tables/database_survey.h"

namespace lockstep {

std::string database_type_of(std::string_view url) {
  const std::string_view scheme = url.substr(0, url.find("://"));
  if (scheme.size() == url.size()) return "";
  if (scheme == "postgresql" || scheme == "postgres") return "postgres";
  if (scheme == "mysql" || scheme == "mariadb") return "mysql";
  return "";
}

Result<SurveyedDatabase> survey_database(const std::string& url) {
  const std::string type = database_type_of(url);
  if (type == "postgres") return survey_postgres(url);
  if (type == "mysql") return survey_mysql(url);
  return make_error(Code::kUsage,
                    "that is no url of a database that can be followed",
                    "write postgresql://user@host/database or mysql://user@host/database");
}

}  // namespace lockstep
