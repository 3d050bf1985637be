// Elementary functions with the same bits on every machine: fixed polynomials, no libm, no fused
// multiply-add.
#pragma once

#include <cstddef>

namespace lockstep {

// Within 2 units in the last place of the true value. NaN in, NaN out.
// exact_log of a negative is NaN, of zero -infinity; exact_exp overflows to infinity, underflows to
// 0.
double exact_exp(double x);
double exact_log(double x);
double exact_pow(double base, double exponent);  // IEEE special cases as std::pow
double exact_cos(double x);                      // |x| <= 1e6, else NaN
double exact_sin(double x);                      // |x| <= 1e6, else NaN
// out[i] = exact_cos(x[i]), the same bits, several at a time. x and out may be the same array.
void exact_cos_many(const double* x, double* out, std::size_t count);
double exact_sqrt(double x);  // the processor's own, correctly rounded by IEEE 754

// Rounds to the nearest integer, ties to even, whatever the rounding mode of the thread. |x| <
// 2^51.
double round_half_even(double x);

}  // namespace lockstep
