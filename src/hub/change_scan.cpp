#include "hub/change_scan.h"

#include <algorithm>
#include <numeric>
#include <optional>

namespace lockstep {

namespace {

std::vector<std::string> keys_of(const Batch& rows, std::span<const int> key) {
  std::vector<std::string> keys;
  keys.reserve(static_cast<std::size_t>(rows.row_count()));
  for (std::int64_t row = 0; row < rows.row_count(); ++row)
    keys.push_back(encode_key(rows, key, row));
  return keys;
}

// The rows with the smallest keys above `after`, as many as fit.
class Window {
 public:
  Window(const Schema& schema, std::span<const int> key, std::optional<std::string> after)
      : schema_(schema), key_(key), after_(std::move(after)) {}

  bool wants(const std::string& key) const {
    return (!after_ || key > *after_) && (!until_ || key <= *until_);
  }

  Result<void> add(const Batch& rows, std::size_t bytes_max) {
    bytes_ += rows.memory_bytes();
    pieces_.push_back(rows);
    if (bytes_ <= std::max(2 * bytes_max, bytes_uncut_)) return {};
    return cut();
  }

  Result<Batch> rows() const { return concatenate(schema_, pieces_); }

  // The largest key that it has all rows of; nothing: it has all there are.
  const std::optional<std::string>& until() const { return until_; }

 private:
  // Leaves the half with the smaller keys; from now on larger ones are not wanted.
  Result<void> cut() {
    const Batch all = TRY(rows());
    const std::vector<std::string> keys = keys_of(all, key_);
    std::vector<std::string> ordered = keys;
    const auto middle = ordered.begin() + static_cast<std::ptrdiff_t>((ordered.size() - 1) / 2);
    std::nth_element(ordered.begin(), middle, ordered.end());
    until_ = *middle;
    std::vector<std::int64_t> kept;
    for (std::size_t row = 0; row < keys.size(); ++row) {
      if (keys[row] <= *until_) kept.push_back(static_cast<std::int64_t>(row));
    }
    pieces_ = {all.select_rows(kept)};
    bytes_ = pieces_.front().memory_bytes();
    bytes_uncut_ = 2 * bytes_;  // so that one key's rows are not cut over and over
    return {};
  }

  const Schema& schema_;
  const std::span<const int> key_;
  const std::optional<std::string> after_;
  std::optional<std::string> until_;
  std::vector<Batch> pieces_;
  std::size_t bytes_ = 0;
  std::size_t bytes_uncut_ = 0;
};

class ChangeScan final : public BatchStream {
 public:
  ChangeScan(Schema schema, std::vector<int> key, ChangePass pass, const ChangeScanOptions& options)
      : schema_(std::move(schema)),
        key_(std::move(key)),
        pass_(std::move(pass)),
        options_(options),
        rows_(Batch::empty(schema_)) {
    LOCKSTEP_ASSERT(options_.batch_rows_max > 0, "hub: a scan needs room for a row a batch");
  }

  Result<std::optional<Batch>> next() override {
    while (offset_ == rows_.row_count()) {
      if (done_) return std::optional<Batch>();
      TRY(fill());
    }
    std::int64_t count = std::min(options_.batch_rows_max, rows_.row_count() - offset_);
    const std::int64_t end = offset_ + count;
    const bool parted =
        end < rows_.row_count() && encode_key(rows_, key_, end - 1) == encode_key(rows_, key_, end);
    if (parted) ++count;
    Batch piece = rows_.slice(offset_, count);
    offset_ += count;
    return std::optional<Batch>(std::move(piece));
  }

 private:
  Result<void> fill() {
    Window window(schema_, key_, last_key_);
    std::vector<int> all_of_key(key_.size());
    std::iota(all_of_key.begin(), all_of_key.end(), 0);
    const auto wanted = [&](const Batch& keys) {
      std::vector<std::int64_t> chosen;
      for (std::int64_t row = 0; row < keys.row_count(); ++row) {
        if (window.wants(encode_key(keys, all_of_key, row))) chosen.push_back(row);
      }
      return chosen;
    };
    const auto take = [&](const Batch& rows) { return window.add(rows, options_.window_bytes); };
    TRY(pass_(wanted, take));
    rows_ = TRY(in_key_order(TRY(net(TRY(window.rows()), key_)), key_));
    offset_ = 0;
    last_key_ = window.until();
    done_ = !last_key_.has_value();
    return {};
  }

  const Schema schema_;
  const std::vector<int> key_;
  const ChangePass pass_;
  const ChangeScanOptions options_;
  std::optional<std::string> last_key_;  // given up to here
  Batch rows_;
  std::int64_t offset_ = 0;
  bool done_ = false;
};

}  // namespace

Result<Batch> in_key_order(const Batch& rows, const std::vector<int>& key) {
  struct Entry {
    std::string key;
    int sign = 0;
    std::int64_t row = 0;
  };

  std::vector<Entry> entries;
  entries.reserve(static_cast<std::size_t>(rows.row_count()));
  for (std::int64_t row = 0; row < rows.row_count(); ++row) {
    entries.push_back({encode_key(rows, key, row), rows.sign(row), row});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& left, const Entry& right) {
    if (left.key != right.key) return left.key < right.key;
    return std::pair(left.sign, left.row) < std::pair(right.sign, right.row);
  });
  std::vector<std::int64_t> order;
  order.reserve(entries.size());
  for (const Entry& entry : entries)
    order.push_back(entry.row);
  return rows.select_rows(order);
}

std::unique_ptr<BatchStream> open_change_scan(Schema schema,
                                              std::vector<int> key,
                                              ChangePass pass,
                                              const ChangeScanOptions& options) {
  return std::make_unique<ChangeScan>(std::move(schema), std::move(key), std::move(pass), options);
}

}  // namespace lockstep
