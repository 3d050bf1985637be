// The convenience functions over any Io, and paths as text.
#include "base/io.h"

#include <fmt/format.h>

#include <array>

namespace lockstep {

const char* io_operation_name(IoOperation operation) {
  switch (operation) {
    case IoOperation::kOpen:
      return "open";
    case IoOperation::kRead:
      return "read";
    case IoOperation::kWrite:
      return "write";
    case IoOperation::kSync:
      return "sync";
    case IoOperation::kTruncate:
      return "truncate";
    case IoOperation::kRename:
      return "rename";
    case IoOperation::kRemove:
      return "remove";
    case IoOperation::kMakeDirectory:
      return "make_directory";
    case IoOperation::kList:
      return "list";
    case IoOperation::kLock:
      return "lock";
  }
  LOCKSTEP_ASSERT(false, "an operation has no name");
  return "";
}

Result<std::string> read_file(Io& io, const std::string& path, std::uint64_t size_limit_bytes) {
  const std::unique_ptr<File> file = TRY(io.open(path, OpenMode::kRead));
  const std::uint64_t size = TRY(file->size_bytes());
  if (size > size_limit_bytes) {
    return invalid(fmt::format("{} has {} bytes, more than the {} that are read at once",
                               path,
                               size,
                               size_limit_bytes),
                   "see whether it is the file that was meant");
  }
  std::string text(size, '\0');
  const std::size_t count = TRY(file->read_at(0, std::as_writable_bytes(std::span(text))));
  text.resize(count);
  return text;
}

Result<void> write_file_atomically(Io& io, const std::string& path, std::string_view bytes) {
  const std::string beside = path + "." + random_uuid(io) + ".tmp";
  const auto write = [&]() -> Result<void> {
    const std::unique_ptr<File> file = TRY(io.open(beside, OpenMode::kCreateNew));
    TRY(file->write_at(0, std::as_bytes(std::span(bytes))));
    return file->sync();
  };
  Result<void> written = write();
  if (written.ok()) written = io.rename(beside, path);
  if (written.ok()) return {};
  // The first error is the one that counts; what is left beside has a name nobody reads.
  static_cast<void>(io.remove(beside));
  return std::move(written).error();
}

std::string random_uuid(Io& io) {
  std::array<std::byte, 16> bytes;
  io.random_bytes(bytes);
  bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x40};  // version 4, RFC 9562
  bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};  // variant 1
  std::string text;
  for (std::size_t index = 0; index < bytes.size(); ++index) {
    if (index == 4 || index == 6 || index == 8 || index == 10) text += '-';
    text += fmt::format("{:02x}", std::to_integer<unsigned>(bytes[index]));
  }
  return text;
}

std::string join_path(std::string_view directory, std::string_view name) {
  if (directory.empty() || name.starts_with('/')) return std::string(name);
  if (name.empty()) return std::string(directory);
  std::string path(directory);
  if (path.back() != '/') path += '/';
  return path.append(name);
}

std::string parent_path(std::string_view path) {
  while (path.size() > 1 && path.back() == '/')
    path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

std::string file_name(std::string_view path) {
  while (path.size() > 1 && path.back() == '/')
    path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

}  // namespace lockstep
