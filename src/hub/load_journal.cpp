#include "hub/load_journal.h"

#include "base/hash.h"
#include "table/batch.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>

namespace lockstep {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kJournalBytesMax = std::uint64_t{4} << 30;
constexpr int kJournalVersion = 1;
constexpr const char* kJournalName = "_load.journal";
// A load's name is that of a source, and a hash.
constexpr std::size_t kHeaderBytesMax = 64U << 10U;

// Values keep their types in the bytes of a key; JSON has no room for bytes, so these go as digits.
std::string hex_of_value(const Value& value) {
  std::string text;
  for (const char byte : encode_key(std::span(&value, 1)))
    text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

Result<Value> value_of_hex(std::string_view text) {
  std::string bytes;
  for (std::size_t at = 0; at + 1 < text.size(); at += 2) {
    unsigned byte = 0;
    const char* end = text.data() + at + 2;
    if (std::from_chars(text.data() + at, end, byte, 16).ptr != end)
      return make_error(Code::kCorrupt, "the journal of a load holds a value that is none");
    bytes.push_back(static_cast<char>(static_cast<unsigned char>(byte)));
  }
  std::vector<Value> values = TRY(decode_key(bytes));
  if (values.size() == 1) return std::move(values.front());
  return make_error(Code::kCorrupt, "the journal of a load holds a value that is none");
}

Json json_of_file(const WrittenFile& file) {
  Json columns = Json::array();
  for (const ParquetColumnStatistics& column : file.info.columns) {
    columns.push_back({column.null_count,
                       column.has_nan,
                       hex_of_value(column.min),
                       hex_of_value(column.max),
                       column.size_bytes});
  }
  Json partition = Json::array();
  for (const auto& value : file.file.partition)
    partition.push_back(value ? Json(*value) : Json());
  return {{"id", file.file.id},
          {"name", file.name},
          {"rows", file.file.row_count},
          {"row_id_start", file.file.row_id_start},
          {"size", file.info.size_bytes},
          {"footer", file.info.footer_bytes},
          {"columns", std::move(columns)},
          {"partition", std::move(partition)}};
}

Result<WrittenFile> file_of_json(const Json& json) {
  WrittenFile file;
  file.file.id = json.at("id").get<std::int64_t>();
  file.name = json.at("name").get<std::string>();
  file.file.row_count = json.at("rows").get<std::int64_t>();
  file.file.row_id_start = json.at("row_id_start").get<std::int64_t>();
  file.info.row_count = file.file.row_count;
  file.info.size_bytes = json.at("size").get<std::uint64_t>();
  file.info.footer_bytes = json.at("footer").get<std::uint64_t>();
  for (const Json& column : json.at("columns")) {
    file.info.columns.push_back({.null_count = column.at(0).get<std::int64_t>(),
                                 .has_nan = column.at(1).get<bool>(),
                                 .min = TRY(value_of_hex(column.at(2).get<std::string>())),
                                 .max = TRY(value_of_hex(column.at(3).get<std::string>())),
                                 .size_bytes = column.at(4).get<std::int64_t>()});
  }
  for (const Json& value : json.at("partition")) {
    file.file.partition.push_back(value.is_null() ? std::optional<std::string>()
                                                  : value.get<std::string>());
  }
  return file;
}

Json json_of_stage(const LoadStage& stage) {
  Json parts = Json::array();
  for (const LoadPart& part : stage.parts) {
    Json leaving = Json::array();
    for (const RowPlace& place : part.leaving)
      leaving.push_back({place.row_id, place.file_id, place.position});
    Json one = {{"table", part.table_id},
                {"leaving", std::move(leaving)},
                {"next_row_id", part.next_row_id},
                {"counts", {part.inserted, part.updated, part.removed}}};
    one["files"] = Json::array();
    for (const WrittenFile& file : part.files)
      one["files"].push_back(json_of_file(file));
    parts.push_back(std::move(one));
  }
  return {{"note", stage.note}, {"parts", std::move(parts)}};
}

Result<LoadStage> stage_of_json(const Json& json) {
  LoadStage stage;
  stage.note = json.at("note").get<std::string>();
  for (const Json& one : json.at("parts")) {
    LoadPart part;
    part.table_id = one.at("table").get<std::int64_t>();
    for (const Json& place : one.at("leaving")) {
      part.leaving.push_back({.row_id = place.at(0).get<std::int64_t>(),
                              .file_id = place.at(1).get<std::int64_t>(),
                              .position = place.at(2).get<std::int64_t>()});
    }
    part.next_row_id = one.at("next_row_id").get<std::int64_t>();
    part.inserted = one.at("counts").at(0).get<std::int64_t>();
    part.updated = one.at("counts").at(1).get<std::int64_t>();
    part.removed = one.at("counts").at(2).get<std::int64_t>();
    for (const Json& file : one.at("files"))
      part.files.push_back(TRY(file_of_json(file)));
    stage.parts.push_back(std::move(part));
  }
  return stage;
}

std::string line_of(const Json& json) {
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return fmt::format("{:016x} {}\n", hash64(text), text);
}

// nullopt: the line is not as it was written.
std::optional<Json> parsed(std::string_view line) {
  constexpr std::size_t kHashDigits = 16;
  if (line.size() <= kHashDigits + 1) return std::nullopt;
  const std::string_view text = line.substr(kHashDigits + 1);
  if (line.substr(0, kHashDigits) != fmt::format("{:016x}", hash64(text))) return std::nullopt;
  return Json::parse(text, nullptr, false);
}

}  // namespace

std::string load_journal_path(const std::string& data_path) {
  return data_path + kJournalName;
}

std::string load_prefix(const std::string& id) {
  return fmt::format("lockstep-{}-", id);
}

Result<std::string> left_load_prefix(Io& io, const std::string& data_path) {
  auto opened = io.open(load_journal_path(data_path), OpenMode::kRead);
  if (!opened.ok() && opened.error().code == Code::kNotFound) return std::string();
  const std::unique_ptr<File> file = TRY(std::move(opened));
  std::string text(kHeaderBytesMax, '\0');
  text.resize(TRY(file->read_at(0, std::as_writable_bytes(std::span(text)))));
  const std::optional<Json> header = parsed(std::string_view(text).substr(0, text.find('\n')));
  if (!header || header->value("load", 0) != kJournalVersion) return std::string();
  return load_prefix(header->at("id").get<std::string>());
}

bool is_of_load(std::string_view prefix, std::string_view name) {
  return !prefix.empty() && (name == kJournalName || name.starts_with(prefix));
}

Result<std::unique_ptr<LoadJournal>> LoadJournal::create(Io& io,
                                                         const std::string& path,
                                                         const LoadJournalContent& content) {
  const Json header = {{"load", kJournalVersion},
                       {"id", content.id},
                       {"name", content.name},
                       {"snapshot", content.snapshot}};
  const std::string line = line_of(header);
  TRY(write_file_atomically(io, path, line));
  std::unique_ptr<File> file = TRY(io.open(path, OpenMode::kReadWrite));
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): the constructor is private
  return std::unique_ptr<LoadJournal>(new LoadJournal(std::move(file), line.size()));
}

