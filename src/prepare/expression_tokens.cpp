#include "prepare/expression_tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace lockstep {

namespace {

constexpr std::size_t kTextBytesMax = 10'000;
constexpr std::size_t kNestingMax = 100;
constexpr std::size_t kShownBytesMax = 60;

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

// Bytes of characters beyond ASCII count as letters, so that columns may have names in any
// language.
bool is_letter(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_' ||
         static_cast<unsigned char>(letter) >= 0x80;
}

bool is_blank(char letter) {
  return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r';
}

bool continues_character(char letter) {
  return (static_cast<unsigned char>(letter) & 0xC0U) == 0x80U;
}

struct Sign {
  std::string_view text;
  TokenKind kind;
};

// Longer ones first.
constexpr std::array kSigns = {
    Sign{"==", TokenKind::kCompare},   Sign{"!=", TokenKind::kCompare},
    Sign{"<=", TokenKind::kCompare},   Sign{">=", TokenKind::kCompare},
    Sign{"&&", TokenKind::kAnd},       Sign{"||", TokenKind::kOr},
    Sign{"<", TokenKind::kCompare},    Sign{">", TokenKind::kCompare},
    Sign{"!", TokenKind::kNot},        Sign{"+", TokenKind::kArithmetic},
    Sign{"-", TokenKind::kArithmetic}, Sign{"*", TokenKind::kArithmetic},
    Sign{"/", TokenKind::kArithmetic}, Sign{"%", TokenKind::kArithmetic},
    Sign{"^", TokenKind::kArithmetic}, Sign{"(", TokenKind::kOpen},
    Sign{")", TokenKind::kClose},      Sign{",", TokenKind::kComma},
    Sign{"?", TokenKind::kQuestion},   Sign{":", TokenKind::kColon},
};

struct Slip {
  std::string_view text;
  std::string_view hint;
};

// What other languages write.
constexpr std::array kSlips = {
    Slip{"===", "write == to compare"},
    Slip{"<>", "write != for unequal"},
    Slip{"**", "write ^ for powers"},
    Slip{"=", "write == to compare"},
    Slip{"&", "write 'and'"},
    Slip{"|", "write 'or'"},
    Slip{";", "an expression is a single one"},
};

class Tokenizer final {
 public:
  explicit Tokenizer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> run() {
    while (skip_blanks())
      TRY(one());
    add(TokenKind::kEnd, {}, 0);
    return std::move(tokens_);
  }

 private:
  // False at the end of the text.
  bool skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_]))
      advance(1);
    return at_ < text_.size();
  }

  void advance(std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i, ++at_) {
      if (!continues_character(text_[at_])) ++position_;
    }
  }

  void add(TokenKind kind, std::string text, std::size_t bytes) {
    Token token;
    token.kind = kind;
    token.text = std::move(text);
    token.position = position_;
    tokens_.push_back(std::move(token));
    advance(bytes);
  }

  Error error(std::string_view what, std::string hint = {}) const {
    return expression_error(text_, position_, what, std::move(hint));
  }

  Result<void> one() {
    const char first = text_[at_];
    const char second = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (is_digit(first) || (first == '.' && is_digit(second))) return number();
    if (is_letter(first)) return word();
    if (first == '"') return quoted(TokenKind::kColumn);
    if (first == '\'') return quoted(TokenKind::kText);
    return sign();
  }

  Result<void> number() {
    const char* begin = text_.data() + at_;
    double value = 0;
    const auto [end, code] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (code != std::errc{}) return error("a number that no float holds");
    const auto bytes = static_cast<std::size_t>(end - begin);
    const char next = at_ + bytes < text_.size() ? text_[at_ + bytes] : ' ';
    if (is_letter(next) || is_digit(next) || next == '.') {
      return error(fmt::format("'{}{}...' is no number", std::string(begin, end), next),
                   "put * between a number and a column");
    }
    add(TokenKind::kNumber, std::string(begin, end), bytes);
    tokens_.back().number = value;
    return {};
  }

  Result<void> word() {
    std::size_t end = at_;
    while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end])))
      ++end;
    std::string name(text_.substr(at_, end - at_));
    TokenKind kind = TokenKind::kName;
    if (name == "and") kind = TokenKind::kAnd;
    if (name == "or") kind = TokenKind::kOr;
    if (name == "not") kind = TokenKind::kNot;
    add(kind, std::move(name), end - at_);
    return {};
  }

  // A doubled quote stands for one.
  Result<void> quoted(TokenKind kind) {
    const char quote = text_[at_];
    std::string inner;
    std::size_t end = at_ + 1;
    for (; end < text_.size(); ++end) {
      if (text_[end] == quote) {
        if (end + 1 >= text_.size() || text_[end + 1] != quote) break;
        ++end;
      }
      inner += text_[end];
    }
    if (end >= text_.size()) return error("a quote is never closed");
    add(kind, std::move(inner), end + 1 - at_);
    return {};
  }

  Result<void> sign() {
    const std::string_view rest = text_.substr(at_);
    const auto starts = [rest](const auto& one) { return rest.starts_with(one.text); };
    const auto found = std::find_if(kSigns.begin(), kSigns.end(), starts);
    const auto slip = std::find_if(kSlips.begin(), kSlips.end(), starts);
    const bool is_slip =
        slip != kSlips.end() && (found == kSigns.end() || slip->text.size() > found->text.size());
    if (is_slip) {
      return error(fmt::format("'{}' is no operator here", slip->text), std::string(slip->hint));
    }
    if (found == kSigns.end()) {
      return error(fmt::format("unexpected byte 0x{:02X}", static_cast<unsigned char>(rest[0])),
                   "column names with other characters stand in double quotes");
    }
    std::string text(found->text);
    if (found->kind == TokenKind::kAnd) text = "and";
    if (found->kind == TokenKind::kOr) text = "or";
    if (found->kind == TokenKind::kNot) text = "not";
    add(found->kind, std::move(text), found->text.size());
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int position_ = 1;
  std::vector<Token> tokens_;
};

