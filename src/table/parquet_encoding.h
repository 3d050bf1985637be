// How the columns of a Parquet file are encoded, chosen from its first rows.
#pragma once

#include "table/parquet.h"

#include <memory>
#include <span>

namespace parquet {
class WriterProperties;
}

namespace lockstep {

// Few values again and again go to a dictionary. Where most values stand alone a dictionary is the
// column a second time: floats are then split into streams of bytes, and whole numbers stored as
// differences.
std::shared_ptr<parquet::WriterProperties> writer_properties(std::span<const ParquetColumn> columns,
                                                             const ParquetWriteOptions& options,
                                                             const Batch& first);

}  // namespace lockstep
