// Records out of bytes in memory, by the same decoders that read files.
#pragma once

#include "base/result.h"
#include "table/codec.h"

#include <memory>
#include <string>
#include <string_view>

namespace lockstep {

// `bytes` outlive the decoder. `name` stands in errors.
Result<std::unique_ptr<Decoder>> open_decoder_of_bytes(std::string_view bytes,
                                                       const std::string& name,
                                                       const DecodeRequest& request);

// One JSON object, or a list of them, as NDJSON: a line for each. What is no object, or is wrong
// within, is a line that its decoder refuses; kInvalid: the text as a whole is no JSON of this
// form.
Result<std::string> lines_of_json(std::string_view text);

}  // namespace lockstep
