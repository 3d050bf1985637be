// What a Parquet file tells of the values of a column chunk. Internal to the reader.
#pragma once

#include "table/parquet.h"

namespace parquet {
class BloomFilter;
class ColumnChunkMetaData;
}  // namespace parquet

namespace lockstep {

ParquetBounds bounds_of_chunk(const parquet::ColumnChunkMetaData& chunk, Type type);
// `value`: not null. A float is always taken to be there: no filter has them.
bool may_be_in(const parquet::BloomFilter& filter, const Value& value);

}  // namespace lockstep
