// A layer of a dataset at a snapshot, as a file in key order.
#include "hub/hub.h"
#include "sync/report_values.h"
#include "table/codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace lockstep {
namespace {

Result<TableDefinition> exported_table(Hub& hub,
                                       const std::string& dataset,
                                       const std::string& layer_text,
                                       SnapshotId at) {
  const std::optional<Layer> layer = layer_of_name(layer_text);
  if (!layer) {
    return make_error(Code::kUsage,
                      fmt::format("'{}' is no layer", layer_text),
                      "layers: raw, clean, train, rejected");
  }
  auto table = TRY(hub.table({*layer, dataset}, at));
  if (table) return *table;
  std::vector<std::string> names;
  for (const TableDefinition& other : TRY(hub.tables(at))) {
    if (other.name.layer == *layer) names.push_back(other.name.dataset);
  }
  const std::optional<std::string> near = nearest(dataset, names);
  return make_error(Code::kNotFound,
                    fmt::format("there is no dataset '{}' at snapshot {}", dataset, number(at)),
                    near ? fmt::format("did you mean {}?", *near) : "lockstep status");
}

Result<Batch> in_key_order(const Batch& rows, const std::vector<std::string>& key_names) {
  const std::vector<int> key = TRY(rows.schema().require_all(key_names));
  std::vector<std::string> bytes;
  for (std::int64_t row = 0; row < rows.row_count(); ++row)
    bytes.push_back(encode_key(rows, key, row));
  std::vector<std::int64_t> order(bytes.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return bytes[static_cast<std::size_t>(a)] < bytes[static_cast<std::size_t>(b)];
  });
  return rows.select_rows(order);
}

}  // namespace

Result<Json> export_dataset(Io& io,
                            Hub& hub,
                            const std::string& dataset,
                            const ExportOptions& options) {
  const SnapshotId at{TRY(resolve_snapshot(hub, options.at))};
  const TableDefinition table = TRY(exported_table(hub, dataset, options.layer, at));
  ScanOptions wanted;
  if (!options.where.empty()) wanted.where = TRY(parse_predicates(options.where, table.schema));
  const std::unique_ptr<Scan> scan = TRY(hub.scan(table.name, at, wanted));
  std::vector<Batch> parts;
  while (std::optional<Batch> part = TRY(scan->next()))
    parts.push_back(std::move(*part));
  const Batch rows = TRY(in_key_order(TRY(concatenate(table.schema, parts)), table.key));
  std::unique_ptr<Encoder> encoder;
  if (options.output.empty()) {
    encoder = TRY(open_text_encoder(options.sink, Format::kCsv, table.schema));
  } else {
    const FileFormat format = TRY(format_of_path(options.output));
    encoder = TRY(open_encoder(io, options.output, format, table.schema));
  }
  TRY(encoder->write(rows));
  TRY(encoder->finish());
  Json out;
  out["dataset"] = dataset;
  out["layer"] = options.layer;
  out["snapshot"] = number(at);
  out["rows"] = rows.row_count();
  out["output"] = options.output.empty() ? Json(nullptr) : Json(options.output);
  const ScanCounters counters = scan->counters();
  out["files_read"] = counters.files_read;
  out["files_skipped"] = counters.files_skipped;
  out["files_skipped_by_partition"] = counters.files_skipped_by_partition;
  out["row_groups_read"] = counters.row_groups_read;
  out["row_groups_skipped"] = counters.row_groups_skipped;
  return out;
}

}  // namespace lockstep
