// An expression's text as tokens: the first of the three stages behind Expression (tokens,
// programs, machine).
#pragma once

#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

enum class TokenKind {
  kNumber,
  kName,        // an identifier: a column, a function, or one of and, or, not, true, false
  kColumn,      // "in double quotes"
  kText,        // 'in single quotes'
  kCompare,     // == != < <= > >=
  kArithmetic,  // + - * / % ^
  kAnd,
  kOr,
  kNot,
  kOpen,
  kClose,
  kComma,
  kQuestion,
  kColon,
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;       // without quotes; "and", "or" and "not" for the operators of these names
  double number = 0;      // of a kNumber
  int position = 0;       // 1-based, in characters, of its first one
  std::size_t other = 0;  // of a bracket: the index of its partner
};

// Source text may have 10,000 bytes, and brackets 100 levels. The last token is the only kEnd.
// Brackets match, commas stand between arguments only, and comparisons are not chained.
Result<std::vector<Token>> tokenize(std::string_view text);

// "expression 'a +': <what>, at character 4". A long expression is cut.
Error expression_error(std::string_view text,
                       int position,
                       std::string_view what,
                       std::string hint = {});

}  // namespace lockstep
