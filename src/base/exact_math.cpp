// The methods and coefficients of exp, log, sin and cos are those of fdlibm (Sun Microsystems,
// 1993, https://www.netlib.org/fdlibm: e_exp.c, e_log.c, k_sin.c, k_cos.c, e_rem_pio2.c), minimax
// polynomials after an exact reduction; pow follows in double-double arithmetic (T. J. Dekker, "A
// floating-point technique for extending the available precision", 1971). Only + - * / and bits are
// used, each rounded by IEEE 754; the build forbids contraction into fused multiply-adds.
#include "base/exact_math.h"

#include <bit>
#include <cfloat>
#include <cstdint>
#include <limits>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace lockstep {
namespace {

static_assert(FLT_EVAL_METHOD == 0, "intermediate results must be doubles");
static_assert(std::numeric_limits<double>::is_iec559);

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kLn2High = 0x1.62e42feep-1;  // 33 bits: a product with a small integer is exact
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kShifter = 0x1.8p52;  // adding it leaves the nearest integer in the low bits

double absolute(double x) {
  return x < 0 ? -x : x;
}

bool is_nan(double x) {
  return x != x;
}

std::uint64_t bits_of(double x) {
  return std::bit_cast<std::uint64_t>(x);
}

// 2^k for a normal result: -1022 <= k <= 1023.
double power_of_two(std::int64_t k) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(k + 1023) << 52U);
}

// y * 2^k in two steps, so that a subnormal result is rounded once. -2044 <= k <= 2046.
double scale(double y, std::int64_t k) {
  const std::int64_t half = k / 2;
  return y * power_of_two(half) * power_of_two(k - half);
}

// exp(x + extra) for |x| < 746; extra is a correction below one ulp of x.
double exp_sum(double x, double extra) {
  constexpr double kOneOverLn2 = 0x1.71547652b82fep0;
  constexpr double kP1 = 0x1.555555555553ep-3;
  constexpr double kP2 = -0x1.6c16c16bebd93p-9;
  constexpr double kP3 = 0x1.1566aaf25de2cp-14;
  constexpr double kP4 = -0x1.bbd41c5d26bf1p-20;
  constexpr double kP5 = 0x1.6376972bea4d0p-25;
  const double k = (x * kOneOverLn2 + kShifter) - kShifter;
  const double high = x - k * kLn2High;
  const double low = k * kLn2Low - extra;
  const double r = high - low;
  const double t = r * r;
  const double c = r - t * (kP1 + t * (kP2 + t * (kP3 + t * (kP4 + t * kP5))));
  const double y = 1.0 - ((low - (r * c) / (2.0 - c)) - high);
  return scale(y, static_cast<std::int64_t>(k));
}

// A positive finite x = 2^k * m with sqrt(1/2) <= m < sqrt(2).
struct Split {
  double m;
  double k;
};

Split split(double x) {
  constexpr std::uint64_t kSqrtHalf = 0x3FE6A09E00000000ULL;  // a little below sqrt(1/2)
  std::int64_t k = 0;
  if (x < DBL_MIN) {
    x *= 0x1p54;
    k = -54;
  }
  const std::uint64_t above = bits_of(x) - kSqrtHalf;
  k += static_cast<std::int64_t>(above) >> 52;
  const std::uint64_t mantissa = (above & 0xFFFFFFFFFFFFFULL) + kSqrtHalf;
  return {std::bit_cast<double>(mantissa), static_cast<double>(k)};
}

// An unevaluated sum high + low with |low| <= ulp(high) / 2.
struct Pair {
  double high;
  double low;
};

Pair two_sum(double a, double b) {
  const double sum = a + b;
  const double part = sum - a;
  return {sum, (a - (sum - part)) + (b - part)};
}

Pair fast_two_sum(double large, double small) {
  const double sum = large + small;
  return {sum, small - (sum - large)};
}

// The exact product, by Veltkamp's splitting. |a|, |b| < 2^900.
Pair two_product(double a, double b) {
  constexpr double kSplitter = 0x1p27 + 1;
  const double a_scaled = a * kSplitter;
  const double a_high = a_scaled - (a_scaled - a);
  const double a_low = a - a_high;
  const double b_scaled = b * kSplitter;
  const double b_high = b_scaled - (b_scaled - b);
  const double b_low = b - b_high;
  const double product = a * b;
  const double error =
      ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
  return {product, error};
}

Pair multiply(Pair a, Pair b) {
  const Pair product = two_product(a.high, b.high);
  return fast_two_sum(product.high, product.low + (a.high * b.low + a.low * b.high));
}

Pair add(Pair a, Pair b) {
  const Pair sum = two_sum(a.high, b.high);
  return fast_two_sum(sum.high, sum.low + (a.low + b.low));
}

Pair divide(Pair a, Pair b) {
  const double first = a.high / b.high;
  const Pair product = multiply(b, {first, 0});
  const double rest = ((a.high - product.high) - product.low) + a.low;
  return fast_two_sum(first, rest / b.high);
}

