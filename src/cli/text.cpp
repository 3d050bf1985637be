#include "cli/text.h"

#include "base/assert.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <utility>

namespace lockstep {
namespace {

constexpr int kGap = 2;               // columns between two columns of a table
constexpr int kNarrowestColumn = 12;  // a cut column keeps at least this much

struct Letter {
  std::uint32_t code = 0;
  std::size_t byte_count = 1;
};

// The first letter; a byte that is no UTF-8 counts as one letter.
Letter first_letter(std::string_view text) {
  const auto byte = [&](std::size_t index) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[index]));
  };
  const std::uint32_t lead = byte(0);
  const std::size_t length = lead < 0x80    ? 1
                             : lead >= 0xF0 ? 4
                             : lead >= 0xE0 ? 3
                             : lead >= 0xC0 ? 2
                                            : 1;
  if (length == 1 || length > text.size()) return {lead, 1};
  std::uint32_t code = lead & (0xFFU >> (length + 1));
  for (std::size_t index = 1; index < length; ++index) {
    if ((byte(index) & 0xC0U) != 0x80U) return {lead, 1};
    code = (code << 6U) | (byte(index) & 0x3FU);
  }
  return {code, length};
}

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

// Blocks, not single letters: tables of people's data need to line up, not typeset (Unicode 15,
// EastAsianWidth.txt).
constexpr std::array kWide = {Range{0x1100, 0x115F},
                              Range{0x2E80, 0xA4CF},
                              Range{0xAC00, 0xD7A3},
                              Range{0xF900, 0xFAFF},
                              Range{0xFE30, 0xFE6F},
                              Range{0xFF00, 0xFF60},
                              Range{0xFFE0, 0xFFE6},
                              Range{0x1F300, 0x1FAFF},
                              Range{0x20000, 0x3FFFD}};
constexpr std::array kNarrow = {Range{0x0300, 0x036F},
                                Range{0x200B, 0x200F},
                                Range{0x20D0, 0x20FF},
                                Range{0xFE00, 0xFE0F},
                                Range{0xFE20, 0xFE2F}};

int letter_width(std::uint32_t code) {
  const auto holds = [code](const Range& range) {
    return code >= range.first && code <= range.last;
  };
  if (std::any_of(kNarrow.begin(), kNarrow.end(), holds)) return 0;
  return std::any_of(kWide.begin(), kWide.end(), holds) ? 2 : 1;
}

std::string spaces(int count) {
  return std::string(static_cast<std::size_t>(std::max(count, 0)), ' ');
}

}  // namespace

std::string paint(const View& view, Tone tone, std::string_view text) {
  if (!view.colour || tone == Tone::kPlain || text.empty()) return std::string(text);
  const char* code = "1";
  if (tone == Tone::kGood) code = "32";
  if (tone == Tone::kWarning) code = "33";
  if (tone == Tone::kBad) code = "31";
  if (tone == Tone::kFaint) code = "2";
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

Tone tone_of_status(std::string_view word) {
  constexpr std::array kGood = {"ready", "ok", "exact", "running", "in lockstep"};
  constexpr std::array kWarning = {"warn", "warming", "latched", "behind", "stopped"};
  constexpr std::array kBad = {"blocked", "fail", "unsolved", "differs", "not in lockstep"};
  const auto is = [word](const char* other) { return word == other; };
  if (std::any_of(kGood.begin(), kGood.end(), is)) return Tone::kGood;
  if (std::any_of(kWarning.begin(), kWarning.end(), is)) return Tone::kWarning;
  if (std::any_of(kBad.begin(), kBad.end(), is)) return Tone::kBad;
  return Tone::kPlain;
}

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const Letter letter = first_letter(text);
    // C1 controls (0x80 to 0x9F) drive some terminals just as escape sequences do.
    const bool control = letter.code < 0x20 || (letter.code >= 0x7F && letter.code < 0xA0);
    result += control ? std::string_view(" ") : text.substr(0, letter.byte_count);
    text.remove_prefix(letter.byte_count);
  }
  return result;
}

int display_width(std::string_view text) {
  int width = 0;
  while (!text.empty()) {
    const Letter letter = first_letter(text);
    width += letter_width(letter.code);
    text.remove_prefix(letter.byte_count);
  }
  return width;
}

std::string cut_to_width(std::string_view text, int width) {
  if (display_width(text) <= width) return std::string(text);
  std::string result;
  int used = 0;
  while (!text.empty()) {
    const Letter letter = first_letter(text);
    used += letter_width(letter.code);
    if (used > width - 1) break;
    result += text.substr(0, letter.byte_count);
    text.remove_prefix(letter.byte_count);
  }
  return result + "…";
}

std::string count_text(const View& view, std::int64_t count) {
  std::string digits = fmt::format("{}", count);
  if (!view.terminal) return digits;
  const std::size_t first = count < 0 ? 1 : 0;
  for (std::size_t place = digits.size(); place > first + 3;) {
    place -= 3;
    digits.insert(place, ",");
  }
  return digits;
}

