// Bytes of states and solutions, little-endian, counts of 4 bytes before every list and text:
//   state     "LKSTATE1", fingerprint (2 x 8), folded, tested, refused, unlabelled (8 each), count
//   of sums; each sum:
//             name, columns (4), rows (8), and columns * (columns + 1) / 2 integers of 16 bytes, by
//             rows
//   solution  "LKSOLVE1", rows (8), targets, columns, weights, standard errors, fills, residual
//   deviations, degrees of
//             freedom
// and at the end of both the first 32 hex digits of SHA-256 over all that stands before.
#include "learn/learn.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <type_traits>
#include <utility>

namespace lockstep {
namespace {

constexpr std::string_view kStateMagic = "LKSTATE1";
constexpr std::string_view kSolutionMagic = "LKSOLVE1";
constexpr std::size_t kChecksumBytes = 32;  // the first half of SHA-256 as hex digits
constexpr int kColumnCountMax = 1 << 20;

__extension__ using UInt128 = unsigned __int128;

// Little-endian, whatever the machine.
template <typename Integer>
void put(std::string& out, Integer value) {
  const auto bits = static_cast<std::make_unsigned_t<Integer>>(value);
  std::array<char, sizeof(Integer)> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>((bits >> (8 * i)) & 0xff);
  out.append(bytes.data(), bytes.size());
}

void put(std::string& out, double value) {
  put(out, std::bit_cast<std::uint64_t>(value));
}

void put_wide(std::string& out, Int128 value) {
  const auto bits = static_cast<UInt128>(value);
  put(out, static_cast<std::uint64_t>(bits));
  put(out, static_cast<std::uint64_t>(bits >> 64));
}

void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

void put_texts(std::string& out, const std::vector<std::string>& texts) {
  put(out, static_cast<std::uint32_t>(texts.size()));
  for (const std::string& text : texts)
    put_text(out, text);
}

void put_numbers(std::string& out, const std::vector<double>& numbers) {
  put(out, static_cast<std::uint32_t>(numbers.size()));
  for (const double number : numbers)
    put(out, number);
}

// Reads what put() wrote; after the first failure everything reads as zero, and ok() is false.
class Reader final {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }

  bool at_end() const { return ok_ && bytes_.empty(); }

  void fail() { ok_ = false; }

  template <typename Integer>
  Integer integer() {
    std::make_unsigned_t<Integer> value = 0;
    const std::string_view raw = take(sizeof(Integer));
    for (std::size_t i = 0; i < raw.size(); ++i) {
      const auto byte =
          static_cast<std::make_unsigned_t<Integer>>(static_cast<unsigned char>(raw[i]));
      value |= static_cast<std::make_unsigned_t<Integer>>(byte << (8 * i));
    }
    return static_cast<Integer>(value);
  }

  double number() { return std::bit_cast<double>(integer<std::uint64_t>()); }

  Int128 wide() {
    const auto low = integer<std::uint64_t>();
    const auto high = integer<std::uint64_t>();
    return static_cast<Int128>((static_cast<UInt128>(high) << 64) | low);
  }

  std::string text() { return std::string(take(integer<std::uint32_t>())); }

  // A count of things of at least `bytes_each`: never more than the bytes that are left can hold.
  std::size_t count(std::size_t bytes_each) {
    const std::size_t value = integer<std::uint32_t>();
    if (value > bytes_.size() / bytes_each) ok_ = false;
    return ok_ ? value : 0;
  }

  std::vector<std::string> texts() {
    std::vector<std::string> result(count(4));
    for (std::string& each : result)
      each = text();
    return result;
  }

  std::vector<double> numbers() {
    std::vector<double> result(count(8));
    for (double& each : result)
      each = number();
    return result;
  }

  std::size_t left() const { return bytes_.size(); }

