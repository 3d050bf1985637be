#include "sync/gate.h"

#include "table/scalar_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lockstep {
namespace {

// The usual error is a mean over about this many rows: long enough to be steady, short enough to
// follow the season.
constexpr double kUsualRowsMax = 2'000;
// Fewer rows than this say too little about what is usual.
constexpr double kUsualRowsMin = 50;

double count_of(const GateMemory::Errors& errors, std::size_t target) {
  return errors.counts.empty() ? errors.rows : errors.counts[target];
}

// JSON has no infinity: such a sum is stored as null, and read as the infinity that it was.
void append_sum(double number, std::string& out) {
  if (std::isfinite(number)) {
    append_float_text(number, out);
  } else {
    out += "null";
  }
}

void append_numbers(const std::vector<double>& numbers, std::string& out) {
  out += '[';
  for (std::size_t index = 0; index < numbers.size(); ++index) {
    if (index > 0) out += ',';
    append_sum(numbers[index], out);
  }
  out += ']';
}

void append_errors(const GateMemory::Errors& errors, std::string& out) {
  out += R"({"rows":)";
  append_sum(errors.rows, out);
  out += R"(,"absolute":)";
  append_numbers(errors.absolute, out);
  out += R"(,"counts":)";
  append_numbers(errors.counts, out);
  out += '}';
}

std::vector<double> sums_of(const nlohmann::ordered_json& json) {
  std::vector<double> sums;
  for (const auto& sum : json)
    sums.push_back(sum.is_null() ? std::numeric_limits<double>::infinity() : sum.get<double>());
  return sums;
}

GateMemory::Errors errors_of(const nlohmann::ordered_json& json) {
  return {json.at("rows").get<double>(),
          sums_of(json.at("absolute")),
          json.at("counts").get<std::vector<double>>()};
}

std::optional<std::string> judge_batch(const GateConfiguration& gate,
                                       const GateMemory& memory,
                                       const GateEvidence& evidence) {
  if (memory.usual.rows < kUsualRowsMin || evidence.batch.rows == 0) return std::nullopt;
  GateMemory::Errors seen = evidence.batch;
  const auto rows_min = static_cast<double>(gate.batch_rows_min);
  for (auto older = memory.recent.rbegin(); older != memory.recent.rend() && seen.rows < rows_min;
       ++older) {
    add_errors(seen, *older);
  }
  if (seen.rows < rows_min || seen.absolute.size() != memory.usual.absolute.size())
    return std::nullopt;
  for (std::size_t target = 0; target < seen.absolute.size(); ++target) {
    // A target that few rows have says too little.
    if (count_of(seen, target) < rows_min) continue;
    if (count_of(memory.usual, target) < kUsualRowsMin) continue;
    const double now = seen.absolute[target] / count_of(seen, target);
    const double usual = memory.usual.absolute[target] / count_of(memory.usual, target);
    // Written so that a NaN blocks.
    if (!(now <= gate.batch_error * usual)) {
      return fmt::format(
          "the champion's error on the batch is {:.2f}, {:.1f} times the usual {:.2f} (limit "
          "{:.1f})",
          now,
          now / usual,
          usual,
          gate.batch_error);
    }
  }
  return std::nullopt;
}

std::optional<std::string> judge_against(const GateConfiguration& gate,
                                         const Metrics& challenger,
                                         const std::optional<Metrics>& other,
                                         std::string_view name) {
  if (!other || other->row_count == 0 || challenger.row_count == 0) return std::nullopt;
  if (other->targets.size() != challenger.targets.size()) return std::nullopt;
  for (std::size_t target = 0; target < challenger.targets.size(); ++target) {
    const double now = challenger.targets[target].rmse;
    const double then = other->targets[target].rmse;
    if (std::isnan(then)) continue;  // no test row has this target
    if (!(now <= then * (1 + gate.at_most_worse))) {
      return fmt::format(
          "test rmse of {} is {:.3f}, {:.1f} % worse than the {}'s {:.3f} (limit {:.1f} %)",
          challenger.targets[target].target,
          now,
          100 * (now / then - 1),
          name,
          then,
          100 * gate.at_most_worse);
    }
  }
  return std::nullopt;
}

}  // namespace

