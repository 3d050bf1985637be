#include "prepare/expression_program.h"

#include "base/assert.h"
#include "base/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <span>

namespace lockstep {

namespace {

constexpr double kUsPerSecond = 1e6;

bool holds_time(Type type) {
  return type == Type::kDate || type == Type::kTimestamp;
}

// What may stand on either side of `column == 'text'`, which is a whole value of its own.
bool ends_operand(TokenKind kind) {
  switch (kind) {
    case TokenKind::kEnd:
    case TokenKind::kOpen:
    case TokenKind::kClose:
    case TokenKind::kComma:
    case TokenKind::kAnd:
    case TokenKind::kOr:
    case TokenKind::kNot:
    case TokenKind::kQuestion:
    case TokenKind::kColon:
      return true;
    default:
      return false;
  }
}

// As Batch::number_at gives it.
double number_of(const Value& value) {
  if (const auto* date = std::get_if<Date>(&value)) return date->days;
  const auto* timestamp = std::get_if<Timestamp>(&value);
  LOCKSTEP_ASSERT(timestamp != nullptr, "a time is a date or a timestamp");
  return static_cast<double>(timestamp->us) / kUsPerSecond;
}

class Compiler final {
 public:
  Compiler(std::string_view text, const Schema& schema, const std::vector<Token>& tokens)
      : text_(text), schema_(schema), tokens_(tokens) {}

  // The tokens from `begin` to before `end`. Recursion is bounded by the tokenizer's limit on
  // brackets.
  Result<std::shared_ptr<const Program>> build(std::size_t begin, std::size_t end) {
    Part part{std::make_shared<Program>(), begin, end};
    if (begin == end) return error(tokens_[end], "an argument is missing");
    while (part.at < end)
      TRY(one(part));
    Program& program = *part.program;
    program.formula.positions.push_back(tokens_[end].position);
    program.formula.variable_count = static_cast<int>(program.inputs.size());
    FormulaError wrong;
    if (Machine::make(program.formula, wrong) == nullptr) {
      return expression_error(text_, wrong.position, wrong.what);
    }
    return std::shared_ptr<const Program>(part.program);
  }

  std::vector<std::string> columns() && { return std::move(columns_); }

 private:
  struct Part {
    std::shared_ptr<Program> program;
    std::size_t at = 0;
    std::size_t end = 0;
  };

  Error error(const Token& token, std::string_view what, std::string hint = {}) const {
    return expression_error(text_, token.position, what, std::move(hint));
  }

  TokenKind kind_at(const Part& part, std::size_t index) const {
    return index < part.end ? tokens_[index].kind : TokenKind::kEnd;
  }

  static void emit(Part& part, std::string_view code, const Token& token) {
    part.program->formula.code += code;
    part.program->formula.positions.insert(
        part.program->formula.positions.end(), code.size(), token.position);
  }

  void emit_constant(Part& part, double value, const Token& token) const {
    auto& constants = part.program->formula.constants;
    emit(part, fmt::format("k{}", constants.size()), token);
    constants.push_back(value);
  }

  static void emit_input(Part& part, Input input, const Token& token) {
    auto& inputs = part.program->inputs;
    const auto found = std::find(inputs.begin(), inputs.end(), input);
    emit(part, fmt::format("v{}", found - inputs.begin()), token);
    if (found == inputs.end()) inputs.push_back(std::move(input));
  }

  Result<void> one(Part& part) {
    const Token& token = tokens_[part.at];
    switch (token.kind) {
      case TokenKind::kNumber:
        emit_constant(part, token.number, token);
        break;
      case TokenKind::kName:
        return name(part);
      case TokenKind::kColumn:
        return column(part);
      case TokenKind::kText:
        return text(part);
      case TokenKind::kArithmetic:
        arithmetic(part);
        break;
      case TokenKind::kAnd:
        emit(part, "&", token);
        break;
      case TokenKind::kOr:
        emit(part, "|", token);
        break;
      case TokenKind::kNot:
        negation(part);
        break;
      default:
        emit(part, token.text, token);
        break;
    }
    ++part.at;
    return {};
  }

  // Whether the operator at `index` has no value on its left.
  bool is_prefix(const Part& part, std::size_t index) const {
    if (index == 0 || part.program->formula.code.empty()) return true;
    const TokenKind before = tokens_[index - 1].kind;
    return before == TokenKind::kArithmetic || before == TokenKind::kCompare ||
           (ends_operand(before) && before != TokenKind::kClose);
  }

  // The machine takes one prefix operator at a time: of two signs one is left, and a sign behind
  // `not` multiplies.
  void arithmetic(Part& part) const {
    const Token& token = tokens_[part.at];
    std::string& code = part.program->formula.code;
    const bool is_sign = token.text == "-" || token.text == "+";
    const bool follows =
        is_sign && !code.empty() && is_prefix(part, part.at) && is_prefix(part, part.at - 1);
    const TokenKind before = follows ? tokens_[part.at - 1].kind : TokenKind::kEnd;
    if (before == TokenKind::kNot) {
      emit_constant(part, token.text == "-" ? -1 : 1, token);
      emit(part, "*", token);
    } else if (before == TokenKind::kArithmetic && (code.back() == '-' || code.back() == '+')) {
      if (token.text == "-") code.back() = code.back() == '-' ? '+' : '-';
    } else {
      emit(part, token.text == "^" ? "#" : token.text, token);
    }
  }

