#include "learn/quantile.h"

#include "base/exact_math.h"

#include <array>

namespace lockstep {
namespace {

using Coefficients = std::array<double, 8>;

constexpr Coefficients kMiddleTop = {3.3871328727963666080e0,
                                     1.3314166789178437745e+2,
                                     1.9715909503065514427e+3,
                                     1.3731693765509461125e+4,
                                     4.5921953931549871457e+4,
                                     6.7265770927008700853e+4,
                                     3.3430575583588128105e+4,
                                     2.5090809287301226727e+3};
constexpr Coefficients kMiddleBottom = {1.0,
                                        4.2313330701600911252e+1,
                                        6.8718700749205790830e+2,
                                        5.3941960214247511077e+3,
                                        2.1213794301586595867e+4,
                                        3.9307895800092710610e+4,
                                        2.8729085735721942674e+4,
                                        5.2264952788528545610e+3};
constexpr Coefficients kTailTop = {1.42343711074968357734e0,
                                   4.63033784615654529590e0,
                                   5.76949722146069140550e0,
                                   3.64784832476320460504e0,
                                   1.27045825245236838258e0,
                                   2.41780725177450611770e-1,
                                   2.27238449892691845833e-2,
                                   7.74545014278341407640e-4};
constexpr Coefficients kTailBottom = {1.0,
                                      2.05319162663775882187e0,
                                      1.67638483018380384940e0,
                                      6.89767334985100004550e-1,
                                      1.48103976427480074590e-1,
                                      1.51986665636164571966e-2,
                                      5.47593808499534494600e-4,
                                      1.05075007164441684324e-9};

double polynomial(const Coefficients& c, double x) {
  double value = 0;
  for (auto it = c.rbegin(); it != c.rend(); ++it)
    value = value * x + *it;
  return value;
}

}  // namespace

double normal_quantile(double p) {
  const double q = p - 0.5;
  if (q >= -0.425 && q <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(kMiddleTop, r) / polynomial(kMiddleBottom, r);
  }
  const double r = exact_sqrt(-exact_log(q < 0 ? p : 1 - p)) - 1.6;
  const double value = polynomial(kTailTop, r) / polynomial(kTailBottom, r);
  return q < 0 ? -value : value;
}

double student_quantile(double p, double degrees_of_freedom) {
  const double z = normal_quantile(p);
  const double s = z * z;
  const double v = degrees_of_freedom;
  const double first = z * (s + 1) / 4;
  const double second = z * ((5 * s + 16) * s + 3) / 96;
  const double third = z * (((3 * s + 19) * s + 17) * s - 15) / 384;
  const double fourth = z * ((((79 * s + 776) * s + 1482) * s - 1920) * s - 945) / 92160;
  return z + (first + (second + (third + fourth / v) / v) / v) / v;
}

}  // namespace lockstep
