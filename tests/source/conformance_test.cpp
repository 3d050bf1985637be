// What every source must do, over every source: a row in the list is the only work.
#include "source/source.h"
#include "source/world.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace lockstep::test {
namespace {

struct Subject {
  std::string name;
  std::string settings;
  std::string ending;
};

Batch rows_from(std::int64_t first, std::int64_t count) {
  BatchBuilder builder(kSchema);
  for (std::int64_t row = first; row < first + count; ++row) {
    builder.append_row(std::vector<Value>{row, static_cast<double>(row) * 0.5});
  }
  return builder.finish().value();
}

class EverySource : public ::testing::TestWithParam<Subject> {
 protected:
  void SetUp() override {
    world_.put_rows("in/a" + GetParam().ending, rows_from(0, 23));
    world_.put_rows("in/c" + GetParam().ending, rows_from(100, 5));
    world_.put_rows("in/b" + GetParam().ending, rows_from(200, 1));
  }

  SourceRequest request() const { return World::request(GetParam().settings); }

  World world_;
};

TEST_P(EverySource, GivesTheSameRestFromEveryCommittedPosition) {  // source-1
  for (const std::int64_t rows : {1, 4, 23, 10'000}) {
    const Told all = tell(*world_.open(request()), rows);
    ASSERT_GE(all.story.size(), 29u);
    for (std::size_t batch = 0; batch < all.positions.size(); ++batch) {
      SCOPED_TRACE(batch);
      const Told rest = tell(*world_.open(request(), all.positions[batch]), rows);
      const Story wanted(all.story.begin() + static_cast<std::ptrdiff_t>(all.lengths[batch]),
                         all.story.end());
      EXPECT_EQ(rest.story, wanted);
    }
  }
}

TEST_P(EverySource, GivesTheSameRowsWhateverTheBatches) {
  const Told all = tell(*world_.open(request()), 10'000);
  for (const std::int64_t rows : {1, 2, 7}) {
    EXPECT_EQ(tell(*world_.open(request()), rows).story, all.story);
  }
}

TEST_P(EverySource, GivesAgainWhatWasNotCommitted) {
  const auto source = world_.open(request());
  const Told first = tell(*source, 7);
  ASSERT_TRUE(source->open({}).ok());
  EXPECT_EQ(tell(*source, 7).story, first.story);
}

TEST_P(EverySource, HasNothingMoreAfterItsEndAndDoesNotWait) {  // source-5
  const auto source = world_.open(request());
  tell(*source);
  const std::int64_t before_us = world_.io().monotonic_us();
  EXPECT_FALSE(source->next({}).value());
  EXPECT_LT(world_.io().monotonic_us() - before_us, 100'000);
}

TEST_P(EverySource, SaysThatItReplays) {  // source-4
  EXPECT_TRUE(world_.open(request())->capabilities().replays);
}

TEST_P(EverySource, DescribesEveryPosition) {
  const auto source = world_.open(request());
  EXPECT_FALSE(source->describe({}).empty());
  for (const Position& position : tell(*source, 5).positions) {
    EXPECT_FALSE(source->describe(position).empty());
  }
}

TEST_P(EverySource, GoesOnAfterMoreCameInTheMiddleOfReading) {
  const Told before = tell(*world_.open(request()), 4);
  for (std::size_t batch = 0; batch < before.positions.size(); ++batch) {
    World world;
    const auto put = [&world](const std::string& name, std::int64_t first, std::int64_t count) {
      world.put_rows("in/" + name + GetParam().ending, rows_from(first, count));
    };
    put("a", 0, 23);
    put("c", 100, 5);
    put("b", 200, 1);
    const auto source = world.open(request());
    Story story;
    Position position;
    for (std::size_t i = 0; i <= batch; ++i) {
      const auto given = source->next({.row_count_max = 4}).value();
      ASSERT_TRUE(given);
      for (const std::string& line : story_of(*given))
        story.push_back(line);
      move_position(position, given->position_changes);
    }
    put("d", 300, 2);
    const Told rest = tell(*world.open(request(), position), 4);
    story.insert(story.end(), rest.story.begin(), rest.story.end());
    ASSERT_GE(story.size(), before.story.size());
    EXPECT_EQ(
        Story(story.begin(), story.begin() + static_cast<std::ptrdiff_t>(before.story.size())),
        before.story);
    const std::size_t more = GetParam().name == "mirror" ? 3 : 2;
    EXPECT_EQ(story.size(), before.story.size() + more);
  }
}

const std::string kIn = "{type: files, path: \"in/*\"";

INSTANTIATE_TEST_SUITE_P(Sources,
                         EverySource,
                         ::testing::Values(Subject{"csv", kIn + "}", ".csv"},
                                           Subject{"tsv", kIn + "}", ".tsv"},
                                           Subject{"csv_gzip", kIn + "}", ".csv.gz"},
                                           Subject{"csv_zstd", kIn + "}", ".csv.zst"},
                                           Subject{"ndjson", kIn + "}", ".ndjson"},
                                           Subject{"parquet", kIn + "}", ".parquet"},
                                           Subject{"upsert", kIn + ", mode: upsert}", ".csv"},
                                           Subject{"mirror", kIn + ", mode: mirror}", ".csv"},
                                           Subject{"take", kIn + ", final_line: take}", ".csv"}),
                         [](const auto& subject) { return subject.param.name; });

}  // namespace
}  // namespace lockstep::test