  // `not not a` is whether a is true: 1 or 0.
  void negation(Part& part) const {
    const Token& token = tokens_[part.at];
    std::string& code = part.program->formula.code;
    const bool follows = !code.empty() && tokens_[part.at - 1].kind == TokenKind::kNot;
    if (follows) {
      code.back() = code.back() == '!' ? '$' : '!';
    } else {
      emit(part, "!", token);
    }
  }

  Result<void> name(Part& part) {
    const Token& token = tokens_[part.at];
    if (kind_at(part, part.at + 1) == TokenKind::kOpen) return call(part);
    if (token.text != "true" && token.text != "false") return column(part);
    emit_constant(part, token.text == "true" ? 1 : 0, token);
    ++part.at;
    return {};
  }

  Result<void> call(Part& part) {
    const Token& token = tokens_[part.at];
    if (token.text == "is_null") return is_null(part);
    if (token.text == "coalesce") return coalesce(part);
    std::vector<std::string> names = Machine::function_names();
    if (std::find(names.begin(), names.end(), token.text) == names.end()) {
      names.insert(names.end(), {"is_null", "coalesce"});
      const auto near = nearest(token.text, names);
      return error(token,
                   fmt::format("no function '{}'", token.text),
                   near ? fmt::format("did you mean '{}'?", *near)
                        : fmt::format("functions are {}", fmt::join(names, ", ")));
    }
    emit(part, token.text, token);
    ++part.at;
    return {};
  }

  // Where the arguments of the call at part.at begin; and one behind the last of them.
  std::vector<std::size_t> argument_bounds(const Part& part) const {
    const std::size_t open = part.at + 1;
    std::vector<std::size_t> bounds{open + 1};
    for (std::size_t i = open + 1; i < tokens_[open].other; ++i) {
      if (tokens_[i].kind == TokenKind::kOpen) i = tokens_[i].other;
      if (tokens_[i].kind == TokenKind::kComma) bounds.push_back(i + 1);
    }
    bounds.push_back(tokens_[open].other + 1);
    return bounds;
  }

  Result<void> is_null(Part& part) {
    const Token& token = tokens_[part.at];
    const std::vector<std::size_t> bounds = argument_bounds(part);
    if (bounds.size() != 2) return error(token, "is_null takes one argument");
    const std::size_t first = bounds[0];
    const bool is_column =
        tokens_[first].kind == TokenKind::kName || tokens_[first].kind == TokenKind::kColumn;
    Input input;
    if (is_column && first + 2 == bounds[1]) {
      input.kind = Input::Kind::kColumnIsNull;
      input.column = TRY(find(tokens_[first]));
    } else {
      input.kind = Input::Kind::kIsNull;
      input.parts.push_back(TRY(build(first, bounds[1] - 1)));
    }
    part.at = bounds[1];
    emit_input(part, std::move(input), token);
    return {};
  }

  Result<void> coalesce(Part& part) {
    const Token& token = tokens_[part.at];
    const std::vector<std::size_t> bounds = argument_bounds(part);
    Input input;
    input.kind = Input::Kind::kCoalesce;
    for (std::size_t i = 0; i + 1 < bounds.size(); ++i) {
      input.parts.push_back(TRY(build(bounds[i], bounds[i + 1] - 1)));
    }
    part.at = bounds.back();
    emit_input(part, std::move(input), token);
    return {};
  }

  Result<int> find(const Token& token) {
    const std::optional<int> index = schema_.index_of(token.text);
    if (!index) {
      const std::vector<std::string> names = schema_.names();
      const auto near = nearest(token.text, names);
      std::string hint = near ? fmt::format("did you mean '{}'?", *near)
                              : fmt::format("columns are {}", fmt::join(names, ", "));
      if (!near && token.kind == TokenKind::kColumn) {
        hint += "; texts stand in single quotes";
      }
      return error(token, fmt::format("no column '{}'", token.text), std::move(hint));
    }
    if (std::find(columns_.begin(), columns_.end(), token.text) == columns_.end()) {
      columns_.push_back(token.text);
    }
    return *index;
  }

