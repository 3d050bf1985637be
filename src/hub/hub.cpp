#include "hub/hub.h"

#include "hub/hub_over_ducklake.h"

namespace lockstep {

const char* layer_name(Layer layer) {
  switch (layer) {
    case Layer::kRaw:
      return "raw";
    case Layer::kClean:
      return "clean";
    case Layer::kTrain:
      return "train";
    case Layer::kRejected:
      return "rejected";
  }
  return "raw";
}

std::optional<Layer> layer_of_name(std::string_view name) {
  for (const Layer layer : {Layer::kRaw, Layer::kClean, Layer::kTrain, Layer::kRejected}) {
    if (name == layer_name(layer)) return layer;
  }
  return std::nullopt;
}

std::string table_text(const TableName& table) {
  return std::string(layer_name(table.layer)) + "." + table.dataset;
}

Result<std::unique_ptr<Hub>> Hub::open(Io& io, const HubPlace& place, HubMode mode) {
  return open_hub(io, place, mode, HubOptions{});
}

Result<Batch> Hub::read(const TableName& table, SnapshotId at, std::vector<std::string> columns) {
  ScanOptions options;
  options.columns = std::move(columns);
  const auto rows = TRY(scan(table, at, options));
  std::vector<Batch> batches;
  while (auto batch = TRY(rows->next()))
    batches.push_back(std::move(*batch));
  if (batches.size() == 1) return batches.front();
  if (!batches.empty()) return concatenate(batches.front().schema(), batches);
  const auto definition = TRY(this->table(table, at));
  LOCKSTEP_ASSERT(definition.has_value(), "hub: a table that was scanned is not there");
  if (options.columns.empty()) return Batch::empty(definition->schema);
  std::vector<Field> fields;
  for (const int index : TRY(definition->schema.require_all(options.columns))) {
    fields.push_back(definition->schema.field(index));
  }
  return Batch::empty(Schema(std::move(fields)));
}

}  // namespace lockstep
