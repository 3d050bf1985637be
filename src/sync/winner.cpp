#include "sync/winner.h"

#include "base/hash.h"
#include "table/columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

namespace lockstep {
namespace {

constexpr std::int64_t kNone = -1;
constexpr std::int64_t kUntouched = -2;

// What becomes of one key while the rows of a batch are gone through in order.
struct Slot {
  std::string key;                    // encoded (_source, key columns)
  std::int64_t old_row = kNone;       // in the look-up's rows
  std::int64_t new_row = kUntouched;  // in the batch; kNone: deleted
  std::int64_t first = 0;             // the row that named it first

  bool present() const { return new_row == kUntouched ? old_row != kNone : new_row != kNone; }
};

Result<Batch> keys_of(const DatasetFlow& flow, const IncomingBatch& incoming) {
  const Batch& rows = incoming.batch.rows;
  std::vector<Field> fields = {{"_source", Type::kText}};
  std::vector<std::shared_ptr<arrow::Array>> columns = {
      TRY(repeated(incoming.source, Type::kText, rows.row_count()))};
  const std::vector<int> key = TRY(rows.schema().require_all(flow.key()));
  for (const int column : key) {
    fields.push_back(rows.schema().field(column));
    columns.push_back(rows.column(column));
  }
  return Batch::make(Schema(std::move(fields)), std::move(columns));
}

// Equal for the purpose of "nothing changed": a NaN equals a NaN.
bool same_value(const Value& left, const Value& right) {
  const auto* a = std::get_if<double>(&left);
  const auto* b = std::get_if<double>(&right);
  if (a != nullptr && b != nullptr && *a != *a && *b != *b) return true;
  return left == right;
}

std::vector<int> all_columns(const Schema& schema) {
  std::vector<int> out;
  for (int column = 0; column < schema.size(); ++column)
    out.push_back(column);
  return out;
}

// Resource. One pass over a batch.
class Resolver final {
 public:
  Resolver(Hub& hub, const DatasetFlow& flow, const IncomingBatch& incoming)
      : hub_(hub), flow_(flow), incoming_(incoming), rows_(incoming.batch.rows) {}

  Result<RawResolution> run() {
    TRY(find_old_rows());
    if (is_all_new()) {
      out_.delta = TRY(all_rows());
      return std::move(out_);
    }
    for (std::int64_t row = 0; row < rows_.row_count(); ++row)
      apply(row);
    BatchBuilder delta(flow_.raw_schema());
    for (const Slot& slot : slots_)
      write(slot, delta);
    if (incoming_.batch.replaces_origin) TRY(remove_rest_of_origin(delta));
    out_.delta = TRY(delta.finish());
    return std::move(out_);
  }

 private:
  Result<void> find_old_rows() {
    overrides_ = TRY(hub_.overrides(flow_.dataset().name));
    keys_ = TRY(keys_of(flow_, incoming_));
    key_columns_ = all_columns(keys_.schema());
    if (keys_.row_count() == 0) return {};
    old_ = TRY(hub_.lookup(flow_.table(Layer::kRaw), keys_));
    return {};
  }

  // A load of new keys: what apply() and write() would do with each row, without them.
  bool is_all_new() const {
    if (!overrides_.empty() || incoming_.batch.replaces_origin || rows_.row_count() == 0)
      return false;
    const auto is_delete = [](Operation one) { return one == Operation::kDelete; };
    if (std::ranges::any_of(incoming_.batch.operations, is_delete)) return false;
    if (std::ranges::any_of(old_.row_of_key, [](std::int64_t row) { return row != kNone; }))
      return false;
    return surely_distinct(keys_, key_columns_);
  }

  Result<Batch> all_rows() const {
    const std::int64_t count = rows_.row_count();
    const std::optional<Timestamp>& time = incoming_.batch.source_time;
    std::vector<std::shared_ptr<arrow::Array>> columns = {
        TRY(repeated(incoming_.source, Type::kText, count)),
        TRY(repeated(incoming_.sequence, Type::kInt, count)),
        TRY(repeated(time ? Value(*time) : Value(), Type::kTimestamp, count)),
        TRY(repeated(incoming_.batch.origin, Type::kText, count))};
    for (int column = 0; column < rows_.schema().size(); ++column)
      columns.push_back(rows_.column(column));
    return Batch::make(flow_.raw_schema(), std::move(columns));
  }

