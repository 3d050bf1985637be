// Counts of requests, and /metrics: everything that is measured, in Prometheus' text form.
#pragma once

#include "serve/board.h"
#include "serve/parts.h"
#include "serve/routes.h"

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace lockstep {

// Resource; safe from many threads.
class HttpMetrics final {
 public:
  static constexpr std::array kBoundsUs = {500,
                                           1'000,
                                           2'500,
                                           5'000,
                                           10'000,
                                           25'000,
                                           50'000,
                                           100'000,
                                           250'000,
                                           500'000,
                                           1'000'000,
                                           2'500'000,
                                           5'000'000,
                                           10'000'000};

  // `info` null: of no route.
  void add(const RouteInfo* info, int status, std::int64_t us);
  std::string text() const;

 private:
  struct Times {
    std::array<std::int64_t, kBoundsUs.size() + 1> counts{};
    std::int64_t sum_us = 0;
    std::int64_t count = 0;
  };

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::int64_t> requests_;  // by pattern and status
  std::map<std::string, Times> times_;                            // by pattern
};

std::string metrics_text(const ServeParts& parts,
                         const HttpMetrics& requests,
                         std::int64_t connections);

}  // namespace lockstep
