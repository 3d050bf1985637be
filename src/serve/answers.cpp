#include "serve/answers.h"

#include <utility>

namespace lockstep {

HttpResponse json_response(int status, const AnswerJson& body) {
  HttpResponse response;
  response.status = status;
  response.body = body.dump(-1, ' ', false, AnswerJson::error_handler_t::replace) + "\n";
  return response;
}

HttpResponse error_response(const Error& error) {
  return error_response(code_info(error.code).http_status, error);
}

HttpResponse error_response(int status, const Error& error) {
  AnswerJson inner = {{"code", code_info(error.code).name}, {"message", error.message}};
  if (!error.hint.empty()) inner["hint"] = error.hint;
  return json_response(status, {{"error", std::move(inner)}});
}

HttpResponse later_response(int status, const Error& error, std::int64_t after_s) {
  HttpResponse response = error_response(status, error);
  response.headers.emplace_back("Retry-After", std::to_string(after_s));
  return response;
}

}  // namespace lockstep