  Slot& slot_of(std::int64_t row) {
    std::string key = encode_key(keys_, key_columns_, row);
    const auto [found, added] = slot_of_key_.try_emplace(key, slots_.size());
    if (added)
      slots_.push_back(
          {std::move(key), old_.row_of_key[static_cast<std::size_t>(row)], kUntouched, row});
    return slots_[found->second];
  }

  void apply(std::int64_t row) {
    Slot& slot = slot_of(row);
    const Operation operation = incoming_.batch.operations[static_cast<std::size_t>(row)];
    if (overridden(slot, operation, row)) {
      ++out_.skipped;
      return;
    }
    if (operation == Operation::kInsert && slot.present()) {
      refuse(row, "the key is there already, and the source's mode is append");
    } else if (operation == Operation::kDelete && !slot.present()) {
      refuse(row, "a delete of a key that is not there");
    } else {
      slot.new_row = operation == Operation::kDelete ? kNone : row;
    }
  }

  // A change that was reverted stays out until its source says something else about the key.
  bool overridden(const Slot& slot, Operation operation, std::int64_t row) {
    const auto found = overrides_.find(slot.key);
    if (found == overrides_.end()) return false;
    if (found->second == (operation == Operation::kDelete ? std::string() : own_hash(row)))
      return true;
    out_.remove_overrides.push_back({flow_.dataset().name, slot.key, {}});
    overrides_.erase(found);
    return false;
  }

  std::string own_hash(std::int64_t row) const {
    std::string bytes;
    append_row_bytes(rows_, row, bytes);
    return sha256_hex(bytes);
  }

  void refuse(std::int64_t row, std::string reason) {
    out_.refused.push_back(
        {incoming_.source,
         incoming_.batch.origin + " " + incoming_.batch.positions[static_cast<std::size_t>(row)],
         "key",
         std::move(reason),
         row_json(rows_, row, 0)});
  }

  bool same_content(const Slot& slot) const {
    const int own = rows_.schema().size();
    for (int column = 0; column < own; ++column) {
      const Value old_value = old_.rows.value(column + kRawSystemColumns, slot.old_row);
      if (!same_value(old_value, rows_.value(column, slot.new_row))) return false;
    }
    // A mirrored row belongs to the file that holds it now.
    return !incoming_.batch.replaces_origin ||
           old_.rows.text_at(3, slot.old_row) == incoming_.batch.origin;
  }

  void write(const Slot& slot, BatchBuilder& delta) const {
    if (slot.new_row == kUntouched) return;
    if (slot.old_row != kNone && slot.new_row != kNone && same_content(slot)) return;
    if (slot.old_row != kNone) delta.append_row_from(old_.rows, slot.old_row, -1);
    if (slot.new_row == kNone) return;
    delta.append_text(0, incoming_.source);
    delta.append_int(1, incoming_.sequence);
    delta.append(2, incoming_.batch.source_time ? Value(*incoming_.batch.source_time) : Value());
    delta.append_text(3, incoming_.batch.origin);
    for (int column = 0; column < rows_.schema().size(); ++column) {
      delta.append_from(column + kRawSystemColumns, rows_, column, slot.new_row);
    }
    delta.append_sign(1);
  }

