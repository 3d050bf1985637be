#include "base/hash.h"

#include <gtest/gtest.h>

#include <bit>

namespace lockstep {
namespace {

// Published vectors: FIPS 180-4 examples.
TEST(Hash, Sha256MatchesItsStandard) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Hash, Sha256TakesPieces) {
  const std::string text(1000, 'x');
  Sha256 hash;
  for (std::size_t offset = 0; offset < text.size();) {
    EXPECT_EQ(hash.hex(), sha256_hex(text.substr(0, offset)));
    const std::size_t count = std::min<std::size_t>(offset % 97 + 1, text.size() - offset);
    hash.add(std::string_view(text).substr(offset, count));
    offset += count;
  }
  EXPECT_EQ(hash.hex(), sha256_hex(text));
}

TEST(Hash, Hash64IsXxh3) {
  EXPECT_EQ(hash64(""), 0x2D06800538D394C2ULL);  // from the specification of XXH3
  EXPECT_NE(hash64("a"), hash64("b"));
  EXPECT_NE(hash64("a", 1), hash64("a", 2));
  EXPECT_EQ(hash64("a", 1), hash64("a", 1));
}

TEST(Hash, KeyedHashDependsOnEveryBitOfKeyAndText) {
  const std::string key = "a key of some length";
  const std::string text = "row 1: 120/80";
  const std::array<std::uint64_t, 2> hash = KeyedHash(key).hash128(text);
  EXPECT_EQ(KeyedHash(key).hash128(text), hash);
  for (std::size_t bit = 0; bit < key.size() * 8; ++bit) {
    std::string other = key;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
    const std::array<std::uint64_t, 2> changed = KeyedHash(other).hash128(text);
    const int flipped = std::popcount(changed[0] ^ hash[0]) + std::popcount(changed[1] ^ hash[1]);
    EXPECT_GT(flipped, 30) << bit;
  }
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string other = text;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(KeyedHash(key).hash128(other), hash);
  }
}

// Fingerprints are stored and compared between machines: these bits may never change.
// base-9
TEST(Hash, KeyedHashIsAFormat) {
  const std::array<std::uint64_t, 2> small = KeyedHash("key").hash128("text");
  EXPECT_EQ(small[0], 0x22AF1329E63902BEULL);
  EXPECT_EQ(small[1], 0x72EEF0E00AED168BULL);
  const std::array<std::uint64_t, 2> large = KeyedHash("key").hash128(std::string(1000, 'x'));
  EXPECT_EQ(large[0], 0x0E4828BB7C8B91EBULL);
  EXPECT_EQ(large[1], 0x4A280884247A4988ULL);
}

}  // namespace
}  // namespace lockstep
