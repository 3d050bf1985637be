// The byte forms of keys and rows.
//
// A key is the concatenation of its values. Each starts with a tag, so that the bytes can be read
// back:
//   01                    null
//   02 b                  bool: 00, 01
//   03 8 bytes            int: big-endian, sign bit flipped
//   04 8 bytes            float: big-endian; negative ones inverted, others with the sign bit set;
//   NaN all ones 05 bytes 00           text: a NUL byte inside becomes 00 FF 06 4 bytes date: as
//   int 07 8 bytes            timestamp: as int
// The 00 that ends a text is followed by a tag or nothing, never by FF, and sorts below every byte
// of a longer text.
#include "base/hash.h"
#include "table/batch.h"
#include "table/columns.h"
#include "table/few_rows.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <unordered_map>

namespace lockstep {

namespace {

constexpr char kNullTag = 1;
constexpr char kBoolTag = 2;
constexpr char kIntTag = 3;
constexpr char kFloatTag = 4;
constexpr char kTextTag = 5;
constexpr char kDateTag = 6;
constexpr char kTimestampTag = 7;
constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;
constexpr std::uint64_t kNanBits = ~std::uint64_t{0};

void append_big_endian(std::uint64_t bits, int byte_count, std::string& out) {
  if constexpr (std::endian::native == std::endian::little) bits = __builtin_bswap64(bits);
  const auto bytes = std::bit_cast<std::array<char, sizeof(bits)>>(bits);
  out.append(bytes.data() + bytes.size() - byte_count, static_cast<std::size_t>(byte_count));
}

std::uint64_t ordered_bits(std::int64_t value) {
  return static_cast<std::uint64_t>(value) ^ kSignBit;
}

std::uint64_t ordered_bits(double value) {
  if (std::isnan(value)) return kNanBits;
  const auto bits = std::bit_cast<std::uint64_t>(value == 0 ? 0.0 : value);
  return (bits & kSignBit) != 0 ? ~bits : bits | kSignBit;
}

struct KeyBytes {
  std::string& out;

  void operator()(std::monostate) const { out.push_back(kNullTag); }

  void operator()(bool value) const {
    out.push_back(kBoolTag);
    out.push_back(value ? 1 : 0);
  }

  void operator()(std::int64_t value) const {
    out.push_back(kIntTag);
    append_big_endian(ordered_bits(value), 8, out);
  }

  void operator()(double value) const {
    out.push_back(kFloatTag);
    append_big_endian(ordered_bits(value), 8, out);
  }

  void operator()(std::string_view value) const {
    out.push_back(kTextTag);
    for (const char c : value) {
      out.push_back(c);
      if (c == '\0') out.push_back('\xFF');
    }
    out.push_back('\0');
  }

  void operator()(const std::string& value) const { (*this)(std::string_view(value)); }

  void operator()(Date value) const {
    out.push_back(kDateTag);
    append_big_endian(ordered_bits(std::int64_t{value.days} << 32) >> 32, 4, out);
  }

  void operator()(Timestamp value) const {
    out.push_back(kTimestampTag);
    append_big_endian(ordered_bits(value.us), 8, out);
  }
};

void append_key_cell(const Batch& batch, int column, std::int64_t row, std::string& out) {
  const KeyBytes bytes{out};
  if (batch.is_null(column, row)) return bytes(std::monostate{});
  switch (batch.schema().field(column).type) {
    case Type::kInt:
      return bytes(batch.int_at(column, row));
    case Type::kText:
      return bytes(batch.text_at(column, row));
    default:
      return std::visit(bytes, batch.value(column, row));
  }
}

// Takes the values of a key off its front. Each reader gives false where no encoder wrote this.
class KeyReader {
 public:
  explicit KeyReader(std::string_view bytes) : rest_(bytes) {}

  bool done() const { return rest_.empty(); }

  bool next(Value& out) {
    const char tag = rest_.front();
    rest_.remove_prefix(1);
    switch (tag) {
      case kNullTag:
        out = Value();
        return true;
      case kBoolTag:
        return boolean(out);
      case kFloatTag:
        return number(out);
      case kTextTag:
        return text(out.emplace<std::string>());
      default:
        return whole(tag, out);
    }
  }

