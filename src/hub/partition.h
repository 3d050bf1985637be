// How a table's rows are spread over its files: each file holds the rows of one value of the
// partition. Pure; the catalog's rows about it are lake_layout's.
//
// Values, folders and the bucket function are those of DuckDB's DuckLake extension, which prunes by
// buckets. It passes over every file that names no bucket, too: a table whose partition has buckets
// must have no file without them (hub_alter.cpp).
#pragma once

#include "base/result.h"
#include "hub/table_definition.h"
#include "table/batch.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value. One key of a partition, bound to its column.
struct PartitionField {
  PartitionKey key;
  int column = 0;    // index into the table's columns
  int field_id = 0;  // of the column
};

// Value. No fields: the table has no partition.
struct Partitioning {
  std::int64_t id = 0;
  std::vector<PartitionField> fields;

  bool empty() const { return fields.empty(); }

  bool has_buckets() const;
  // Whether the same rows go into the same files, under whatever id.
  bool same_as(const Partitioning& other) const;
};

// The values of the fields, as DuckLake spells them; null stands for null.
using PartitionValue = std::vector<std::optional<std::string>>;

// Value. Rows of one file to be.
struct PartitionRows {
  PartitionValue value;
  std::vector<std::int64_t> places;  // among the rows that were asked about, rising
};

// More files at once are a mistake in the configuration: each costs a few milliseconds.
inline constexpr std::int64_t kPartitionsMax = 4'096;
inline constexpr std::int64_t kBucketsMax = 1'024;

// "patient, bucket(16, patient), month(time)", as in lockstep.yaml.
Result<std::vector<PartitionKey>> parse_partition(std::string_view text);
std::string partition_text(const PartitionKey& key);       // "bucket(16, patient)"
std::string partition_transform(const PartitionKey& key);  // DuckLake's word: "bucket(16)"
Result<PartitionKey> partition_key(std::string_view transform, std::string column);

// kInvalid: why a column of this type cannot be partitioned so, with the way out.
Result<void> check_partition_type(const PartitionKey& key, Type type);
// The keys bound to columns; the id is left to the caller.
Result<Partitioning> bind_partition(const std::vector<PartitionKey>& keys,
                                    const Schema& schema,
                                    std::span<const int> field_ids);

std::optional<std::string> partition_value(const PartitionKey& key, const Value& value);
// Whether the value is the same in every program: DuckDB takes the parts of a timestamp, and its
// text, in the time zone of its session.
bool is_zone_free(const PartitionKey& key, Type type);

// The chosen rows by their value: in the order of the values.
std::vector<PartitionRows> split_rows(const Partitioning& partition,
                                      const Batch& rows,
                                      std::span<const std::int64_t> chosen);

// Puts the places of chosen rows into the order of the rows: by the columns, null last.
void sort_places(const Batch& rows,
                 std::span<const int> columns,
                 std::span<const std::int64_t> chosen,
                 std::vector<std::int64_t>& places);

// "bucket=2/month=3/", below the table's folder; empty without a partition.
std::string partition_folder(const Partitioning& partition, const PartitionValue& value);

}  // namespace lockstep
