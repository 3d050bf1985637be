#include "base/exact_math.h"
#include "prepare/prepare_tests.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bit>
#include <cmath>
#include <thread>

namespace lockstep {
namespace {

const Schema kSchema({{"a", Type::kFloat},
                      {"b", Type::kFloat},
                      {"n", Type::kInt},
                      {"nothing", Type::kFloat},
                      {"nan", Type::kFloat},
                      {"sex", Type::kText},
                      {"no_text", Type::kText},
                      {"heart rate", Type::kFloat},
                      {"flag", Type::kBool},
                      {"day", Type::kDate},
                      {"ts", Type::kTimestamp},
                      {"min", Type::kFloat},
                      {"v0", Type::kFloat},
                      {"or", Type::kInt},
                      {"say \"hi\"", Type::kInt},
                      {"größe", Type::kFloat}});

Batch one_row() {
  return batch_of(kSchema,
                  {{"3",
                    "4",
                    "-7",
                    "-",
                    "nan",
                    "it's",
                    "-",
                    "61.5",
                    "true",
                    "2026-01-31",
                    "2026-01-31 08:00:00.5Z",
                    "11",
                    "12",
                    "13",
                    "14",
                    "1.75"}});
}

std::string result_of(std::string_view text) {
  const Result<Expression> expression = Expression::parse(text, kSchema);
  if (!expression.ok()) return expression.error().message;
  const std::vector<Value> values = expression.value().evaluate(one_row());
  return values.size() == 1 ? cell_text(values[0]) : "not one value";
}

struct Case {
  const char* text;
  const char* expected;  // "-" is null
};

TEST(Expression, GivesWhatTheTableSays) {
  const Case cases[] = {
      // Arithmetic and its order.
      {"a + b", "7"},
      {"a - b - 1", "-2"},
      {"a + b * 2", "11"},
      {"(a + b) * 2", "14"},
      {"a / b", "0.75"},
      {"12 / a / b", "1"},
      {"2 ^ 3 ^ 2", "512"},
      {"-2 ^ 2", "-4"},
      {"2 ^ -1", "0.5"},
      {"a * -b", "-12"},
      {"- - a", "3"},
      {"+a", "3"},
      {"n % 5", "-2"},
      {"7 % 5 * 2", "4"},
      {"mod(n, 5)", "-2"},
      {"-n % 5", "2"},
      {".5 + 1e3", "1000.5"},
      {"1e-3", "0.001"},
      {"0.1 + 0.2", "0.30000000000000004"},
      {"a*2 + a*3", "15"},
      // Division by zero, NaN and infinity.
      {"1 / 0", "inf"},
      {"-1 / 0", "-inf"},
      {"0 / 0", "nan"},
      {"5 % 0", "nan"},
      {"log(-1)", "nan"},
      {"log(0)", "-inf"},
      {"exp(1000)", "inf"},
      {"nan + 1", "nan"},
      {"nan == nan", "0"},
      {"nan != nan", "1"},
      {"nan or 0", "0"},
      {"not nan", "1"},
      {"nan and 1", "0"},
      {"min(nan, 1)", "nan"},
      {"max(1, nan, 2)", "nan"},
      // Comparisons and logic.
      {"a < b", "1"},
      {"a >= b", "0"},
      {"a == 3 and b == 4", "1"},
      {"a == 3 && b == 5", "0"},
      {"a == 4 || b == 4", "1"},
      {"a == 4 or b == 5", "0"},
      {"1 or 0 and 0", "1"},
      {"not a == 3", "0"},
      {"!a == 4", "1"},
      {"not a >= 18", "1"},
      {"not (a == 3) or b == 4", "1"},
      {"not not a", "1"},
      {"flag", "1"},
      {"flag == true", "1"},
      {"not flag", "0"},
      {"false", "0"},
      {"(1 < a) and (a < 5)", "1"},
      {"a > 2 ? 10 : 20", "10"},
      {"a > 3 ? 10 : 20", "20"},
      {"a > 3 ? 1 : a > 2 ? 2 : 3", "2"},
      {"a > 2 ? b > 5 ? 1 : 2 : 3", "2"},
      {"(a > 2 ? 1 : 2) + 10", "11"},
      // Functions.
      {"sqrt(b)", "2"},
      {"sqrt(-1)", "nan"},
      {"abs(n)", "7"},
      {"min(a, b)", "3"},
      {"max(a, b, n, 9)", "9"},
      {"min(a)", "3"},
      {"floor(-1.5)", "-2"},
      {"ceil(-1.5)", "-1"},
      {"round(2.5)", "2"},
      {"round(3.5)", "4"},
      {"round(-0.4)", "-0"},
      {"round(2251799813685248.5)", "2251799813685248"},
      {"round(2251799813685249.5)", "2251799813685250"},
      {"round(9007199254740993)", "9007199254740992"},
      {"pow(2, 10)", "1024"},
      {"exp(0)", "1"},
      {"cos(0)", "1"},
      {"sin(0)", "0"},
      // Null.
      {"nothing", "-"},
      {"nothing + 1", "-"},
      {"nothing == nothing", "-"},
      {"a > 2 ? a : nothing", "-"},
      {"is_null(nothing)", "1"},
      {"is_null(a)", "0"},
      {"is_null(no_text)", "1"},
      {"is_null(sex)", "0"},
      {"is_null(nothing + a)", "1"},
      {"is_null(is_null(nothing))", "0"},
      {"not is_null(nothing)", "0"},
      {"coalesce(nothing, a)", "3"},
      {"coalesce(a, nothing)", "3"},
      {"coalesce(nothing, nothing * 2)", "-"},
      {"coalesce(nothing, coalesce(nothing, b) + 1) * 2", "10"},
      {"coalesce(nan, 1)", "nan"},
      {"coalesce(no_text == 'x', 0)", "0"},
      // Text and times.
      {"sex == 'it''s'", "1"},
      {"sex != 'it''s'", "0"},
      {"'it''s' == sex", "1"},
      {"sex == ''", "0"},
      {"sex == 'a' or sex == 'it''s'", "1"},
      {"not sex == 'a'", "1"},
      {"(sex == 'a') + 1", "1"},
      {"sex == 'a' ? 1 : 2", "2"},
      {"no_text == 'a'", "-"},
      {"day == '2026-01-31'", "1"},
      {"day < '2026-02-01'", "1"},
      {"'2026-02-01' > day", "1"},
      {"ts >= '2026-01-31T08:00:00Z'", "1"},
      {"ts > '2026-01-31 08:00:00.5Z'", "0"},
      {"ts > '2026-01-31 08:00:00.5Z' or day > '2026-01-01'", "1"},
      {"day", "20484"},
      // Names.
      {"\"heart rate\" + 1", "62.5"},
      {"\"a\" + 1", "4"},
      {"\"min\" + min(1, 2)", "12"},
      {"min + 1", "12"},
      {"v0 + a", "15"},
      {"\"or\"", "13"},
      {"\"say \"\"hi\"\"\"", "14"},
      {"größe * 2", "3.5"},
      {"a+b", "7"},
      {" \n\t a ", "3"},
  };
  for (const Case& one : cases)
    EXPECT_EQ(result_of(one.text), one.expected) << one.text;
}

struct Refusal {
  const char* text;
  const char* message;  // a part of it
  const char* hint;
};

TEST(Expression, RefusesWithThePlaceAndAHint) {
  const Refusal cases[] = {
      {"", "an empty expression", "write one like"},
      {"   ", "an empty expression", ""},
      {"a +", "expression 'a +': it ends where a value belongs, at character 4", ""},
      {"a + * b", "an operator where a value belongs, at character 5", ""},
      {"a b", "two values without an operator between them, at character 3", ""},
      {"(a", "a ( is never closed, at character 1", ""},
      {"a)", "a ) that no ( opened, at character 2", ""},
      {"()", "", ""},
      {"min()", "", ""},
      {"aa + 1", "no column 'aa', at character 1", "did you mean 'a'?"},
      {"\"heart rat\" > 1", "no column 'heart rat', at character 1", "did you mean 'heart rate'?"},
      {"sex == \"male\"", "no column 'male'", "single quotes"},
      {"größer + x", "no column 'größer', at character 1", "did you mean 'größe'?"},
      {"größe + x", "no column 'x', at character 9", ""},
      {"sqr(a)", "no function 'sqr', at character 1", "did you mean 'sqrt'?"},
      {"log10(a)", "no function 'log10'", ""},
      {"tan(a)", "no function 'tan'", ""},
      {"rnd()", "no function 'rnd'", ""},
      {"sqrt(a, b)", "too many arguments", ""},
      {"pow(a)", "too few arguments", ""},
      {"is_null(a, b)", "is_null takes one argument", ""},
      {"coalesce(a, )", "an argument is missing, at character 13", ""},
      {"coalesce()", "an argument is missing", ""},
      {"is_null()", "an argument is missing", ""},
      {"a = 3", "'=' is no operator here, at character 3", "write == to compare"},
      {"a === 3", "'===' is no operator", "write =="},
      {"a <> 3", "'<>' is no operator", "write !="},
      {"a ** 2", "'**' is no operator", "write ^"},
      {"a & b", "'&' is no operator", "write 'and'"},
      {"a | b", "'|' is no operator", "write 'or'"},
      {"1 < a < 5", "comparisons cannot be chained, at character 7", "1 < x and x < 5"},
      {"a == b == 1", "comparisons cannot be chained", ""},
      {"sex", "column 'sex' is text, not a number", "sex == '...'"},
      {"sex + 1", "column 'sex' is text", ""},
      {"sex == no_text", "column 'sex' is text", ""},
      {"sex < 'a'", "texts compare with == and != only, at character 5", ""},
      {"1 + sex == 'a'", "a comparison of texts as part of arithmetic, at character 5", "brackets"},
      {"sex == 'a' + 1", "a comparison of texts as part of arithmetic", ""},
      {"a == '3'", "column 'a' is float, not text, at character 6", "without quotes"},
      {"'3'", "a text where a number belongs", ""},
      {"'a' == 'a'", "a text where a number belongs", ""},
      {"day > 'tomorrow'", "'tomorrow'", ""},
      {"sex == 'a", "a quote is never closed, at character 8", ""},
      {"\"a", "a quote is never closed, at character 1", ""},
      {"2a", "is no number", "put * between"},
      {"1.2.3", "is no number", ""},
      {"1e999", "a number that no float holds", ""},
      {"a, b", "a comma outside of a function's arguments, at character 2", ""},
      {"(a, b)", "a comma outside of a function's arguments", ""},
      {"a ? b", "a ? without its :", ""},
      {"a : b", "a : without its ?", ""},
      {"a; b", "';' is no operator", ""},
      {"a $ b", "unexpected byte 0x24, at character 3", ""},
      {"a # b", "unexpected byte 0x23", ""},
      {"a ~ b", "unexpected byte 0x7E", ""},
      {"and", "at character 1", ""},
      {"a and", "it ends where a value belongs", ""},
      {"k0", "no column 'k0'", ""},
      {"_pi", "no column '_pi'", ""},
  };
  for (const Refusal& one : cases) {
    const Result<Expression> made = Expression::parse(one.text, kSchema);
    ASSERT_FALSE(made.ok()) << one.text;
    EXPECT_EQ(made.error().code, Code::kInvalid);
    EXPECT_NE(made.error().message.find(one.message), std::string::npos)
        << one.text << ": " << made.error().message;
    EXPECT_NE(made.error().hint.find(one.hint), std::string::npos)
        << one.text << ": " << made.error().hint;
  }
}

std::string repeated(std::string_view part, int count) {
  std::string out;
  for (int i = 0; i < count; ++i)
    out += part;
  return out;
}

TEST(Expression, SurvivesHostileText) {
  EXPECT_EQ(result_of(repeated("(", 100) + "a" + repeated(")", 100)), "3");
  EXPECT_NE(result_of(repeated("(", 101) + "a" + repeated(")", 101)).find("100 brackets"),
            std::string::npos);
  EXPECT_EQ(result_of(repeated("-", 4000) + "a"), "3");
  EXPECT_EQ(result_of(repeated("not ", 2000) + "a"), "1");
  EXPECT_EQ(result_of("a" + repeated("+a", 4999)), "15000");
  EXPECT_EQ(result_of(repeated("is_null(", 99) + "a" + repeated(")", 99)), "0");
  EXPECT_EQ(result_of(repeated("coalesce(nothing,", 99) + "a" + repeated(")", 99)), "3");
  EXPECT_EQ(result_of("max(0" + repeated(",a", 4000) + ")"), "3");
  EXPECT_EQ(result_of(repeated("0?1:", 1000) + "7"), "7");
  EXPECT_NE(result_of(repeated("a", 10'001)).find("the limit is 10000"), std::string::npos);
  EXPECT_NE(result_of(repeated("a", 10'000)).find("no column"), std::string::npos);
  EXPECT_NE(result_of(repeated("2^", 1000)).find("ends"), std::string::npos);
  EXPECT_NE(result_of(std::string_view("a\0b", 3)).find("unexpected byte 0x00"), std::string::npos);
}

RC_GTEST_PROP(Expression, NeverCrashesOnAnyPieces, ()) {
  const auto pieces =
      *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(std::vector<std::string>{
          "a",  "sex", "nothing", "'x'",      "\"a\"",     "1",   ".5",  "(",  ")",
          ",",  "?",   ":",       "+",        "-",         "*",   "/",   "%",  "^",
          "==", "!=",  "<",       ">=",       "!",         "not", "and", "or", "min(",
          " ",  "ts",  "'",       "is_null(", "coalesce(", "true"}));
  std::string text;
  for (const std::string& piece : pieces)
    text += piece + " ";
  const Result<Expression> made = Expression::parse(text, kSchema);
  if (made.ok()) RC_ASSERT(made.value().evaluate(one_row()).size() == 1U);
}

// A random expression, with the value that a walk over its tree gives.
struct Tree {
  std::string text;
  double value = 0;
  int level = 9;  // of its outermost operator: what needs no brackets inside stronger ones
};

std::string inside(const Tree& tree, int level) {
  return tree.level >= level ? tree.text : "(" + tree.text + ")";
}

Tree leaf() {
  switch (*rc::gen::inRange(0, 3)) {
    case 0:
      return {"a", 3, 9};
    case 1:
      return {"n", -7, 9};
    default: {
      const int number = *rc::gen::inRange(0, 6);
      return {std::to_string(number), static_cast<double>(number), 9};
    }
  }
}

Tree tree_of(int depth);

Tree binary(int depth) {
  const Tree left = tree_of(depth - 1);
  const Tree right = tree_of(depth - 1);
  const double l = left.value;
  const double r = right.value;
  switch (*rc::gen::inRange(0, 8)) {
    case 0:
      return {inside(left, 5) + " + " + inside(right, 6), l + r, 5};
    case 1:
      return {inside(left, 5) + " - " + inside(right, 6), l - r, 5};
    case 2:
      return {inside(left, 6) + " * " + inside(right, 7), l * r, 6};
    case 3:
      return {inside(left, 6) + "/" + inside(right, 7), l / r, 6};
    case 4:
      return {inside(left, 5) + " < " + inside(right, 5), l < r ? 1.0 : 0.0, 4};
    case 5:
      return {inside(left, 2) + " and " + inside(right, 3),
              l != 0 && r != 0 && !std::isnan(l) && !std::isnan(r) ? 1.0 : 0.0,
              2};
    case 6:
      return {inside(left, 1) + " or " + inside(right, 2),
              (l != 0 && !std::isnan(l)) || (r != 0 && !std::isnan(r)) ? 1.0 : 0.0,
              1};
    default:
      return {inside(left, 8) + "^" + inside(right, 7), exact_pow(l, r), 7};
  }
}

Tree tree_of(int depth) {
  const int kind = depth == 0 ? 0 : *rc::gen::inRange(0, 7);
  if (kind == 0) return leaf();
  if (kind == 1) {
    const Tree inner = tree_of(depth - 1);
    return {"-" + inside(inner, 7), -inner.value, 6};
  }
  if (kind == 2) {
    const Tree inner = tree_of(depth - 1);
    const bool truth = inner.value != 0 && !std::isnan(inner.value);
    return {"not " + inside(inner, 4), truth ? 0.0 : 1.0, 3};
  }
  if (kind == 3) {
    const Tree condition = tree_of(depth - 1);
    const Tree yes = tree_of(depth - 1);
    const Tree no = tree_of(depth - 1);
    const bool truth = condition.value > 0;
    return {"(" + inside(condition, 5) + " > 0 ? " + yes.text + " : " + no.text + ")",
            truth ? yes.value : no.value,
            9};
  }
  return binary(depth);
}

RC_GTEST_PROP(Expression, GivesWhatAWalkOverItsTreeGives, ()) {
  const Tree tree = tree_of(*rc::gen::inRange(0, 6));
  RC_PRE(tree.text.size() < 10'000U);
  const Result<Expression> made = Expression::parse(tree.text, kSchema);
  RC_LOG() << tree.text;
  RC_ASSERT(made.ok());
  const double value = std::get<double>(made.value().evaluate(one_row()).at(0));
  RC_LOG() << " gives " << value << " not " << tree.value;
  const bool both_nan = std::isnan(value) && std::isnan(tree.value);
  RC_ASSERT(both_nan ||
            std::bit_cast<std::uint64_t>(value) == std::bit_cast<std::uint64_t>(tree.value));
}

TEST(Expression, NamesItsColumnsInOrderOfFirstUse) {
  const Expression made =
      Expression::parse("b + a + coalesce(nothing, b, n) + (sex == 'x') + is_null(flag)", kSchema)
          .value();
  const std::vector<std::string> expected{"b", "a", "nothing", "n", "sex", "flag"};
  EXPECT_EQ(made.columns(), expected);
}

TEST(Expression, EvaluatesFromManyThreadsAtOnce) {
  const Expression made =
      Expression::parse("coalesce(nothing, a) * b + exp(n / 7)", kSchema).value();
  const Batch batch = one_row();
  const Value expected = made.evaluate(batch).at(0);
  std::vector<int> equal(4);
  std::vector<std::jthread> threads;
  for (int& one : equal) {
    threads.emplace_back([&made, &batch, &one, &expected] {
      for (int i = 0; i < 200; ++i)
        one += made.evaluate(batch).at(0) == expected ? 1 : 0;
    });
  }
  threads.clear();
  for (const int one : equal)
    EXPECT_EQ(one, 200);
}

struct Bits {
  const char* text;
  std::uint64_t bits;
};

TEST(Expression, HasTheSameBitsEverywhere) {
  const Bits cases[] = {
      {"exp(1)", 0x4005BF0A8B14576A},
      {"log(a)", 0x3FF193EA7AAD030A},
      {"log(10) / log(2)", 0x400A934F0979A372},
      {"exp(-b) * a", 0x3FAC22009431DB6E},
      {"1.1 ^ 10", 0x4004BFFC0C03023E},
      {"a ^ 0.5", 0x3FFBB67AE8584CAA},
      {"pow(10, -3)", 0x3F50624DD2F1A9FC},
      {"sin(a) * cos(b)", 0xBFB79D2F32700B97},
      {"sqrt(2)", 0x3FF6A09E667F3BCD},
      {"0.1 * a + 0.2 * a", 0x3FECCCCCCCCCCCCE},
  };
  for (const Bits& one : cases) {
    const Expression made = Expression::parse(one.text, kSchema).value();
    const double value = std::get<double>(made.evaluate(one_row()).at(0));
    EXPECT_EQ(std::bit_cast<std::uint64_t>(value), one.bits)
        << one.text << " is " << std::hex << std::bit_cast<std::uint64_t>(value);
  }
}

}  // namespace
}  // namespace lockstep
