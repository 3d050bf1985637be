#include "base/hash.h"
#include "prepare/row_step.h"
#include "prepare/step_makers.h"
#include "table/columns.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace lockstep {

namespace {

// "LOCKSTEP" in ASCII. Part of what a split means: another seed is another split.
constexpr std::uint64_t kSplitSeed = 0x4C4F434B53544550;

constexpr std::array kSplitSettings = {
    Setting{.name = "by",
            .type = Setting::Type::kTexts,
            .fallback = {},
            .text = "Columns whose equal values stay on one side."},
    Setting{.name = "test",
            .type = Setting::Type::kNumber,
            .fallback = {},
            .text = "The share of values of `by` that become test rows.",
            .min = 0,
            .max = 1},
    Setting{.name = "where",
            .type = Setting::Type::kText,
            .fallback = {},
            .text = "An expression: rows for which it is true are test rows."},
    Setting{.name = "as",
            .type = Setting::Type::kText,
            .fallback = "split",
            .text = "The name of the new column."},
};

// The first 53 bits of XXH3-64 over encode_key's bytes, as a fraction of one.
std::vector<bool> test_keys(const Batch& batch, std::span<const int> columns, double share) {
  constexpr double kUnit = 1.0 / 9007199254740992.0;  // 2^-53
  std::vector<bool> test(static_cast<std::size_t>(batch.row_count()));
  std::string key;
  for (std::int64_t row = 0; row < batch.row_count(); ++row) {
    key.clear();
    append_key(batch, columns, row, key);
    const std::uint64_t hash = hash64(key, kSplitSeed);
    test[static_cast<std::size_t>(row)] = static_cast<double>(hash >> 11U) * kUnit < share;
  }
  return test;
}

Result<StepOutput> put_split(const Batch& batch,
                             const Field& field,
                             const std::vector<bool>& test) {
  BatchBuilder builder(Schema({field}));
  for (const bool one : test)
    builder.append_text(0, one ? "test" : "train");
  const Batch split = TRY(builder.finish());
  const Batch out = TRY(batch.with_columns(split));
  return Sieve(batch.row_count()).finish(out);
}

MadeStep make_hash_split(const Settings& settings, RowStepInfo info, const Field& field) {
  if (!settings.has("by") || !settings.has("test")) {
    return invalid_at(settings.mark(),
                      "step 'split' wants by and test, or where",
                      "write split: {by: patient, test: 0.2}");
  }
  const std::vector<std::string> names = settings.texts("by");
  const std::vector<int> columns = TRY(columns_at(*settings.given("by"), names, info.input));
  const double share = settings.number("test");
  info.arguments = node_of({{"as", node_of(field.name)},
                            {"by", node_of_texts(names)},
                            {"hash", node_of(fmt::format("xxh3_64 {:016x}", kSplitSeed))},
                            {"test", node_of(value_text(share))}});
  return make_row_step(std::move(info),
                       [columns, share, field](const Batch& batch) -> Result<StepOutput> {
                         return put_split(batch, field, test_keys(batch, columns, share));
                       });
}

MadeStep make_condition_split(const Settings& settings, RowStepInfo info, const Field& field) {
  if (settings.has("by") || settings.has("test")) {
    return invalid_at(settings.mark(),
                      "step 'split' has where beside by or test",
                      "use where alone, or by and test");
  }
  const std::string text = settings.text("where");
  const Expression condition =
      TRY(at_mark(Expression::parse(text, info.input), settings.given("where")->mark));
  info.arguments = node_of({{"as", node_of(field.name)}, {"where", node_of(text)}});
  return make_row_step(
      std::move(info), [condition, field](const Batch& batch) -> Result<StepOutput> {
        std::vector<bool> test;
        for (const Value& value : condition.evaluate(batch)) {
          const auto* number = std::get_if<double>(&value);
          test.push_back(number != nullptr && *number != 0 && !std::isnan(*number));
        }
        return put_split(batch, field, test);
      });
}

}  // namespace

MadeStep make_split(const Node& arguments, const Schema& input) {
  const Settings settings = TRY(Settings::parse(arguments, kSplitSettings, "step 'split'"));
  const Field field{settings.text("as"), Type::kText};
  if (input.index_of(field.name)) {
    return invalid_at(arguments.mark,
                      fmt::format("step 'split': there is a column '{}' already", field.name),
                      "give another name with as:");
  }
  RowStepInfo info{"split", input, with_field(input, field), {}, {}};
  if (settings.has("where")) return make_condition_split(settings, std::move(info), field);
  return make_hash_split(settings, std::move(info), field);
}

}  // namespace lockstep