std::string number_text(const View& view, double number) {
  if (!view.terminal) return fmt::format("{}", number);
  const double size = std::abs(number);
  if (size >= 1e9 || (size > 0 && size < 1e-4)) return fmt::format("{:.3e}", number);
  if (size >= 100) return fmt::format("{:.1f}", number);
  return size >= 1 || size == 0 ? fmt::format("{:.2f}", number) : fmt::format("{:.4f}", number);
}

std::string bytes_text(const View& view, std::int64_t bytes) {
  if (!view.terminal) return fmt::format("{}", bytes);
  constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB"};
  double size = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (size >= 1000 && unit + 1 < kUnits.size()) {
    size /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", size, kUnits[unit]);
}

std::string duration_text(double seconds) {
  if (seconds < 0.0095) return fmt::format("{:.1f} ms", seconds * 1000);
  if (seconds < 0.995) return fmt::format("{:.0f} ms", seconds * 1000);
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(seconds);
  if (whole < 3600) return fmt::format("{} m {} s", whole / 60, whole % 60);
  if (whole < 86'400) return fmt::format("{} h {} m", whole / 3600, whole % 3600 / 60);
  return fmt::format("{} d {} h", whole / 86'400, whole % 86'400 / 3600);
}

std::string rfc3339(std::int64_t time_us) {
  using std::chrono::microseconds;
  const std::chrono::sys_time<microseconds> time{microseconds(time_us)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::int64_t rest = (time - day).count();
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
                                 static_cast<int>(date.year()),
                                 static_cast<unsigned>(date.month()),
                                 static_cast<unsigned>(date.day()),
                                 rest / 3'600'000'000,
                                 rest / 60'000'000 % 60,
                                 rest / 1'000'000 % 60);
  if (rest % 1'000'000 != 0) text += fmt::format(".{:06}", rest % 1'000'000);
  while (text.find('.') != std::string::npos && text.ends_with('0'))
    text.pop_back();
  return text + "Z";
}

std::string time_text(const View& view, std::int64_t time_us) {
  if (!view.terminal) return rfc3339(time_us);
  const std::int64_t seconds = (view.now_us - time_us) / 1'000'000;
  if (seconds < -5) return rfc3339(time_us);  // a clock that went back: say the time itself
  if (seconds < 5) return "now";
  if (seconds < 60) return fmt::format("{} s ago", seconds);
  if (seconds < 3600) return fmt::format("{} min ago", seconds / 60);
  if (seconds < 86'400) return fmt::format("{} h ago", seconds / 3600);
  if (seconds < 60 * 86'400) return fmt::format("{} d ago", seconds / 86'400);
  return rfc3339(time_us).substr(0, 10);
}

std::string plural(const View& view, std::int64_t count, std::string_view word) {
  return fmt::format("{} {}{}", count_text(view, count), word, count == 1 ? "" : "s");
}

void TextTable::add(std::vector<TableCell> cells) {
  LOCKSTEP_ASSERT(cells.size() == columns_.size(), "a row of a table has another number of cells");
  for (TableCell& cell : cells)
    cell.text = printable(cell.text);
  rows_.push_back(std::move(cells));
}

std::string TextTable::text(const View& view) const {
  return view.terminal ? aligned(view) : separated();
}

std::string TextTable::separated() const {
  std::string result;
  for (const auto& row : rows_) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      if (column > 0) result += '\t';
      result += row[column].text;
    }
    result += '\n';
  }
  return result;
}

// The natural widths; when they are too many for the screen, the widest text column gives way.
std::vector<int> TextTable::widths(const View& view) const {
  std::vector<int> result;
  int total = kGap * (static_cast<int>(columns_.size()) - 1);
  for (std::size_t column = 0; column < columns_.size(); ++column) {
    int width = display_width(columns_[column].name);
    for (const auto& row : rows_)
      width = std::max(width, display_width(row[column].text));
    result.push_back(width);
    total += width;
  }
  const std::size_t rounds_max = columns_.size();
  for (std::size_t round = 0; round < rounds_max && total > view.width; ++round) {
    const auto widest = std::max_element(result.begin(), result.end());
    const int smaller = std::max(*widest - (total - view.width), kNarrowestColumn);
    if (smaller >= *widest) break;
    total -= *widest - smaller;
    *widest = smaller;
  }
  return result;
}

std::string TextTable::aligned(const View& view) const {
  if (rows_.empty()) return "";
  const std::vector<int> wide = widths(view);
  const auto line = [&](const std::vector<TableCell>& cells) {
    std::string result;
    for (std::size_t column = 0; column < cells.size(); ++column) {
      const std::string text = cut_to_width(cells[column].text, wide[column]);
      const std::string gap = spaces(wide[column] - display_width(text));
      const std::string painted = paint(view, cells[column].tone, text);
      const bool last = column + 1 == cells.size();
      if (column > 0) result += spaces(kGap);
      result += columns_[column].right ? gap + painted : last ? painted : painted + gap;
    }
    result.erase(result.find_last_not_of(' ') + 1);
    return result + "\n";
  };
  std::vector<TableCell> heading;
  for (const TableColumn& column : columns_)
    heading.push_back({column.name, Tone::kFaint});
  std::string result = line(heading);
  for (const auto& row : rows_)
    result += line(row);
  return result;
}

}  // namespace lockstep
