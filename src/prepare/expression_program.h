// An expression as formulas over a row: the middle of the three stages behind Expression. What
// plain arithmetic does not know (columns, texts, null) becomes inputs of a formula, each a number
// or null.
#pragma once

#include "base/result.h"
#include "prepare/expression_machine.h"
#include "prepare/expression_tokens.h"
#include "table/batch.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

struct Program;

struct Input {
  enum class Kind {
    kColumn,      // its number
    kTextEquals,  // 1 where the column holds `literal`, else 0
    kTextDiffers,
    kColumnIsNull,  // 1 or 0, never null
    kIsNull,        // of parts[0]
    kCoalesce,      // the first of the parts that is not null
  };
  Kind kind = Kind::kColumn;
  int column = 0;
  std::string literal;
  std::vector<std::shared_ptr<const Program>> parts;

  bool operator==(const Input&) const = default;
};

// Immutable. Its value is null where one of its inputs is.
struct Program {
  Formula formula;
  std::vector<Input> inputs;  // of v0, v1, ...
};

struct Compiled {
  std::shared_ptr<const Program> program;
  std::vector<std::string> columns;  // in order of first use
};

Result<Compiled> compile(std::string_view text, const Schema& schema);

// Resource, for one thread: a program with its machines, ready for rows.
class Runner final {
 public:
  explicit Runner(const Program& program);
  std::optional<double> run(const Batch& batch, std::int64_t row);

 private:
  std::optional<double> input(std::size_t index, const Batch& batch, std::int64_t row);

  const Program& program_;
  std::unique_ptr<Machine> machine_;
  std::vector<std::vector<Runner>> parts_;  // of each input
};

}  // namespace lockstep
