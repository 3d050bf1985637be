// Expanded rows into the sums of a state.
#pragma once

#include "learn/expander.h"
#include "learn/learn.h"

namespace lockstep {

// Zero, with the sums that a plan needs.
ModelState empty_state(const Expander& expander);
// The same names and sizes without the numbers: to compare shapes.
ModelState empty_shape(const Expander& expander);

// Adds and takes away; counts included, the fingerprint not. Cannot fail.
void fold_rows(const Expander& expander,
               const SumKernel& kernel,
               const Binding& binding,
               const Batch& batch,
               ModelState& state);

}  // namespace lockstep
