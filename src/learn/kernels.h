// What the files of one instruction set each offer; learn/exact_sum.cpp and learn/dense.cpp choose
// among them.
#pragma once

#include "learn/exact_sum.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace lockstep {

// Value. Some columns of a block of rows.
struct PanelShape {
  std::int64_t row_count = 0;
  int width = 0;   // columns
  int stride = 0;  // from one row to the next
};

// How one instruction set computes a tile of sums.
struct TileFold {
  int tile_rows = 0;
  int panel = 0;  // columns of a packed panel; a multiple of tile_rows
  // As doubles, `panel` of them to a row; those beyond the width stay as they are.
  void (*pack)(const std::int32_t* rows, const PanelShape& shape, double* out) = nullptr;
  // left and right: packed, row_count x panel; tile: tile_rows x panel, added to.
  void (*add_tile)(const double* left,
                   const double* right,
                   std::int64_t row_count,
                   std::int64_t* tile) = nullptr;
};

// Drives the tiles over all rows and columns.
void fold_tiles(const TileFold& tiles,
                std::span<const std::int32_t> rows,
                std::int64_t row_count,
                int sign,
                ExactSum& sum);

inline constexpr int kUpdateRows = 4;
inline constexpr int kUpdateColumns = 16;

// target[r][j] -= sum over m of factor(m, r) * from[m][j], for 4 rows and 16 columns.
struct RowUpdate {
  double* target = nullptr;
  const double* from = nullptr;
  const double* factor = nullptr;
  std::ptrdiff_t stride = 0;           // of target and from, in doubles
  std::ptrdiff_t factor_step = 0;      // from one m to the next
  std::ptrdiff_t factor_row_step = 0;  // from one r to the next
  int count = 0;                       // of m
};

bool portable_supported();
void portable_fold(std::span<const std::int32_t> rows,
                   std::int64_t row_count,
                   int sign,
                   ExactSum& sum);
void portable_update(const RowUpdate& update);
void portable_quantise(std::span<const double> numbers,
                       const Quantisation& how,
                       std::int32_t* out,
                       std::ptrdiff_t stride);
void portable_residuals(const FormRows& rows, std::span<const double> map, double* out);

bool avx2_supported();
void avx2_fold(std::span<const std::int32_t> rows, std::int64_t row_count, int sign, ExactSum& sum);
void avx2_update(const RowUpdate& update);
void avx2_quantise(std::span<const double> numbers,
                   const Quantisation& how,
                   std::int32_t* out,
                   std::ptrdiff_t stride);
void avx2_residuals(const FormRows& rows, std::span<const double> map, double* out);

bool avx512_supported();
void avx512_fold(std::span<const std::int32_t> rows,
                 std::int64_t row_count,
                 int sign,
                 ExactSum& sum);
void avx512_update(const RowUpdate& update);
void avx512_quantise(std::span<const double> numbers,
                     const Quantisation& how,
                     std::int32_t* out,
                     std::ptrdiff_t stride);
void avx512_residuals(const FormRows& rows, std::span<const double> map, double* out);

}  // namespace lockstep