  Result<void> column(Part& part) {
    const Token& token = tokens_[part.at];
    const int index = TRY(find(token));
    const Type type = schema_.field(index).type;
    const bool with_text = kind_at(part, part.at + 1) == TokenKind::kCompare &&
                           kind_at(part, part.at + 2) == TokenKind::kText;
    if (type == Type::kText && with_text) return text_compare(part, index, part.at + 2);
    if (type == Type::kText) {
      // "male" where 'male' was meant is the likelier slip.
      const bool with_column = kind_at(part, part.at + 2) == TokenKind::kColumn;
      if (with_column) TRY(find(tokens_[part.at + 2]));
      return error(token,
                   fmt::format("column '{}' is text, not a number", token.text),
                   fmt::format("compare it: {} == '...', or cast it before", token.text));
    }
    emit_input(part, {Input::Kind::kColumn, index, {}, {}}, token);
    ++part.at;
    if (!with_text) return {};
    emit(part, tokens_[part.at].text, tokens_[part.at]);
    ++part.at;
    return time_literal(part, index);
  }

  // A literal in front: 'm' == sex.
  Result<void> text(Part& part) {
    const Token& token = tokens_[part.at];
    const TokenKind after = kind_at(part, part.at + 2);
    const bool is_column = after == TokenKind::kName || after == TokenKind::kColumn;
    if (kind_at(part, part.at + 1) != TokenKind::kCompare || !is_column) {
      return error(
          token,
          "a text where a number belongs",
          "texts compare with a column by == and !=; names of columns stand in double quotes");
    }
    const int index = TRY(find(tokens_[part.at + 2]));
    if (schema_.field(index).type == Type::kText) return text_compare(part, index, part.at);
    return time_literal(part, index);
  }

  Result<void> text_compare(Part& part, int index, std::size_t literal) {
    const Token& compare = tokens_[part.at + 1];
    const bool equals = compare.text == "==";
    if (!equals && compare.text != "!=") {
      return error(compare, "texts compare with == and != only");
    }
    const std::size_t begin = part.at;
    const bool first = begin == 0 || ends_operand(tokens_[begin - 1].kind);
    if (!first || !ends_operand(kind_at(part, begin + 3))) {
      return error(
          tokens_[begin], "a comparison of texts as part of arithmetic", "put it in brackets");
    }
    Input input;
    input.kind = equals ? Input::Kind::kTextEquals : Input::Kind::kTextDiffers;
    input.column = index;
    input.literal = tokens_[literal].text;
    emit_input(part, std::move(input), tokens_[begin]);
    part.at = begin + 3;
    return {};
  }

  // The literal at part.at, compared with a column that is no text.
  Result<void> time_literal(Part& part, int index) {
    const Token& token = tokens_[part.at];
    const Field& field = schema_.field(index);
    if (!holds_time(field.type)) {
      return error(token,
                   fmt::format("column '{}' is {}, not text", field.name, type_name(field.type)),
                   "write the value without quotes");
    }
    const Result<Value> value = parse_value(token.text, field.type);
    if (!value.ok()) return error(token, value.error().message, value.error().hint);
    emit_constant(part, number_of(value.value()), token);
    ++part.at;
    return {};
  }

  std::string_view text_;
  const Schema& schema_;
  const std::vector<Token>& tokens_;
  std::vector<std::string> columns_;
};

}  // namespace

Result<Compiled> compile(std::string_view text, const Schema& schema) {
  const std::vector<Token> tokens = TRY(tokenize(text));
  Compiler compiler(text, schema, tokens);
  Compiled compiled;
  compiled.program = TRY(compiler.build(0, tokens.size() - 1));
  compiled.columns = std::move(compiler).columns();
  return compiled;
}

Runner::Runner(const Program& program) : program_(program) {
  FormulaError wrong;
  machine_ = Machine::make(program.formula, wrong);
  LOCKSTEP_ASSERT(machine_ != nullptr, "a formula that was understood once is understood again");
  for (const Input& one : program.inputs) {
    std::vector<Runner>& parts = parts_.emplace_back();
    for (const auto& part : one.parts)
      parts.emplace_back(*part);
  }
}

std::optional<double> Runner::run(const Batch& batch, std::int64_t row) {
  for (std::size_t i = 0; i < program_.inputs.size(); ++i) {
    const std::optional<double> value = input(i, batch, row);
    if (!value) return std::nullopt;
    machine_->set(static_cast<int>(i), *value);
  }
  return machine_->run();
}

std::optional<double> Runner::input(std::size_t index, const Batch& batch, std::int64_t row) {
  const Input& input = program_.inputs[index];
  const bool reads_column = input.parts.empty();
  const bool null = reads_column && batch.is_null(input.column, row);
  if (input.kind == Input::Kind::kColumnIsNull) return null ? 1 : 0;
  if (null) return std::nullopt;
  switch (input.kind) {
    case Input::Kind::kColumn:
      return batch.number_at(input.column, row);
    case Input::Kind::kTextEquals:
      return batch.text_at(input.column, row) == input.literal ? 1 : 0;
    case Input::Kind::kTextDiffers:
      return batch.text_at(input.column, row) == input.literal ? 0 : 1;
    case Input::Kind::kIsNull:
      return parts_[index].front().run(batch, row) ? 0 : 1;
    default:
      break;
  }
  for (Runner& part : parts_[index]) {
    const std::optional<double> value = part.run(batch, row);
    if (value) return value;
  }
  return std::nullopt;
}

}  // namespace lockstep
