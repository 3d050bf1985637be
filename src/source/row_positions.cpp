#include "source/row_positions.h"

#include "base/assert.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>

namespace lockstep {
namespace {

constexpr std::int64_t kNoNumber = std::numeric_limits<std::int64_t>::min();

}  // namespace

std::string RowPosition::text() const {
  std::string text(stem);
  if (!number) return text;
  char digits[24];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), *number).ptr;
  text.append(std::begin(digits), end);
  return text;
}

void RowPositions::add(const RowPosition& position) {
  if (runs_.empty() || runs_.back().stem != position.stem)
    runs_.push_back({numbers_.size(), std::string(position.stem)});
  numbers_.push_back(position.number.value_or(kNoNumber));
}

void RowPositions::assign(std::size_t count, std::string_view text) {
  clear();
  if (count > 0) runs_.push_back({0, std::string(text)});
  numbers_.assign(count, kNoNumber);
}

void RowPositions::append(const RowPositions& more) {
  const std::size_t before = numbers_.size();
  for (const Run& run : more.runs_)
    runs_.push_back({before + run.first, run.stem});
  numbers_.insert(numbers_.end(), more.numbers_.begin(), more.numbers_.end());
}

void RowPositions::clear() {
  runs_.clear();
  numbers_.clear();
}

RowPosition RowPositions::at(std::size_t row) const {
  LOCKSTEP_ASSERT(row < numbers_.size(), "source: a row without a position");
  const auto behind = std::ranges::upper_bound(runs_, row, {}, &Run::first);
  LOCKSTEP_ASSERT(behind != runs_.begin(), "source: a position without its stem");
  const std::int64_t number = numbers_[row];
  if (number == kNoNumber) return {std::prev(behind)->stem, {}};
  return {std::prev(behind)->stem, number};
}

std::vector<std::string> RowPositions::texts() const {
  std::vector<std::string> out;
  out.reserve(size());
  for (std::size_t row = 0; row < size(); ++row)
    out.push_back((*this)[row]);
  return out;
}

}  // namespace lockstep
