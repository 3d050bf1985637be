#include "sync/winner.h"

#include "base/hash.h"
#include "table/columns.h"
#include "table/few_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

namespace lockstep {
namespace {

constexpr std::int64_t kNone = -1;
constexpr std::int64_t kColumnRows = 16;  // of a batch, to be worth work on whole columns

// A row of one of the batches.
struct Incoming {
  const SourceBatch* batch = nullptr;
  std::int64_t row = 0;
};

// What becomes of one key while the rows that came are gone through in order.
struct Slot {
  std::string key;               // encoded (_source, key columns)
  std::int64_t old_row = kNone;  // in the look-up's rows
  bool touched = false;          // an operation was taken
  Incoming newest;               // without a batch: deleted

  bool present() const { return touched ? newest.batch != nullptr : old_row != kNone; }
};

// Equal for the purpose of "nothing changed": a NaN equals a NaN.
bool same_value(const Value& left, const Value& right) {
  const auto* a = std::get_if<double>(&left);
  const auto* b = std::get_if<double>(&right);
  if (a != nullptr && b != nullptr && *a != *a && *b != *b) return true;
  return left == right;
}

// Of a table, those of a load that is under way among them.
Result<Batch> current_rows(Hub& hub, const TableName& name, std::span<const int> key) {
  const Batch committed = TRY(hub.read(name, hub.latest_snapshot()));
  if (hub.staged_count() == 0) return committed;
  std::vector<Batch> parts = {committed};
  for (std::int64_t stage = 0; stage < hub.staged_count(); ++stage)
    parts.push_back(TRY(hub.staged(name, stage)));
  return net(TRY(concatenate(committed.schema(), parts)), key);
}

// Resource. One pass over the rows that came.
class Resolver final {
 public:
  Resolver(Hub& hub, const DatasetFlow& flow, const IncomingRows& incoming)
      : hub_(hub), flow_(flow), incoming_(incoming) {}

  Result<RawResolution> run() {
    own_key_ = TRY(flow_.columns().require_all(flow_.key()));
    TRY(find_old_rows());
    if (is_all_new()) {
      out_.delta = TRY(all_rows());
      return std::move(out_);
    }
    std::int64_t place = 0;
    for (const SourceBatch& batch : incoming_.batches) {
      LOCKSTEP_ASSERT(!batch.replaces_origin || incoming_.batches.size() == 1,
                      "sync: a batch that replaces its origin is taken alone");
      if (batch.truncates) truncate(batch.origin);
      for (std::int64_t row = 0; row < batch.rows.row_count(); ++row)
        apply({&batch, row}, place++);
    }
    BatchBuilder delta(flow_.raw_schema());
    for (const Slot& slot : slots_)
      write(slot, delta);
    if (replaces_origin() || !truncated_.empty()) TRY(remove_rest_of_origin(delta));
    out_.delta = TRY(delta.finish());
    return std::move(out_);
  }

 private:
  bool replaces_origin() const {
    const SourceBatch& first = incoming_.batches.front();
    // One that more follow is swept behind the last of them (sweep.h).
    return incoming_.batches.size() == 1 && first.replaces_origin && !first.has_more;
  }

  const std::string& origin() const { return incoming_.batches.front().origin; }

  Result<void> find_old_rows() {
    overrides_ = TRY(hub_.overrides(flow_.dataset().name));
    for (const OverrideRecord& removed : incoming_.removed_overrides)
      overrides_.erase(removed.key);
    keys_ = TRY(keys_of(flow_, incoming_));
    key_columns_ = all_columns(keys_.schema());
    if (keys_.row_count() == 0) return {};
    old_ = TRY(hub_.lookup(flow_.table(Layer::kRaw), keys_));
    return {};
  }

  // A load of new keys: what apply() and write() would do with each row, without them. Columns of
  // few rows are more work than the rows.
  bool is_all_new() const {
    const auto batch_count = static_cast<std::int64_t>(incoming_.batches.size());
    const bool thin = keys_.row_count() < kColumnRows * batch_count;
    if (!overrides_.empty() || replaces_origin() || keys_.row_count() == 0 || thin) return false;
    const auto is_delete = [](Operation one) { return one == Operation::kDelete; };
    const auto has_delete = [&](const SourceBatch& batch) {
      return std::ranges::any_of(batch.operations, is_delete);
    };
    const auto truncates = [](const SourceBatch& batch) { return batch.truncates; };
    if (std::ranges::any_of(incoming_.batches, has_delete)) return false;
    if (std::ranges::any_of(incoming_.batches, truncates)) return false;
    if (std::ranges::any_of(old_.row_of_key, [](std::int64_t row) { return row != kNone; }))
      return false;
    return surely_distinct(keys_, key_columns_);
  }

