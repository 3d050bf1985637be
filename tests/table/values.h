// Values and batches for the tests of this layer.
#pragma once

#include "table/batch.h"
#include "table/types.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace lockstep::test {

// Runs a property; a failure prints rapidcheck's seed.
template <typename Property>
void check(const std::string& name, const Property& property) {
  EXPECT_TRUE(rc::check(name, property));
}

inline rc::Gen<Type> any_type() {
  return rc::gen::element(
      Type::kBool, Type::kInt, Type::kFloat, Type::kText, Type::kDate, Type::kTimestamp);
}

// UTF-8 without NUL unless asked for, with all that CSV and JSON must escape, and texts that look
// like other things.
inline rc::Gen<std::string> any_text() {
  const auto piece = rc::gen::element<std::string>("a",
                                                   "B",
                                                   "7",
                                                   ",",
                                                   "\"",
                                                   "\n",
                                                   "\r\n",
                                                   "\t",
                                                   " ",
                                                   "é",
                                                   "漢",
                                                   "\xF0\x9F\x98\x80",
                                                   "\\",
                                                   "null",
                                                   ";",
                                                   "\x01",
                                                   "\x7F",
                                                   "{}");
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece),
                      [](const std::vector<std::string>& pieces) {
                        std::string out;
                        for (const std::string& one : pieces)
                          out += one;
                        return out;
                      });
}

inline rc::Gen<double> any_double() {
  return rc::gen::oneOf(rc::gen::arbitrary<double>(),
                        rc::gen::element(0.0,
                                         -0.0,
                                         1.0,
                                         0.1,
                                         1e300,
                                         5e-324,
                                         5.4e-79,
                                         std::numeric_limits<double>::infinity(),
                                         -std::numeric_limits<double>::infinity(),
                                         std::numeric_limits<double>::quiet_NaN()));
}

template <typename T>
rc::Gen<T> any_whole() {
  return rc::gen::oneOf(
      rc::gen::arbitrary<T>(),
      rc::gen::inRange<T>(-3, 4),
      rc::gen::element(std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
}

inline rc::Gen<Value> present_value(Type type) {
  switch (type) {
    case Type::kBool:
      return rc::gen::map(rc::gen::arbitrary<bool>(), [](bool v) { return Value(v); });
    case Type::kInt:
      return rc::gen::map(any_whole<std::int64_t>(), [](std::int64_t v) { return Value(v); });
    case Type::kFloat:
      return rc::gen::map(any_double(), [](double v) { return Value(v); });
    case Type::kText:
      return rc::gen::map(any_text(), [](const std::string& v) { return Value(v); });
    case Type::kDate:
      return rc::gen::map(any_whole<std::int32_t>(), [](std::int32_t v) {
        return Value(is_storable(Date{v}) ? Date{v} : Date{2'147'483'646});
      });
    case Type::kTimestamp:
      break;
  }
  return rc::gen::map(any_whole<std::int64_t>(), [](std::int64_t v) {
    return Value(is_storable(Timestamp{v}) ? Timestamp{v} : Timestamp{-9'223'372'022'400'000'000});
  });
}

inline rc::Gen<Value> any_value(Type type) {
  return rc::gen::weightedOneOf<Value>({{1, rc::gen::just(Value())}, {6, present_value(type)}});
}

inline Schema every_type_schema() {
  return Schema({{"bool", Type::kBool},
                 {"int", Type::kInt},
                 {"float", Type::kFloat},
                 {"text", Type::kText},
                 {"date", Type::kDate},
                 {"timestamp", Type::kTimestamp}});
}

// Every type: a usual value, null, and two of the edge.
inline Batch every_type() {
  BatchBuilder builder(every_type_schema());
  builder.append_row(std::vector<Value>{true,
                                        std::int64_t{17},
                                        121.5,
                                        std::string("a \"quoted\", text\nof two lines"),
                                        Date{20484},
                                        Timestamp{1'769'846'400'500'000}});
  builder.append_row(std::vector<Value>(6));
  builder.append_row(std::vector<Value>{false,
                                        std::numeric_limits<std::int64_t>::min(),
                                        -0.0,
                                        std::string(),
                                        Date{-1},
                                        Timestamp{-1}});
  builder.append_row(std::vector<Value>{true,
                                        std::numeric_limits<std::int64_t>::max(),
                                        0.1,
                                        std::string("é漢"),
                                        Date{0},
                                        Timestamp{0}});
  return builder.finish().value();
}

// A batch of up to `row_count_max` rows of any values of every type.
inline rc::Gen<Batch> any_batch(int row_count_max) {
  return rc::gen::exec([row_count_max] {
    BatchBuilder builder(every_type_schema());
    const int rows = *rc::gen::inRange(0, row_count_max + 1);
    for (int row = 0; row < rows; ++row) {
      std::vector<Value> values;
      for (const Field& field : builder.schema().fields())
        values.push_back(*any_value(field.type));
      builder.append_row(values);
    }
    return builder.finish().value();
  });
}

}  // namespace lockstep::test
