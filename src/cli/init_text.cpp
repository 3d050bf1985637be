#include "cli/init_text.h"

#include "cli/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace lockstep {
namespace {

constexpr std::int64_t kCategoriesMax = 32;
constexpr std::int64_t kCalibrateRows = 1'000;
constexpr std::size_t kSplinesMax =
    64;  // features: each becomes seven columns, and a solve is cubic in them
constexpr std::int64_t kSplineRowsMin = 500;  // fewer rows do not carry bends
constexpr std::size_t kNameMax = 63;

bool holds(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_plain_word(std::string_view text) {
  const auto plain = [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '_';
  };
  const bool starts_well = !text.empty() && !(text[0] >= '0' && text[0] <= '9');
  return starts_well && std::all_of(text.begin(), text.end(), plain);
}

// Words of YAML 1.1 and 1.2 that are no texts.
bool is_reserved(std::string text) {
  constexpr std::array kReserved = {
      "null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"};
  for (char& letter : text) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return std::find(kReserved.begin(), kReserved.end(), text) != kReserved.end();
}

std::string printable_list(const std::vector<std::string>& names) {
  constexpr std::size_t kShownMax = 20;
  std::string text;
  for (std::size_t index = 0; index < names.size() && index < kShownMax; ++index) {
    text += (index == 0 ? "" : ", ") + printable(names[index]);
  }
  if (names.size() > kShownMax) text += fmt::format(" and {} more", names.size() - kShownMax);
  return text;
}

std::string source_text(const DataFacts& facts, const InitPlan& plan) {
  std::string text = fmt::format(
      "sources:\n"
      "  {}_files:\n"
      "    type: files\n"
      "    path: {}  # a pattern such as \"incoming/*.csv\" reads many files\n",
      plan.dataset,
      yaml_text(plan.data_path));
  if (!facts.key.empty()) {
    text +=
        "    mode: upsert      # a changed file is read again; append: files only grow; mirror: a "
        "file's rows are replaced\n";
  }
  const bool is_csv = facts.format.format == Format::kCsv;
  if (is_csv && facts.options.delimiter == '\t') text += "    delimiter: tab\n";
  if (is_csv && facts.options.delimiter != '\t' && facts.options.delimiter != ',') {
    text += fmt::format("    delimiter: \"{}\"\n", facts.options.delimiter);
  }
  if (facts.options.decimal_comma) text += "    decimal_comma: true\n";
  if (facts.options.null_words.size() > 1) {
    text += fmt::format("    \"null\": {}      # words that mean: missing\n",
                        yaml_list(facts.options.null_words));
  }
  if (facts.last_line_is_open) {
    text += "    final_line: take  # the file does not end in a newline; wait: it may still grow\n";
  }
  return text;
}

std::string columns_text(const DataFacts& facts) {
  std::string text = "    columns:\n";
  for (std::size_t index = 0; index < facts.columns.size(); ++index) {
    const Field& field = facts.schema.field(static_cast<int>(index));
    const std::int64_t nulls = facts.columns[index].null_count;
    text += fmt::format("      {}: {}", yaml_text(field.name), type_name(field.type));
    if (nulls > 0 && nulls == facts.row_count) text += "  # no values yet";
    if (nulls > 0 && nulls < facts.row_count) {
      const double share =
          100.0 * static_cast<double>(nulls) / static_cast<double>(facts.row_count);
      text += share < 1 ? "  # missing in less than 1 %"
                        : fmt::format("  # missing in {:.0f} %", share);
    }
    text += "\n";
  }
  return text;
}

std::string expand_text(const DataFacts& facts, const InitPlan& plan) {
  std::string text = "    expand:           # the model's own features; part of its definition\n";
  if (!plan.categories.empty()) {
    text += fmt::format("      - one_hot: {}\n", yaml_list(plan.categories));
  }
  text += "      - impute: {with: mean}  # a missing number counts as the mean\n";
  text += "      - standardize\n";
  const bool splines = !plan.numbers.empty() && plan.numbers.size() <= kSplinesMax &&
                       facts.row_count >= kSplineRowsMin;
  text +=
      fmt::format("      {}- splines: 6      # lets the line of each number bend in six places\n",
                  splines ? "" : "# ");
  return text;
}

}  // namespace

std::string name_of_file(std::string_view path) {
  std::string_view stem =
      path.substr(path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1);
  stem = stem.substr(0, stem.find('.'));
  std::string name;
  for (const char letter : stem) {
    const bool upper = letter >= 'A' && letter <= 'Z';
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
    if (upper) name += static_cast<char>(letter - 'A' + 'a');
    if (plain) name += letter;
    if (!upper && !plain && !name.empty() && name.back() != '_') name += '_';
  }
  while (name.ends_with('_'))
    name.pop_back();
  if (name.empty()) return "data";
  return name.substr(0, kNameMax - 6);  // room for "_files" and "_model"
}

std::string yaml_text(std::string_view text) {
  if (is_plain_word(text) && !is_reserved(std::string(text))) return std::string(text);
  std::string result = "\"";
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (letter == '"' || letter == '\\') result += '\\';
    const bool control = code < 0x20 || code == 0x7F;
    result += control ? fmt::format("\\x{:02X}", code) : std::string(1, letter);
  }
  return result + "\"";
}