// log(x) to about 2^-65 of its value: 2 atanh(s) with s = (m - 1) / (m + 1), |s| < 0.172. The
// series 1 + z/3 + z^2/5 + ... in z = s^2 ends at z^14, which leaves 2^-79.
Pair log_pair(double x) {
  const Split parts = split(x);
  const Pair s = divide(two_sum(parts.m, -1.0), two_sum(parts.m, 1.0));
  const Pair z = multiply(s, s);
  double tail = 0;
  for (int term = 29; term >= 7; term -= 2)
    tail = 1.0 / term + z.high * tail;
  constexpr Pair kFifth = {0x1.999999999999ap-3, -0x1.999999999999ap-57};
  constexpr Pair kThird = {0x1.5555555555555p-2, 0x1.5555555555555p-56};
  const Pair fifths = add(kFifth, multiply(z, {tail, 0}));
  const Pair thirds = add(kThird, multiply(z, fifths));
  const Pair series = add({1.0, 0}, multiply(z, thirds));
  const Pair twice = multiply({2 * s.high, 2 * s.low}, series);
  const Pair exponent = fast_two_sum(parts.k * kLn2High, parts.k * kLn2Low);
  return add(exponent, twice);
}

// base^exponent by squaring; exact where the result is a double of few bits.
double pow_integer(double base, int exponent) {
  Pair result = {1.0, 0};
  Pair square = {base, 0};
  for (int rest = exponent < 0 ? -exponent : exponent; rest > 0; rest /= 2) {
    if (rest % 2 == 1) result = multiply(result, square);
    if (rest > 1) square = multiply(square, square);
  }
  if (exponent < 0) result = divide({1.0, 0}, result);
  return result.high + result.low;
}

enum class Parity { kFraction, kOdd, kEven };

Parity parity_of(double x) {
  if (absolute(x) >= 0x1p53) return Parity::kEven;
  const auto whole = static_cast<std::int64_t>(x);
  if (static_cast<double>(whole) != x) return Parity::kFraction;
  return whole % 2 == 0 ? Parity::kEven : Parity::kOdd;
}

// |base|^exponent where base is 0 or infinite, or exponent infinite; neither is NaN.
double pow_at_limits(double base, double exponent) {
  if (absolute(exponent) == kInfinity && base == 1.0) return 1.0;
  const bool grows = (base > 1.0) == (exponent > 0);
  return grows ? kInfinity : 0.0;
}

// base > 0 and finite, exponent finite and not 0.
double pow_positive(double base, double exponent) {
  constexpr int kSquaringMax = 64;
  constexpr double kPairsSafe = 600;  // natural logarithm up to which pairs do not overflow
  if (base == 1.0) return 1.0;
  // The base nearest to 1 has a logarithm of 2^-53.
  if (absolute(exponent) > 0x1p65)
    return pow_at_limits(base, exponent > 0 ? kInfinity : -kInfinity);
  const Pair power = multiply(log_pair(base), {exponent, 0});
  const bool is_small = absolute(exponent) <= kSquaringMax && absolute(power.high) < kPairsSafe;
  if (is_small && parity_of(exponent) != Parity::kFraction) {
    return pow_integer(base, static_cast<int>(exponent));
  }
  if (power.high > 710.0) return kInfinity;
  if (power.high < -746.0) return 0.0;
  return exp_sum(power.high, power.low);
}

using Number2 = double __attribute__((vector_size(16)));
using Bits2 = std::uint64_t __attribute__((vector_size(16)));