  Result<Batch> all_rows() const {
    std::vector<Batch> parts;
    for (const SourceBatch& batch : incoming_.batches)
      parts.push_back(TRY(raw_rows(batch)));
    return concatenate(flow_.raw_schema(), parts);
  }

  Result<Batch> raw_rows(const SourceBatch& batch) const {
    const std::int64_t count = batch.rows.row_count();
    const Value time = batch.source_time ? Value(*batch.source_time) : Value();
    std::vector<std::shared_ptr<arrow::Array>> columns = {
        TRY(repeated(incoming_.source, Type::kText, count)),
        TRY(repeated(incoming_.sequence, Type::kInt, count)),
        TRY(repeated(time, Type::kTimestamp, count)),
        TRY(repeated(batch.origin, Type::kText, count))};
    for (int column = 0; column < batch.rows.schema().size(); ++column)
      columns.push_back(batch.rows.column(column));
    return Batch::make(flow_.raw_schema(), std::move(columns));
  }

  // `place`: the row's among all that came.
  Slot& slot_at(std::int64_t place) {
    std::string key = encode_key(keys_, key_columns_, place);
    const auto [found, added] = slot_of_key_.try_emplace(key, slots_.size());
    if (added) {
      slots_.push_back({.key = std::move(key),
                        .old_row = old_.row_of_key[static_cast<std::size_t>(place)],
                        .newest = {}});
    }
    return slots_[found->second];
  }

  void apply(const Incoming& row, std::int64_t place) {
    Slot& slot = slot_at(place);
    const Operation operation = row.batch->operations[static_cast<std::size_t>(row.row)];
    if (overridden(slot, operation, row)) {
      ++out_.skipped;
      return;
    }
    if (operation == Operation::kInsert && slot.present()) {
      refuse(row, "the key is there already, and the source's mode is append");
    } else if (operation == Operation::kDelete && !slot.present() && !row.batch->deletes_again &&
               !row.batch->retells) {
      refuse(row, "a delete of a key that is not there");
      out_.refused.back().of_key = key_text(row.batch->rows, own_key_, row.row);
    } else {
      slot.touched = true;
      slot.newest = operation == Operation::kDelete ? Incoming{} : row;
    }
  }

  // What the batches before brought of the origin is gone; the rest of it goes in the end.
  void truncate(const std::string& origin) {
    truncated_.insert(origin);
    for (Slot& slot : slots_) {
      if (slot.touched && slot.newest.batch != nullptr && slot.newest.batch->origin == origin)
        slot.newest = Incoming{};
    }
  }

  // A change that was reverted stays out until its source says something else about the key.
  bool overridden(const Slot& slot, Operation operation, const Incoming& row) {
    const auto found = overrides_.find(slot.key);
    if (found == overrides_.end()) return false;
    if (found->second == (operation == Operation::kDelete ? std::string() : own_hash(row)))
      return true;
    out_.remove_overrides.push_back({flow_.dataset().name, slot.key, {}});
    overrides_.erase(found);
    return false;
  }

  static std::string own_hash(const Incoming& row) {
    std::string bytes;
    append_row_bytes(row.batch->rows, row.row, bytes);
    return sha256_hex(bytes);
  }

  void refuse(const Incoming& row, std::string reason) {
    out_.refused.push_back(
        {incoming_.source,
         row.batch->origin + " " + row.batch->positions[static_cast<std::size_t>(row.row)],
         "key",
         std::move(reason),
         row_json(row.batch->rows, row.row, 0)});
  }

  bool same_content(const Slot& slot) const {
    const Batch& rows = slot.newest.batch->rows;
    for (int column = 0; column < rows.schema().size(); ++column) {
      const Value old_value = old_.rows.value(column + kRawSystemColumns, slot.old_row);
      if (!same_value(old_value, rows.value(column, slot.newest.row))) return false;
    }
    // A mirrored row belongs to the file that holds it now.
    return !replaces_origin() || old_.rows.text_at(3, slot.old_row) == origin();
  }

