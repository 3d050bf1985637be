#include "learn/dense.h"

#include "base/exact_math.h"
#include "learn/kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace lockstep {
namespace {

using Update = void (*)(const RowUpdate&);

// All give the same bits, so the best one needs no name.
Update best_update() {
  if (avx512_supported()) return avx512_update;
  if (avx2_supported()) return avx2_update;
  return portable_update;
}

std::ptrdiff_t padded(int size) {
  return (size + kUpdateColumns - 1) / kUpdateColumns * kUpdateColumns;
}

// target[j] -= factor * from[j] for j in [first, last)
void subtract_row(
    double* target, double factor, const double* from, std::ptrdiff_t first, std::ptrdiff_t last) {
  for (std::ptrdiff_t j = first; j < last; ++j)
    target[j] -= factor * from[j];
}

double dot(const double* a, const double* b, int first, int last) {
  double sum = 0;
  for (int i = first; i < last; ++i)
    sum += a[i] * b[i];
  return sum;
}

// Symmetric tridiagonal: diagonal d, and e[i] between i and i + 1.
struct Tridiagonal {
  std::vector<double> d;
  std::vector<double> e;
};

// v: the reflector below row k, from `column` = A[k+1.., k]. Returns beta of H = 1 - beta v v', 0
// for none.
double make_reflector(DenseMatrix& a, int k, std::vector<double>& v, double& off_diagonal) {
  const int n = a.size();
  for (int i = k + 1; i < n; ++i)
    v[static_cast<std::size_t>(i)] = a.row(i)[k];
  const double tail = dot(v.data(), v.data(), k + 2, n);
  double& first = v[static_cast<std::size_t>(k + 1)];
  off_diagonal = first;
  if (tail == 0) return 0;
  const double norm = exact_sqrt(first * first + tail);
  off_diagonal = first > 0 ? -norm : norm;
  first -= off_diagonal;
  return 2 / (first * first + tail);
}

// A := H A H on the rows and columns after k.
void apply_reflector(DenseMatrix& a, int k, const std::vector<double>& v, double beta) {
  const int n = a.size();
  std::vector<double> p(static_cast<std::size_t>(n), 0.0);
  for (int i = k + 1; i < n; ++i) {
    const double factor = beta * v[static_cast<std::size_t>(i)];
    const double* row = a.row(i);
    for (int j = k + 1; j < n; ++j)
      p[static_cast<std::size_t>(j)] += factor * row[j];
  }
  const double half = beta / 2 * dot(p.data(), v.data(), k + 1, n);
  for (int j = k + 1; j < n; ++j) {
    p[static_cast<std::size_t>(j)] -= half * v[static_cast<std::size_t>(j)];
  }
  for (int i = k + 1; i < n; ++i) {
    double* row = a.row(i);
    const double vi = v[static_cast<std::size_t>(i)];
    const double pi = p[static_cast<std::size_t>(i)];
    for (int j = k + 1; j < n; ++j) {
      row[j] -= vi * p[static_cast<std::size_t>(j)] + pi * v[static_cast<std::size_t>(j)];
    }
  }
}

Tridiagonal tridiagonalise(DenseMatrix a, std::vector<std::vector<double>>& vectors) {
  const int n = a.size();
  Tridiagonal result;
  result.d.resize(static_cast<std::size_t>(n));
  result.e.resize(static_cast<std::size_t>(n), 0.0);
  std::vector<double> v(static_cast<std::size_t>(n), 0.0);
  for (int k = 0; k + 1 < n; ++k) {
    const double beta = make_reflector(a, k, v, result.e[static_cast<std::size_t>(k)]);
    if (beta == 0) continue;
    apply_reflector(a, k, v, beta);
    for (std::vector<double>& g : vectors) {
      const double factor = beta * dot(v.data(), g.data(), k + 1, n);
      for (int i = k + 1; i < n; ++i) {
        g[static_cast<std::size_t>(i)] -= factor * v[static_cast<std::size_t>(i)];
      }
    }
  }
  for (int k = 0; k < n; ++k)
    result.d[static_cast<std::size_t>(k)] = a.row(k)[k];
  return result;
}

struct Rotation {
  double c = 1;
  double s = 0;
};

void rotate(std::vector<std::vector<double>>& vectors, std::size_t i, Rotation by) {
  for (std::vector<double>& g : vectors) {
    const double next = g[i + 1];
    g[i + 1] = by.s * g[i] + by.c * next;
    g[i] = by.c * g[i] - by.s * next;
  }
}

// The end of the unreduced block that starts at `first`.
std::size_t block_end(const Tridiagonal& t, std::size_t first) {
  std::size_t end = first;
  for (; end + 1 < t.d.size(); ++end) {
    const double scale = std::fabs(t.d[end]) + std::fabs(t.d[end + 1]);
    if (std::fabs(t.e[end]) <= std::numeric_limits<double>::epsilon() * scale) break;
  }
  return end;
}

// One implicit QL step with Wilkinson's shift on [first, last].
void ql_step(Tridiagonal& t,
             std::size_t first,
             std::size_t last,
             std::vector<std::vector<double>>& vectors) {
  double g = (t.d[first + 1] - t.d[first]) / (2 * t.e[first]);
  const double root = exact_sqrt(g * g + 1);
  g = t.d[last] - t.d[first] + t.e[first] / (g >= 0 ? g + root : g - root);
  Rotation turn{1, 1};
  double p = 0;
  for (std::size_t i = last; i-- > first;) {
    const double f = turn.s * t.e[i];
    const double b = turn.c * t.e[i];
    const double r = exact_sqrt(f * f + g * g);
    t.e[i + 1] = r;
    if (r == 0) {  // deflated in the middle: the block splits here
      t.d[i + 1] -= p;
      t.e[last] = 0;
      return;
    }
    turn = {g / r, f / r};
    g = t.d[i + 1] - p;
    const double width = (t.d[i] - g) * turn.s + 2 * turn.c * b;
    p = turn.s * width;
    t.d[i + 1] = g + p;
    g = turn.c * width - b;
    rotate(vectors, i, turn);
  }
  t.d[first] -= p;
  t.e[first] = g;
  t.e[last] = 0;
}

}  // namespace

