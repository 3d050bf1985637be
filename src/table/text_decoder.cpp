#include "table/decoders.h"
#include "table/row_parser.h"

#include <fmt/format.h>

namespace lockstep {

namespace {

constexpr std::size_t kTextShownBytes = 4096;
// A piece ends early at this much text, so that wide rows do not make it large.
constexpr std::size_t kPieceBytesMax = 32 << 20;

Result<std::unique_ptr<RowParser>> make_parser(const DecodeRequest& request) {
  return request.format.format == Format::kNdjson ? make_ndjson_parser(request)
                                                  : make_csv_parser(request);
}

// The start of a record without its line end, cut between two characters.
std::string shown_text(std::string_view record) {
  while (record.ends_with('\n') || record.ends_with('\r'))
    record.remove_suffix(1);
  std::string_view shown = record.substr(0, kTextShownBytes);
  if (shown.size() < record.size()) {
    shown = shown.substr(0, first_invalid_utf8(shown).value_or(shown.size()));
  }
  return std::string(shown);
}

class TextDecoder final : public Decoder {
 public:
  TextDecoder(std::string path, const DecodeRequest& request, std::unique_ptr<RowParser> parser)
      : path_(std::move(path)), request_(request), parser_(std::move(parser)) {}

  Result<void> open(Io& io) {
    TRY(open_records(io));
    names_ = TRY(parser_->read_names(*records_));
    if (!parser_->has_header()) TRY(open_records(io));
    const bool is_empty = names_.empty() && !parser_->has_header();
    if (!is_empty) TRY(check_wanted(request_, names_));
    parser_->want(request_.schema, names_);
    cells_.resize(static_cast<std::size_t>(request_.schema.size()));
    return records_->skip_to(request_.start_offset);
  }

  const std::vector<std::string>& column_names() const override { return names_; }

  std::uint64_t offset() const override { return records_->offset(); }

  Result<Decoded> next(std::int64_t row_count_max) override {
    Decoded out;
    BatchBuilder builder(request_.schema);
    std::size_t bytes = 0;
    for (std::int64_t i = 0; i < row_count_max && bytes < kPieceBytesMax;) {
      const std::optional<Record> record = TRY_IN(records_->next(), "reading " + path_);
      if (!record) break;
      bytes += record->text.size();
      if (take(*record, builder, out)) ++i;
    }
    for (std::size_t i = 0; i < out.lines.size(); ++i)
      builder.append_sign(1);
    out.rows = TRY_IN(builder.finish(), "reading " + path_);
    return out;
  }

 private:
  Result<void> open_records(Io& io) {
    std::unique_ptr<TextReader> text = TRY(open_text(io, path_, request_));
    records_ = std::make_unique<RecordReader>(std::move(text), parser_->scanner(), request_);
    return {};
  }

  // False: the record was an empty line.
  bool take(const Record& record, BatchBuilder& builder, Decoded& out) {
    std::string reason;
    Parsed parsed = Parsed::kBadRecord;
    if (record.too_long) {
      reason = fmt::format("the record is longer than {} bytes", request_.options.row_bytes_max);
    } else {
      parsed = parser_->parse(record, cells_, reason);
    }
    if (parsed == Parsed::kNothing) return false;
    if (parsed == Parsed::kRow) {
      for (std::size_t i = 0; i < cells_.size(); ++i) {
        append_cell(builder, static_cast<int>(i), cells_[i]);
      }
      out.lines.push_back(record.line);
      return true;
    }
    BadRow& bad =
        out.bad.emplace_back(BadRow{record.line, std::move(reason), shown_text(record.text), {}});
    if (parsed == Parsed::kBadCells) add_good_cells(bad);
    return true;
  }

  void add_good_cells(BadRow& bad) const {
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      const Field& field = request_.schema.fields()[i];
      if (cells_[i].is_good)
        bad.cells.emplace_back(field.name, value_of_cell(cells_[i], field.type));
    }
  }

  std::string path_;
  DecodeRequest request_;
  std::unique_ptr<RowParser> parser_;
  std::unique_ptr<RecordReader> records_;
  std::vector<std::string> names_;
  std::vector<Cell> cells_;  // of the record in hand
};

Result<std::unique_ptr<TextDecoder>> open_one(Io& io,
                                              const std::string& path,
                                              const DecodeRequest& request) {
  auto decoder = std::make_unique<TextDecoder>(path, request, TRY(make_parser(request)));
  TRY_IN(decoder->open(io), "reading " + path);
  return decoder;
}

}  // namespace

Result<std::unique_ptr<Decoder>> open_text_decoder(Io& io,
                                                   const std::string& path,
                                                   const DecodeRequest& request) {
  return std::unique_ptr<Decoder>(TRY(open_one(io, path, request)));
}

Result<std::vector<std::string>> text_column_names(Io& io,
                                                   const std::string& path,
                                                   const DecodeRequest& request) {
  DecodeRequest nothing = request;
  nothing.schema = Schema();
  const auto decoder = TRY(open_one(io, path, nothing));
  return decoder->column_names();
}

}  // namespace lockstep
