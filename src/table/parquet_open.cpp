#include "table/parquet_open.h"

#include "table/arrow_files.h"
#include "table/arrow_status.h"

#include <arrow/api.h>
#include <arrow/io/interfaces.h>

namespace lockstep {

Result<std::unique_ptr<parquet::arrow::FileReader>> open_parquet_file(Io& io,
                                                                      const std::string& path) {
  using Reader = std::unique_ptr<parquet::arrow::FileReader>;
  const std::string what = "reading " + path;
  auto input = TRY_IN(open_arrow_input(io, path), what);
  return catching(what, [&]() -> Result<Reader> {
    parquet::arrow::FileReaderBuilder builder;
    TRY(of_arrow(builder.Open(std::move(input)), what));
    parquet::ArrowReaderProperties properties;
    properties.set_use_threads(false);
    properties.set_pre_buffer(false);
    builder.properties(properties);
    return TRY(of_arrow(builder.Build(), what));
  });
}

}  // namespace lockstep