 private:
  std::optional<std::uint64_t> big_endian(std::size_t byte_count) {
    if (rest_.size() < byte_count) return std::nullopt;
    std::uint64_t bits = 0;
    for (const char c : rest_.substr(0, byte_count)) {
      bits = bits << 8 | static_cast<unsigned char>(c);
    }
    rest_.remove_prefix(byte_count);
    return bits;
  }

  bool boolean(Value& out) {
    const std::uint64_t bits = big_endian(1).value_or(2);
    out = bits == 1;
    return bits <= 1;
  }

  bool number(Value& out) {
    const std::optional<std::uint64_t> bits = big_endian(8);
    if (!bits) return false;
    const bool positive = (*bits & kSignBit) != 0;
    double value = std::bit_cast<double>(positive ? *bits ^ kSignBit : ~*bits);
    if (*bits == kNanBits) value = std::numeric_limits<double>::quiet_NaN();
    out = value;
    return ordered_bits(value) == *bits;
  }

  bool text(std::string& out) {
    for (;;) {
      const std::size_t zero = rest_.find('\0');
      if (zero == std::string_view::npos) return false;
      out += rest_.substr(0, zero);
      rest_.remove_prefix(zero + 1);
      if (!rest_.starts_with('\xFF')) return true;
      out.push_back('\0');
      rest_.remove_prefix(1);
    }
  }

  bool whole(char tag, Value& out) {
    if (tag != kIntTag && tag != kDateTag && tag != kTimestampTag) return false;
    const std::optional<std::uint64_t> bits = big_endian(tag == kDateTag ? 4 : 8);
    if (!bits) return false;
    const auto value = static_cast<std::int64_t>(*bits ^ kSignBit);
    const auto days = static_cast<std::uint32_t>(*bits) ^ std::uint32_t{1} << 31;
    if (tag == kIntTag) out = value;
    if (tag == kTimestampTag) out = Timestamp{value};
    if (tag == kDateTag) out = Date{static_cast<std::int32_t>(days)};
    return true;
  }

  std::string_view rest_;
};

}  // namespace

std::string encode_key(const Batch& batch, std::span<const int> key_columns, std::int64_t row) {
  std::string out;
  append_key(batch, key_columns, row, out);
  return out;
}

void append_key(const Batch& batch,
                std::span<const int> key_columns,
                std::int64_t row,
                std::string& out) {
  for (const int column : key_columns)
    append_key_cell(batch, column, row, out);
}

std::string encode_key(std::span<const Value> values) {
  std::string out;
  for (const Value& value : values)
    std::visit(KeyBytes{out}, value);
  return out;
}

bool surely_distinct(const Batch& batch, std::span<const int> key_columns) {
  std::size_t slots = 16;
  while (slots < 2 * static_cast<std::size_t>(batch.row_count()))
    slots *= 2;
  std::vector<std::uint64_t> seen(slots, 0);
  std::string key;
  for (std::int64_t row = 0; row < batch.row_count(); ++row) {
    key.clear();
    append_key(batch, key_columns, row, key);
    const std::uint64_t hash = hash64(key);
    if (hash == 0) return false;  // stands for a free slot
    std::size_t slot = hash & (slots - 1);
    while (seen[slot] != 0) {
      if (seen[slot] == hash) return false;
      slot = (slot + 1) & (slots - 1);
    }
    seen[slot] = hash;
  }
  return true;
}

Result<std::vector<Value>> decode_key(std::string_view bytes) {
  KeyReader reader(bytes);
  std::vector<Value> values;
  while (!reader.done()) {
    if (reader.next(values.emplace_back())) continue;
    return make_error(Code::kCorrupt,
                      fmt::format("value {} of a stored key cannot be read", values.size()));
  }
  return values;
}

std::string key_text(const Batch& batch, std::span<const int> key_columns, std::int64_t row) {
  std::string out;
  for (const int column : key_columns) {
    if (!out.empty()) out += ", ";
    const bool is_null = batch.is_null(column, row);
    out += fmt::format("{}={}",
                       batch.schema().field(column).name,
                       is_null ? "null" : value_text(batch.value(column, row)));
  }
  return out;
}

namespace {

// As in a key, but for -0.0, which is another row's content than 0.0.
void append_float_bytes(double value, std::string& out) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  out.push_back(kFloatTag);
  append_big_endian(std::isnan(value) ? kNanBits : bits, 8, out);
}

void append_row_cell(const Batch& batch, int column, std::int64_t row, std::string& out) {
  if (batch.schema().field(column).type != Type::kFloat || batch.is_null(column, row))
    return append_key_cell(batch, column, row, out);
  append_float_bytes(batch.float_at(column, row), out);
}

}  // namespace