// sin(x + shift * pi/2) for |x| <= 1e6, NaN else: for one number, or two side by side with the same
// operations on each. x - n pi/2 takes pi/2 in parts of 33 bits (Cody and Waite), so that products
// with n < 2^20 are exact; what the subtractions round off is carried in `tail`. Both kernels are
// computed and one is chosen, which costs less than a branch that goes both ways.
template <typename Number, typename Bits>
Number sine_shifted(Number x, std::uint64_t shift) {
  constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
  constexpr double kPart1 = 0x1.921fb544p0;
  constexpr double kPart2 = 0x1.0b4611a6p-34;
  constexpr double kPart3 = 0x1.3198a2ep-69;
  constexpr double kPart4 = 0x1.b839a252049c1p-104;
  const Number shifted = x * kTwoOverPi + kShifter;
  const Bits quadrant = std::bit_cast<Bits>(shifted) + shift;
  const Number n = shifted - kShifter;
  const Number first = x - n * kPart1;
  const Number part2 = n * kPart2;
  const Number second = first - part2;
  const Number turned2 = second - first;
  const Number lost2 = (first - (second - turned2)) - (part2 + turned2);
  const Number part3 = n * kPart3;
  const Number third = second - part3;
  const Number turned3 = third - second;
  const Number lost3 = (second - (third - turned3)) - (part3 + turned3);
  const Number rest = (lost2 + lost3) - n * kPart4;
  const Number r = third + rest;
  const Number tail = rest - (r - third);

  const Number z = r * r;
  const Number cube = z * r;
  const Number sine_series =
      0x1.111111110f8a6p-7 +
      z * (-0x1.a01a019c161d5p-13 +
           z * (0x1.71de357b1fe7dp-19 + z * (-0x1.ae5e68a2b9cebp-26 + z * 0x1.5d93a5acfd57cp-33)));
  const Number sine =
      r - ((z * (0.5 * tail - cube * sine_series) - tail) - cube * -0x1.5555555555549p-3);
  const Number cosine_series =
      z * (0x1.555555555554cp-5 +
           z * (-0x1.6c16c16c15177p-10 +
                z * (0x1.a01a019cb1590p-16 +
                     z * (-0x1.27e4f809c52adp-22 +
                          z * (0x1.1ee9ebdb4b1c4p-29 + z * -0x1.8fae9be8838d4p-37)))));
  const Number half = 0.5 * z;
  const Number near_one = 1.0 - half;
  const Number cosine = near_one + (((1.0 - near_one) - half) + (z * cosine_series - r * tail));

  const Number chosen = (quadrant & 1U) == 0U ? sine : cosine;
  const Number result =
      std::bit_cast<Number>(std::bit_cast<Bits>(chosen) ^ ((quadrant & 2U) << 62U));
  const Number nan = x * kNan;
  return x * x <= 1e12 ? result : nan;
}

}  // namespace

double exact_exp(double x) {
  if (is_nan(x)) return x;
  if (x > 710.0) return kInfinity;
  if (x < -746.0) return 0.0;
  return exp_sum(x, 0.0);
}

double exact_log(double x) {
  if (is_nan(x) || x == kInfinity) return x;
  if (x == 0) return -kInfinity;
  if (x < 0) return kNan;
  constexpr double kL1 = 0x1.5555555555593p-1;
  constexpr double kL2 = 0x1.999999997fa04p-2;
  constexpr double kL3 = 0x1.2492494229359p-2;
  constexpr double kL4 = 0x1.c71c51d8e78afp-3;
  constexpr double kL5 = 0x1.7466496cb03dep-3;
  constexpr double kL6 = 0x1.39a09d078c69fp-3;
  constexpr double kL7 = 0x1.2f112df3e5244p-3;
  const Split parts = split(x);
  const double f = parts.m - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  const double w = z * z;
  const double even = w * (kL2 + w * (kL4 + w * kL6));
  const double odd = z * (kL1 + w * (kL3 + w * (kL5 + w * kL7)));
  const double half_square = 0.5 * f * f;
  const double low = s * (half_square + (odd + even)) + parts.k * kLn2Low;
  return parts.k * kLn2High - ((half_square - low) - f);
}

double exact_pow(double base, double exponent) {
  if (exponent == 0 || base == 1.0) return 1.0;
  if (is_nan(base) || is_nan(exponent)) return kNan;
  const double size = absolute(base);
  const bool exponent_is_infinite = absolute(exponent) == kInfinity;
  const Parity parity = parity_of(exponent);
  const bool is_limit = size == 0 || size == kInfinity || exponent_is_infinite;
  if (base < 0 && !is_limit && parity == Parity::kFraction) return kNan;
  const double power = is_limit ? pow_at_limits(size, exponent) : pow_positive(size, exponent);
  const bool is_negative = (bits_of(base) >> 63U) != 0;
  return is_negative && parity == Parity::kOdd ? -power : power;
}

double exact_cos(double x) {
  return sine_shifted<double, std::uint64_t>(x, 1);
}

// The reduction loses the sign of -0.
double exact_sin(double x) {
  return x == 0 ? x : sine_shifted<double, std::uint64_t>(x, 0);
}

void exact_cos_many(const double* x, double* out, std::size_t count) {
  std::size_t index = 0;
  for (; index + 2 <= count; index += 2) {
    const Number2 pair = {x[index], x[index + 1]};
    const Number2 cosine = sine_shifted<Number2, Bits2>(pair, 1);
    out[index] = cosine[0];
    out[index + 1] = cosine[1];
  }
  if (index < count) out[index] = exact_cos(x[index]);
}

double exact_sqrt(double x) {
#if defined(__SSE2__)
  return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_setzero_pd(), _mm_set_sd(x)));
#else
  return __builtin_sqrt(x);
#endif
}

double round_half_even(double x) {
  if (!(absolute(x) < 0x1p52)) return x;
  const auto below = static_cast<std::int64_t>(x);  // towards zero in every rounding mode
  const double rest = absolute(x - static_cast<double>(below));
  const bool away = rest > 0.5 || (rest == 0.5 && below % 2 != 0);
  const std::int64_t nearest = away ? below + (x < 0 ? -1 : 1) : below;
  return __builtin_copysign(static_cast<double>(nearest), x);
}

}  // namespace lockstep
