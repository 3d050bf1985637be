// Quantiles of the normal and of Student's distribution, with the same bits everywhere.
#pragma once

namespace lockstep {

// Of the standard normal distribution; 1e-10 < p < 1 - 1e-10. Wichura 1988, algorithm AS 241, 16
// digits.
double normal_quantile(double p);
// Student's, from the normal one by the expansion of Abramowitz and Stegun 26.7.5: within 1 % from
// 3 degrees of freedom at p = 0.975, and to 6 digits from 20.
double student_quantile(double p, double degrees_of_freedom);

}  // namespace lockstep
