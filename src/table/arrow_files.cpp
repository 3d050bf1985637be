#include "table/arrow_files.h"

#include "table/arrow_status.h"

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/result.h>
#include <arrow/status.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

namespace lockstep {

namespace {

class OutputFile final : public arrow::io::OutputStream {
 public:
  explicit OutputFile(std::unique_ptr<File> file) : file_(std::move(file)) {
    buffer_.reserve(kBufferBytes);
  }

  arrow::Status Write(const void* data, std::int64_t count) override {
    const std::span<const std::byte> bytes(static_cast<const std::byte*>(data),
                                           static_cast<std::size_t>(count));
    const std::size_t kept = std::min(bytes.size(), tail_.size());
    std::shift_left(tail_.begin(), tail_.end(), static_cast<std::ptrdiff_t>(kept));
    std::ranges::copy(bytes.last(kept), tail_.end() - static_cast<std::ptrdiff_t>(kept));
    if (buffer_.size() + bytes.size() > kBufferBytes) ARROW_RETURN_NOT_OK(flush());
    if (bytes.size() > kBufferBytes) return write(bytes);
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    return arrow::Status::OK();
  }

  arrow::Status Flush() override { return flush(); }

  arrow::Status Close() override {
    closed_ = true;
    return flush();
  }

  bool closed() const override { return closed_; }

  arrow::Result<std::int64_t> Tell() const override {
    return static_cast<std::int64_t>(size_bytes());
  }

  std::uint64_t size_bytes() const { return written_ + buffer_.size(); }

  const std::array<std::byte, 8>& tail() const { return tail_; }

  File& file() { return *file_; }

 private:
  static constexpr std::size_t kBufferBytes = 256 << 10;

  arrow::Status write(std::span<const std::byte> bytes) {
    const Result<void> result = file_->write_at(written_, bytes);
    if (!result.ok()) return status_of_error(result.error());
    written_ += bytes.size();
    return arrow::Status::OK();
  }

  arrow::Status flush() {
    if (buffer_.empty()) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(write(buffer_));
    buffer_.clear();
    return arrow::Status::OK();
  }

  std::unique_ptr<File> file_;
  std::vector<std::byte> buffer_;
  std::array<std::byte, 8> tail_{};
  std::uint64_t written_ = 0;
  bool closed_ = false;
};

class NewFile final : public ArrowOutput {
 public:
  NewFile(Io& io, std::string path, std::unique_ptr<File> file)
      : io_(io), path_(std::move(path)), stream_(std::make_shared<OutputFile>(std::move(file))) {}

  std::shared_ptr<arrow::io::OutputStream> stream() override { return stream_; }

  std::uint64_t size_bytes() const override { return stream_->size_bytes(); }

  std::array<std::byte, 8> tail() const override { return stream_->tail(); }

  Result<void> sync() override {
    TRY(of_arrow(stream_->Flush(), "writing " + path_));
    TRY(stream_->file().sync());
    return io_.sync_directory(parent_path(path_));
  }

 private:
  Io& io_;
  std::string path_;
  std::shared_ptr<OutputFile> stream_;
};

class InputFile final : public arrow::io::RandomAccessFile {
 public:
  InputFile(std::unique_ptr<File> file, std::int64_t size_bytes)
      : file_(std::move(file)), size_bytes_(size_bytes) {}

  arrow::Result<std::int64_t> GetSize() override { return size_bytes_; }

  arrow::Result<std::int64_t> ReadAt(std::int64_t position,
                                     std::int64_t count,
                                     void* out) override {
    ARROW_ASSIGN_OR_RAISE(const std::int64_t within, count_within(position, count));
    const std::span<std::byte> buffer(static_cast<std::byte*>(out),
                                      static_cast<std::size_t>(within));
    const Result<std::size_t> read = file_->read_at(static_cast<std::uint64_t>(position), buffer);
    if (!read.ok()) return status_of_error(read.error());
    return static_cast<std::int64_t>(read.value());
  }

  // A corrupt length must not allocate more than the file has.
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(std::int64_t position,
                                                       std::int64_t count) override {
    ARROW_ASSIGN_OR_RAISE(const std::int64_t within, count_within(position, count));
    ARROW_ASSIGN_OR_RAISE(auto buffer, arrow::AllocateResizableBuffer(within));
    ARROW_ASSIGN_OR_RAISE(const std::int64_t read,
                          ReadAt(position, within, buffer->mutable_data()));
    ARROW_RETURN_NOT_OK(buffer->Resize(read));
    return std::shared_ptr<arrow::Buffer>(std::move(buffer));
  }

  arrow::Result<std::int64_t> Read(std::int64_t count, void* out) override {
    ARROW_ASSIGN_OR_RAISE(const std::int64_t read, ReadAt(position_, count, out));
    position_ += read;
    return read;
  }

  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(std::int64_t count) override {
    ARROW_ASSIGN_OR_RAISE(auto buffer, ReadAt(position_, count));
    position_ += buffer->size();
    return buffer;
  }

  arrow::Status Seek(std::int64_t position) override {
    if (position < 0) return arrow::Status::Invalid("a seek to before the file");
    position_ = position;
    return arrow::Status::OK();
  }

  arrow::Result<std::int64_t> Tell() const override { return position_; }

  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }

  bool closed() const override { return closed_; }

 private:
  arrow::Result<std::int64_t> count_within(std::int64_t position, std::int64_t count) const {
    if (position < 0 || count < 0) return arrow::Status::Invalid("a read from outside the file");
    return std::clamp<std::int64_t>(size_bytes_ - position, 0, count);
  }

  std::unique_ptr<File> file_;
  std::int64_t size_bytes_;
  std::int64_t position_ = 0;
  bool closed_ = false;
};

}  // namespace

Result<std::unique_ptr<ArrowOutput>> create_arrow_output(Io& io, const std::string& path) {
  std::unique_ptr<File> file = TRY(io.open(path, OpenMode::kCreateNew));
  return std::unique_ptr<ArrowOutput>(std::make_unique<NewFile>(io, path, std::move(file)));
}

Result<std::shared_ptr<arrow::io::RandomAccessFile>> open_arrow_input(Io& io,
                                                                      const std::string& path) {
  std::unique_ptr<File> file = TRY(io.open(path, OpenMode::kRead));
  const std::uint64_t size_bytes = TRY(file->size_bytes());
  return std::shared_ptr<arrow::io::RandomAccessFile>(
      std::make_shared<InputFile>(std::move(file), static_cast<std::int64_t>(size_bytes)));
}

}  // namespace lockstep