void add_errors(GateMemory::Errors& into, const GateMemory::Errors& from) {
  if (into.absolute.empty()) into.absolute.assign(from.absolute.size(), 0.0);
  if (into.absolute.size() != from.absolute.size())
    return;  // other targets: another lineage's errors say nothing
  std::vector<double> counts;
  for (std::size_t target = 0; target < from.absolute.size(); ++target) {
    counts.push_back(count_of(into, target) + count_of(from, target));
    into.absolute[target] += from.absolute[target];
  }
  into.rows += from.rows;
  into.counts = std::move(counts);
}

GateMemory::Errors errors_of_batch(const BatchErrors& batch) {
  return {static_cast<double>(batch.row_count),
          batch.absolute_error_sum,
          std::vector<double>(batch.target_rows.begin(), batch.target_rows.end())};
}

// Spelled by hand: every commit writes it.
std::string gate_memory_json(const GateMemory& memory) {
  std::string out = R"({"usual":)";
  append_errors(memory.usual, out);
  out += R"(,"pending":)";
  append_errors(memory.pending, out);
  out += R"(,"recent":[)";
  for (std::size_t index = 0; index < memory.recent.size(); ++index) {
    if (index > 0) out += ',';
    append_errors(memory.recent[index], out);
  }
  fmt::format_to(std::back_inserter(out),
                 R"(],"latched":{},"latched_at":{},"why":{},"reference":{},"calibrated_rows":{},)"
                 R"("pending_changes":{},"last_version_us":{}}})",
                 memory.latched,
                 memory.latched_at,
                 nlohmann::json(memory.why).dump(),
                 memory.reference,
                 memory.calibrated_rows,
                 memory.pending_changes,
                 memory.last_version_us);
  return out;
}

Result<GateMemory> parse_gate_memory(const std::string& json) {
  const auto in = nlohmann::ordered_json::parse(json, nullptr, false);
  GateMemory memory;
  try {
    memory.usual = errors_of(in.at("usual"));
    memory.pending = errors_of(in.at("pending"));
    for (const auto& errors : in.at("recent"))
      memory.recent.push_back(errors_of(errors));
    memory.latched = in.at("latched").get<bool>();
    memory.latched_at = in.at("latched_at").get<std::int64_t>();
    memory.why = in.at("why").get<std::string>();
    memory.reference = in.at("reference").get<std::int64_t>();
    memory.calibrated_rows = in.at("calibrated_rows").get<std::int64_t>();
    memory.pending_changes = in.at("pending_changes").get<std::int64_t>();
    memory.last_version_us = in.at("last_version_us").get<std::int64_t>();
  } catch (const nlohmann::json::exception& error) {
    return make_error(Code::kCorrupt,
                      fmt::format("the gate's memory cannot be read: {}", error.what()));
  }
  return memory;
}

GateDecision judge(const GateConfiguration& gate,
                   const GateMemory& memory,
                   const GateEvidence& evidence) {
  if (!gate.enabled) return {};
  if (auto why = judge_batch(gate, memory, evidence)) return {true, *why};
  if (auto why = judge_against(gate, evidence.challenger, evidence.champion, "champion"))
    return {true, *why};
  if (auto why = judge_against(gate, evidence.challenger, evidence.reference, "last calibration"))
    return {true, *why};
  return {};
}

void remember(const GateConfiguration& gate, GateMemory& memory, const GateMemory::Errors& batch) {
  if (batch.rows == 0) return;
  add_errors(memory.usual, batch);
  if (memory.usual.rows > kUsualRowsMax) {
    const double fade = kUsualRowsMax / memory.usual.rows;
    memory.usual.rows *= fade;
    for (double& sum : memory.usual.absolute)
      sum *= fade;
    for (double& count : memory.usual.counts)
      count *= fade;
  }
  memory.recent.push_back(batch);
  while (static_cast<std::int64_t>(memory.recent.size()) > gate.batch_rows_min)
    memory.recent.pop_front();
}

void remember_start(GateMemory& memory,
                    const std::vector<double>& mean_absolute_error,
                    std::int64_t row_count) {
  memory.recent.clear();
  memory.usual = {};
  if (row_count == 0) return;
  memory.usual.rows = std::min(static_cast<double>(row_count), kUsualRowsMax);
  for (const double mean : mean_absolute_error) {
    // NaN: no test row has this target, and nothing is usual yet.
    const double count = std::isnan(mean) ? 0 : memory.usual.rows;
    memory.usual.counts.push_back(count);
    memory.usual.absolute.push_back(count > 0 ? mean * count : 0);
  }
}

}  // namespace lockstep
