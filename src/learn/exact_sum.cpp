#include "learn/exact_sum.h"

#include "base/assert.h"
#include "learn/kernels.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

namespace lockstep {
namespace {

__extension__ using UInt128 = unsigned __int128;

constexpr std::int64_t kBlockRows = 128;      // 2^46 * 2^7 = 2^53: exact in a double
constexpr std::int64_t kSpillRows = 1 << 16;  // 2^46 * 2^16 = 2^62: fits an int64
constexpr std::int64_t kUnpackedRows = 8;     // below this, packing costs more than it saves

std::size_t triangle_size(int column_count) {
  const auto d = static_cast<std::size_t>(column_count);
  return d * (d + 1) / 2;
}

std::size_t triangle_index(int row, int column) {
  return triangle_size(row) + static_cast<std::size_t>(column);
}

// Modular, so that no sum is undefined behaviour whatever bytes a state was read from.
void add_to(Int128& value, Int128 more, int sign) {
  const auto a = static_cast<UInt128>(value);
  const auto b = static_cast<UInt128>(more);
  value = static_cast<Int128>(sign > 0 ? a + b : a - b);
}

void fold_few(std::span<const std::int32_t> rows, std::int64_t row_count, int sign, ExactSum& sum) {
  const auto d = static_cast<std::size_t>(sum.column_count);
  for (std::int64_t row = 0; row < row_count; ++row) {
    const std::int32_t* q = rows.data() + static_cast<std::size_t>(row) * d;
    Int128* out = sum.triangle.data();
    for (std::size_t i = 0; i < d; ++i) {
      const std::int64_t left = sign > 0 ? q[i] : -q[i];
      if (left != 0) {
        for (std::size_t j = 0; j <= i; ++j)
          out[j] += left * q[j];
      }
      out += i + 1;
    }
  }
}

// The tiles of the lower triangle, one after another, with the panels that they are made from.
struct TileSpace {
  const TileFold& tiles;
  int column_count;
  std::vector<double> panels;      // [panel][row of the block][column of the panel]
  std::vector<std::int64_t> sums;  // [tile][tile_rows][panel]

  TileSpace(const TileFold& fold, int columns) : tiles(fold), column_count(columns) {
    const auto panel = static_cast<std::size_t>(fold.panel);
    const auto count = (static_cast<std::size_t>(columns) + panel - 1) / panel;
    panels.resize(count * kBlockRows * panel);
    std::size_t tile_count = 0;
    for_each_tile([&](int, int) { ++tile_count; });
    sums.resize(tile_count * static_cast<std::size_t>(fold.tile_rows) * panel);
  }

  // Every tile that touches the lower triangle: its first row, and its panel. A panel stays in the
  // nearest cache while all the rows below go by; the other way round, twelve columns would come
  // from further away for every four.
  template <typename Visit>
  void for_each_tile(Visit visit) const {
    for (int panel = 0; panel * tiles.panel < column_count; ++panel) {
      for (int first = panel * tiles.panel; first < column_count; first += tiles.tile_rows)
        visit(first, panel);
    }
  }

  double* panel_data(int panel) {
    return panels.data() + static_cast<std::ptrdiff_t>(panel) * kBlockRows * tiles.panel;
  }

  void pack(const std::int32_t* rows, std::int64_t row_count) {
    for (int first = 0, panel = 0; first < column_count; first += tiles.panel, ++panel) {
      const int width = std::min(tiles.panel, column_count - first);
      tiles.pack(rows + first, {row_count, width, column_count}, panel_data(panel));
    }
  }

  void add_block(std::int64_t row_count) {
    std::int64_t* tile = sums.data();
    for_each_tile([&](int first, int panel) {
      const double* left = panel_data(first / tiles.panel) + first % tiles.panel;
      tiles.add_tile(left, panel_data(panel), row_count, tile);
      tile += tiles.tile_rows * tiles.panel;
    });
  }

  void spill(int sign, ExactSum& sum) {
    const std::int64_t* tile = sums.data();
    for_each_tile([&](int first, int panel) {
      const int last = std::min(first + tiles.tile_rows, column_count);
      for (int i = first; i < last; ++i) {
        const int from = panel * tiles.panel;
        const int to = std::min(from + tiles.panel - 1, i);
        Int128* out = sum.triangle.data() + triangle_index(i, 0);
        const std::int64_t* values = tile + (i - first) * tiles.panel;
        for (int j = from; j <= to; ++j)
          add_to(out[j], values[j - from], sign);
      }
      tile += tiles.tile_rows * tiles.panel;
    });
    std::fill(sums.begin(), sums.end(), 0);
  }
};

constexpr std::array<SumKernel, 3> kKernels = {{
    {"avx512", avx512_supported, avx512_fold, avx512_quantise, avx512_residuals},
    {"avx2", avx2_supported, avx2_fold, avx2_quantise, avx2_residuals},
    {"portable", portable_supported, portable_fold, portable_quantise, portable_residuals},
}};

}  // namespace

void fold_tiles(const TileFold& tiles,
                std::span<const std::int32_t> rows,
                std::int64_t row_count,
                int sign,
                ExactSum& sum) {
  LOCKSTEP_ASSERT(rows.size() == static_cast<std::size_t>(row_count * sum.column_count),
                  "rows and columns of a fold do not fit");
  sum.row_count += sign * row_count;
  if (row_count < kUnpackedRows) {
    fold_few(rows, row_count, sign, sum);
    return;
  }
  TileSpace space(tiles, sum.column_count);
  std::int64_t pending = 0;
  for (std::int64_t row = 0; row < row_count; row += kBlockRows) {
    const std::int64_t count = std::min(kBlockRows, row_count - row);
    space.pack(rows.data() + row * sum.column_count, count);
    space.add_block(count);
    pending += count;
    if (pending + kBlockRows > kSpillRows) {
      space.spill(sign, sum);
      pending = 0;
    }
  }
  space.spill(sign, sum);
}

ExactSum ExactSum::zero(int column_count) {
  ExactSum sum;
  sum.column_count = column_count;
  sum.triangle.assign(triangle_size(column_count), 0);
  return sum;
}

Int128 ExactSum::at(int row, int column) const {
  const int low = std::min(row, column);
  const int high = std::max(row, column);
  return triangle[triangle_index(high, low)];
}

double ExactSum::real(int row, int column) const {
  return static_cast<double>(at(row, column)) * 0x1p-40;
}

void ExactSum::add(const ExactSum& other, int sign) {
  LOCKSTEP_ASSERT(other.column_count == column_count, "sums of different columns");
  row_count += sign * other.row_count;
  for (std::size_t i = 0; i < triangle.size(); ++i)
    add_to(triangle[i], other.triangle[i], sign);
}

std::span<const SumKernel> sum_kernels() {
  return kKernels;
}

Result<const SumKernel*> choose_sum_kernel(std::string_view name) {
  std::string names;
  for (const SumKernel& kernel : kKernels) {
    if (name.empty() ? kernel.supported() : name == kernel.name && kernel.supported())
      return &kernel;
    if (kernel.supported()) names += (names.empty() ? "" : ", ") + std::string(kernel.name);
  }
  return invalid("kernel '" + std::string(name) + "' is not available on this processor",
                 "set LOCKSTEP_KERNEL to one of: " + names);
}

}  // namespace lockstep
