// Character encodings of text files, turned to UTF-8 piece by piece.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

enum class Encoding { kUtf8, kLatin1, kWindows1252, kUtf16Le, kUtf16Be };

// The names of ParseOptions::encoding.
Result<Encoding> encoding_of_name(std::string_view name);

// What a file starts with to tell its encoding: skipped where it is there. Empty: the encoding has
// none.
std::string_view byte_order_mark(Encoding encoding);

// Appends as much of `bytes` as makes whole characters to `out`, and drops it from `bytes`. What is
// left is the start of a character that goes on in the next piece. `last`: there is no next piece.
// Fails at what is no character, with how many bytes of `bytes` were good in `good_bytes`; they are
// in `out`.
bool transcode(Encoding encoding, bool last, std::string_view& bytes, std::string& out);

// How many bytes `utf8` had in the file.
std::uint64_t bytes_in(Encoding encoding, std::string_view utf8);

}  // namespace lockstep
