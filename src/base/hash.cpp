#include "base/hash.h"

#include "base/assert.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include <algorithm>

namespace lockstep {
namespace {

constexpr std::size_t kSha256Bytes = 32;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;
using Digest = std::array<unsigned char, kSha256Bytes>;

Context new_context() {
  Context context(EVP_MD_CTX_new());
  LOCKSTEP_ASSERT(context != nullptr, "no memory for SHA-256");
  return context;
}

Digest finish(EVP_MD_CTX& context) {
  Digest digest = {};
  unsigned int size = 0;
  const int done = EVP_DigestFinal_ex(&context, digest.data(), &size);
  LOCKSTEP_ASSERT(done == 1, "SHA-256 did not finish");
  LOCKSTEP_ASSERT(size == kSha256Bytes, "SHA-256 has the wrong size");
  return digest;
}

// Looked up once: each use of EVP_sha256() looks it up again, which takes longer than a short text.
const EVP_MD* sha256_method() {
  static const EVP_MD* const kMethod = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  LOCKSTEP_ASSERT(kMethod != nullptr, "there is no SHA-256");
  return kMethod;
}

Digest sha256(std::string_view bytes) {
  Digest digest = {};
  unsigned int size = 0;
  const int done =
      EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, sha256_method(), nullptr);
  LOCKSTEP_ASSERT(done == 1, "SHA-256 failed");
  LOCKSTEP_ASSERT(size == kSha256Bytes, "SHA-256 has the wrong size");
  return digest;
}

std::string hex_of(const Digest& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * digest.size());
  for (const unsigned char byte : digest) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

}  // namespace

struct Sha256::State {
  Context context = new_context();
};

std::string sha256_hex(std::string_view bytes) {
  return hex_of(sha256(bytes));
}

Sha256::Sha256() : state_(std::make_unique<State>()) {
  const int done = EVP_DigestInit_ex(state_->context.get(), sha256_method(), nullptr);
  LOCKSTEP_ASSERT(done == 1, "SHA-256 did not start");
}

Sha256::~Sha256() = default;

void Sha256::add(std::string_view bytes) {
  const int done = EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size());
  LOCKSTEP_ASSERT(done == 1, "SHA-256 did not take bytes");
}

std::string Sha256::hex() const {
  const Context copy = new_context();
  const int done = EVP_MD_CTX_copy_ex(copy.get(), state_->context.get());
  LOCKSTEP_ASSERT(done == 1, "SHA-256 was not copied");
  return hex_of(finish(*copy));
}

std::uint64_t hash64(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

// Block i of the secret is SHA-256(key, one byte i): a counter mode, so that every byte of the
// secret depends on the whole key and keys that differ in a bit give unrelated secrets.
KeyedHash::KeyedHash(std::string_view key) : secret_() {
  static_assert(sizeof secret_ >= XXH3_SECRET_SIZE_MIN);
  static_assert(sizeof secret_ % kSha256Bytes == 0);
  for (std::size_t block = 0; block < secret_.size() / kSha256Bytes; ++block) {
    std::string text(key);
    text += static_cast<char>(block);
    const Digest digest = sha256(text);
    std::copy(digest.begin(), digest.end(), secret_.data() + block * kSha256Bytes);
  }
}

std::array<std::uint64_t, 2> KeyedHash::hash128(std::string_view bytes) const {
  const XXH128_hash_t hash =
      XXH3_128bits_withSecret(bytes.data(), bytes.size(), secret_.data(), secret_.size());
  return {hash.low64, hash.high64};
}

}  // namespace lockstep
