// Dense linear algebra in a fixed order of operations: no BLAS, no fused multiply-add, no thread.
// The same input gives the same bits from every build and on every machine (learn-3).
#pragma once

#include "base/result.h"

#include <cstddef>
#include <span>
#include <vector>

namespace lockstep {

// Value. Row-major and square; rows and columns are padded with zeros to whole tiles.
class DenseMatrix final {
 public:
  explicit DenseMatrix(int size);

  int size() const { return size_; }

  std::ptrdiff_t stride() const { return stride_; }

  double* row(int index) { return values_.data() + index * stride_; }

  const double* row(int index) const { return values_.data() + index * stride_; }

 private:
  int size_ = 0;
  std::ptrdiff_t stride_ = 0;
  std::vector<double> values_;
};

// A = U'U in place, from the upper triangle. A pivot at or below `tolerance` means that the column
// depends on those before it: its row of U becomes zero, and it takes no part in any solution.
void factor_cholesky(DenseMatrix& matrix, double tolerance);

// x of U'U x = b; zero for columns without a pivot.
std::vector<double> solve_cholesky(const DenseMatrix& upper, std::vector<double> b);
// z of U'z = b, in place: |z|^2 = b'(U'U)^-1 b. `upper` is row-major, `size` x `size`.
void solve_lower(const double* upper, std::ptrdiff_t stride, std::span<double> b);
// The diagonal of (U'U)^-1; zero for columns without a pivot.
std::vector<double> inverse_diagonal(const DenseMatrix& upper);

// The eigenvalues of a symmetric matrix, and each vector of `vectors` in the basis of the
// eigenvectors: V'g. Householder's tridiagonal form, then implicit QL (Bowdler, Martin, Reinsch,
// Wilkinson 1968), without forming V. kInvalid: no convergence, which only a matrix with values
// that are not finite can cause.
Result<std::vector<double>> symmetric_spectrum(DenseMatrix matrix,
                                               std::vector<std::vector<double>>& vectors);

}  // namespace lockstep
