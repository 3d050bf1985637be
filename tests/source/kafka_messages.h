// Messages, and what becomes of them, one line each.
#pragma once

#include "source/kafka_scripted.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::test {

struct MessageCase {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::string wanted;  // of the story without places: "U 1,0.5"; or a refusal's stage and reason
  bool changes_key = false;
};

struct MessageReader {
  std::string more = {};  // of the settings: ", format: debezium"
  Schema schema = {};
  std::vector<std::string> key = {};
  std::size_t partition_count = 1;
  std::vector<std::pair<std::string, std::string>> files = {};  // below /data
};

// What all the messages say, in order: lines in "; ".
inline std::string told_of(const MessageReader& reader, const std::vector<MessageCase>& messages) {
  World world;
  for (const auto& [name, text] : reader.files)
    world.put(name, text);
  ScriptedCluster cluster;
  cluster.topics["vitals"].resize(reader.partition_count);
  for (const MessageCase& message : messages)
    cluster.put("vitals", 0, message.key, message.value, message.changes_key);
  SourceRequest request = kafka_request(reader.more, reader.schema);
  request.targets.front().key = reader.key;
  const auto source = kafka_source(world, cluster, request);
  if (!source || !source->open({}).ok()) return "it does not open";
  std::string out;
  const auto add = [&](const std::string& line) { out += (out.empty() ? "" : "; ") + line; };
  while (true) {
    const auto batch = source->next({});
    if (!batch.ok()) return batch.error().message;
    if (!batch.value()) return out;
    if (batch.value()->truncates) add("emptied");
    std::vector<std::string> lines;
    for (const std::string& line : story_of(*batch.value())) {
      const std::size_t place = line.find(": ");
      if (place != std::string::npos) lines.push_back(line.substr(0, 1) + line.substr(place + 1));
    }
    for (const UnchangedCell& cell : batch.value()->unchanged) {
      lines[static_cast<std::size_t>(cell.row)] +=
          " ~" + reader.schema.field(cell.column).name + " of " + std::to_string(cell.key_row);
    }
    for (const std::string& line : lines)
      add(line);
    for (const Refusal& refusal : batch.value()->refusals) {
      add(refusal.stage + ": " + refusal.reason +
          (refusal.key ? " [" + value_text(refusal.key->front()) + "]" : ""));
    }
  }
}

inline void expect_told(const MessageReader& reader, const std::vector<MessageCase>& cases) {
  for (const MessageCase& one : cases)
    EXPECT_EQ(told_of(reader, {one}), one.wanted) << one.value.value_or("null");
}

}  // namespace lockstep::test
