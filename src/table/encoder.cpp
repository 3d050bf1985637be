// Rows as text: CSV, TSV and NDJSON that our own decoders read back to the same rows.
#include "table/byte_sink.h"
#include "table/codec.h"
#include "table/parquet.h"
#include "table/scalar_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <utility>

namespace lockstep {

namespace {

using Sink = std::function<Result<void>(std::string_view)>;

// Quoted: what holds a delimiter, a quote or a line end, and the empty text, since an empty field
// is null.
void append_csv_text(std::string_view text, char delimiter, std::string& out) {
  const char special[] = {delimiter, '"', '\n', '\r'};
  const bool plain = text.find_first_of(std::string_view(special, 4)) == std::string_view::npos;
  if (plain && !text.empty() && !text.starts_with("\xEF\xBB\xBF")) {
    out += text;
    return;
  }
  out.push_back('"');
  for (const char c : text) {
    if (c == '"') out.push_back('"');
    out.push_back(c);
  }
  out.push_back('"');
}

void append_json_text(std::string_view text, std::string& out) {
  using Json = nlohmann::json;
  out += Json(std::string(text)).dump(-1, ' ', false, Json::error_handler_t::replace);
}

void append_json_value(const Batch& batch, int column, std::int64_t row, std::string& out) {
  if (batch.is_null(column, row)) {
    out += "null";
    return;
  }
  const Type type = batch.schema().field(column).type;
  if (type == Type::kText) return append_json_text(batch.text_at(column, row), out);
  const std::string text = value_text(batch.value(column, row));
  const bool is_number =
      type == Type::kFloat ? std::isfinite(batch.float_at(column, row)) : type == Type::kInt;
  if (is_number || type == Type::kBool) {
    // JSON readers take -0 as the int 0.
    out += text == "-0" ? "-0.0" : text;
  } else {
    append_json_text(text, out);
  }
}

class TextEncoder final : public Encoder {
 public:
  TextEncoder(Sink sink, Format format, Schema schema)
      : sink_(std::move(sink)), format_(format), schema_(std::move(schema)) {
    for (const Field& field : schema_.fields()) {
      std::string& name = json_names_.emplace_back();
      append_json_text(field.name, name);
    }
  }

  Result<void> write(const Batch& batch) override {
    LOCKSTEP_ASSERT(batch.schema() == schema_, "a batch of another schema than its file's");
    if (!std::exchange(started_, true)) append_header();
    for (std::int64_t row = 0; row < batch.row_count(); ++row) {
      format_ == Format::kNdjson ? append_json(batch, row) : append_csv(batch, row);
      if (text_.size() >= kFlushBytes) TRY(flush());
    }
    return {};
  }

  Result<void> finish() override {
    if (!std::exchange(started_, true)) append_header();
    return flush();
  }

 private:
  static constexpr std::size_t kFlushBytes = 128 << 10;

  char delimiter() const { return format_ == Format::kTsv ? '\t' : ','; }

  Result<void> flush() {
    if (text_.empty()) return {};
    TRY(sink_(text_));
    text_.clear();
    return {};
  }

  void append_header() {
    if (format_ == Format::kNdjson) return;
    for (int i = 0; i < schema_.size(); ++i) {
      if (i > 0) text_.push_back(delimiter());
      append_csv_text(schema_.field(i).name, delimiter(), text_);
    }
    text_.push_back('\n');
  }

  void append_csv(const Batch& batch, std::int64_t row) {
    for (int i = 0; i < schema_.size(); ++i) {
      if (i > 0) text_.push_back(delimiter());
      if (batch.is_null(i, row)) continue;
      if (schema_.field(i).type == Type::kText) {
        append_csv_text(batch.text_at(i, row), delimiter(), text_);
      } else {
        text_ += value_text(batch.value(i, row));
      }
    }
    text_.push_back('\n');
  }

  void append_json(const Batch& batch, std::int64_t row) {
    text_.push_back('{');
    for (int i = 0; i < schema_.size(); ++i) {
      if (i > 0) text_.push_back(',');
      text_ += json_names_[static_cast<std::size_t>(i)];
      text_.push_back(':');
      append_json_value(batch, i, row, text_);
    }
    text_ += "}\n";
  }

  Sink sink_;
  Format format_;
  Schema schema_;
  std::vector<std::string> json_names_;
  std::string text_;
  bool started_ = false;
};

// A text encoder into a file of its own.
class FileEncoder final : public Encoder {
 public:
  FileEncoder(std::unique_ptr<ByteSink> sink, Format format, Schema schema)
      : sink_(std::move(sink)),
        text_([this](std::string_view bytes) { return sink_->write(bytes); },
              format,
              std::move(schema)) {}

  Result<void> write(const Batch& batch) override { return text_.write(batch); }

  Result<void> finish() override {
    TRY(text_.finish());
    return sink_->finish();
  }

 private:
  std::unique_ptr<ByteSink> sink_;
  TextEncoder text_;
};

class ParquetEncoder final : public Encoder {
 public:
  explicit ParquetEncoder(std::unique_ptr<ParquetWriter> writer) : writer_(std::move(writer)) {}

  Result<void> write(const Batch& batch) override { return writer_->write(batch); }

  Result<void> finish() override {
    TRY(writer_->finish());
    return {};
  }

 private:
  std::unique_ptr<ParquetWriter> writer_;
};

}  // namespace

Result<std::unique_ptr<Encoder>> open_encoder(Io& io,
                                              const std::string& path,
                                              FileFormat format,
                                              Schema schema) {
  if (format.format != Format::kParquet) {
    auto sink = TRY(create_bytes(io, path, format.compression));
    return std::unique_ptr<Encoder>(
        std::make_unique<FileEncoder>(std::move(sink), format.format, std::move(schema)));
  }
  if (schema.size() == 0) return invalid(path + ": a Parquet file needs columns");
  std::vector<ParquetColumn> columns;
  for (const Field& field : schema.fields()) {
    columns.push_back({field, static_cast<int>(columns.size()) + 1});
  }
  auto writer = TRY(open_parquet_writer(io, path, std::move(columns)));
  return std::unique_ptr<Encoder>(std::make_unique<ParquetEncoder>(std::move(writer)));
}

Result<std::unique_ptr<Encoder>> open_text_encoder(
    std::function<Result<void>(std::string_view)> sink, Format format, Schema schema) {
  LOCKSTEP_ASSERT(format != Format::kParquet, "Parquet is not written to a stream of text");
  return std::unique_ptr<Encoder>(
      std::make_unique<TextEncoder>(std::move(sink), format, std::move(schema)));
}

}  // namespace lockstep
