#include "hub/background.h"

#include <array>
#include <cstddef>
#include <span>
#include <utility>

namespace lockstep {

bool Background::chance() {
  std::array<std::byte, 1> byte{};
  place_.io.random_bytes(byte);
  return (byte[0] & std::byte{1}) != std::byte{0};
}

Result<void> Background::start(Work work) {
  LOCKSTEP_ASSERT(!is_underway(), "hub: work is begun while other work is underway");
  if (place_.only_connection != nullptr) {
    underway_ = true;
    if (chance()) {
      work(*place_.only_connection);
    } else {
      waiting_ = std::move(work);
    }
    return {};
  }
  if (reader_ == nullptr) reader_ = TRY(open_sqlite(place_.io, place_.catalog, CatalogMode::kRead));
  done_.store(false, std::memory_order_release);
  underway_ = true;
  thread_ = std::make_unique<Thread>([this, run = std::move(work)] {
    run(*reader_);
    done_.store(true, std::memory_order_release);
  });
  return {};
}

bool Background::is_done() {
  return place_.only_connection != nullptr ? chance() : done_.load(std::memory_order_acquire);
}

void Background::finish() {
  if (const Work work = std::exchange(waiting_, {})) work(*place_.only_connection);
  stop();
}

void Background::stop() {
  waiting_ = {};
  thread_.reset();
  underway_ = false;
}

}  // namespace lockstep