  Result<void> remove_rest_of_origin(BatchBuilder& delta) {
    const Batch raw = TRY(hub_.read(flow_.table(Layer::kRaw), hub_.latest_snapshot()));
    std::vector<std::string> names = {"_source"};
    names.insert(names.end(), flow_.key().begin(), flow_.key().end());
    const std::vector<int> key = TRY(raw.schema().require_all(names));
    std::int64_t of_source = 0;
    std::vector<std::int64_t> gone;
    for (std::int64_t row = 0; row < raw.row_count(); ++row) {
      if (raw.text_at(0, row) != incoming_.source) continue;
      ++of_source;
      if (raw.text_at(3, row) != incoming_.batch.origin) continue;
      const std::string bytes = encode_key(raw, key, row);
      // A key of the file whose row was reverted, or refused, is still the file's.
      if (slot_of_key_.contains(bytes)) continue;
      // Nor does the file bring back a delete that was reverted: it says nothing new about the key.
      if (const auto kept = overrides_.find(bytes);
          kept != overrides_.end() && kept->second.empty()) {
        ++out_.skipped;
        continue;
      }
      gone.push_back(row);
    }
    const auto limit = incoming_.max_delete * static_cast<double>(of_source);
    if (!incoming_.accept_deletes && static_cast<double>(gone.size()) > limit) {
      return make_error(Code::kRefused,
                        fmt::format("{} would delete {} of {} rows, above max_delete",
                                    incoming_.batch.origin,
                                    gone.size(),
                                    of_source),
                        "if that is right: lockstep sync --accept-deletes");
    }
    for (const std::int64_t row : gone)
      delta.append_row_from(raw, row, -1);
    return {};
  }

  Hub& hub_;
  const DatasetFlow& flow_;
  const IncomingBatch& incoming_;
  const Batch& rows_;
  std::map<std::string, std::string> overrides_;
  Batch keys_;
  std::vector<int> key_columns_;
  Lookup old_;
  std::vector<Slot> slots_;
  std::unordered_map<std::string, std::size_t> slot_of_key_;
  RawResolution out_;
};

// Resource. Chooses among the raw rows of one key.
class Chooser final {
 public:
  explicit Chooser(const DatasetFlow& flow) {
    if (!flow.dataset().latest.empty()) latest_ = flow.raw_schema().index_of(flow.dataset().latest);
    for (std::size_t rank = 0; rank < flow.dataset().from.size(); ++rank) {
      rank_[flow.dataset().from[rank]] = static_cast<std::int64_t>(rank);
    }
  }

  // Later is greater. Null is before every value; equal ones go by commit, then by the order of
  // `from`.
  bool before(const Batch& left,
              std::int64_t left_row,
              const Batch& right,
              std::int64_t right_row) const {
    if (latest_) {
      // As keys are ordered: a total order, with NaN last, so that no order of rows decides.
      const std::string a = encode_key(left, std::span(&*latest_, 1), left_row);
      const std::string b = encode_key(right, std::span(&*latest_, 1), right_row);
      if (a != b) return a < b;
    }
    const std::int64_t a = left.int_at(1, left_row);
    const std::int64_t b = right.int_at(1, right_row);
    if (a != b) return a < b;
    return rank(left.text_at(0, left_row)) < rank(right.text_at(0, right_row));
  }

 private:
  std::int64_t rank(std::string_view source) const {
    const auto found = rank_.find(std::string(source));
    return found == rank_.end() ? -1 : found->second;
  }

