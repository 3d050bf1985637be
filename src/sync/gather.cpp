#include "sync/gather.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

void Pace::took(std::int64_t row_count, std::int64_t us) {
  LOCKSTEP_ASSERT(row_count > 0, "sync: a pace without rows");
  const std::int64_t fit = row_count * kGroupUs / std::max<std::int64_t>(us, 1);
  // A few rows say what a commit costs, not what a row does: they never slow it down.
  if (us < kGroupUs && row_count < rows_) return;
  // Twice at most: one group that went fast by chance makes the next no slow one.
  rows_ = std::clamp<std::int64_t>(fit, kPaceRowsMin, 2 * rows_);
}

Gathered gather(Io& io, Source& source, const GatherLimits& limits) {
  Gathered out;
  const std::int64_t started_us = io.monotonic_us();
  std::int64_t row_count = 0;
  while (true) {
    const SourceLimits left{std::max<std::int64_t>(1, limits.row_count_max - row_count)};
    Result<std::optional<SourceBatch>> batch = source.next(left);
    if (!batch.ok()) {
      out.error = std::move(batch).error();
      return out;
    }
    if (!batch.value()) return out;
    // One without rows moves a position, or tells refusals: it is work, too.
    row_count += std::max<std::int64_t>(1, batch.value()->rows.row_count());
    out.batches.push_back(std::move(*std::move(batch).value()));
    if (row_count >= limits.row_count_max) return out;
    if (out.batches.back().whole && out.batches.back().has_more) continue;
    if (row_count >= limits.enough_rows) return out;
    if (io.monotonic_us() - started_us >= kGroupUs) return out;
    // To hear that nothing waits costs less than to look for it, and what is here waits to be made
    // durable. An error is the next look's to tell.
    const Result<bool> more = source.wait(0);
    if (more.ok() && !more.value()) return out;
  }
}

std::size_t front_unit(std::span<const SourceBatch> batches) {
  std::size_t count = 1;
  while (count < batches.size() && batches[count - 1].whole && batches[count - 1].has_more)
    ++count;
  return count;
}

std::span<SourceBatch> front_run(std::span<SourceBatch> batches) {
  std::size_t count = 1;
  if (batches.front().replaces_origin) return batches.first(count);
  while (count < batches.size() && !batches[count].replaces_origin)
    ++count;
  return batches.first(count);
}

std::int64_t row_count_of(std::span<const SourceBatch> batches) {
  std::int64_t count = 0;
  for (const SourceBatch& batch : batches)
    count += std::max<std::int64_t>(1, batch.rows.row_count());
  return count;
}

std::string origins_text(std::span<const SourceBatch> batches) {
  std::size_t others = 0;
  for (std::size_t index = 1; index < batches.size(); ++index)
    others += batches[index].origin != batches[index - 1].origin ? 1 : 0;
  const std::string& first = batches.front().origin;
  return others == 0 ? first : fmt::format("{} and {} more", first, others);
}

std::string commit_message(std::string origins, bool schema_pending) {
  return schema_pending ? std::move(origins) + " (schema pending)" : std::move(origins);
}

}  // namespace lockstep
