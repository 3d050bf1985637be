// A disk in memory with files on it, and sources that read them.
#pragma once

#include "source/source.h"
#include "table/codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep::test {

inline const Schema kSchema({{"patient", Type::kInt}, {"sbp", Type::kFloat}});

// What was given, one line a row or refusal: "I vitals.csv line 2: 17,121.5".
using Story = std::vector<std::string>;

inline Story story_of(const SourceBatch& batch) {
  Story story;
  if (batch.replaces_origin) {
    story.push_back((batch.origin_removed ? "removed " : "replaced ") + batch.origin);
  }
  for (std::int64_t row = 0; row < batch.rows.row_count(); ++row) {
    const auto index = static_cast<std::size_t>(row);
    std::string line(1, "IUD"[static_cast<int>(batch.operations[index])]);
    line += " " + batch.origin + " " + batch.positions[index] + ":";
    for (int column = 0; column < batch.rows.schema().size(); ++column) {
      line += (column == 0 ? " " : ",") + value_text(batch.rows.value(column, row));
    }
    story.push_back(line);
  }
  for (const Refusal& refusal : batch.refusals) {
    story.push_back("refused " + refusal.origin + " " + refusal.position + " at " + refusal.stage);
  }
  return story;
}

class World final {
 public:
  World() : io_(make_simulated_io(7)) { EXPECT_TRUE(io_->make_directories("/data/in").ok()); }

  Io& io() { return *io_; }

  // The whole content of a file below /data, a second after the last.
  void put(const std::string& name, std::string_view bytes) {
    io_->sleep_us(1'000'000);
    const std::string path = "/data/" + name;
    ASSERT_TRUE(io_->make_directories(parent_path(path)).ok());
    auto file = io_->open(path, OpenMode::kReadWrite);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file.value()->truncate(0).ok());
    ASSERT_TRUE(file.value()->write_at(0, std::as_bytes(std::span(bytes))).ok());
  }

  void put_rows(const std::string& name, const Batch& rows) {
    io_->sleep_us(1'000'000);
    const std::string path = "/data/" + name;
    if (io_->info(path).ok()) {
      ASSERT_TRUE(io_->remove(path).ok());
    }
    const FileFormat format = format_of_path(name).value();
    auto encoder = open_encoder(*io_, path, format, rows.schema());
    ASSERT_TRUE(encoder.ok()) << encoder.error().message;
    ASSERT_TRUE(encoder.value()->write(rows).ok());
    const auto finished = encoder.value()->finish();
    ASSERT_TRUE(finished.ok()) << finished.error().message;
  }

  void remove(const std::string& name) { ASSERT_TRUE(io_->remove("/data/" + name).ok()); }

  static SourceRequest request(std::string_view settings, Schema schema = kSchema) {
    Result<Node> parsed = parse_yaml(settings, "lockstep.yaml");
    EXPECT_TRUE(parsed.ok()) << settings;
    Node node = std::move(parsed).value();
    return {.name = "drop",
            .settings = std::move(node),
            .directory = "/data",
            .targets = {{.table = {}, .schema = std::move(schema), .key = {"patient"}}}};
  }

  std::unique_ptr<Source> open(const SourceRequest& request, const Position& position = {}) {
    auto source = make_source(*io_, request);
    EXPECT_TRUE(source.ok()) << (source.ok() ? "" : source.error().message);
    if (!source.ok()) return nullptr;
    const auto opened = source.value()->open(position);
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().message);
    return std::move(source).value();
  }

 private:
  std::unique_ptr<SimulatedIo> io_;
};

// What a source gives until it has nothing more, and where it stands then.
struct Told {
  Story story;
  std::vector<Position> positions;   // after each batch
  std::vector<std::size_t> lengths;  // of the story, after each batch
  std::optional<Error> error;
};

// `position`: where the source stood before.
inline Told tell(Source& source, std::int64_t row_count_max = 10'000, Position position = {}) {
  Told told;
  for (int batch_count = 0; batch_count < 100'000; ++batch_count) {
    auto batch = source.next({.row_count_max = row_count_max});
    if (!batch.ok()) {
      told.error = batch.error();
      return told;
    }
    if (!batch.value()) return told;
    const bool is_bounded =
        batch.value()->replaces_origin || batch.value()->rows.row_count() <= row_count_max;
    EXPECT_TRUE(is_bounded) << "source-3";
    for (std::string& line : story_of(*batch.value()))
      told.story.push_back(std::move(line));
    move_position(position, batch.value()->position_changes);
    told.positions.push_back(position);
    told.lengths.push_back(told.story.size());
  }
  ADD_FAILURE() << "the source never ends";
  return told;
}

}  // namespace lockstep::test