bool ends_value(TokenKind kind) {
  return kind == TokenKind::kNumber || kind == TokenKind::kName || kind == TokenKind::kColumn ||
         kind == TokenKind::kText || kind == TokenKind::kClose;
}

bool begins_value(TokenKind kind) {
  return kind == TokenKind::kOpen || (ends_value(kind) && kind != TokenKind::kClose);
}

// What is open at a place between two brackets.
struct Level {
  std::size_t open = 0;   // index of its bracket
  bool is_call = false;   // commas are allowed
  bool compared = false;  // since the last and, or, ?, : or comma
};

// Brackets, commas and comparisons: what a formula that evaluates may still have wrong.
class Checker final {
 public:
  Checker(std::string_view text, std::vector<Token>& tokens) : text_(text), tokens_(tokens) {}

  Result<void> run() {
    levels_.push_back({});
    for (std::size_t i = 0; i < tokens_.size(); ++i)
      TRY(one(i));
    if (levels_.size() == 1) return {};
    return error(tokens_[levels_.back().open], "a ( is never closed");
  }

 private:
  Error error(const Token& token, std::string_view what, std::string hint = {}) const {
    return expression_error(text_, token.position, what, std::move(hint));
  }

  Result<void> one(std::size_t index) {
    const Token& token = tokens_[index];
    const TokenKind before = index > 0 ? tokens_[index - 1].kind : TokenKind::kEnd;
    const bool is_call = before == TokenKind::kName && token.kind == TokenKind::kOpen;
    if (ends_value(before) && begins_value(token.kind) && !is_call) {
      return error(token, "two values without an operator between them");
    }
    switch (token.kind) {
      case TokenKind::kOpen:
        return open(index);
      case TokenKind::kClose:
        return close(index);
      case TokenKind::kComma:
        if (!levels_.back().is_call) {
          return error(
              token, "a comma outside of a function's arguments", "a decimal point is a .");
        }
        levels_.back().compared = false;
        return {};
      case TokenKind::kAnd:
      case TokenKind::kOr:
      case TokenKind::kQuestion:
      case TokenKind::kColon:
        levels_.back().compared = false;
        return {};
      case TokenKind::kCompare:
        if (levels_.back().compared) {
          return error(
              token, "comparisons cannot be chained", "write 1 < x and x < 5, or brackets");
        }
        levels_.back().compared = true;
        return {};
      default:
        return {};
    }
  }

  Result<void> open(std::size_t index) {
    if (levels_.size() > kNestingMax) {
      return error(tokens_[index], fmt::format("more than {} brackets in each other", kNestingMax));
    }
    const bool is_call = index > 0 && tokens_[index - 1].kind == TokenKind::kName;
    levels_.push_back({index, is_call, false});
    return {};
  }

  Result<void> close(std::size_t index) {
    if (levels_.size() == 1) return error(tokens_[index], "a ) that no ( opened");
    const std::size_t partner = levels_.back().open;
    tokens_[index].other = partner;
    tokens_[partner].other = index;
    levels_.pop_back();
    return {};
  }

  std::string_view text_;
  std::vector<Token>& tokens_;
  std::vector<Level> levels_;
};

}  // namespace

Result<std::vector<Token>> tokenize(std::string_view text) {
  if (text.size() > kTextBytesMax) {
    return invalid(
        fmt::format("an expression of {} bytes; the limit is {}", text.size(), kTextBytesMax),
        "make parts of it columns of their own, with an expression step each");
  }
  std::vector<Token> tokens = TRY(Tokenizer(text).run());
  if (tokens.size() == 1) {
    return invalid("an empty expression", "write one like \"weight / (height / 100) ^ 2\"");
  }
  TRY(Checker(text, tokens).run());
  return tokens;
}

Error expression_error(std::string_view text,
                       int position,
                       std::string_view what,
                       std::string hint) {
  std::string shown(text.substr(0, kShownBytesMax));
  while (shown.size() < text.size() && !shown.empty() && continues_character(text[shown.size()])) {
    shown.pop_back();
  }
  if (shown.size() < text.size()) shown += "...";
  return invalid(fmt::format("expression '{}': {}, at character {}", shown, what, position),
                 std::move(hint));
}

}  // namespace lockstep
