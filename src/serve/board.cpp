#include "serve/board.h"

#include <algorithm>

namespace lockstep {

Board::Board(Io& io, const Configuration& configuration) : io_(io) {
  for (const ModelConfiguration& model : configuration.models) {
    auto slot = std::make_unique<Slot>();
    slot->dataset = model.dataset;
    slots_[model.name] = std::move(slot);
  }
}

void Board::put(std::shared_ptr<const Champion> champion) {
  const auto slot = slots_.find(champion->model);
  if (slot == slots_.end()) return;
  slot->second->champion.store(std::move(champion));
}

std::shared_ptr<const Champion> Board::champion(const std::string& model) const {
  const auto slot = slots_.find(model);
  return slot == slots_.end() ? nullptr : slot->second->champion.load();
}

double Board::freshness_s(const std::string& model) const {
  const auto slot = slots_.find(model);
  if (slot == slots_.end()) return 0;
  const std::int64_t since_us = slot->second->unseen_since_us.load();
  return since_us == 0 ? 0.0 : static_cast<double>(io_.monotonic_us() - since_us) / 1e6;
}

void Board::add(const CommitNews& news) {
  for (const auto& [model, slot] : slots_) {
    if (std::ranges::find(news.datasets, slot->dataset) == news.datasets.end()) continue;
    const auto champion = slot->champion.load();
    const bool seen = champion && champion->data_version >= news.completion.snapshot;
    if (seen) {
      slot->unseen_since_us = 0;
    } else if (slot->unseen_since_us == 0) {
      slot->unseen_since_us = io_.monotonic_us();
    }
  }
  const std::scoped_lock lock(mutex_);
  counts_.commits += 1;
  counts_.snapshots += news.has_snapshot ? 1 : 0;
  counts_.snapshot = news.completion.snapshot;
  if (news.source.empty()) return;
  SourceCounts& source = counts_.sources[news.source];
  source.inserted += news.inserted;
  source.updated += news.updated;
  source.deleted += news.deleted;
  source.rejected += std::max<std::int64_t>(0, news.rejected);
}

BoardCounts Board::counts() const {
  const std::scoped_lock lock(mutex_);
  return counts_;
}

void Board::put_sources(const Json& states) {
  const std::scoped_lock lock(mutex_);
  sources_ = states;
}

Json Board::sources() const {
  const std::scoped_lock lock(mutex_);
  return sources_;
}

bool Board::is_paused(const std::string& source) const {
  const std::scoped_lock lock(mutex_);
  return std::ranges::any_of(sources_, [&](const Json& state) {
    return state.value("name", std::string()) == source &&
           state.value("state", std::string()) == "paused";
  });
}

}  // namespace lockstep
