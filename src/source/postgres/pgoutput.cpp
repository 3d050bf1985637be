#include "source/postgres/pgoutput.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

constexpr std::int64_t kPostgresEpochUs = 946'684'800'000'000;  // 2000-01-01 since 1970

Error cut_short() {
  return make_error(Code::kCorrupt, "a message of the replication stream is cut short");
}

// Reads from the front of a text. After the first failure everything is zero and empty.
class Bytes final {
 public:
  explicit Bytes(std::string_view bytes) : rest_(bytes) {}

  bool failed() const { return failed_; }

  bool at_end() const { return rest_.empty(); }

  std::uint64_t integer(std::size_t size) {
    std::uint64_t value = 0;
    for (const char byte : take(size))
      value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }

  std::uint8_t u8() { return static_cast<std::uint8_t>(integer(1)); }

  std::uint16_t u16() { return static_cast<std::uint16_t>(integer(2)); }

  std::uint32_t u32() { return static_cast<std::uint32_t>(integer(4)); }

  std::uint64_t u64() { return integer(8); }

  char letter() { return static_cast<char>(u8()); }

  std::int64_t time_us() { return static_cast<std::int64_t>(u64()) + kPostgresEpochUs; }

  std::string_view text() {
    const std::size_t end = rest_.find('\0');
    if (end == std::string_view::npos) {
      fail();
      return {};
    }
    const std::string_view text = take(end);
    take(1);
    return text;
  }

  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view front = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return front;
  }

  void fail() {
    failed_ = true;
    rest_ = {};
  }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

void append_integer(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift & 0xFF);
}

void read_tuple(Bytes& bytes, std::vector<TupleCell>& cells) {
  const std::size_t count = bytes.u16();
  for (std::size_t index = 0; index < count && !bytes.failed(); ++index) {
    TupleCell cell;
    cell.kind = bytes.letter();
    if (cell.kind == 't') {
      cell.text = bytes.take(bytes.u32());
    } else if (cell.kind != 'n' && cell.kind != 'u') {
      bytes.fail();
    }
    cells.push_back(cell);
  }
}

void read_relation(Bytes& bytes, Relation& relation) {
  relation.id = bytes.u32();
  relation.schema = bytes.text();
  relation.table = bytes.text();
  relation.identity = bytes.letter();
  const std::size_t count = bytes.u16();
  for (std::size_t index = 0; index < count && !bytes.failed(); ++index) {
    RelationColumn column;
    column.in_identity = (bytes.u8() & 1U) != 0;
    column.name = bytes.text();
    column.type = bytes.u32();
    column.modifier = static_cast<std::int32_t>(bytes.u32());
    relation.columns.push_back(std::move(column));
  }
}

void read_row(Bytes& bytes, PgoutputMessage& out) {
  out.relation_id = bytes.u32();
  char letter = bytes.letter();
  if (out.kind != 'I' && (letter == 'K' || letter == 'O')) {
    out.old_kind = letter;
    read_tuple(bytes, out.old_cells);
    if (out.kind == 'D') return;
    letter = bytes.letter();
  }
  if (letter != 'N' || out.kind == 'D') return bytes.fail();
  read_tuple(bytes, out.new_cells);
}

void read_truncate(Bytes& bytes, PgoutputMessage& out) {
  const std::size_t count = bytes.u32();
  bytes.u8();
  for (std::size_t index = 0; index < count && !bytes.failed(); ++index)
    out.truncated.push_back(bytes.u32());
}

}  // namespace

Result<StreamFrame> parse_frame(std::string_view bytes) {
  Bytes in(bytes);
  StreamFrame frame;
  frame.kind = in.letter();
  if (frame.kind == 'w') {
    in.u64();
    frame.log_end = in.u64();
    frame.time_us = in.time_us();
    if (in.failed()) return cut_short();
    constexpr std::size_t kHead = 25;
    frame.message = bytes.substr(kHead);
    return frame;
  }
  if (frame.kind != 'k') {
    return make_error(
        Code::kCorrupt,
        fmt::format("the replication stream has a frame of kind {}", static_cast<int>(frame.kind)));
  }
  frame.log_end = in.u64();
  frame.time_us = in.time_us();
  frame.wants_reply = in.u8() != 0;
  if (in.failed()) return cut_short();
  return frame;
}

std::string status_bytes(const StandbyStatus& status) {
  std::string out = "r";
  for (int copy = 0; copy < 3; ++copy)  // written, flushed, applied
    append_integer(out, status.flushed);
  append_integer(out, static_cast<std::uint64_t>(status.now_us - kPostgresEpochUs));
  out += status.asks_reply ? '\1' : '\0';
  return out;
}

Result<void> parse_pgoutput(std::string_view bytes, PgoutputMessage& out) {
  Bytes in(bytes);
  out.old_cells.clear();
  out.new_cells.clear();
  out.truncated.clear();
  out.old_kind = 0;
  out.kind = in.letter();
  switch (out.kind) {
    case 'B':
      out.commit = in.u64();
      out.commit_time_us = in.time_us();
      in.u32();
      break;
    case 'C':
      in.u8();
      out.commit = in.u64();
      out.end = in.u64();
      out.commit_time_us = in.time_us();
      break;
    case 'R':
      out.relation = {};
      read_relation(in, out.relation);
      break;
    case 'I':
    case 'U':
    case 'D':
      read_row(in, out);
      break;
    case 'T':
      read_truncate(in, out);
      break;
    case 'Y':
    case 'O':
    case 'M':
      return {};
    default:
      return make_error(Code::kCorrupt,
                        fmt::format("the replication stream has a message of kind {}",
                                    static_cast<int>(out.kind)));
  }
  if (in.failed()) return cut_short();
  if (!in.at_end())
    return make_error(Code::kCorrupt, "a message of the replication stream is too long");
  return {};
}

}  // namespace lockstep
