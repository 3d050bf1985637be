// Where the rows of a batch stand in their source: what refusals further up say of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

// Value. "line 17" is the stem "line " and the number 17. It points at its stem.
struct RowPosition {
  std::string_view stem;
  std::optional<std::int64_t> number = {};

  std::string text() const;
};

// Value. One a row. Rows that follow one another share a stem as a rule, and few of them are ever
// shown: a text is made where one is asked for, as one for each row took a fifth of all decoding.
class RowPositions final {
 public:
  void add(const RowPosition& position);

  void push_back(std::string_view text) { add({text, {}}); }

  void assign(std::size_t count, std::string_view text);
  void append(const RowPositions& more);
  void clear();

  std::size_t size() const { return numbers_.size(); }

  bool empty() const { return numbers_.empty(); }

  std::string operator[](std::size_t row) const { return at(row).text(); }

  std::vector<std::string> texts() const;

 private:
  // Rows from `first` on.
  struct Run {
    std::size_t first = 0;
    std::string stem;
  };

  RowPosition at(std::size_t row) const;

  std::vector<Run> runs_;
  std::vector<std::int64_t> numbers_;
};

}  // namespace lockstep
