// What the routes share.
#pragma once

#include "base/io.h"
#include "serve/board.h"
#include "serve/http_message.h"
#include "serve/late_answer.h"
#include "source/http/push_desk.h"
#include "sync/configuration.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

namespace lockstep {

struct ServeParts {
  Io& io;
  const Configuration& configuration;
  Board& board;
  PushDesk& pushes;
  std::function<void(std::int64_t us, std::function<void()> call)> after;  // not after the end
  LateAnswers late = {};                                                   // pushes
  std::atomic<std::uint64_t> reading_bytes = 0;  // of bodies that are being read
};

// POST /v1/datasets/{name}/changes. look_at_push: before its body is read.
std::optional<HttpResponse> look_at_push(ServeParts& parts,
                                         const std::string& dataset,
                                         HttpRequest& head);
void take_push(ServeParts& parts,
               const std::string& dataset,
               HttpRequest request,
               HttpRespond respond);
HttpResponse push_response(const PushAnswer& answer);
// Those that waited too long; every second.
void answer_late_pushes(ServeParts& parts);

// POST /v1/models/{name}/predict
HttpResponse predict_response(ServeParts& parts,
                              const std::string& model,
                              const HttpRequest& request);

// GET /v1/wait/{token}
void wait_for_push(ServeParts& parts,
                   const std::string& token,
                   const HttpRequest& request,
                   HttpRespond respond);

// GET /v1/status
HttpResponse status_response(ServeParts& parts);

}  // namespace lockstep