  void write(const Slot& slot, BatchBuilder& delta) const {
    if (!slot.touched) return;
    const SourceBatch* batch = slot.newest.batch;
    if (slot.old_row != kNone && batch != nullptr && same_content(slot)) return;
    if (slot.old_row != kNone) delta.append_row_from(old_.rows, slot.old_row, -1);
    if (batch == nullptr) return;
    delta.append_text(0, incoming_.source);
    delta.append_int(1, incoming_.sequence);
    delta.append(2, batch->source_time ? Value(*batch->source_time) : Value());
    delta.append_text(3, batch->origin);
    for (int column = 0; column < batch->rows.schema().size(); ++column) {
      delta.append_from(column + kRawSystemColumns, batch->rows, column, slot.newest.row);
    }
    delta.append_sign(1);
  }

  bool is_emptied(const std::string& of_row) const {
    return replaces_origin() ? of_row == origin() : truncated_.contains(of_row);
  }

  // What raw holds of an origin that was replaced or emptied, and nobody named.
  Result<void> remove_rest_of_origin(BatchBuilder& delta) {
    const std::vector<int> key = TRY(flow_.raw_schema().require_all(raw_key(flow_.key())));
    const Batch raw = TRY(current_rows(hub_, flow_.table(Layer::kRaw), key));
    std::int64_t of_source = 0;
    std::vector<std::int64_t> gone;
    for (std::int64_t row = 0; row < raw.row_count(); ++row) {
      if (raw.text_at(0, row) != incoming_.source) continue;
      ++of_source;
      if (!is_emptied(std::string(raw.text_at(3, row)))) continue;
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
    if (replaces_origin() && !incoming_.accept_deletes) {
      const auto gone_count = static_cast<std::int64_t>(gone.size());
      TRY(check_max_delete({origin(), gone_count, of_source}, incoming_.max_delete));
    }
    for (const std::int64_t row : gone)
      delta.append_row_from(raw, row, -1);
    return {};
  }

  Hub& hub_;
  const DatasetFlow& flow_;
  const IncomingRows& incoming_;
  std::map<std::string, std::string> overrides_;
  Batch keys_;
  std::vector<int> key_columns_;
  std::vector<int> own_key_;  // among the dataset's columns
  Lookup old_;
  std::vector<Slot> slots_;
  std::unordered_map<std::string, std::size_t> slot_of_key_;
  std::set<std::string> truncated_;  // origins
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
  const std::vector<int> key = TRY(change.schema().require_all(raw_key(flow.key())));
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

std::vector<int> all_columns(const Schema& schema) {
  std::vector<int> out;
  for (int column = 0; column < schema.size(); ++column)
    out.push_back(column);
  return out;
}

Result<void> check_max_delete(const OriginDeletes& deletes, double max_delete) {
  const double limit = max_delete * static_cast<double>(deletes.of_source);
  if (static_cast<double>(deletes.gone) <= limit) return {};
  return make_error(Code::kRefused,
                    fmt::format("{} would delete {} of {} rows, above max_delete",
                                deletes.origin,
                                deletes.gone,
                                deletes.of_source),
                    "if that is right: lockstep sync --accept-deletes");
}

Result<Batch> keys_of(const DatasetFlow& flow, const IncomingRows& incoming) {
  const std::vector<int> key = TRY(flow.columns().require_all(flow.key()));
  std::vector<Field> fields = {{"_source", Type::kText}};
  if (incoming.batches.size() == 1 && incoming.batches.front().rows.row_count() > kFewRows) {
    const Batch& rows = incoming.batches.front().rows;
    std::vector<std::shared_ptr<arrow::Array>> columns = {
        TRY(repeated(incoming.source, Type::kText, rows.row_count()))};
    for (const int column : key) {
      fields.push_back(rows.schema().field(column));
      columns.push_back(rows.column(column));
    }
    return Batch::make(Schema(std::move(fields)), std::move(columns));
  }
  for (const int column : key)
    fields.push_back(flow.columns().field(column));
  BatchBuilder builder{Schema(std::move(fields))};
  for (const SourceBatch& batch : incoming.batches) {
    for (std::int64_t row = 0; row < batch.rows.row_count(); ++row) {
      builder.append_text(0, incoming.source);
      for (std::size_t part = 0; part < key.size(); ++part) {
        builder.append_from(static_cast<int>(part) + 1, batch.rows, key[part], row);
      }
    }
  }
  return builder.finish();
}

std::string row_hash(const Batch& raw, std::int64_t row) {
  std::vector<int> own;
  for (int column = kRawSystemColumns; column < raw.schema().size(); ++column)
    own.push_back(column);
  std::string bytes;
  append_row_bytes(raw.slice(row, 1).select_columns(own), 0, bytes);
  return sha256_hex(bytes);
}

Result<RawResolution> resolve_raw(Hub& hub, const DatasetFlow& flow, const IncomingRows& incoming) {
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
