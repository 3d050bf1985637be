// The serve layer: what a daemon shows over HTTP. Pushes come in, predictions, status and metrics
// go out.
//
// What it promises:
//   serve-1  A push is answered 200 when its commit is durable, and its champion answers by then.
//   serve-2  A prediction takes the steps and the weights of one version, and names it and the data
//            that it was made from. It waits for no commit.
//   serve-3  What is refused is told as {"error": {"code", "message", "hint"}}, with the status
//   that
//            fits.
//   serve-4  Who listens for other machines asks for a token; it is compared in constant time, and
//            never logged.
//
// What it does not do: commit, decode rows, or know a source. Encryption is a proxy's in front.
//
//   auto server = TRY(Server::start(io, log, configuration));
//   options.engine.surface = &server->surface();
//   options.engine.pushes = &server->pushes();
//   TRY(run_daemon(io, log, configuration, options));
#pragma once

#include "base/io.h"
#include "base/log.h"
#include "base/result.h"
#include "sync/configuration.h"

#include <memory>

namespace lockstep {

class PushDesk;
class Surface;

// Resource. Listens from the time when this process writes to the hub, or earlier where the address
// is free. Outlives the daemon's engine.
class Server {
 public:
  // `configuration` outlives it, and has serve.
  static Result<std::unique_ptr<Server>> start(Io& io,
                                               Log& log,
                                               const Configuration& configuration);
  virtual ~Server() = default;
  virtual Surface& surface() = 0;
  virtual PushDesk& pushes() = 0;
};

}  // namespace lockstep
