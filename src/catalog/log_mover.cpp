#include "catalog/log_mover.h"

#include "catalog/sqlite_connection.h"

#include <utility>

namespace lockstep {

LogMover::LogMover(Io& io, std::string path, SqliteUse use)
    : io_(io), path_(std::move(path)), use_(use) {
}

LogMover::~LogMover() = default;

Result<void> LogMover::start() {
  LOCKSTEP_ASSERT(!is_underway(), "the log is moved twice at once");
  if (connection_ == nullptr) {
    auto connection = std::make_unique<SqliteConnection>(
        io_, path_, CatalogMode::kWrite, SqliteFiles::kSystem, use_);
    TRY(connection->open());
    connection_ = std::move(connection);
  }
  done_.store(false, std::memory_order_release);
  thread_ = std::make_unique<Thread>([this] {
    moved_ = connection_->checkpoint();
    done_.store(true, std::memory_order_release);
  });
  return {};
}

Result<void> LogMover::finish() {
  thread_.reset();
  return std::exchange(moved_, {});
}

bool LogMover::in_doubt() const {
  LOCKSTEP_ASSERT(!is_underway(), "the log is being moved");
  return connection_ != nullptr && !connection_->usable().ok();
}

}  // namespace lockstep
