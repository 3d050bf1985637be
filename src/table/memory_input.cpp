#include "table/memory_input.h"

#include "table/decoders.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace lockstep {
namespace {

Error not_in_memory(std::string_view path) {
  return make_error(Code::kUnsupported, fmt::format("{} is bytes in memory, to be read", path));
}

class MemoryFile final : public File {
 public:
  explicit MemoryFile(std::string_view bytes) : bytes_(bytes) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> buffer) const override {
    if (offset >= bytes_.size()) return std::size_t{0};
    const std::string_view rest = bytes_.substr(static_cast<std::size_t>(offset));
    const std::size_t count = std::min(rest.size(), buffer.size());
    std::memcpy(buffer.data(), rest.data(), count);
    return count;
  }

  Result<std::uint64_t> size_bytes() const override { return std::uint64_t{bytes_.size()}; }

  Result<void> write_at(std::uint64_t, std::span<const std::byte>) override {
    return not_in_memory("what is written to");
  }

  Result<void> truncate(std::uint64_t) override { return not_in_memory("what is cut"); }

  Result<void> sync() override { return not_in_memory("what is synced"); }

 private:
  std::string_view bytes_;
};

// Every path is the same bytes, and nothing else is there.
class MemoryIo final : public Io {
 public:
  explicit MemoryIo(std::string_view bytes) : bytes_(bytes) {}

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    if (mode != OpenMode::kRead) return not_in_memory(path);
    return std::unique_ptr<File>(std::make_unique<MemoryFile>(bytes_));
  }

  Result<FileInfo> info(const std::string& path) override {
    return FileInfo{path, bytes_.size(), 0, false};
  }

  Result<std::vector<FileInfo>> list(const std::string& path) override {
    return not_in_memory(path);
  }

  Result<void> make_directories(const std::string& path) override { return not_in_memory(path); }

  Result<void> rename(const std::string& from, const std::string&) override {
    return not_in_memory(from);
  }

  Result<void> remove(const std::string& path) override { return not_in_memory(path); }

  Result<void> sync_directory(const std::string& path) override { return not_in_memory(path); }

  Result<std::string> absolute(const std::string& path) override { return path; }

  Result<std::uint64_t> free_bytes(const std::string& path) override { return not_in_memory(path); }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    return not_in_memory(path);
  }

  std::int64_t now_us() override { return 0; }

  std::int64_t monotonic_us() override { return 0; }

  void sleep_us(std::int64_t) override {}

  void random_bytes(std::span<std::byte> bytes) override { std::ranges::fill(bytes, std::byte{0}); }

  std::optional<std::string> environment(const std::string&) override { return std::nullopt; }

  std::int64_t process_id() override { return 0; }

  Result<std::unique_ptr<Listener>> listen_local(const std::string& path) override {
    return not_in_memory(path);
  }

  Result<std::unique_ptr<Connection>> connect_local(const std::string& path) override {
    return not_in_memory(path);
  }

  Result<std::unique_ptr<DirectoryWatch>> watch(const std::vector<std::string>&) override {
    return not_in_memory("what is watched");
  }

  void observe(IoObserver) override {}

  Result<void> before(IoOperation, std::string_view) override { return {}; }

 private:
  std::string_view bytes_;
};

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Cuts a list into its elements. What is inside of one is the business of whoever reads its line.
class JsonCutter final {
 public:
  explicit JsonCutter(std::string_view text) : text_(text) {}

  Result<std::string> cut() {
    skip_space();
    if (peek() == '{') {
      TRY(take_element());
      return finish();
    }
    if (peek() != '[')
      return invalid("the body is neither a JSON object nor a list of them", "send [{...}, {...}]");
    ++at_;
    skip_space();
    if (peek() == ']') {
      ++at_;
      return finish();
    }
    while (true) {
      TRY(take_element());
      skip_space();
      const char next = peek();
      ++at_;
      if (next == ']') return finish();
      if (next != ',') return unexpected(at_ - 1);
      skip_space();
    }
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_]))
      ++at_;
  }

  Error unexpected(std::size_t at) const {
    if (at >= text_.size()) return invalid("the body is not JSON: it ends too early");
    return invalid(fmt::format("the body is not JSON: character {} is unexpected", at + 1));
  }

  Result<std::string> finish() {
    skip_space();
    if (at_ < text_.size()) return unexpected(at_);
    return std::move(out_);
  }

  // In a text a line end stays what JSON does not allow, outside of one it is a space.
  void copy(char c, bool in_text) {
    const bool ends_line = c == '\n' || c == '\r';
    out_ += ends_line ? (in_text ? '\x01' : ' ') : c;
  }

  Result<void> take_element() {
    const std::size_t start = at_;
    int depth = 0;
    bool in_text = false;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      const bool is_end = !in_text && depth == 0 && (c == ',' || c == ']' || c == '}');
      if (is_end) break;
      copy(c, in_text);
      if (in_text && c == '\\' && at_ + 1 < text_.size()) {
        copy(text_[++at_], true);
      } else if (c == '"') {
        in_text = !in_text;
      } else if (!in_text && (c == '{' || c == '[')) {
        ++depth;
      } else if (!in_text && (c == '}' || c == ']') && --depth == 0) {
        ++at_;
        break;
      }
    }
    if (depth != 0 || in_text) return unexpected(text_.size());
    if (at_ == start) return unexpected(at_);
    out_ += '\n';
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

Result<std::unique_ptr<Decoder>> open_decoder_of_bytes(std::string_view bytes,
                                                       const std::string& name,
                                                       const DecodeRequest& request) {
  MemoryIo io(bytes);
  return open_decoder(io, name, request);
}

Result<std::string> lines_of_json(std::string_view text) {
  return JsonCutter(text).cut();
}

}  // namespace lockstep
