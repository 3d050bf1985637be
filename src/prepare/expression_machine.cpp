#include "prepare/expression_machine.h"

#include "base/assert.h"
#include "base/exact_math.h"

#include <fmt/format.h>
#include <muParserBase.h>

#include <array>
#include <cmath>
#include <limits>

namespace lockstep {

namespace {

bool is_true(double value) {
  return value != 0 && !std::isnan(value);
}

double both(double left, double right) {
  return is_true(left) && is_true(right) ? 1 : 0;
}

double either(double left, double right) {
  return is_true(left) || is_true(right) ? 1 : 0;
}

double not_true(double value) {
  return is_true(value) ? 0 : 1;
}

double truth(double value) {
  return is_true(value) ? 1 : 0;
}

double negative(double value) {
  return -value;
}

double same(double value) {
  return value;
}

double absolute(double value) {
  return std::fabs(value);
}

double down(double value) {
  return std::floor(value);
}

double up(double value) {
  return std::ceil(value);
}

double nearest_integer(double value) {
  constexpr double kHalvesEnd = 2251799813685248.0;  // 2^51: where round_half_even's range ends
  if (std::fabs(value) < kHalvesEnd) return round_half_even(value);
  const double below = std::floor(value);
  const double part = value - below;
  if (part < 0.5 || !(part >= 0.5)) return below;
  return std::fmod(below, 2) == 0 && part == 0.5 ? below : below + 1;
}

// Exact by its definition, whoever computes it; the sign of the dividend.
double remainder_of(double left, double right) {
  return std::fmod(left, right);
}

double least(const double* values, int count) {
  double out = values[0];
  for (int i = 1; i < count; ++i) {
    if (std::isnan(values[i]) || values[i] < out) out = values[i];
    if (std::isnan(out)) break;
  }
  return out;
}

double greatest(const double* values, int count) {
  double out = values[0];
  for (int i = 1; i < count; ++i) {
    if (std::isnan(values[i]) || values[i] > out) out = values[i];
    if (std::isnan(out)) break;
  }
  return out;
}

struct UnaryFunction {
  const char* name;
  double (*call)(double);
};

constexpr std::array kUnary = {
    UnaryFunction{"exp", exact_exp},
    UnaryFunction{"log", exact_log},
    UnaryFunction{"sqrt", exact_sqrt},
    UnaryFunction{"sin", exact_sin},
    UnaryFunction{"cos", exact_cos},
    UnaryFunction{"abs", absolute},
    UnaryFunction{"floor", down},
    UnaryFunction{"ceil", up},
    UnaryFunction{"round", nearest_integer},
};

// The base class has no function of its own, so that none of libm's comes in unseen.
class Parser final : public mu::ParserBase {
 public:
  Parser() {
    InitCharSets();
    InitFun();
    InitConst();
    InitOprt();
    // The optimizer turns a*x + b*x into (a+b)*x, which has other bits.
    EnableOptimizer(false);
  }

 private:
  void InitCharSets() override {
    DefineNameChars("0123456789_abcdefghijklmnopqrstuvwxyz");
    DefineOprtChars("+-*^/?<>=!#%&|");
    DefineInfixOprtChars("+-!$");
  }

  void InitFun() override {
    for (const UnaryFunction& one : kUnary)
      DefineFun(one.name, one.call);
    DefineFun("pow", exact_pow);
    DefineFun("mod", remainder_of);
    DefineFun("min", least);
    DefineFun("max", greatest);
  }

  void InitConst() override {}

  // One character each: the library reads past the end of a formula where a longer one could begin.
  void InitOprt() override {
    DefineOprt("#", exact_pow, mu::prPOW, mu::oaRIGHT);
    DefineOprt("%", remainder_of, mu::prMUL_DIV, mu::oaLEFT);
    DefineOprt("&", both, mu::prLAND, mu::oaLEFT);
    DefineOprt("|", either, mu::prLOR, mu::oaLEFT);
    DefineInfixOprt("-", negative);
    DefineInfixOprt("+", same);
    // Below comparisons: `not age >= 18` means not (age >= 18).
    DefineInfixOprt("!", not_true, mu::prLOGIC);
    DefineInfixOprt("$", truth, mu::prLOGIC);
  }
};

std::string prose(mu::EErrorCodes code) {
  switch (code) {
    case mu::ecUNEXPECTED_OPERATOR:
      return "an operator where a value belongs";
    case mu::ecUNEXPECTED_EOF:
      return "it ends where a value belongs";
    case mu::ecUNEXPECTED_VAL:
    case mu::ecUNEXPECTED_VAR:
    case mu::ecUNEXPECTED_FUN:
      return "two values without an operator between them";
    case mu::ecUNEXPECTED_PARENS:
      return "an unexpected bracket";
    case mu::ecTOO_MANY_PARAMS:
      return "too many arguments for a function";
    case mu::ecTOO_FEW_PARAMS:
      return "too few arguments for a function";
    case mu::ecUNEXPECTED_ARG_SEP:
      return "a comma where a value belongs";
    case mu::ecUNEXPECTED_CONDITIONAL:
      return "an unexpected ?";
    case mu::ecMISSING_ELSE_CLAUSE:
      return "a ? without its :";
    case mu::ecMISPLACED_COLON:
      return "a : without its ?";
    case mu::ecEXPRESSION_TOO_LONG:
      return "it is too long";
    default:
      return "it cannot be understood";
  }
}

FormulaError error_of(const mu::ParserError& error, const Formula& formula) {
  FormulaError out{1, prose(error.GetCode())};
  if (formula.positions.empty()) return out;
  const auto last = formula.positions.size() - 1;
  const auto at = static_cast<std::size_t>(error.GetPos());
  out.position = formula.positions[at < last ? at : last];
  return out;
}

}  // namespace

struct Machine::State {
  std::vector<double> variables;
  Parser parser;
};

Machine::Machine(std::unique_ptr<State> state) : state_(std::move(state)) {
}

Machine::~Machine() = default;

std::unique_ptr<Machine> Machine::make(const Formula& formula, FormulaError& error) {
  auto state = std::make_unique<State>();
  state->variables.resize(static_cast<std::size_t>(formula.variable_count));
  try {
    for (std::size_t i = 0; i < state->variables.size(); ++i) {
      state->parser.DefineVar(fmt::format("v{}", i), &state->variables[i]);
    }
    for (std::size_t i = 0; i < formula.constants.size(); ++i) {
      state->parser.DefineConst(fmt::format("k{}", i), formula.constants[i]);
    }
    state->parser.SetExpr(formula.code);
    state->parser.Eval();  // parses; later calls only compute, and cannot fail
    if (state->parser.GetNumResults() != 1) {
      error = {1, "more than one value"};
      return nullptr;
    }
  } catch (const mu::ParserError& thrown) {
    error = error_of(thrown, formula);
    return nullptr;
  }
  return std::unique_ptr<Machine>(new Machine(std::move(state)));
}

void Machine::set(int variable, double value) {
  state_->variables.at(static_cast<std::size_t>(variable)) = value;
}

double Machine::run() const {
  return state_->parser.Eval();
}

std::vector<std::string> Machine::function_names() {
  std::vector<std::string> names;
  for (const UnaryFunction& one : kUnary)
    names.emplace_back(one.name);
  for (const char* one : {"pow", "mod", "min", "max"})
    names.emplace_back(one);
  return names;
}

}  // namespace lockstep
