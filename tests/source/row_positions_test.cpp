#include "source/row_positions.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace lockstep::test {
namespace {

using PositionTexts = std::vector<std::string>;

TEST(RowPositions, AreTheTextsThatTheyWereGiven) {
  RowPositions positions;
  EXPECT_TRUE(positions.empty());
  std::string stem = "0-1-11 row ";
  positions.add({stem, 1});
  positions.add({stem, 2});
  positions.add({stem, 2});  // a key that changed is two rows
  stem = "overwritten";
  positions.add({"0-1-12 row ", -9});
  positions.push_back("not in the copy");
  positions.push_back("not in the copy");
  positions.add({"line ", INT64_MAX});
  const PositionTexts wanted = {"0-1-11 row 1",
                                "0-1-11 row 2",
                                "0-1-11 row 2",
                                "0-1-12 row -9",
                                "not in the copy",
                                "not in the copy",
                                "line 9223372036854775807"};
  EXPECT_EQ(positions.texts(), wanted);
  EXPECT_EQ(positions.size(), wanted.size());
  for (std::size_t row = 0; row < wanted.size(); ++row)
    EXPECT_EQ(positions[row], wanted[row]);
  EXPECT_EQ(std::exchange(positions, {}).texts(), wanted);
  EXPECT_TRUE(positions.texts().empty());
}

TEST(RowPositions, GrowByOthers) {
  RowPositions all;
  all.append({});
  RowPositions part;
  part.add({"line ", 1});
  all.append(part);
  part.add({"line ", 2});
  part.push_back("end");
  all.append(part);
  EXPECT_EQ(all.texts(), (PositionTexts{"line 1", "line 1", "line 2", "end"}));
  all.assign(2, "gone");
  all.push_back("gone");
  EXPECT_EQ(all.texts(), (PositionTexts{"gone", "gone", "gone"}));
  all.assign(0, "gone");
  EXPECT_TRUE(all.empty());
  EXPECT_DEATH(all[0], "a row without a position");
}

}  // namespace
}  // namespace lockstep::test
