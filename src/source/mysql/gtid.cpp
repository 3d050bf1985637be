#include "source/mysql/gtid.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>

namespace lockstep {
namespace {

// Takes a number and the dash behind it, or the end, off the front.
template <typename T>
bool take_gtid_part(std::string_view& text, T& out) {
  const std::size_t dash = text.find('-');
  const std::string_view part = text.substr(0, dash);
  const auto [end, failed] = std::from_chars(part.data(), part.data() + part.size(), out);
  if (failed != std::errc() || end != part.data() + part.size()) return false;
  text = dash == std::string_view::npos ? std::string_view() : text.substr(dash + 1);
  return true;
}

}  // namespace

std::string Gtid::text() const {
  return fmt::format("{}-{}-{}", domain, server, number);
}

std::optional<Gtid> parse_gtid(std::string_view text) {
  constexpr std::ptrdiff_t kDashes = 2;
  Gtid gtid;
  if (std::ranges::count(text, '-') != kDashes) return std::nullopt;
  const bool is_good = take_gtid_part(text, gtid.domain) && take_gtid_part(text, gtid.server) &&
                       take_gtid_part(text, gtid.number) && text.empty();
  return is_good ? std::optional(gtid) : std::nullopt;
}

bool GtidState::has(const Gtid& gtid) const {
  const auto found = last_.find(gtid.domain);
  return found != last_.end() && found->second.number >= gtid.number;
}

bool GtidState::has_all(const GtidState& other) const {
  return std::ranges::all_of(other.last_, [&](const auto& one) { return has(one.second); });
}

std::string GtidState::text() const {
  std::string out;
  for (const auto& [domain, gtid] : last_)
    out += (out.empty() ? "" : ",") + gtid.text();
  return out;
}

std::optional<GtidState> parse_gtid_state(std::string_view text) {
  GtidState state;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::optional<Gtid> gtid = parse_gtid(text.substr(0, comma));
    if (!gtid) return std::nullopt;
    state.move_to(*gtid);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  return state;
}

}  // namespace lockstep
