// The decoders behind open_decoder, one for the text formats and one for Parquet.
#pragma once

#include "base/io.h"
#include "base/result.h"
#include "table/codec.h"

#include <memory>
#include <string>
#include <vector>

namespace lockstep {

Result<std::unique_ptr<Decoder>> open_text_decoder(Io& io,
                                                   const std::string& path,
                                                   const DecodeRequest& request);
Result<std::unique_ptr<Decoder>> open_parquet_decoder(Io& io,
                                                      const std::string& path,
                                                      const DecodeRequest& request);

// The types of a Parquet file's own columns; those that no type of ours holds are left out.
Result<Schema> parquet_file_schema(Io& io, const std::string& path);

// The columns that a text file names.
Result<std::vector<std::string>> text_column_names(Io& io,
                                                   const std::string& path,
                                                   const DecodeRequest& request);

// Every wanted column is one of `names`, or may be missing.
Result<void> check_wanted(const DecodeRequest& request, const std::vector<std::string>& names);

}  // namespace lockstep
