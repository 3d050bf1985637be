// Arithmetic over numbered variables: the last of the three stages behind Expression, and the one
// that calls muparser.
#pragma once

#include "base/result.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// A formula that the machine understands: variables v0, v1, ... and constants k0, k1, ...; names
// and operators as the machine spells them (each operator is one character).
struct Formula {
  std::string code;
  std::vector<int> positions;  // for each byte of the code, where it came from in the expression
  std::vector<double> constants;
  int variable_count = 0;
};

struct FormulaError {
  int position = 0;
  std::string what;
};

// Resource, for one thread. The same bits on every machine: no function of it comes from libm's
// approximations.
class Machine final {
 public:
  // `error` is set where nothing comes back: the formula is not one.
  static std::unique_ptr<Machine> make(const Formula& formula, FormulaError& error);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  void set(int variable, double value);
  double run() const;

  static std::vector<std::string> function_names();

 private:
  struct State;
  explicit Machine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace lockstep
