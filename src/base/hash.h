// Hashes. SHA-256 for identity across machines; keyed 128-bit for multiset fingerprints; fast
// 64-bit for tables.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace lockstep {

// SHA-256 (FIPS 180-4) as 64 hex digits.
std::string sha256_hex(std::string_view bytes);

// SHA-256 of bytes that arrive in pieces. Resource.
class Sha256 final {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void add(std::string_view bytes);
  std::string hex() const;  // of what was added so far; more may be added after

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// XXH3, 64 bits. Stable across machines and releases.
std::uint64_t hash64(std::string_view bytes, std::uint64_t seed = 0);

// 128 bits under a secret key, for sums over rows: HMAC-SHA-256 cut to 128 bits is too slow for a
// fold, so this is XXH3-128 with a 192-byte secret that is derived from `key` by SHA-256.
class KeyedHash final {
 public:
  explicit KeyedHash(std::string_view key);

  // {low, high}
  std::array<std::uint64_t, 2> hash128(std::string_view bytes) const;

 private:
  std::array<unsigned char, 192> secret_;
};

}  // namespace lockstep