DenseMatrix::DenseMatrix(int size)
    : size_(size),
      stride_(padded(size)),
      values_(static_cast<std::size_t>(stride_ * stride_), 0.0) {
}

void factor_cholesky(DenseMatrix& matrix, double tolerance) {
  const Update update = best_update();
  const std::ptrdiff_t n = matrix.stride();
  for (int first = 0; first < matrix.size(); first += kUpdateRows) {
    for (std::ptrdiff_t j = first / kUpdateColumns * kUpdateColumns; j < n; j += kUpdateColumns) {
      update({matrix.row(first) + j, matrix.row(0) + j, matrix.row(0) + first, n, n, 1, first});
    }
    for (int k = first; k < first + kUpdateRows; ++k) {
      double* row = matrix.row(k);
      for (int m = first; m < k; ++m)
        subtract_row(row, matrix.row(m)[k], matrix.row(m), k, n);
      std::fill(row, row + k, 0.0);
      const bool usable = row[k] > tolerance;
      const double pivot = usable ? exact_sqrt(row[k]) : 0.0;
      const double inverse = usable ? 1 / pivot : 0.0;
      row[k] = pivot;
      for (std::ptrdiff_t j = k + 1; j < n; ++j)
        row[j] *= inverse;
    }
  }
}

void solve_lower(const double* upper, std::ptrdiff_t stride, std::span<double> b) {
  const auto n = static_cast<std::ptrdiff_t>(b.size());
  for (std::ptrdiff_t k = 0; k < n; ++k) {
    const double* row = upper + k * stride;
    b[static_cast<std::size_t>(k)] = row[k] > 0 ? b[static_cast<std::size_t>(k)] / row[k] : 0.0;
    subtract_row(b.data(), b[static_cast<std::size_t>(k)], row, k + 1, n);
  }
}

std::vector<double> solve_cholesky(const DenseMatrix& upper, std::vector<double> b) {
  solve_lower(upper.row(0), upper.stride(), b);
  for (int k = upper.size(); k-- > 0;) {
    const double* row = upper.row(k);
    double& x = b[static_cast<std::size_t>(k)];
    x = row[k] > 0 ? (x - dot(row, b.data(), k + 1, upper.size())) / row[k] : 0.0;
  }
  return b;
}

std::vector<double> inverse_diagonal(const DenseMatrix& upper) {
  const Update update = best_update();
  const std::ptrdiff_t n = upper.stride();
  DenseMatrix inverse(upper.size());
  for (int i = 0; i < upper.size(); ++i)
    inverse.row(i)[i] = 1;
  const int last_block = (upper.size() - 1) / kUpdateRows * kUpdateRows;
  for (int first = last_block; first >= 0; first -= kUpdateRows) {
    const int below = first + kUpdateRows;
    for (std::ptrdiff_t j = first / kUpdateColumns * kUpdateColumns; j < n; j += kUpdateColumns) {
      const int count = static_cast<int>(std::min(j + kUpdateColumns, n)) - below;
      if (count <= 0) continue;
      update({inverse.row(first) + j,
              inverse.row(below) + j,
              upper.row(first) + below,
              n,
              1,
              n,
              count});
    }
    for (int i = below; i-- > first;) {
      double* row = inverse.row(i);
      for (int k = i + 1; k < below; ++k)
        subtract_row(row, upper.row(i)[k], inverse.row(k), k, n);
      const double scale = upper.row(i)[i] > 0 ? 1 / upper.row(i)[i] : 0.0;
      for (std::ptrdiff_t j = i; j < n; ++j)
        row[j] *= scale;
    }
  }
  std::vector<double> diagonal(static_cast<std::size_t>(upper.size()));
  for (int i = 0; i < upper.size(); ++i) {
    diagonal[static_cast<std::size_t>(i)] = dot(inverse.row(i), inverse.row(i), i, upper.size());
  }
  return diagonal;
}

Result<std::vector<double>> symmetric_spectrum(DenseMatrix matrix,
                                               std::vector<std::vector<double>>& vectors) {
  constexpr int kStepsMax = 100;
  Tridiagonal t = tridiagonalise(std::move(matrix), vectors);
  for (std::size_t first = 0; first < t.d.size(); ++first) {
    int step_count = 0;
    for (std::size_t last = block_end(t, first); last != first; last = block_end(t, first)) {
      if (++step_count > kStepsMax) return invalid("the eigenvalues of the sums did not converge");
      ql_step(t, first, last, vectors);
    }
  }
  return std::move(t.d);
}

}  // namespace lockstep
