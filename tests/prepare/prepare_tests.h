// What the tests of this layer share: rows as text, and steps as YAML.
#pragma once

#include "prepare/prepare.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// A cell as its text; "-" is null.
inline Batch batch_of(const Schema& schema,
                      const std::vector<std::vector<std::string>>& rows,
                      const std::vector<int>& signs = {}) {
  BatchBuilder builder(schema);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<Value> values;
    for (int column = 0; column < schema.size(); ++column) {
      const std::string& cell = rows[i].at(static_cast<std::size_t>(column));
      if (cell == "-") {
        values.emplace_back();
      } else {
        values.push_back(parse_value(cell, schema.field(column).type).value());
      }
    }
    builder.append_row(values, signs.empty() ? 1 : signs.at(i));
  }
  return builder.finish().value();
}

inline std::string cell_text(const Value& value) {
  return is_null(value) ? "-" : value_text(value);
}

// "1 80 | 2 -"
inline std::string rows_text(const Batch& batch) {
  std::string out;
  for (std::int64_t row = 0; row < batch.row_count(); ++row) {
    if (row > 0) out += " | ";
    for (int column = 0; column < batch.schema().size(); ++column) {
      if (column > 0) out += ' ';
      out += cell_text(batch.value(column, row));
    }
  }
  return out;
}

inline Node yaml(std::string_view text) {
  Result<Node> node = parse_yaml(text, "lockstep.yaml");
  EXPECT_TRUE(node.ok()) << text << ": " << (node.ok() ? "" : node.error().message);
  return node.ok() ? node.value() : Node();
}

// One step of YAML, made by the table of steps.
inline Result<std::unique_ptr<Step>> make_step(std::string_view text, const Schema& input) {
  const Node node = yaml(text);
  for (const StepInfo& info : steps()) {
    if (info.name == node.fields.at(0).first) return info.make(node.fields.at(0).second, input);
  }
  return invalid("no such step");
}

}  // namespace lockstep