void append_row_bytes(const Batch& batch, std::int64_t row, std::string& out) {
  for (int column = 0; column < batch.schema().size(); ++column)
    append_row_cell(batch, column, row, out);
}

RowBytes::RowBytes(const Batch& batch) : batch_(batch) {
  if (batch.row_count() <= kFewRows) return;
  for (int column = 0; column < batch.schema().size(); ++column) {
    const arrow::Array& array = *batch.column(column);
    const bool is_plain =
        batch.schema().field(column).type == Type::kFloat && array.null_count() == 0;
    floats_.push_back(is_plain ? static_cast<const arrow::DoubleArray&>(array).raw_values()
                               : nullptr);
  }
}

void RowBytes::append(std::int64_t row, std::string& out) const {
  if (floats_.empty()) return append_row_bytes(batch_, row, out);
  for (std::size_t column = 0; column < floats_.size(); ++column) {
    if (floats_[column] != nullptr) {
      append_float_bytes(floats_[column][row], out);
    } else {
      append_row_cell(batch_, static_cast<int>(column), row, out);
    }
  }
}

namespace {

struct Hash64 {
  std::size_t operator()(const std::string& bytes) const { return hash64(bytes); }
};

template <typename T>
using ByBytes = std::unordered_map<std::string, T, Hash64>;

// For each row, whether a row of the opposite sign and the same content takes it away: the nearest
// one that is free.
std::vector<bool> cancelled_rows(const Batch& batch) {
  std::vector<bool> cancelled(static_cast<std::size_t>(batch.row_count()), false);
  ByBytes<std::vector<std::int64_t>> open;  // rows of one content and, by construction, of one sign
  std::string bytes;
  for (std::int64_t row = 0; row < batch.row_count(); ++row) {
    bytes.clear();
    append_row_bytes(batch, row, bytes);
    std::vector<std::int64_t>& rows = open[bytes];
    if (rows.empty() || batch.sign(rows.back()) == batch.sign(row)) {
      rows.push_back(row);
      continue;
    }
    cancelled[static_cast<std::size_t>(rows.back())] = true;
    cancelled[static_cast<std::size_t>(row)] = true;
    rows.pop_back();
  }
  return cancelled;
}

// Within each key's own places, the rows that leave stand before the rows that enter.
void put_deletes_first(const Batch& batch,
                       std::span<const int> key_columns,
                       std::vector<std::int64_t>& rows) {
  struct Places {
    std::vector<std::size_t> places;
    std::vector<std::int64_t> leaving;
    std::vector<std::int64_t> entering;
  };

  std::vector<Places> keys;
  ByBytes<std::size_t> index_of_key;
  for (std::size_t place = 0; place < rows.size(); ++place) {
    const auto [entry, is_new] =
        index_of_key.emplace(encode_key(batch, key_columns, rows[place]), keys.size());
    if (is_new) keys.emplace_back();
    Places& key = keys[entry->second];
    key.places.push_back(place);
    (batch.sign(rows[place]) < 0 ? key.leaving : key.entering).push_back(rows[place]);
  }
  for (const Places& key : keys) {
    for (std::size_t i = 0; i < key.places.size(); ++i) {
      const bool leaving = i < key.leaving.size();
      rows[key.places[i]] = leaving ? key.leaving[i] : key.entering[i - key.leaving.size()];
    }
  }
}

}  // namespace

Result<Batch> net(const Batch& batch, std::span<const int> key_columns) {
  bool enters = false;
  bool leaves = false;
  for (const std::int8_t sign : batch.signs())
    (sign > 0 ? enters : leaves) = true;
  if (!enters || !leaves) return batch;  // nothing to cancel: bulk loads end here
  const std::vector<bool> cancelled = cancelled_rows(batch);
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < batch.row_count(); ++row) {
    if (!cancelled[static_cast<std::size_t>(row)]) rows.push_back(row);
  }
  put_deletes_first(batch, key_columns, rows);
  const bool as_it_was =
      static_cast<std::int64_t>(rows.size()) == batch.row_count() && std::ranges::is_sorted(rows);
  return as_it_was ? batch : batch.select_rows(rows);
}

}  // namespace lockstep
