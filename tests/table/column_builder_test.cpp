#include "table/column_builder.h"

#include "table/batch.h"
#include "table/values.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lockstep {
namespace {

TEST(ColumnBuilder, MakesWhatArrowTakesOfEveryTypeWithNullsFromAnywhereOn) {
  test::check("columns", [] {
    const Type type = *test::any_type();
    const int first_null = *rc::gen::inRange(0, 40);
    const int count = *rc::gen::inRange(0, 80);
    std::vector<Value> values;
    for (int row = 0; row < count; ++row) {
      const bool may_be_null = row >= first_null;
      values.push_back(may_be_null && *rc::gen::inRange(0, 3) == 0 ? Value()
                                                                   : *test::any_value(type));
    }
    BatchBuilder builder(Schema({{"a", type}}));
    // The second time it knows how many there were.
    for (int time = 0; time < 2; ++time) {
      for (const Value& value : values)
        builder.append(0, value);
      const Batch batch = builder.finish().value();
      RC_ASSERT(batch.row_count() == count);
      const auto& column = batch.column(0);
      RC_ASSERT(column->ValidateFull().ok());
      std::int64_t null_count = 0;
      for (int row = 0; row < count; ++row) {
        const Value& value = values[static_cast<std::size_t>(row)];
        null_count += is_null(value) ? 1 : 0;
        RC_ASSERT(value_text(batch.value(0, row)) == value_text(value));
        RC_ASSERT(batch.is_null(0, row) == is_null(value));
      }
      RC_ASSERT(column->null_count() == null_count);
    }
  });
}

TEST(ColumnBuilder, GivesBackWhatItDoesNotNeed) {
  const Schema schema({{"a", Type::kInt}, {"t", Type::kText}});
  BatchBuilder builder(schema);
  constexpr std::int64_t kMany = 100'000;
  for (std::int64_t row = 0; row < kMany; ++row) {
    builder.append_int(0, row);
    builder.append_text(1, "text");
  }
  ASSERT_TRUE(builder.finish().ok());
  for (std::int64_t row = 0; row < 100; ++row) {
    builder.append_int(0, row);
    builder.append_text(1, "text");
  }
  const Batch few = builder.finish().value();
  for (const auto& buffer : few.column(0)->data()->buffers) {
    if (!buffer) continue;
    EXPECT_LE(buffer->capacity(), 2'000);
  }
  EXPECT_EQ(few.int_at(0, 99), 99);
}

}  // namespace
}  // namespace lockstep
