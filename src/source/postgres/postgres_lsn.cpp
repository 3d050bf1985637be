#include "source/postgres/postgres_lsn.h"

#include <fmt/format.h>

#include <charconv>

namespace lockstep {
namespace {

std::optional<std::uint32_t> parse_half(std::string_view text) {
  std::uint32_t half = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), half, 16);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return half;
}

}  // namespace

std::string lsn_text(Lsn lsn) {
  return fmt::format("{:X}/{:X}", lsn >> 32, lsn & 0xFFFFFFFFU);
}

std::optional<Lsn> parse_lsn(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto high = parse_half(text.substr(0, slash));
  const auto low = parse_half(text.substr(slash + 1));
  if (!high || !low) return std::nullopt;
  return Lsn{*high} << 32 | *low;
}

}  // namespace lockstep
