#include "cli/text.h"

#include "cli/progress.h"
#include "sync/sync.h"
#include "world.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace lockstep {
namespace {

TEST(Text, CountsWideLettersTwiceAndCombiningMarksNever) {
  const std::pair<const char*, int> cases[] = {{"", 0},
                                               {"abc", 3},
                                               {"é", 1},
                                               {"e\u0301", 1},
                                               {"血圧", 4},
                                               {"\xff\xfe", 2},
                                               {"a\xe2\x82", 3}};
  for (const auto& [text, width] : cases)
    EXPECT_EQ(display_width(text), width) << text;
}

TEST(Text, CutsToTheWidthWithAnEllipsis) {
  EXPECT_EQ(cut_to_width("vitals", 6), "vitals");
  EXPECT_EQ(cut_to_width("vitals", 5), "vita…");
  EXPECT_EQ(cut_to_width("血圧計", 4), "血…");
}

TEST(Text, TakesControlCharactersOutOfCells) {
  EXPECT_EQ(printable("a\x1b[31mb\tc\nd"), "a [31mb c d");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            " 31m");  // an 8-bit escape sequence
}

TEST(Text, SeparatesThousandsOnATerminalOnly) {
  const std::pair<std::int64_t, const char*> cases[] = {
      {0, "0"}, {999, "999"}, {1000, "1,000"}, {280647, "280,647"}, {-1234567, "-1,234,567"}};
  for (const auto& [count, text] : cases)
    EXPECT_EQ(count_text(terminal_view(), count), text);
  EXPECT_EQ(count_text(pipe_view(), 280647), "280647");
}

TEST(Text, ShowsNumbersRoundedOnATerminalAndWholeInAPipe) {
  EXPECT_EQ(number_text(terminal_view(), 10.213894), "10.21");
  EXPECT_EQ(number_text(terminal_view(), 0.012345), "0.0123");
  EXPECT_EQ(number_text(terminal_view(), 1234.56), "1234.6");
  EXPECT_EQ(number_text(pipe_view(), 10.213894), "10.213894");
}

TEST(Text, WritesTimesRelativeOnATerminalAndAsRfc3339InAPipe) {
  const View view = terminal_view();
  const std::pair<std::int64_t, const char*> cases[] = {{0, "now"},
                                                        {30, "30 s ago"},
                                                        {180, "3 min ago"},
                                                        {7200, "2 h ago"},
                                                        {3 * 86'400, "3 d ago"},
                                                        {100 * 86'400, "2001-06-01"}};
  for (const auto& [seconds, text] : cases) {
    EXPECT_EQ(time_text(view, view.now_us - seconds * 1'000'000), text);
  }
  EXPECT_EQ(time_text(pipe_view(), 1'000'000'000'500'000), "2001-09-09T01:46:40.5Z");
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59.999999Z");
}

TEST(Text, WritesDurationsInTheirTwoLargestUnits) {
  const std::pair<double, const char*> cases[] = {{0.0012, "1.2 ms"},
                                                  {0.25, "250 ms"},
                                                  {2.5, "2.5 s"},
                                                  {72, "1 m 12 s"},
                                                  {7260, "2 h 1 m"},
                                                  {90'000, "1 d 1 h"}};
  for (const auto& [seconds, text] : cases)
    EXPECT_EQ(duration_text(seconds), text);
}

TextTable two_rows() {
  TextTable table({{"model"}, {"rows", true}, {"status"}});
  table.add({{"bp"}, {"1,000"}, {"ready", Tone::kGood}});
  table.add({{"血圧"}, {"7"}, {"blocked", Tone::kBad}});
  return table;
}

TEST(Table, AlignsNumbersToTheRightAndTextToTheLeft) {
  EXPECT_EQ(two_rows().text(terminal_view()),
            "model   rows  status\n"
            "bp     1,000  ready\n"
            "血圧       7  blocked\n");
}

TEST(Table, SeparatesByTabsWithoutAHeadingInAPipe) {
  EXPECT_EQ(two_rows().text(pipe_view()), "bp\t1,000\tready\n血圧\t7\tblocked\n");
}

TEST(Table, ColoursStatusWordsOnlyWhenAsked) {
  View view = terminal_view();
  EXPECT_EQ(two_rows().text(view).find('\x1b'), std::string::npos);
  view.colour = true;
  EXPECT_NE(two_rows().text(view).find("\x1b[32mready\x1b[0m"), std::string::npos);
  EXPECT_NE(two_rows().text(view).find("\x1b[31mblocked\x1b[0m"), std::string::npos);
}

TEST(Table, FitsTheScreenByCuttingItsWidestColumn) {
  rc::check("no line is wider than the screen", [] {
    View view = terminal_view();
    view.width = 60;
    TextTable table({{"a"}, {"b"}, {"c"}});
    const auto size = [] { return static_cast<std::size_t>(*rc::gen::inRange(0, 200)); };
    table.add({{std::string(size(), 'x')}, {std::string(size(), 'y')}, {std::string(size(), 'z')}});
    for (std::string text = table.text(view); !text.empty();) {
      const std::size_t end = text.find('\n');
      RC_ASSERT(display_width(text.substr(0, end)) <= 60);
      text.erase(0, end + 1);
    }
  });
}

TEST(Progress, SaysHowFarHowFastAndHowLong) {
  EXPECT_EQ(progress_text({"vitals", 500, 1000, "rows"}, 5'000'000, 200),
            "vitals  [##########          ]  50 %  500 of 1,000 rows  100 rows/s  5.0 s left");
  EXPECT_EQ(progress_text({"vitals", 2'000'000, 0, "bytes"}, 1'000'000, 200),
            "vitals  2.0 MB  2.0 MB/s");
}

// What `ticks` updates show, one every `step_us`.
std::string progress_talk(bool interactive, bool quiet, int ticks, std::int64_t step_us) {
  FakeWorld world;
  world.terminal.interactive = interactive;
  const auto log = make_silent_log();
  Session session{.io = *world.io,
                  .log = *log,
                  .terminal = world.terminal,
                  .stop = {},
                  .configuration_path = {},
                  .quiet = quiet};
  {
    ProgressLine line(session);
    for (int tick = 0; tick < ticks; ++tick) {
      line.update({"vitals", static_cast<std::uint64_t>(tick), 100, "rows"});
      world.io->sleep_us(step_us);
    }
  }
  return world.terminal.talk;
}

TEST(Progress, ShowsNothingInTheFirstSecond) {
  EXPECT_EQ(progress_talk(true, false, 9, 100'000), "");
}

TEST(Progress, DrawsOneLineOnATerminalAndWipesItAtTheEnd) {
  const std::string talk = progress_talk(true, false, 30, 100'000);
  EXPECT_NE(talk.find("\rvitals  ["), std::string::npos);
  EXPECT_EQ(talk.find('\n'), std::string::npos);
  EXPECT_TRUE(talk.ends_with("\r\x1b[K"));
}

TEST(Progress, WritesALineAMinuteWithoutATerminal) {
  const std::string talk = progress_talk(false, false, 30, 5'000'000);
  EXPECT_EQ(std::count(talk.begin(), talk.end(), '\n'), 2);
  EXPECT_EQ(talk.find('\r'), std::string::npos);
}

TEST(Progress, IsSilentUnderQuiet) {
  EXPECT_EQ(progress_talk(true, true, 30, 100'000), "");
  EXPECT_EQ(progress_talk(false, true, 30, 5'000'000), "");
}

}  // namespace
}  // namespace lockstep
