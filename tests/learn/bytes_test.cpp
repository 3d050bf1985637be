#include "learn/sample.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

ModelState small_state() {
  ModelState state;
  state.sums.emplace("train", ExactSum::zero(3));
  state.sums.at("train").triangle[2] = static_cast<Int128>(-7) << 70;
  state.sums.at("train").row_count = 12;
  state.sums.emplace("test", ExactSum::zero(2));
  state.counts = {1, 2, 3, 4};
  state.fingerprint = {5, 6};
  return state;
}

Solution small_solution() {
  Solution solution;
  solution.targets = {"sbp"};
  solution.columns = {"age", "1"};
  solution.weights = {0.5, 100};
  solution.standard_errors = {0.1, 2};
  solution.fills = {40, 1};
  solution.residual_deviation = {16};
  solution.degrees_of_freedom = {98};
  solution.row_count = 100;
  return solution;
}

// Every prefix, and every byte changed, is refused as corrupt.
template <typename Parse>
void expect_no_damage_passes(const std::string& bytes, Parse parse) {
  ASSERT_TRUE(parse(bytes).ok());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto result = parse(std::string_view(bytes).substr(0, size));
    ASSERT_FALSE(result.ok()) << size;
    EXPECT_EQ(result.error().code, Code::kCorrupt);
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const int bit : {0x01, 0x80}) {
      std::string flipped = bytes;
      flipped[i] = static_cast<char>(flipped[i] ^ bit);
      EXPECT_FALSE(parse(flipped).ok()) << i;
    }
  }
  EXPECT_FALSE(parse(bytes + '\0').ok());
}

TEST(StateBytes, NoDamagePasses) {
  expect_no_damage_passes(serialize_state(small_state()), parse_state);
  EXPECT_TRUE(parse_state(serialize_state(small_state())).value() == small_state());
}

TEST(SolutionBytes, NoDamagePasses) {
  expect_no_damage_passes(serialize_solution(small_solution()), parse_solution);
}

// Whoever can write a checksum can still not make the reader ask for more memory than the bytes are
// long.
TEST(StateBytes, SizesBeyondTheBytesAreRefusedUnderAValidChecksum) {
  const std::string good = serialize_state(small_state());
  const std::string body = good.substr(0, good.size() - 32);
  for (std::size_t i = 8; i < body.size(); ++i) {
    std::string hostile = body;
    hostile[i] = '\xff';
    const auto result = parse_state(hostile + sha256_hex(hostile).substr(0, 32));
    if (!result.ok()) {
      EXPECT_EQ(result.error().code, Code::kCorrupt) << i;
    }
  }
  std::string huge = body;
  huge.replace(8 + 16 + 32, 4, "\xff\xff\xff\x7f");
  EXPECT_FALSE(parse_state(huge + sha256_hex(huge).substr(0, 32)).ok());
}

}  // namespace
}  // namespace lockstep
