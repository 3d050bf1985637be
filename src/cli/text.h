// Text for people and for pipes: tables, numbers, times and colours.
//
// The same report shows in two ways. On a terminal: aligned columns with a heading, thousands
// separated, relative times, colour for status words. In a pipe: tab-separated lines without a
// heading, plain digits, RFC 3339 UTC.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value. How standard output shows things.
struct View {
  bool terminal = false;
  bool colour = false;
  int width = 80;           // columns
  std::int64_t now_us = 0;  // microseconds since 1970, UTC: what relative times are relative to
};

enum class Tone { kPlain, kGood, kWarning, kBad, kFaint, kStrong };

std::string paint(const View& view, Tone tone, std::string_view text);

// Good, warning or bad by the word: "ready", "ok", "blocked", "fail" and so on.
Tone tone_of_status(std::string_view word);

// Control characters become spaces: a cell of somebody's data must not drive the terminal or break
// a line.
std::string printable(std::string_view text);

// Columns that the text takes: combining marks none, wide East Asian letters and emoji two.
int display_width(std::string_view text);

// The first part that fits into `width` columns, with … where something was cut.
std::string cut_to_width(std::string_view text, int width);

std::string count_text(const View& view, std::int64_t count);   // 280,647 | 280647
std::string number_text(const View& view, double number);       // 10.21 | 10.213894
std::string bytes_text(const View& view, std::int64_t bytes);   // 1.5 MB | 1500000
std::string duration_text(double seconds);                      // "1 m 12 s"
std::string rfc3339(std::int64_t time_us);                      // 2026-01-31T08:00:00.5Z
std::string time_text(const View& view, std::int64_t time_us);  // 3 min ago | RFC 3339
std::string plural(const View& view,
                   std::int64_t count,
                   std::string_view word);  // "1 row", "2 rows"

struct TableColumn {
  std::string name;
  bool right = false;  // numbers
};

struct TableCell {
  std::string text;
  Tone tone = Tone::kPlain;
};

// Value. Rows of cells under columns.
class TextTable final {
 public:
  explicit TextTable(std::vector<TableColumn> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns.
  void add(std::vector<TableCell> cells);

  bool empty() const { return rows_.empty(); }

  std::string text(const View& view) const;

 private:
  std::string aligned(const View& view) const;
  std::string separated() const;
  std::vector<int> widths(const View& view) const;

  std::vector<TableColumn> columns_;
  std::vector<std::vector<TableCell>> rows_;
};

}  // namespace lockstep
