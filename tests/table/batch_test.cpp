#include "table/batch.h"

#include "table/values.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <limits>

namespace lockstep {
namespace {

Batch signed_rows(const std::vector<std::pair<int, std::vector<Value>>>& rows) {
  BatchBuilder builder(Schema({{"key", Type::kInt}, {"value", Type::kFloat}}));
  for (const auto& [sign, values] : rows)
    builder.append_row(values, sign);
  return builder.finish().value();
}

std::vector<Value> pair_of(std::int64_t key, double value) {
  return {key, value};
}

TEST(Batch, GivesBackWhatTheBuilderWasGiven) {
  const Batch batch = test::every_type();
  ASSERT_EQ(batch.row_count(), 4);
  EXPECT_TRUE(batch.bool_at(0, 0));
  EXPECT_EQ(batch.int_at(1, 0), 17);
  EXPECT_EQ(batch.float_at(2, 0), 121.5);
  EXPECT_EQ(batch.text_at(3, 0), "a \"quoted\", text\nof two lines");
  EXPECT_EQ(batch.value(4, 0), Value(Date{20484}));
  EXPECT_EQ(batch.value(5, 0), Value(Timestamp{1'769'846'400'500'000}));
  for (int column = 0; column < batch.schema().size(); ++column) {
    EXPECT_TRUE(batch.is_null(column, 1));
    EXPECT_TRUE(is_null(batch.value(column, 1)));
  }
}

TEST(Batch, ReadsEveryNumericTypeAsANumber) {
  const Batch batch = test::every_type();
  EXPECT_EQ(batch.number_at(0, 0), 1.0);
  EXPECT_EQ(batch.number_at(1, 0), 17.0);
  EXPECT_EQ(batch.number_at(2, 0), 121.5);
  EXPECT_EQ(batch.number_at(4, 0), 20484.0);
  EXPECT_EQ(batch.number_at(5, 0), 1'769'846'400.5);
  EXPECT_TRUE(std::isnan(batch.number_at(1, 1)));
}

TEST(Batch, RefusesColumnsThatDoNotFitItsSchema) {
  const Batch batch = test::every_type();
  const Schema one({{"a", Type::kInt}});
  EXPECT_FALSE(Batch::make(one, {}).ok());
  EXPECT_FALSE(Batch::make(one, {nullptr}).ok());
  EXPECT_FALSE(Batch::make(one, {batch.column(2)}).ok());
  EXPECT_FALSE(Batch::make(one, {batch.column(1)}, {1, 1}).ok());
  EXPECT_FALSE(Batch::make(one, {batch.column(1)}, {1, 1, 0, 1}).ok());
  EXPECT_TRUE(Batch::make(one, {batch.column(1)}, {1, -1, 1, 1}).ok());
}

TEST(Batch, SlicesAndSelectsWithSigns) {
  const Batch batch = signed_rows({{1, pair_of(1, 1)}, {-1, pair_of(2, 2)}, {1, pair_of(3, 3)}});
  const Batch tail = batch.slice(1, 2);
  EXPECT_EQ(tail.row_count(), 2);
  EXPECT_EQ(tail.sign(0), -1);
  EXPECT_EQ(tail.int_at(0, 0), 2);
  const std::vector<std::int64_t> rows = {1, 0};
  const Batch turned = tail.select_rows(rows);
  EXPECT_EQ(turned.int_at(0, 0), 3);
  EXPECT_EQ(turned.sign(1), -1);
  const std::vector<int> second = {1};
  EXPECT_EQ(tail.select_columns(second).schema().names(), std::vector<std::string>{"value"});
  EXPECT_EQ(tail.with_all_signs(-1).sign(1), -1);
  const std::vector<Batch> parts = {batch.slice(0, 1), tail};
  EXPECT_TRUE(concatenate(batch.schema(), parts).value().equals(batch));
  EXPECT_FALSE(batch.equals(batch.with_all_signs(1)));
  EXPECT_EQ(concatenate(batch.schema(), {}).value().row_count(), 0);
}

TEST(Batch, TakesAColumnMoreOrInPlaceOfAnother) {
  const Batch batch = signed_rows({{1, pair_of(1, 1.5)}, {1, pair_of(2, 2.5)}});
  const std::vector<int> key = {0};
  const std::vector<int> value = {1};
  const Batch again = batch.select_columns(value).with_names(Schema({{"again", Type::kFloat}}));
  const Batch more = batch.with_columns(again).value();
  EXPECT_EQ(more.schema().names(), (std::vector<std::string>{"key", "value", "again"}));
  const Batch keys = batch.select_columns(key).with_names(Schema({{"value", Type::kInt}}));
  const Batch other = batch.with_columns(keys).value();
  EXPECT_EQ(other.int_at(1, 1), 2);
  EXPECT_FALSE(batch.with_columns(keys.slice(1, 1)).ok());
}

TEST(Builder, FillsMissingSignsAndRefusesRaggedColumns) {
  BatchBuilder builder(Schema({{"a", Type::kInt}, {"b", Type::kText}}));
  builder.append_int(0, 1);
  builder.append_text(1, "x");
  EXPECT_EQ(builder.finish().value().sign(0), 1);
  builder.append_int(0, 1);
  EXPECT_FALSE(builder.finish().ok());
  EXPECT_EQ(builder.row_count(), 0);
}

struct NetCase {
  std::string name;
  std::vector<std::pair<int, std::vector<Value>>> rows;
  std::vector<std::pair<int, std::vector<Value>>> left;
};

TEST(Net, CancelsOppositeRowsAndPutsWhatLeavesFirst) {
  // clang-format off
  const std::vector<NetCase> cases = {
      {"nothing", {}, {}},
      {"a pair", {{1, pair_of(1, 1)}, {-1, pair_of(1, 1)}}, {}},
      {"an update", {{1, pair_of(1, 2)}, {-1, pair_of(1, 1)}}, {{-1, pair_of(1, 1)}, {1, pair_of(1, 2)}}},
      {"a chain", {{-1, pair_of(1, 1)}, {1, pair_of(1, 2)}, {-1, pair_of(1, 2)}, {1, pair_of(1, 3)}},
       {{-1, pair_of(1, 1)}, {1, pair_of(1, 3)}}},
      {"there and back", {{-1, pair_of(1, 1)}, {1, pair_of(1, 2)}, {-1, pair_of(1, 2)}, {1, pair_of(1, 1)}}, {}},
      {"copies stay", {{1, pair_of(1, 1)}, {1, pair_of(1, 1)}, {-1, pair_of(1, 1)}}, {{1, pair_of(1, 1)}}},
      {"zeros differ", {{1, pair_of(1, 0.0)}, {-1, pair_of(1, -0.0)}}, {{-1, pair_of(1, -0.0)}, {1, pair_of(1, 0.0)}}},
      {"order stays", {{1, pair_of(3, 1)}, {1, pair_of(1, 2)}, {-1, pair_of(2, 2)}, {-1, pair_of(1, 1)}},
       {{1, pair_of(3, 1)}, {-1, pair_of(1, 1)}, {-1, pair_of(2, 2)}, {1, pair_of(1, 2)}}},
  };
  // clang-format on
  const std::vector<int> key = {0};
  for (const NetCase& one : cases) {
    EXPECT_TRUE(net(signed_rows(one.rows), key).value().equals(signed_rows(one.left))) << one.name;
  }
}

TEST(Net, LeavesTheSameSumForEveryRow) {
  test::check("net sum", [] {
    const auto rows = *rc::gen::container<std::vector<std::tuple<bool, int, int>>>(
        rc::gen::tuple(rc::gen::arbitrary<bool>(), rc::gen::inRange(0, 3), rc::gen::inRange(0, 3)));
    std::vector<std::pair<int, std::vector<Value>>> given;
    std::map<std::pair<int, int>, int> sums;
    for (const auto& [enters, key, value] : rows) {
      given.push_back({enters ? 1 : -1, pair_of(key, value)});
      sums[{key, value}] += enters ? 1 : -1;
    }
    const std::vector<int> key = {0};
    const Batch left = net(signed_rows(given), key).value();
    std::int64_t expected = 0;
    for (const auto& [row, sum] : sums)
      expected += std::abs(sum);
    RC_ASSERT(left.row_count() == expected);
    std::map<std::int64_t, bool> entered;
    for (std::int64_t row = 0; row < left.row_count(); ++row) {
      const auto value = static_cast<int>(left.float_at(1, row));
      sums[{static_cast<int>(left.int_at(0, row)), value}] -= left.sign(row);
      bool& seen = entered[left.int_at(0, row)];
      RC_ASSERT(!(seen && left.sign(row) < 0));
      seen = left.sign(row) > 0;
    }
    for (const auto& [row, sum] : sums)
      RC_ASSERT(sum == 0);
  });
}

// The order that keys promise: null first, -0.0 as 0.0, NaN last.
int compare(const Value& left, const Value& right) {
  if (is_null(left) || is_null(right)) return is_null(right) - is_null(left);
  if (std::holds_alternative<double>(left)) {
    const double a = std::get<double>(left);
    const double b = std::get<double>(right);
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) - std::isnan(b);
    return a < b ? -1 : a > b ? 1 : 0;
  }
  return left < right ? -1 : right < left ? 1 : 0;
}

int compare(const std::vector<Value>& left, const std::vector<Value>& right) {
  for (std::size_t i = 0; i < left.size(); ++i) {
    const int one = compare(left[i], right[i]);
    if (one != 0) return one;
  }
  return 0;
}

TEST(Keys, AreOrderedAndInjectiveAndReadBack) {
  test::check("keys", [] {
    const auto types = *rc::gen::container<std::vector<Type>>(2, test::any_type());
    std::vector<std::vector<Value>> keys(2);
    for (std::vector<Value>& key : keys) {
      for (const Type type : types)
        key.push_back(*test::any_value(type));
    }
    const std::string left = encode_key(keys[0]);
    const std::string right = encode_key(keys[1]);
    const int by_bytes = left < right ? -1 : left > right ? 1 : 0;
    RC_ASSERT(by_bytes == compare(keys[0], keys[1]));
    RC_ASSERT(compare(decode_key(left).value(), keys[0]) == 0);
  });
}

TEST(Keys, AreTheSameFromABatchAndFromValues) {
  const Batch batch = test::every_type();
  const std::vector<int> all = {0, 1, 2, 3, 4, 5};
  for (std::int64_t row = 0; row < batch.row_count(); ++row) {
    EXPECT_EQ(encode_key(batch, all, row), encode_key(batch.row(row)));
  }
  EXPECT_EQ(key_text(batch, std::vector<int>{1, 0}, 0), "int=17, bool=true");
  EXPECT_EQ(key_text(batch, std::vector<int>{1}, 1), "int=null");
}

TEST(Keys, KeepTheirBytesFromReleaseToRelease) {
  using namespace std::string_literals;
  const std::vector<Value> values = {Value(),
                                     true,
                                     std::int64_t{-2},
                                     1.5,
                                     "a\0b"s,
                                     Date{1},
                                     Timestamp{-1},
                                     std::numeric_limits<double>::quiet_NaN(),
                                     -0.0};
  EXPECT_EQ(encode_key(values),
            "\x01\x02\x01\x03\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFE\x04\xBF\xF8\0\0\0\0\0\0\x05"
            "a\0\xFF"
            "b\0\x06\x80\0\0\x01\x07\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
            "\x04\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x04\x80\0\0\0\0\0\0\0"s);
}

TEST(Keys, RefuseBytesThatNoEncoderWrote) {
  using namespace std::string_literals;
  for (const std::string& bytes : {"\x08"s,
                                   "\0"s,
                                   "\x02"s,
                                   "\x02\x02"s,
                                   "\x03\0"s,
                                   "\x05"
                                   "abc"s,
                                   "\x06\0\0"s,
                                   "\x04\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s}) {
    const Result<std::vector<Value>> values = decode_key(bytes);
    ASSERT_FALSE(values.ok()) << bytes.size();
    EXPECT_EQ(values.error().code, Code::kCorrupt);
  }
}

TEST(RowBytes, TellNullsTypesAndZerosApart) {
  test::check("row bytes", [] {
    const auto type = *test::any_type();
    BatchBuilder builder(Schema({{"a", type}, {"b", Type::kText}}));
    for (int row = 0; row < 2; ++row) {
      const Value first = *test::any_value(type);
      const Value second = *test::any_value(Type::kText);
      builder.append_row(std::vector<Value>{first, second});
    }
    const Batch batch = builder.finish().value();
    std::string left;
    std::string right;
    append_row_bytes(batch, 0, left);
    append_row_bytes(batch, 1, right);
    RC_ASSERT((left == right) == rows_equal(batch, 0, batch, 1));
  });
  const Batch zeros = signed_rows({{1, pair_of(1, 0.0)}, {1, pair_of(1, -0.0)}});
  EXPECT_FALSE(rows_equal(zeros, 0, zeros, 1));
}

}  // namespace
}  // namespace lockstep
