#include "cli/command_list.h"
#include "cli/hub_access.h"
#include "cli/render.h"
#include "hub/hub.h"
#include "sync/sync.h"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {
namespace {

constexpr std::int64_t kDiffRows = 20;
constexpr std::size_t kWeightsShown = 20;

// A model wins over a tag of the same name.
bool names_a_model(const Configuration& configuration, const std::string& text) {
  return text.find('@') != std::string::npos || configuration.model(text) != nullptr;
}

std::string rows_text(const View& view, const Json& rows);

// Resource. Prints rows as they come: JSON Lines, or tables of a thousand.
class RowPrinter final {
 public:
  explicit RowPrinter(Session& session) : session_(session) {}

  Result<void> add(const Json& row) {
    if (session_.json) return session_.print(json_line(row) + "\n");
    rows_.push_back(row);
    return rows_.size() < kRowsAtOnce ? Result<void>() : flush();
  }

  Result<void> flush() {
    if (rows_.empty()) return {};
    const std::string text = rows_text(session_.view, rows_);
    rows_ = Json::array();
    return session_.print(text);
  }

 private:
  static constexpr std::size_t kRowsAtOnce = 1'000;

  Session& session_;
  Json rows_ = Json::array();
};

Result<int> run_diff(Session& session, const Arguments& arguments) {
  const bool all_rows = arguments.text("--rows", "") == "all";
  DiffOptions options;
  if (!all_rows) options.rows_max = TRY(arguments.integer("--rows", kDiffRows, 0));
  RowPrinter printer(session);
  if (all_rows) options.sink = [&](const Json& row) { return printer.add(row); };
  const OpenedHub opened = TRY(open_for_reading(session));
  const std::string from = arguments.word(0, "-2");
  const std::string to = arguments.word(1);
  const bool models =
      names_a_model(opened.configuration, from) || names_a_model(opened.configuration, to);
  if (models && to.empty()) {
    return make_error(Code::kUsage,
                      fmt::format("which version shall '{}' be compared with?", from),
                      fmt::format("lockstep diff {} {}@1", from, from.substr(0, from.find('@'))));
  }
  const Json report =
      models ? TRY(report_model_diff(*opened.hub, from, to))
             : TRY(report_diff(*opened.hub, from, to.empty() ? "latest" : to, options));
  TRY(printer.flush());
  // A line each, so that whoever reads the rows knows where they end.
  if (all_rows && session.json) {
    TRY(session.print(json_line(report) + "\n"));
  } else {
    TRY(print_report(session, report, models ? render_model_diff : render_diff));
  }
  return arguments.has("--exit-code") && anything_differs(report) ? kExitDifference : kExitDone;
}

// "sbp 5 (mean 121.5 -> 133.25)"
std::string columns_text(const View& view, const Json& table) {
  std::string text;
  for (const auto& [name, changed] : field(table, "columns").items()) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, cell_text(view, changed));
    const Json& numbers = field(field(table, "numbers"), name);
    if (numbers.is_null()) continue;
    text += fmt::format(" (mean {} -> {})",
                        cell_text(view, field(numbers, "mean_before")),
                        cell_text(view, field(numbers, "mean_after")));
  }
  return text;
}

std::string row_text(const Json& row) {
  if (row.is_null()) return "";
  if (!row.is_object()) return row.is_string() ? row.get<std::string>() : json_line(row);
  std::string text;
  for (const auto& [name, value] : row.items()) {
    const std::string shown = value.is_string() ? value.get<std::string>() : json_line(value);
    text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, shown);
  }
  return text;
}

// Of two rows, only the cells that changed: the rest would hide them.
Json changed_cells(const Json& before, const Json& after) {
  Json cells = Json::object();
  for (const auto& [name, value] : after.items()) {
    if (field(before, name) != value) cells[name] = value;
  }
  return cells;
}

std::string rows_text(const View& view, const Json& rows) {
  TextTable table({{"table"}, {"key"}, {"change"}, {"before"}, {"after"}});
  for (const Json& row : rows) {
    const Json& before = field(row, "before");
    const Json& after = field(row, "after");
    const bool both = before.is_object() && after.is_object();
    const std::string change = text_of(row, "change");
    Tone tone = Tone::kWarning;
    if (before.is_null()) tone = Tone::kGood;
    if (after.is_null()) tone = Tone::kBad;
    table.add({{text_of(row, "table")},
               {row_text(field(row, "key"))},
               {change, tone},
               {row_text(both ? changed_cells(after, before) : before)},
               {row_text(both ? changed_cells(before, after) : after)}});
  }
  return table.text(view);
}

std::string version_name(const Json& side) {
  return fmt::format(
      "version {} (snapshot {})", id_text(side, "version"), id_text(side, "snapshot"));
}

