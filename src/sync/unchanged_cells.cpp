#include "sync/unchanged_cells.h"

#include "sync/winner.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace lockstep {
namespace {

constexpr std::int64_t kNoRow = -1;

// Resource. One pass over the batches, in order.
class Filler final {
 public:
  Filler(const DatasetFlow& flow, Batch keys, Lookup old)
      : flow_(flow),
        keys_(std::move(keys)),
        old_(std::move(old)),
        key_(all_columns(keys_.schema())) {}

  Result<SourceBatch> fill(const SourceBatch& batch) {
    if (batch.truncates) {
      newest_.clear();
      emptied_ = true;
    }
    SourceBatch out = batch;
    out.unchanged.clear();
    out.operations.clear();
    out.positions.clear();
    BatchBuilder rows(batch.rows.schema());
    auto cell = batch.unchanged.begin();
    std::int64_t row_count = 0;
    for (std::int64_t row = 0; row < batch.rows.row_count(); ++row) {
      std::vector<Value> cells = batch.rows.row(row);
      std::optional<int> missing;
      for (; cell != batch.unchanged.end() && cell->row == row; ++cell) {
        std::optional<Value> value = value_before(first_place_ + cell->key_row, cell->column);
        if (!value) missing = cell->column;
        if (value) cells[static_cast<std::size_t>(cell->column)] = *std::move(value);
      }
      const std::string key = encode_key(keys_, key_, first_place_ + row);
      // Its row may be one that the first part of a copy did not see, and the second no longer.
      if (missing && batch.retells) {
        return make_error(
            Code::kRefused,
            fmt::format("a row of {} changed its place while it was copied", batch.origin),
            "its copy begins anew");
      }
      if (missing) {
        out.refusals.push_back(refusal(batch, row, *missing, key_of(row)));
        continue;
      }
      const Operation operation = batch.operations[static_cast<std::size_t>(row)];
      rows.append_row(cells);
      out.operations.push_back(operation);
      out.positions.push_back(batch.positions[static_cast<std::size_t>(row)]);
      // A deleted row stays known: the one of its new key follows it.
      if (operation != Operation::kDelete) newest_[key] = std::move(cells);
      ++row_count;
    }
    first_place_ += batch.rows.row_count();
    if (row_count > 0) out.rows = TRY(rows.finish());
    if (row_count == 0) out.rows = Batch::empty(batch.rows.schema());
    return out;
  }

 private:
  // What the row at this place of all that came had in a column, before it changed.
  std::optional<Value> value_before(std::int64_t place, int column) const {
    const auto found = newest_.find(encode_key(keys_, key_, place));
    if (found != newest_.end()) return found->second[static_cast<std::size_t>(column)];
    const std::int64_t old = old_.row_of_key[static_cast<std::size_t>(place)];
    if (emptied_ || old == kNoRow) return std::nullopt;
    return old_.rows.value(column + kRawSystemColumns, old);
  }

  // Of a row of the batch that is filled: the dataset's own key, without the source's name.
  std::vector<Value> key_of(std::int64_t row) const {
    std::vector<Value> key = keys_.row(first_place_ + row);
    key.erase(key.begin());
    return key;
  }

  Refusal refusal(const SourceBatch& batch,
                  std::int64_t row,
                  int column,
                  std::vector<Value> key) const {
    return {.origin = batch.origin,
            .position = batch.positions[static_cast<std::size_t>(row)],
            .stage = "operation",
            .reason = fmt::format(
                "the source did not send column '{}', which did not change, and the hub has no row "
                "of this key to take it from",
                flow_.columns().field(column).name),
            .text = row_json(batch.rows, row, 0),
            .key = std::move(key)};
  }

  const DatasetFlow& flow_;
  const Batch keys_;
  const Lookup old_;
  const std::vector<int> key_;
  std::unordered_map<std::string, std::vector<Value>> newest_;  // by encoded key
  bool emptied_ = false;
  std::int64_t first_place_ = 0;
};

}  // namespace

Result<std::vector<SourceBatch>> fill_unchanged(Hub& hub,
                                                const DatasetFlow& flow,
                                                const IncomingRows& incoming) {
  Batch keys = TRY(keys_of(flow, incoming));
  Lookup old = TRY(hub.lookup(flow.table(Layer::kRaw), keys));
  Filler filler(flow, std::move(keys), std::move(old));
  std::vector<SourceBatch> out;
  for (const SourceBatch& batch : incoming.batches)
    out.push_back(TRY(filler.fill(batch)));
  return out;
}

}  // namespace lockstep