Result<std::unique_ptr<LoadJournal>> LoadJournal::reopen(Io& io,
                                                         const std::string& path,
                                                         const LoadJournalContent& content) {
  std::unique_ptr<File> file = TRY(io.open(path, OpenMode::kReadWrite));
  TRY(file->truncate(content.size_bytes));
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): the constructor is private
  return std::unique_ptr<LoadJournal>(new LoadJournal(std::move(file), content.size_bytes));
}

Result<void> LoadJournal::append(const LoadStage& stage) {
  const std::string line = line_of(json_of_stage(stage));
  TRY(file_->write_at(size_bytes_, std::as_bytes(std::span(line))));
  TRY(file_->sync());
  size_bytes_ += line.size();
  return {};
}

Result<std::optional<LoadJournalContent>> read_load_journal(Io& io, const std::string& path) {
  auto text = read_file(io, path, kJournalBytesMax);
  if (!text.ok() && text.error().code == Code::kNotFound)
    return std::optional<LoadJournalContent>();
  if (!text.ok()) return std::move(text).error();
  std::string_view rest = text.value();
  LoadJournalContent content;
  for (bool is_header = true;; is_header = false) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) break;
    const std::optional<Json> json = parsed(rest.substr(0, end));
    // Behind a line that was torn nothing was acknowledged.
    if (!json) break;
    if (is_header && json->value("load", 0) != kJournalVersion) break;
    if (is_header) {
      content.id = json->at("id").get<std::string>();
      content.name = json->at("name").get<std::string>();
      content.snapshot = json->at("snapshot").get<std::int64_t>();
    } else {
      content.stages.push_back(TRY(stage_of_json(*json)));
    }
    rest.remove_prefix(end + 1);
    content.size_bytes += end + 1;
  }
  if (content.id.empty()) return std::optional<LoadJournalContent>();
  return std::optional<LoadJournalContent>(std::move(content));
}

}  // namespace lockstep
