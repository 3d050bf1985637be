#include "cli/progress.h"

#include "sync/sync.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {
namespace {

constexpr std::int64_t kQuietUs = 1'000'000;
constexpr std::int64_t kRedrawUs = 100'000;
constexpr std::int64_t kLineUs = 60'000'000;
constexpr int kBarWidth = 20;
constexpr double kUsPerSecond = 1e6;

std::string amount_text(std::uint64_t amount, const std::string& unit) {
  View view;
  view.terminal = true;
  const auto signed_amount = static_cast<std::int64_t>(amount);
  return unit == "bytes" ? bytes_text(view, signed_amount) : count_text(view, signed_amount);
}

std::string with_unit(std::uint64_t amount, const std::string& unit) {
  return amount_text(amount, unit) + (unit == "bytes" ? "" : " " + unit);
}

}  // namespace

std::string progress_text(const Progress& progress, std::int64_t elapsed_us, int width) {
  const double seconds = std::max(static_cast<double>(elapsed_us) / kUsPerSecond, 1e-6);
  const double done = static_cast<double>(progress.done);
  const double rate = done / seconds;
  std::string text = progress.what;
  if (progress.total > 0) {
    const double total = static_cast<double>(progress.total);
    const double share = std::min(done / total, 1.0);
    const auto filled = static_cast<std::size_t>(share * kBarWidth);
    text += fmt::format("  [{}{}]  {:.0f} %  {} of {}",
                        std::string(filled, '#'),
                        std::string(kBarWidth - filled, ' '),
                        share * 100,
                        amount_text(progress.done, progress.unit),
                        with_unit(progress.total, progress.unit));
  } else {
    text += "  " + with_unit(progress.done, progress.unit);
  }
  text += fmt::format("  {}/s", with_unit(static_cast<std::uint64_t>(rate), progress.unit));
  if (progress.total > progress.done && rate > 0) {
    const double left = (static_cast<double>(progress.total) - done) / rate;
    text += fmt::format("  {} left", duration_text(std::max(left, 1.0)));
  }
  return cut_to_width(printable(text), width);
}

ProgressLine::ProgressLine(Session& session)
    : session_(session), started_us_(session.io.monotonic_us()), shown_us_(started_us_) {
}

ProgressLine::~ProgressLine() {
  wipe();
}

void ProgressLine::wipe() {
  if (drawn_) session_.say("\r\x1b[K");
  drawn_ = false;
}

void ProgressLine::update(const Progress& progress) {
  const std::int64_t now_us = session_.io.monotonic_us();
  if (progress.what != what_) {  // another piece of work: its rate is its own
    wipe();
    what_ = progress.what;
    started_us_ = now_us;
    shown_us_ = now_us;
  }
  const std::int64_t elapsed_us = now_us - started_us_;
  const std::int64_t since_us = now_us - shown_us_;
  if (!session_.terminal.error_is_terminal()) {
    if (since_us < kLineUs) return;
    shown_us_ = now_us;
    session_.say(progress_text(progress, elapsed_us, 1000) + "\n");
    return;
  }
  if (elapsed_us < kQuietUs || (drawn_ && since_us < kRedrawUs)) return;
  shown_us_ = now_us;
  drawn_ = !session_.quiet;
  session_.say("\r" + progress_text(progress, elapsed_us, session_.terminal.width() - 1) +
               "\x1b[K");
}

std::function<void(const Progress&)> ProgressLine::callback() {
  return [this](const Progress& progress) { update(progress); };
}

}  // namespace lockstep