 private:
  std::string_view take(std::size_t size) {
    if (!ok_ || size > bytes_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view result = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return result;
  }

  std::string_view bytes_;
  bool ok_ = true;
};

std::string sealed(std::string bytes) {
  return bytes + sha256_hex(bytes).substr(0, kChecksumBytes);
}

// The bytes between magic and checksum.
Result<std::string_view> unsealed(std::string_view bytes,
                                  std::string_view magic,
                                  std::string_view what) {
  if (bytes.size() < magic.size() + kChecksumBytes || bytes.substr(0, magic.size()) != magic) {
    return make_error(Code::kCorrupt, fmt::format("these are not the bytes of {}", what));
  }
  const std::string_view body = bytes.substr(0, bytes.size() - kChecksumBytes);
  if (bytes.substr(body.size()) != std::string_view(sha256_hex(body)).substr(0, kChecksumBytes)) {
    return make_error(Code::kCorrupt,
                      fmt::format("the bytes of {} do not fit their checksum", what));
  }
  return body.substr(magic.size());
}

ExactSum read_sum(Reader& reader) {
  const auto columns = reader.integer<std::uint32_t>();
  const auto rows = reader.integer<std::int64_t>();
  const std::size_t size =
      static_cast<std::size_t>(columns) * (static_cast<std::size_t>(columns) + 1) / 2;
  if (columns > kColumnCountMax || size > reader.left() / sizeof(Int128)) {
    reader.fail();
    return {};
  }
  ExactSum sum = ExactSum::zero(static_cast<int>(columns));
  sum.row_count = rows;
  constexpr Int128 kLimit = static_cast<Int128>(1) << 120;
  for (Int128& value : sum.triangle) {
    value = reader.wide();
    if (value > kLimit || value < -kLimit) reader.fail();
  }
  return sum;
}

}  // namespace

std::string fingerprint_text(const ModelState& state) {
  return fmt::format("{:016x}{:016x}", state.fingerprint[1], state.fingerprint[0]);
}

std::string serialize_state(const ModelState& state) {
  std::string out(kStateMagic);
  for (const std::uint64_t half : state.fingerprint)
    put(out, half);
  for (const std::int64_t count :
       {state.counts.folded, state.counts.tested, state.counts.refused, state.counts.unlabelled}) {
    put(out, count);
  }
  put(out, static_cast<std::uint32_t>(state.sums.size()));
  for (const auto& [name, sum] : state.sums) {
    put_text(out, name);
    put(out, static_cast<std::uint32_t>(sum.column_count));
    put(out, sum.row_count);
    for (const Int128 value : sum.triangle)
      put_wide(out, value);
  }
  return sealed(std::move(out));
}

Result<ModelState> parse_state(std::string_view bytes) {
  Reader reader(TRY(unsealed(bytes, kStateMagic, "a model's state")));
  ModelState state;
  for (std::uint64_t& half : state.fingerprint)
    half = reader.integer<std::uint64_t>();
  for (std::int64_t* count : {&state.counts.folded,
                              &state.counts.tested,
                              &state.counts.refused,
                              &state.counts.unlabelled}) {
    *count = reader.integer<std::int64_t>();
  }
  const std::size_t sum_count = reader.count(16);
  for (std::size_t i = 0; i < sum_count && reader.ok(); ++i) {
    std::string name = reader.text();
    state.sums.insert_or_assign(std::move(name), read_sum(reader));
  }
  if (!reader.at_end() || state.sums.size() != sum_count) {
    return make_error(Code::kCorrupt, "the bytes of a model's state have the wrong length");
  }
  return state;
}

Result<void> merge_state(ModelState& into, const ModelState& from, int sign) {
  const auto fits = [](const auto& left, const auto& right) {
    return left.first == right.first && left.second.column_count == right.second.column_count;
  };
  if (!std::equal(into.sums.begin(), into.sums.end(), from.sums.begin(), from.sums.end(), fits)) {
    return invalid("the states are those of different definitions",
                   "merge states of one definition");
  }
  auto other = from.sums.begin();
  for (auto& [name, sum] : into.sums)
    sum.add((other++)->second, sign);
  into.counts.folded += sign * from.counts.folded;
  into.counts.tested += sign * from.counts.tested;
  into.counts.refused += sign * from.counts.refused;
  into.counts.unlabelled += sign * from.counts.unlabelled;
  add_fingerprint(into.fingerprint, from.fingerprint, sign);
  return {};
}

void add_fingerprint(std::array<std::uint64_t, 2>& into,
                     const std::array<std::uint64_t, 2>& hash,
                     int sign) {
  const UInt128 a = (static_cast<UInt128>(into[1]) << 64) | into[0];
  const UInt128 b = (static_cast<UInt128>(hash[1]) << 64) | hash[0];
  const UInt128 sum = sign > 0 ? a + b : a - b;
  into = {static_cast<std::uint64_t>(sum), static_cast<std::uint64_t>(sum >> 64)};
}

std::string serialize_solution(const Solution& solution) {
  std::string out(kSolutionMagic);
  put(out, solution.row_count);
  put_texts(out, solution.targets);
  put_texts(out, solution.columns);
  put_numbers(out, solution.weights);
  put_numbers(out, solution.standard_errors);
  put_numbers(out, solution.fills);
  put_numbers(out, solution.residual_deviation);
  put_numbers(out, solution.degrees_of_freedom);
  return sealed(std::move(out));
}

Result<Solution> parse_solution(std::string_view bytes) {
  Reader reader(TRY(unsealed(bytes, kSolutionMagic, "a solution")));
  Solution solution;
  solution.row_count = reader.integer<std::int64_t>();
  solution.targets = reader.texts();
  solution.columns = reader.texts();
  solution.weights = reader.numbers();
  solution.standard_errors = reader.numbers();
  solution.fills = reader.numbers();
  solution.residual_deviation = reader.numbers();
  solution.degrees_of_freedom = reader.numbers();
  const std::size_t targets = solution.targets.size();
  const std::size_t cells = targets * solution.columns.size();
  const bool fits = solution.weights.size() == cells && solution.standard_errors.size() == cells &&
                    solution.fills.size() == cells &&
                    solution.residual_deviation.size() == targets &&
                    solution.degrees_of_freedom.size() == targets;
  if (!reader.at_end() || !fits) {
    return make_error(Code::kCorrupt, "the parts of a solution do not fit together");
  }
  return solution;
}

}  // namespace lockstep
