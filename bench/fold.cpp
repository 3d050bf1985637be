// Folding rows into exact sums, from doubles on, beside plain dsyrk of OpenBLAS over the same rows,
// 4,096 of them a call, one thread each: medians of 11 rounds that take turns.
#include "learn/exact_sum.h"

#include <fmt/format.h>

#include <algorithm>
#include <cblas.h>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

namespace {

constexpr std::int64_t kRows = 4096;
constexpr int kRounds = 11;

// Of this thread: what else the machine does matters less than by the clock on the wall.
double cpu_s() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double seconds(const std::function<void()>& work, int repeats) {
  const double start = cpu_s();
  for (int i = 0; i < repeats; ++i)
    work();
  return (cpu_s() - start) / repeats;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Rates {
  int columns = 0;
  double fold_s = 0;
  double kernel_s = 0;
  double dsyrk_s = 0;
};

Rates measure(const lockstep::SumKernel& kernel, int d) {
  const auto count = static_cast<std::size_t>(kRows * d);
  std::vector<double> x(count);
  std::uint64_t state = 88172645463325252ULL;
  for (double& value : x) {
    state ^= state << 13U;
    state ^= state >> 7U;
    state ^= state << 17U;
    value = static_cast<double>(state >> 11U) * 0x1p-53 * 8 - 4;
  }
  std::vector<std::int32_t> q(count);
  auto sum = lockstep::ExactSum::zero(d);
  std::vector<double> c(static_cast<std::size_t>(d) * static_cast<std::size_t>(d));
  const auto quantise = [&] { kernel.quantise(x, {-7.9, 7.9, 0, 0x1p20}, q.data(), 1); };
  const auto fold = [&] { kernel.fold(q, kRows, 1, sum); };
  const auto both = [&] {
    quantise();
    fold();
  };
  const auto dsyrk = [&] {
    cblas_dsyrk(CblasRowMajor,
                CblasLower,
                CblasTrans,
                d,
                static_cast<int>(kRows),
                1.0,
                x.data(),
                d,
                1.0,
                c.data(),
                d);
  };
  const int repeats = std::max(1, static_cast<int>(0.02 / seconds(dsyrk, 3)));
  std::vector<double> folds;
  std::vector<double> kernels;
  std::vector<double> dsyrks;
  for (int round = 0; round < kRounds; ++round) {
    folds.push_back(seconds(both, repeats));
    dsyrks.push_back(seconds(dsyrk, repeats));
    kernels.push_back(seconds(fold, repeats));
  }
  return {d, median(folds), median(kernels), median(dsyrks)};
}

}  // namespace

// One line of JSON for each width.
int main(int count, char** arguments) {
  openblas_set_num_threads(1);
  const auto kernel = lockstep::choose_sum_kernel(count > 1 ? arguments[1] : "");
  if (!kernel.ok()) {
    fmt::print(stderr, "{}\n", kernel.error().message);
    return 2;
  }
  for (const int d : {16, 39, 128, 512}) {
    const Rates rates = measure(*kernel.value(), d);
    fmt::print(
        "{{\"kernel\": \"{}\", \"d\": {}, \"fold_rows_s\": {:.0f}, \"sums_rows_s\": {:.0f}, "
        "\"dsyrk_rows_s\": {:.0f}, \"ratio\": {:.3f}}}\n",
        kernel.value()->name,
        d,
        kRows / rates.fold_s,
        kRows / rates.kernel_s,
        kRows / rates.dsyrk_s,
        rates.dsyrk_s / rates.fold_s);
  }
  return 0;
}
