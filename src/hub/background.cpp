#include "hub/background.h"

namespace lockstep {

Result<void> Background::start(Work work) {
  LOCKSTEP_ASSERT(!is_underway(), "hub: work is begun while other work is underway");
  if (reader_ == nullptr) reader_ = TRY(open_sqlite(io_, path_, CatalogMode::kRead));
  done_.store(false, std::memory_order_release);
  thread_ = std::make_unique<Thread>([this, run = std::move(work)] {
    run(*reader_);
    done_.store(true, std::memory_order_release);
  });
  return {};
}

}  // namespace lockstep
