// Opening any Parquet file through an Io: shared by the hub's reader and the codec.
#pragma once

#include "base/io.h"
#include "base/result.h"

#include <parquet/arrow/reader.h>

#include <exception>
#include <memory>
#include <new>
#include <string>

namespace lockstep {

Result<std::unique_ptr<parquet::arrow::FileReader>> open_parquet_file(Io& io,
                                                                      const std::string& path);

// The Parquet library throws where it returns no status, on corrupt files and without memory: what
// it throws becomes an error.
template <typename Call>
auto catching(std::string_view what, Call call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return make_error(Code::kIo, std::string(what) + ": out of memory");
  } catch (const std::exception& thrown) {
    return invalid(std::string(what) + ": " + thrown.what());
  }
}

}  // namespace lockstep