std::string yaml_list(const std::vector<std::string>& texts) {
  std::string result = "[";
  for (const std::string& text : texts)
    result += (result.size() > 1 ? ", " : "") + yaml_text(text);
  return result + "]";
}

InitPlan plan_model(const DataFacts& facts,
                    std::string_view data_path,
                    const std::vector<std::string>& targets) {
  InitPlan plan;
  plan.data_path = data_path;
  plan.dataset = name_of_file(data_path);
  plan.from = plan.dataset + "_files";
  plan.targets = targets;
  for (std::size_t index = 0; index < facts.columns.size(); ++index) {
    const Field& field = facts.schema.field(static_cast<int>(index));
    const ColumnFacts& about = facts.columns[index];
    if (holds(facts.key, field.name) || holds(targets, field.name)) continue;
    const bool is_number =
        field.type == Type::kInt || field.type == Type::kFloat || field.type == Type::kBool;
    const bool is_category = field.type == Type::kText && about.distinct_count <= kCategoriesMax;
    if (about.distinct_count < 2 || is_id_like(field.name)) {
      plan.left_out.push_back(field.name);
    } else if (is_number) {
      plan.numbers.push_back(field.name);
    } else if (is_category) {
      plan.categories.push_back(field.name);
    } else {
      plan.left_out.push_back(field.name);
    }
  }
  const bool has_model = !targets.empty() && !(plan.numbers.empty() && plan.categories.empty());
  if (has_model) plan.model = plan.dataset + "_model";
  return plan;
}

std::string hub_text() {
  return "hub:                  # where data and model versions are kept\n"
         "  catalog: sqlite:hub/catalog.sqlite\n"
         "  data: hub/data\n\n";
}

std::string dataset_text(const DataFacts& facts, const InitPlan& plan) {
  std::string text = fmt::format("  {}:\n    from: {}\n", plan.dataset, yaml_list({plan.from}));
  if (facts.key.empty()) {
    text +=
        "    # No column names a row, so a row is named by its file and number. With `key: [...]` "
        "rows can be changed.\n";
  } else {
    text += fmt::format("    key: {}  # names a row: a later row of the same key replaces it\n",
                        yaml_list(facts.key));
  }
  text += columns_text(facts);
  const std::string example = plan.targets.empty() ? facts.schema.field(0).name : plan.targets[0];
  text += fmt::format(
      "    # clean:          # steps from raw to clean; `lockstep manual configuration` has them "
      "all\n"
      "    #   - range: {{columns: [{}], min: 0, max: 1000, otherwise: reject}}\n",
      yaml_text(example));
  if (!facts.key.empty()) {
    text += fmt::format(
        "    train:            # steps from clean to train\n"
        "      - split: {{by: {}, test: 0.2}}  # a fifth of them for testing, by hash: stays the "
        "same for ever\n",
        yaml_text(facts.key[0]));
  }
  return text;
}

std::string model_text(const DataFacts& facts, const InitPlan& plan) {
  LOCKSTEP_ASSERT(!plan.model.empty(), "init: the text of no model");
  std::vector<std::string> features = plan.numbers;
  features.insert(features.end(), plan.categories.begin(), plan.categories.end());
  std::string text = fmt::format(
      "  {}:\n"
      "    dataset: {}\n"
      "    targets: {}  # what to predict\n"
      "    features: {}\n",
      plan.model,
      plan.dataset,
      yaml_list(plan.targets),
      yaml_list(features));
  if (!plan.left_out.empty()) {
    text += fmt::format("    # left out: {}\n", printable_list(plan.left_out));
  }
  text += expand_text(facts, plan);
  text += "    learner: {type: ridge, l2: auto}\n";
  const std::int64_t rows = std::clamp(facts.row_count / 2, std::int64_t{1}, kCalibrateRows);
  text += fmt::format("    calibrate_after: {} rows\n", rows);
  text +=
      "    # gate: {batch_error: 2x, at_most_worse: 2%}  # what a version must meet; these are the "
      "defaults\n";
  return text;
}

std::string configuration_text(const DataFacts& facts, const InitPlan& plan) {
  const std::string models =
      plan.model.empty() ? "# There is no number to predict here that has another column to be "
                           "predicted from, so there is no model yet.\n"
                         : "models:\n" + model_text(facts, plan);
  return fmt::format(
             "# Written by `lockstep init` from {} rows. Read it through, then: lockstep check\n\n",
             facts.row_count) +
         hub_text() + source_text(facts, plan) + "\ndatasets:\n" + dataset_text(facts, plan) +
         "\n" + models;
}

}  // namespace lockstep
