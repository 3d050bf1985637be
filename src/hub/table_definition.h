// What a table of the hub is: its layer and dataset, its columns, its key; and how its columns
// change.
#pragma once

#include "base/result.h"
#include "table/types.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

enum class Layer { kRaw, kClean, kTrain, kRejected };

const char* layer_name(Layer layer);  // "raw", also the schema's name in DuckLake
std::optional<Layer> layer_of_name(std::string_view name);

struct TableName {
  Layer layer = Layer::kRaw;
  std::string dataset;
  auto operator<=>(const TableName&) const = default;
};

std::string table_text(const TableName& table);  // "clean.vitals"

// Value. One key of a table's partition: the column's value, one of so many buckets of it, or a
// part of its date.
struct PartitionKey {
  enum class Transform { kIdentity, kBucket, kYear, kMonth, kDay, kHour };
  std::string column;
  Transform transform = Transform::kIdentity;
  std::int64_t buckets = 0;  // of kBucket
  bool operator==(const PartitionKey&) const = default;
};

struct TableDefinition {
  TableName name;
  Schema schema;
  std::vector<std::string> key;              // names of the key columns, in order; never empty
  std::vector<PartitionKey> partition = {};  // each data file has the rows of one value; empty: any
  std::vector<std::string> sort = {};        // columns by which the rows of a new file stand
  bool operator==(const TableDefinition&) const = default;
};

// A change of a table's columns in place. A column of `after` is the one that bears its name, or
// the one that `renamed` names; without either it is new, and null in the rows that are there. A
// column that `after` leaves out goes. The rows of older snapshots keep the columns that they had.
struct TableAlteration {
  TableDefinition after;                       // columns in any order; the key may be renamed
  std::map<std::string, std::string> renamed;  // new name -> old name
};

// Whether a table can be altered so. kUnsupported: why not, with the way out.
Result<void> check_alteration(const TableDefinition& before, const TableAlteration& alteration);

}  // namespace lockstep
