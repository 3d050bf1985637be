#include "source/mysql/binlog.h"

#include "source/mysql/binlog_bytes.h"
#include "source/mysql/binlog_types.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

namespace lockstep {
namespace {

constexpr std::size_t kHeaderSize = 19;
constexpr std::size_t kChecksumSize = 4;
constexpr std::uint16_t kIgnorableFlag = 0x80;
constexpr std::size_t kTableIdSize = 6;

Error damaged_event(std::string_view what) {
  return make_error(Code::kCorrupt, fmt::format("the binary log's event {} is damaged", what));
}

std::uint32_t crc_of(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

// How the server packs statements and rows: u8 with the bytes of the length in its low bits, the
// length big-endian, zlib.
Result<std::string> inflate_log(std::string_view packed) {
  constexpr std::uint64_t kZlib = 0x80;
  constexpr std::uint64_t kKind = 0xF0;
  constexpr std::uint64_t kLengthBytes = 0x07;
  constexpr std::uint64_t kLengthMax = std::uint64_t{1} << 31;
  constexpr unsigned kByte = 8;
  BinlogBytes in(packed);
  const std::uint64_t header = in.number(1);
  std::uint64_t length = 0;
  for (const char byte : in.take(header & kLengthBytes))
    length = length << kByte | static_cast<unsigned char>(byte);
  if (!in.is_good() || (header & kKind) != kZlib || length > kLengthMax)
    return damaged_event("that is compressed");
  std::string out(static_cast<std::size_t>(length), '\0');
  uLongf size = static_cast<uLongf>(out.size());
  const int done = uncompress(reinterpret_cast<Bytef*>(out.data()),
                              &size,
                              reinterpret_cast<const Bytef*>(in.rest().data()),
                              static_cast<uLong>(in.rest().size()));
  if (done != Z_OK || size != out.size()) return damaged_event("that is compressed");
  return out;
}

// Types whose numbers have a sign.
bool has_sign(std::uint8_t type) {
  switch (static_cast<LogType>(type)) {
    case LogType::kTiny:
    case LogType::kShort:
    case LogType::kLong:
    case LogType::kFloat:
    case LogType::kDouble:
    case LogType::kLongLong:
    case LogType::kInt24:
    case LogType::kYear:
    case LogType::kDecimal:
      return true;
    default:
      return false;
  }
}

std::size_t metadata_size(std::uint8_t type) {
  switch (static_cast<LogType>(type)) {
    case LogType::kVarchar:
    case LogType::kBit:
    case LogType::kVarcharCompressed:
    case LogType::kDecimal:
    case LogType::kEnum:
    case LogType::kSet:
    case LogType::kVarString:
    case LogType::kString:
      return 2;
    case LogType::kFloat:
    case LogType::kDouble:
    case LogType::kTimestamp:
    case LogType::kDatetime:
    case LogType::kTime:
    case LogType::kBlobCompressed:
    case LogType::kVector:
    case LogType::kJson:
    case LogType::kBlob:
    case LogType::kGeometry:
      return 1;
    default:
      return 0;
  }
}

bool is_type(const LogColumn& column, LogType type) {
  return column.type == static_cast<std::uint8_t>(type);
}

// The first byte is the real type, with two bits of the length hidden in it, inverted.
void read_string_metadata(std::string_view bytes, LogColumn& column) {
  constexpr unsigned kHidden = 0x30;
  constexpr unsigned kShift = 4;
  const auto first = static_cast<unsigned char>(bytes[0]);
  const auto second = static_cast<unsigned char>(bytes[1]);
  const bool is_hidden = (first & kHidden) != kHidden;
  column.type = static_cast<std::uint8_t>(first | kHidden);
  column.metadata = static_cast<std::uint16_t>(
      is_hidden ? second | ((first & kHidden) ^ kHidden) << kShift : second);
}

Result<void> read_metadata(std::string_view bytes, std::vector<LogColumn>& columns) {
  BinlogBytes in(bytes);
  for (LogColumn& column : columns) {
    const std::string_view one = in.take(metadata_size(column.type));
    if (!in.is_good()) return damaged_event("TABLE_MAP");
    if (is_type(column, LogType::kString)) {
      read_string_metadata(one, column);
    } else if (is_type(column, LogType::kDecimal) || is_type(column, LogType::kEnum) ||
               is_type(column, LogType::kSet)) {
      // precision and scale; type and size
      column.metadata = static_cast<std::uint16_t>(static_cast<unsigned char>(one[0]) << 8 |
                                                   static_cast<unsigned char>(one[1]));
    } else {
      column.metadata = static_cast<std::uint16_t>(BinlogBytes(one).number(one.size()));
    }
  }
  return {};
}

// Of the columns with a sign, the first in the highest bit.
void read_signs(std::string_view bits, std::vector<LogColumn>& columns) {
  constexpr std::size_t kBits = 8;
  std::size_t index = 0;
  for (LogColumn& column : columns) {
    if (!has_sign(column.type)) continue;
    if (index / kBits >= bits.size()) return;
    const auto byte = static_cast<unsigned char>(bits[index / kBits]);
    column.is_unsigned = (byte >> (kBits - 1 - index % kBits) & 1) != 0;
    ++index;
  }
}

void read_names(BinlogBytes in, std::vector<LogColumn>& columns) {
  for (LogColumn& column : columns)
    column.name = in.take(in.count());
}

void read_labels(BinlogBytes in, LogType type, std::vector<LogColumn>& columns) {
  for (LogColumn& column : columns) {
    if (!is_type(column, type)) continue;
    const std::uint64_t count = in.count();
    for (std::uint64_t label = 0; label < count && in.is_good(); ++label)
      column.labels.emplace_back(in.take(in.count()));
  }
}

Result<void> read_optional(BinlogBytes& in, std::vector<LogColumn>& columns) {
  constexpr std::uint64_t kSigns = 1;
  constexpr std::uint64_t kNames = 4;
  constexpr std::uint64_t kSetLabels = 5;
  constexpr std::uint64_t kEnumLabels = 6;
  while (in.is_good() && !in.rest().empty()) {
    const std::uint64_t kind = in.number(1);
    const std::string_view bytes = in.take(in.count());
    if (kind == kSigns) read_signs(bytes, columns);
    if (kind == kNames) read_names(BinlogBytes(bytes), columns);
    if (kind == kSetLabels) read_labels(BinlogBytes(bytes), LogType::kSet, columns);
    if (kind == kEnumLabels) read_labels(BinlogBytes(bytes), LogType::kEnum, columns);
  }
  if (!in.is_good()) return damaged_event("TABLE_MAP");
  return {};
}

LogTable take_table_name(BinlogBytes& in) {
  LogTable out;
  out.id = in.number(kTableIdSize);
  in.take(2);  // flags
  out.database = in.take(in.number(1));
  in.take(1);
  out.table = in.take(in.number(1));
  in.take(1);
  return out;
}

struct RowsForm {
  RowsKind kind = RowsKind::kInsert;
  bool is_second = false;  // with more bytes behind the flags
  bool is_compressed = false;
};

RowsForm rows_form_of(BinlogEventType type) {
  using Type = BinlogEventType;
  switch (type) {
    case Type::kUpdateRowsV1:
      return {.kind = RowsKind::kUpdate};
    case Type::kDeleteRowsV1:
      return {.kind = RowsKind::kDelete};
    case Type::kWriteRows:
      return {.kind = RowsKind::kInsert, .is_second = true};
    case Type::kUpdateRows:
      return {.kind = RowsKind::kUpdate, .is_second = true};
    case Type::kDeleteRows:
      return {.kind = RowsKind::kDelete, .is_second = true};
    case Type::kWriteRowsCompressedV1:
      return {.kind = RowsKind::kInsert, .is_compressed = true};
    case Type::kUpdateRowsCompressedV1:
      return {.kind = RowsKind::kUpdate, .is_compressed = true};
    case Type::kDeleteRowsCompressedV1:
      return {.kind = RowsKind::kDelete, .is_compressed = true};
    case Type::kWriteRowsCompressed:
      return {.kind = RowsKind::kInsert, .is_second = true, .is_compressed = true};
    case Type::kUpdateRowsCompressed:
      return {.kind = RowsKind::kUpdate, .is_second = true, .is_compressed = true};
    case Type::kDeleteRowsCompressed:
      return {.kind = RowsKind::kDelete, .is_second = true, .is_compressed = true};
    default:
      return {.kind = RowsKind::kInsert};
  }
}

}  // namespace

Result<BinlogEvent> parse_binlog_event(std::string_view bytes, bool has_checksum) {
  BinlogBytes in(bytes);
  BinlogEvent event;
  event.time_s = static_cast<std::uint32_t>(in.number(4));
  event.type = static_cast<BinlogEventType>(in.number(1));
  event.server = static_cast<std::uint32_t>(in.number(4));
  const std::uint64_t length = in.number(4);
  event.end = static_cast<std::uint32_t>(in.number(4));
  event.is_ignorable = (in.number(2) & kIgnorableFlag) != 0;
  if (!in.is_good() || length != bytes.size()) return damaged_event("header");
  event.body = in.rest();
  if (!has_checksum || event.type == BinlogEventType::kFormat) return event;
  if (event.body.size() < kChecksumSize) return damaged_event("header");
  event.body.remove_suffix(kChecksumSize);
  const std::string_view covered = bytes.substr(0, kHeaderSize + event.body.size());
  const std::string_view told = bytes.substr(covered.size());
  if (BinlogBytes(told).number(kChecksumSize) != crc_of(covered)) {
    return make_error(
        Code::kCorrupt,
        fmt::format("an event of the binary log does not have its checksum, at {}", event.end));
  }
  return event;
}

bool ends_in_checksum(std::string_view bytes) {
  if (bytes.size() < kHeaderSize + kChecksumSize) return false;
  const std::string_view covered = bytes.substr(0, bytes.size() - kChecksumSize);
  return BinlogBytes(bytes.substr(covered.size())).number(kChecksumSize) == crc_of(covered);
}

Result<bool> parse_binlog_format(const BinlogEvent& event) {
  constexpr std::size_t kTailSize = 1 + kChecksumSize;
  if (event.body.size() < kTailSize) return damaged_event("FORMAT_DESCRIPTION");
  const char algorithm = event.body[event.body.size() - kTailSize];
  if (algorithm != 0 && algorithm != 1)
    return make_error(Code::kUnsupported, "the binary log's checksums are of an unknown kind");
  return algorithm == 1;
}

Result<BinlogGtid> parse_binlog_gtid(const BinlogEvent& event) {
  constexpr std::uint64_t kStandalone = 0x01;
  constexpr std::uint64_t kPreparedXa = 0x40;
  BinlogBytes in(event.body);
  BinlogGtid out;
  out.gtid.server = event.server;
  out.gtid.number = in.number(8);
  out.gtid.domain = static_cast<std::uint32_t>(in.number(4));
  const std::uint64_t flags = in.number(1);
  out.is_standalone = (flags & kStandalone) != 0;
  out.is_prepared_xa = (flags & kPreparedXa) != 0;
  if (!in.is_good()) return damaged_event("GTID");
  return out;
}

Result<BinlogQuery> parse_binlog_query(std::string_view body, bool is_compressed) {
  BinlogBytes in(body);
  in.take(8);  // thread, seconds
  const std::uint64_t database_size = in.number(1);
  in.take(2);  // error
  in.take(in.number(2));
  BinlogQuery query;
  query.database = in.take(database_size);
  in.take(1);
  if (!in.is_good()) return damaged_event("QUERY");
  query.statement = is_compressed ? TRY(inflate_log(in.rest())) : std::string(in.rest());
  return query;
}

Result<BinlogRotate> parse_binlog_rotate(std::string_view body) {
  BinlogBytes in(body);
  BinlogRotate out;
  out.position = in.number(8);
  out.file = in.rest();
  if (!in.is_good() || out.file.empty()) return damaged_event("ROTATE");
  return out;
}

Result<std::uint64_t> table_id_of(std::string_view body) {
  BinlogBytes in(body);
  const std::uint64_t id = in.number(kTableIdSize);
  if (!in.is_good()) return damaged_event("TABLE_MAP");
  return id;
}

Result<LogTable> parse_table_map_name(std::string_view body) {
  BinlogBytes in(body);
  LogTable out = take_table_name(in);
  if (!in.is_good()) return damaged_event("TABLE_MAP");
  return out;
}

Result<LogTable> parse_table_map(std::string_view body) {
  BinlogBytes in(body);
  LogTable out = take_table_name(in);
  const std::uint64_t count = in.count();
  for (const char type : in.take(count)) {
    LogColumn column;
    column.type = static_cast<std::uint8_t>(type);
    out.columns.push_back(std::move(column));
  }
  const std::string_view metadata = in.take(in.count());
  in.take((count + 7) / 8);  // which may be null
  if (!in.is_good()) return damaged_event("TABLE_MAP");
  TRY(read_metadata(metadata, out.columns));
  TRY(read_optional(in, out.columns));
  return out;
}

bool is_rows_event(BinlogEventType type) {
  using Type = BinlogEventType;
  return (type >= Type::kWriteRowsV1 && type <= Type::kDeleteRowsV1) ||
         (type >= Type::kWriteRows && type <= Type::kDeleteRows) ||
         (type >= Type::kWriteRowsCompressedV1 && type <= Type::kDeleteRowsCompressed);
}

Result<void> parse_log_rows(const BinlogEvent& event, LogRows& out) {
  const RowsForm form = rows_form_of(event.type);
  BinlogBytes in(event.body);
  out.kind = form.kind;
  out.table = in.number(kTableIdSize);
  in.take(2);  // flags
  if (form.is_second) {
    const std::uint64_t more = in.number(2);  // counts itself
    in.take(std::max<std::uint64_t>(more, 2) - 2);
  }
  out.column_count = static_cast<std::size_t>(in.count());
  out.before = in.take((out.column_count + 7) / 8);
  out.after = form.kind == RowsKind::kUpdate ? in.take((out.column_count + 7) / 8) : out.before;
  if (!in.is_good()) return damaged_event("of rows");
  out.rows = in.rest();
  if (!form.is_compressed) return {};
  out.inflated = TRY(inflate_log(in.rest()));
  out.rows = out.inflated;
  return {};
}

}  // namespace lockstep