std::string metrics_text(const View& view, const Json& metrics) {
  TextTable table({{"metric"}, {"from", true}, {"to", true}, {"change", true}});
  for (const Json& metric : metrics) {
    const auto from = number_of(metric, "from");
    const auto to = number_of(metric, "to");
    const bool both = from && to && *from != 0;
    table.add({{text_of(metric, "name")},
               {cell_text(view, field(metric, "from"))},
               {cell_text(view, field(metric, "to"))},
               {both ? fmt::format("{:+.2f} %", (*to - *from) / *from * 100) : ""}});
  }
  return table.text(view);
}

std::string names_text(const Json& names) {
  std::string text;
  for (const Json& name : names)
    text += (text.empty() ? "" : ", ") + printable(name.get<std::string>());
  return text;
}

// What the definitions differ in: features that came and went, then each value.
std::string definition_text(const View& view, const Json& report) {
  std::string text;
  const std::string added = names_text(field(field(report, "features"), "added"));
  const std::string removed = names_text(field(field(report, "features"), "removed"));
  if (!added.empty()) text += fmt::format("features added: {}\n", added);
  if (!removed.empty()) text += fmt::format("features removed: {}\n", removed);
  TextTable table({{"definition"}, {"from"}, {"to"}});
  for (const Json& change : field(report, "definition")) {
    table.add({{text_of(change, "path")},
               {cell_text(view, field(change, "from"))},
               {cell_text(view, field(change, "to"))}});
  }
  return text + table.text(view);
}

std::string weights_text(const View& view, const Json& weights) {
  TextTable table({{"target"}, {"column"}, {"from", true}, {"to", true}});
  std::size_t shown = 0;
  for (const Json& weight : weights) {
    if (view.terminal && shown++ == kWeightsShown) break;
    table.add({{text_of(weight, "target")},
               {text_of(weight, "column")},
               {cell_text(view, field(weight, "from"))},
               {cell_text(view, field(weight, "to"))}});
  }
  std::string text = table.text(view);
  if (view.terminal && weights.size() > kWeightsShown) {
    text += fmt::format(
        "... and {}; --json has all\n",
        plural(view, static_cast<std::int64_t>(weights.size() - kWeightsShown), "weight"));
  }
  return text;
}

}  // namespace

bool anything_differs(const Json& diff_report) {
  for (const Json& table : field(diff_report, "tables")) {
    const std::int64_t count =
        integer_of(table, "added") + integer_of(table, "removed") + integer_of(table, "changed");
    if (count > 0) return true;
  }
  const Json& same = field(diff_report, "same_definition");
  if (same.is_boolean() && !same.get<bool>()) return true;
  const auto differ = [](const Json& one) { return field(one, "from") != field(one, "to"); };
  const Json& weights = field(diff_report, "weights");
  return std::any_of(weights.begin(), weights.end(), differ);
}

std::string render_diff(const View& view, const Json& report) {
  std::string text =
      fmt::format("snapshot {} to {}\n", id_text(report, "from"), id_text(report, "to"));
  TextTable table({{"table"}, {"added", true}, {"removed", true}, {"changed", true}, {"columns"}});
  for (const Json& one : field(report, "tables")) {
    table.add({{text_of(one, "table")},
               {cell_text(view, field(one, "added"))},
               {cell_text(view, field(one, "removed"))},
               {cell_text(view, field(one, "changed"))},
               {columns_text(view, one)}});
  }
  if (!anything_differs(report)) return text + "no differences\n";
  text += table.text(view);
  const std::string rows = rows_text(view, field(report, "rows"));
  if (!rows.empty()) text += (view.terminal ? "\n" : "") + rows;
  return text;
}

std::string render_model_diff(const View& view, const Json& report) {
  std::string text = fmt::format(
      "{} to {}\n", version_name(field(report, "from")), version_name(field(report, "to")));
  text += flag_of(report, "same_definition")
              ? "same definition\n"
              : "another definition: weights are not of the same columns\n";
  text += definition_text(view, report);
  text += "rows: " + changes_text(view, field(report, "rows")) + "\n";
  const std::string gap = view.terminal ? "\n" : "";
  const std::string metrics = metrics_text(view, field(report, "metrics"));
  if (!metrics.empty()) text += gap + metrics;
  const std::string weights = weights_text(view, field(report, "weights"));
  if (!weights.empty()) text += gap + weights;
  return text;
}

Command diff_command() {
  return {
      .name = "diff",
      .text = "Compare two snapshots, or two versions of a model",
      .example =
          "lockstep diff 11 12\nlockstep diff -2 -1 --rows all --json\nlockstep diff bp@6 "
          "bp@champion",
      .positionals = {{.name = "FROM",
                       .text = "a snapshot (default -2), or a version as MODEL@VERSION",
                       .required = false},
                      {.name = "TO",
                       .text = "a snapshot (default latest), or a version",
                       .required = false}},
      .flags = {{.name = "--rows",
                 .value = "N",
                 .text = "show so many rows that differ (default 20), or all"},
                {.name = "--exit-code", .text = "exit with 4 when something differs"}},
      .notes =
          "Rows are in the order of their keys. With --rows all --json they come as JSON Lines, "
          "and\n"
          "the summary is the last line.",
      .run = run_diff,
  };
}

}  // namespace lockstep
