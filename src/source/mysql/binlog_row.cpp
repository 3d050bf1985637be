#include "source/mysql/binlog_row.h"

#include "source/mysql/binlog_types.h"

#include <fmt/format.h>

#include <array>

namespace lockstep {
namespace {

constexpr std::uint16_t kByteMask = 0xFF;

// Of `digits` decimal digits.
std::uint16_t digits_size(unsigned digits) {
  constexpr std::array<std::uint8_t, kDigitsOfGroup> kSizes = {0, 1, 1, 2, 2, 3, 3, 4, 4};
  return static_cast<std::uint16_t>(digits / kDigitsOfGroup * kBytesOfGroup +
                                    kSizes[digits % kDigitsOfGroup]);
}

CellSize fixed_size(unsigned size) {
  return {.fixed = static_cast<std::uint16_t>(size)};
}

CellSize prefixed_size(unsigned prefix) {
  return {.prefix = static_cast<std::uint8_t>(prefix)};
}

// A fraction of so many digits has half as many bytes.
unsigned fraction_size(std::uint16_t digits) {
  return (digits + 1U) / 2U;
}

std::optional<CellSize> number_size(const LogColumn& column) {
  switch (static_cast<LogType>(column.type)) {
    case LogType::kTiny:
    case LogType::kYear:
      return fixed_size(1);
    case LogType::kShort:
      return fixed_size(2);
    case LogType::kInt24:
      return fixed_size(3);
    case LogType::kLong:
    case LogType::kFloat:
      return fixed_size(4);
    case LogType::kLongLong:
    case LogType::kDouble:
      return fixed_size(8);
    case LogType::kDecimal: {
      const unsigned precision = column.metadata >> 8;
      const unsigned scale = column.metadata & kByteMask;
      if (scale > precision) return std::nullopt;
      return fixed_size(digits_size(precision - scale) + digits_size(scale));
    }
    case LogType::kBit:  // bits that are left over, whole bytes
      return fixed_size((column.metadata >> 8) + ((column.metadata & kByteMask) > 0 ? 1U : 0U));
    default:
      return std::nullopt;
  }
}

std::optional<CellSize> time_size(const LogColumn& column) {
  switch (static_cast<LogType>(column.type)) {
    case LogType::kDate:
    case LogType::kNewDate:
    case LogType::kOldTime:
      return fixed_size(3);
    case LogType::kOldDatetime:
      return fixed_size(8);
    case LogType::kOldTimestamp:
      return fixed_size(4);
    case LogType::kTime:
      return fixed_size(3 + fraction_size(column.metadata));
    case LogType::kDatetime:
      return fixed_size(5 + fraction_size(column.metadata));
    case LogType::kTimestamp:
      return fixed_size(4 + fraction_size(column.metadata));
    default:
      return std::nullopt;
  }
}

std::optional<CellSize> text_size(const LogColumn& column) {
  switch (static_cast<LogType>(column.type)) {
    case LogType::kVarchar:
    case LogType::kVarcharCompressed:
    case LogType::kVarString:
    case LogType::kString:
      return prefixed_size(column.metadata > kByteMask ? 2 : 1);
    case LogType::kBlob:
    case LogType::kBlobCompressed:
    case LogType::kGeometry:
    case LogType::kJson:
    case LogType::kVector:
      if (column.metadata < 1 || column.metadata > 4) return std::nullopt;
      return prefixed_size(column.metadata);
    case LogType::kEnum:
    case LogType::kSet:
      return fixed_size(column.metadata & kByteMask);
    default:
      return std::nullopt;
  }
}

Error row_is_cut_short() {
  return make_error(Code::kCorrupt, "a row of the binary log is cut short");
}

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t at = bytes.size(); at > 0; --at)
    value = value << 8 | static_cast<unsigned char>(bytes[at - 1]);
  return value;
}

}  // namespace

Result<std::vector<CellSize>> cell_sizes(const LogTable& table) {
  std::vector<CellSize> sizes;
  for (const LogColumn& column : table.columns) {
    std::optional<CellSize> size = number_size(column);
    if (!size) size = time_size(column);
    if (!size) size = text_size(column);
    if (!size) {
      return make_error(Code::kUnsupported,
                        fmt::format("column '{}' of table {}.{} is of type {} in the binary log, "
                                    "which is not known",
                                    column.name,
                                    table.database,
                                    table.table,
                                    column.type));
    }
    sizes.push_back(*size);
  }
  return sizes;
}

PresentColumns::PresentColumns(std::string_view bits, std::size_t column_count) : bits_(bits) {
  for (std::size_t column = 0; column < column_count; ++column)
    count_ += bit_at(bits, column) ? 1 : 0;
  has_all_ = count_ == column_count;
}

Result<void> take_row_image(std::string_view& rest,
                            const PresentColumns& present,
                            const std::vector<CellSize>& sizes,
                            std::vector<LogCell>& cells) {
  cells.resize(sizes.size());
  const std::size_t null_size = (present.count() + 7) / 8;
  if (rest.size() < null_size) return row_is_cut_short();
  const std::string_view nulls = rest.substr(0, null_size);
  std::size_t at = null_size;
  std::size_t index = 0;  // among those that are there
  for (std::size_t column = 0; column < sizes.size(); ++column) {
    LogCell& cell = cells[column];
    if (!present.has(column)) {
      cell = {};
      continue;
    }
    if (bit_at(nulls, index++)) {
      cell = {LogCell::Kind::kNull, {}};
      continue;
    }
    const CellSize& size = sizes[column];
    std::uint64_t length = size.fixed;
    if (size.prefix != 0) {
      if (rest.size() - at < size.prefix) return row_is_cut_short();
      length = little_endian(rest.substr(at, size.prefix));
      at += size.prefix;
    }
    if (rest.size() - at < length) return row_is_cut_short();
    cell = {LogCell::Kind::kValue, rest.substr(at, static_cast<std::size_t>(length))};
    at += static_cast<std::size_t>(length);
  }
  rest.remove_prefix(at);
  return {};
}

}  // namespace lockstep
