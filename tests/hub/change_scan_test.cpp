// Changes in key order through a window smaller than they are.
#include "hub/change_scan.h"

#include "hub/hub_support.h"

#include <algorithm>
#include <random>

namespace lockstep {
namespace {

struct Change {
  std::int64_t id = 0;
  std::string text;
  int sign = 0;
  bool operator==(const Change&) const = default;
};

const Schema& schema() {
  static const Schema kSchema({{"text", Type::kText}, {"id", Type::kInt}});
  return kSchema;
}

// Gives the changes in a random order, a few at a time, and counts passes and rows.
class Passes {
 public:
  explicit Passes(std::vector<Change> changes, std::uint64_t seed) : changes_(std::move(changes)) {
    std::mt19937_64 random(seed);
    std::shuffle(changes_.begin(), changes_.end(), random);
  }

  ChangePass pass() {
    return [this](const WantedRows& wanted, const TakeRows& take) -> Result<void> {
      ++pass_count;
      constexpr std::size_t kBatchRows = 97;
      for (std::size_t start = 0; start < changes_.size(); start += kBatchRows) {
        const std::size_t end = std::min(start + kBatchRows, changes_.size());
        std::vector<std::vector<Value>> rows;
        std::vector<int> signs;
        for (std::size_t index = start; index < end; ++index) {
          rows.push_back({Value{changes_[index].text}, Value{changes_[index].id}});
          signs.push_back(changes_[index].sign);
        }
        const Batch batch = batch_of(schema(), rows, signs);
        const std::vector<int> key = {1};
        const std::vector<std::int64_t> chosen = wanted(batch.select_columns(key));
        if (!chosen.empty()) TRY(take(batch.select_rows(chosen)));
      }
      return {};
    };
  }

  int pass_count = 0;

 private:
  std::vector<Change> changes_;
};

std::vector<Change> all_of(BatchStream& scan) {
  std::vector<Change> out;
  while (const auto batch = must(scan.next())) {
    EXPECT_GT(batch->row_count(), 0);
    if (!out.empty()) {
      EXPECT_NE(out.back().id, batch->int_at(1, 0)) << "a key stands in two batches";
    }
    for (std::int64_t row = 0; row < batch->row_count(); ++row)
      out.push_back({batch->int_at(1, row), std::string(batch->text_at(0, row)), batch->sign(row)});
  }
  return out;
}

// Inserts, deletes, updates, and rows that only moved.
std::vector<Change> changes_of(std::int64_t count, std::vector<Change>& expected) {
  std::vector<Change> out;
  for (std::int64_t id = 0; id < count; ++id) {
    const std::string text = "text of " + std::to_string(id);
    const bool leaves = id % 4 != 0;
    const bool enters = id % 4 != 1;
    const bool moved = id % 4 == 3;
    if (leaves) out.push_back({id, text, -1});
    if (enters) out.push_back({id, id % 4 == 2 ? "other" : text, 1});
    if (moved) continue;
    if (leaves) expected.push_back({id, text, -1});
    if (enters) expected.push_back({id, id % 4 == 2 ? "other" : text, 1});
  }
  return out;
}

TEST(ChangeScan, GivesAllInKeyOrderWhateverTheWindow) {
  std::vector<Change> expected;
  const std::vector<Change> changes = changes_of(3'000, expected);
  int passes_before = 0;
  for (const std::size_t window : {std::size_t{1} << 30, std::size_t{40'000}, std::size_t{5'000}}) {
    for (const std::int64_t batch_rows_max : {1, 7, 65'536}) {
      Passes passes(changes, window);
      const auto scan = open_change_scan(
          schema(), {1}, passes.pass(), {.window_bytes = window, .batch_rows_max = batch_rows_max});
      EXPECT_EQ(all_of(*scan), expected) << window << " bytes, batches of " << batch_rows_max;
      passes_before = std::max(passes_before, passes.pass_count);
    }
  }
  EXPECT_GT(passes_before, 3);
}

TEST(ChangeScan, ReadsAChangeThatFitsOnce) {
  std::vector<Change> expected;
  Passes passes(changes_of(1'000, expected), 1);
  const auto scan =
      open_change_scan(schema(), {1}, passes.pass(), {.window_bytes = std::size_t{1} << 20});
  EXPECT_EQ(all_of(*scan), expected);
  EXPECT_EQ(passes.pass_count, 1);
}

TEST(ChangeScan, EndsWhereOneKeyIsLargerThanTheWindow) {
  std::vector<Change> changes;
  for (int copy = 0; copy < 500; ++copy) {
    for (const int sign : {-1, 1})
      changes.push_back({7, "moved " + std::to_string(copy), sign});
  }
  changes.push_back({7, "new", 1});
  Passes passes(changes, 1);
  const auto scan = open_change_scan(schema(), {1}, passes.pass(), {.window_bytes = 1});
  EXPECT_EQ(all_of(*scan), (std::vector<Change>{{7, "new", 1}}));
}

}  // namespace
}  // namespace lockstep