  std::optional<int> latest_;
  std::map<std::string, std::int64_t> rank_;
};

struct RowRef {
  const Batch* batch = nullptr;
  std::int64_t row = 0;
};

void keep_later(const Chooser& chooser, std::optional<RowRef>& best, RowRef candidate) {
  if (!best || chooser.before(*best->batch, best->row, *candidate.batch, candidate.row))
    best = candidate;
}

// The rows that the other sources of the dataset have for the keys of `raw_delta`.
Result<std::vector<Batch>> rows_of_all_sources(Hub& hub,
                                               const DatasetFlow& flow,
                                               const Batch& raw_delta) {
  std::vector<Batch> out;
  const std::vector<int> key = TRY(raw_delta.schema().require_all(flow.key()));
  std::vector<Field> fields = {{"_source", Type::kText}};
  for (const int column : key)
    fields.push_back(raw_delta.schema().field(column));
  for (const std::string& source : flow.dataset().from) {
    BatchBuilder keys{Schema(fields)};
    for (std::int64_t row = 0; row < raw_delta.row_count(); ++row) {
      keys.append_text(0, source);
      for (std::size_t part = 0; part < key.size(); ++part) {
        keys.append_from(static_cast<int>(part) + 1, raw_delta, key[part], row);
      }
    }
    out.push_back(TRY(hub.lookup(flow.table(Layer::kRaw), TRY(keys.finish()))).rows);
  }
  return out;
}

// From what raw holds after a change to what it held before.
Result<void> take_back(const DatasetFlow& flow, const Batch& change, std::vector<Batch>& there) {
  std::vector<std::string> names = {"_source"};
  names.insert(names.end(), flow.key().begin(), flow.key().end());
  const std::vector<int> key = TRY(change.schema().require_all(names));
  std::set<std::string> entered;
  std::vector<std::int64_t> left;
  for (std::int64_t row = 0; row < change.row_count(); ++row) {
    if (change.sign(row) > 0) {
      entered.insert(encode_key(change, key, row));
    } else {
      left.push_back(row);
    }
  }
  for (Batch& batch : there) {
    std::vector<std::int64_t> kept;
    for (std::int64_t row = 0; row < batch.row_count(); ++row) {
      if (!entered.contains(encode_key(batch, key, row))) kept.push_back(row);
    }
    batch = batch.select_rows(kept);
  }
  there.push_back(change.select_rows(left));
  return {};
}

}  // namespace

std::string row_hash(const Batch& raw, std::int64_t row) {
  std::vector<int> own;
  for (int column = kRawSystemColumns; column < raw.schema().size(); ++column)
    own.push_back(column);
  std::string bytes;
  append_row_bytes(raw.slice(row, 1).select_columns(own), 0, bytes);
  return sha256_hex(bytes);
}

Result<RawResolution> resolve_raw(Hub& hub,
                                  const DatasetFlow& flow,
                                  const IncomingBatch& incoming) {
  return Resolver(hub, flow, incoming).run();
}

Result<Batch> winner_delta(Hub& hub, const DatasetFlow& flow, const RawDelta& raw) {
  const Batch& raw_delta = raw.rows;
  if (flow.dataset().from.size() < 2 || raw_delta.row_count() == 0) return raw_delta;
  const Chooser chooser(flow);
  const std::vector<int> key = TRY(raw_delta.schema().require_all(flow.key()));
  std::vector<Batch> there = TRY(rows_of_all_sources(hub, flow, raw_delta));
  if (raw.stored) TRY(take_back(flow, raw_delta, there));

  struct Both {
    std::optional<RowRef> old_row;
    std::optional<RowRef> new_row;
    std::vector<std::string> changed;  // sources whose row of the key changes
  };

  std::map<std::string, Both> keys;
  for (std::int64_t row = 0; row < raw_delta.row_count(); ++row) {
    Both& both = keys[encode_key(raw_delta, key, row)];
    both.changed.emplace_back(raw_delta.text_at(0, row));
    if (raw_delta.sign(row) > 0) keep_later(chooser, both.new_row, {&raw_delta, row});
  }
  for (const Batch& batch : there) {
    for (std::int64_t row = 0; row < batch.row_count(); ++row) {
      Both& both = keys[encode_key(batch, key, row)];
      keep_later(chooser, both.old_row, {&batch, row});
      const std::string source(batch.text_at(0, row));
      const bool changes =
          std::find(both.changed.begin(), both.changed.end(), source) != both.changed.end();
      if (!changes) keep_later(chooser, both.new_row, {&batch, row});
    }
  }
  BatchBuilder out(flow.raw_schema());
  for (const auto& [bytes, both] : keys) {
    if (both.old_row) out.append_row_from(*both.old_row->batch, both.old_row->row, -1);
    if (both.new_row) out.append_row_from(*both.new_row->batch, both.new_row->row, 1);
  }
  return out.finish();
}

Result<Batch> winner_rows(const DatasetFlow& flow, const Batch& raw) {
  if (flow.dataset().from.size() < 2) return raw;
  const Chooser chooser(flow);
  const std::vector<int> key = TRY(raw.schema().require_all(flow.key()));
  std::map<std::string, std::optional<RowRef>> best;
  for (std::int64_t row = 0; row < raw.row_count(); ++row) {
    keep_later(chooser, best[encode_key(raw, key, row)], {&raw, row});
  }
  BatchBuilder out(flow.raw_schema());
  for (const auto& [bytes, winner] : best)
    out.append_row_from(*winner->batch, winner->row, 1);
  return out.finish();
}

}  // namespace lockstep
