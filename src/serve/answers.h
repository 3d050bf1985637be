// How answers look: JSON, and errors as {"error": {"code", "message", "hint"}}.
#pragma once

#include "base/result.h"
#include "serve/http_message.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>

namespace lockstep {

using AnswerJson = nlohmann::ordered_json;

HttpResponse json_response(int status, const AnswerJson& body);
// With the HTTP status of the error's code, or another one.
HttpResponse error_response(const Error& error);
HttpResponse error_response(int status, const Error& error);
// To be tried again after so many seconds.
HttpResponse later_response(int status, const Error& error, std::int64_t after_s = 1);

}  // namespace lockstep
