#include "source/http/http.h"

#include "source/http/push_rows.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <set>

namespace lockstep {
namespace {

constexpr std::size_t kRejectedShown = 10;

constexpr std::array kHttpTable = {
    Setting{.name = "type", .text = "What the source reads from.", .required = true},
    Setting{.name = "operation",
            .text = "The column that says I (insert), U (update) or D (delete) for each row; "
                    "without it a row becomes the row of its key, unless the request says "
                    "otherwise."},
};

// A push whose batch was given, and is not committed yet.
struct GivenPush {
  std::int64_t number = 0;
  std::string token;
  std::string key;
  std::string sha256;
  std::string origin;
  bool is_kept = false;
  Batch rows;
  std::vector<Refusal> refusals;
  std::string answer;  // once its commit is known
};

std::string number_text(std::int64_t number) {
  return std::to_string(number);
}

nlohmann::ordered_json rejected_json(const std::string& record,
                                     const std::string& stage,
                                     const std::string& reason) {
  return {{"record", record}, {"stage", stage}, {"reason", reason}};
}

// What of the commit's rejected rows the push brought: by its origin, or by a key of its rows.
std::vector<Completion::Rejected> rejected_of(const GivenPush& push,
                                              const std::vector<std::string>& key_names,
                                              const Completion& completion) {
  std::vector<Completion::Rejected> out;
  std::set<std::string> told;
  for (const Refusal& refusal : push.refusals) {
    told.insert(refusal.position);
    out.push_back({refusal.position, refusal.stage, refusal.reason});
  }
  if (completion.rejected.empty()) return out;
  std::set<std::string> keys;
  if (const auto key = push.rows.schema().require_all(key_names); key.ok()) {
    for (std::int64_t row = 0; row < push.rows.row_count(); ++row)
      keys.insert(key_text(push.rows, key.value(), row));
  }
  const std::string prefix = push.origin + " ";
  for (const Completion::Rejected& rejected : completion.rejected) {
    if (rejected.record.starts_with(prefix)) {
      std::string position = rejected.record.substr(prefix.size());
      if (told.contains(position)) continue;
      out.push_back({std::move(position), rejected.stage, rejected.reason});
    } else if (rejected.stage != "decode" && rejected.stage != "operation" &&
               keys.contains(rejected.record)) {
      out.push_back(rejected);
    }
  }
  return out;
}

std::string answer_text(const GivenPush& push,
                        const std::vector<std::string>& key_names,
                        const Completion& completion) {
  const auto rejected = rejected_of(push, key_names, completion);
  nlohmann::ordered_json out;
  out["commit"] = completion.commit;
  out["snapshot"] = completion.snapshot;
  out["rows"] = static_cast<std::size_t>(push.rows.row_count()) + push.refusals.size();
  out["rejected"] = rejected.size();
  if (!rejected.empty()) {
    out["first_rejected"] = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < std::min(rejected.size(), kRejectedShown); ++i)
      out["first_rejected"].push_back(
          rejected_json(rejected[i].record, rejected[i].stage, rejected[i].reason));
  }
  out["models"] = nlohmann::ordered_json::object();
  for (const Completion::Version& version : completion.versions) {
    out["models"][version.model] = {{"version", version.version},
                                    {"data_version", version.data_version},
                                    {"status", version.status}};
  }
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

class HttpSource final : public Source {
 public:
  HttpSource(Io& io, SourceRequest request, std::string operation)
      : io_(io), request_(std::move(request)) {
    plan_.operation = std::move(operation);
    if (!request_.targets.empty()) plan_.target = request_.targets.front();
    key_ = plan_.target.key;
    if (is_made_key(key_)) key_ = {std::string(kFileColumn), std::string(kRowColumn)};
  }

  ~HttpSource() override {
    if (is_open_) request_.pushes->close(request_.name);
  }

  HttpSource(const HttpSource&) = delete;
  HttpSource& operator=(const HttpSource&) = delete;

  // Finds out at once whether the columns and the key fit, where the columns are known.
  Result<void> prepare() {
    if (plan_.target.schema.size() == 0) return {};
    if (!plan_.operation.empty() && plan_.target.schema.index_of(plan_.operation)) {
      return invalid_at(request_.settings.mark,
                        fmt::format("column '{}' is the operation column of source '{}', and a "
                                    "column of its dataset",
                                    plan_.operation,
                                    request_.name),
                        "take it out of the dataset's columns");
    }
    TRY_IN(plan_rows({.schema = plan_.target.schema, .key = plan_.target.key}),
           fmt::format("source '{}'", request_.name));
    return {};
  }

  Capabilities capabilities() const override {
    return {.replays = false, .old_rows = false, .deletes = true, .wakes = true};
  }

  Result<Schema> infer_schema(int) override { return no_columns(); }

  Result<Schema> infer_newest_schema(int) override { return no_columns(); }

  Result<void> open(const Position& position) override {
    given_count_ = 0;
    const auto part = position.find("");
    if (part != position.end()) {
      const std::string& text = part->second;
      const auto [end, error] =
          std::from_chars(text.data(), text.data() + text.size(), given_count_);
      if (error != std::errc() || end != text.data() + text.size()) {
        return make_error(Code::kCorrupt,
                          fmt::format("source '{}' has the position '{}', which is no number of "
                                      "pushes",
                                      request_.name,
                                      text));
      }
    }
    is_open_ = request_.pushes != nullptr;
    if (is_open_) request_.pushes->open(request_.name);
    return {};
  }

  Result<std::optional<SourceBatch>> next(const SourceLimits&) override {
    while (is_open_) {
      std::optional<Push> push = request_.pushes->take(request_.name);
      if (!push) break;
      if (TRY(answer_known(*push))) continue;
      Result<SourceBatch> read = rows_of_push(plan_, *push);
      if (!read.ok()) {
        refuse(*push, PushAnswer::Kind::kUnreadable, read.error());
        continue;
      }
      SourceBatch batch = std::move(read).value();
      if (push->is_strict && !batch.refusals.empty()) {
        refuse(*push, PushAnswer::Kind::kBadRows, bad_rows(batch));
        continue;
      }
      give(std::move(*push), batch);
      return std::optional(std::move(batch));
    }
    return std::optional<SourceBatch>();
  }

  std::vector<KeptAnswer> answers(const Position& changes, const Completion& completion) override {
    std::vector<KeptAnswer> out;
    for (GivenPush& push : given_) {
      if (number_text(push.number) != changes.at("")) continue;
      push.answer = answer_text(push, key_, completion);
      if (push.key.empty() && !push.is_kept) continue;
      out.push_back({.target = 0,
                     .token = push.token,
                     .key = push.key,
                     .sha256 = push.sha256,
                     .answer = push.answer});
    }
    return out;
  }

  Result<void> committed(const Position& changes) override { return completed(changes, {}); }

  Result<void> completed(const Position& changes, const Completion& completion) override {
    LOCKSTEP_ASSERT(!given_.empty() && number_text(given_.front().number) == changes.at(""),
                    "push-1: a commit of another push than the oldest");
    GivenPush push = std::move(given_.front());
    given_.pop_front();
    if (push.answer.empty()) push.answer = answer_text(push, key_, completion);
    request_.pushes->answer(
        push.token, {.kind = PushAnswer::Kind::kDone, .json = std::move(push.answer), .error = {}});
    return {};
  }

  Result<bool> wait(std::int64_t timeout_us) override {
    if (!is_open_) {
      io_.sleep_us(timeout_us);
      return false;
    }
    return timeout_us <= 0 ? request_.pushes->has(request_.name)
                           : request_.pushes->wait(timeout_us);
  }

  std::string describe(const Position& position) const override {
    const auto part = position.find("");
    const std::string count = part == position.end() ? "0" : part->second;
    return count == "1" ? "1 push" : count + " pushes";
  }

  SourceLag lag() override {
    return is_open_ ? request_.pushes->lag(request_.name, io_.now_us()) : SourceLag{};
  }

 private:
  static Error no_columns() {
    return make_error(Code::kNotFound,
                      "pushes show no columns before they come",
                      "write columns: {age: int, weight: float}");
  }

  static Error bad_rows(const SourceBatch& batch) {
    const Refusal& first = batch.refusals.front();
    return invalid(fmt::format("{} of {} rows are bad; {}: {}",
                               batch.refusals.size(),
                               batch.refusals.size() + batch.operations.size(),
                               first.position,
                               first.reason),
                   "correct them, or leave out strict=true: then they go to rejected");
  }

  void refuse(const Push& push, PushAnswer::Kind kind, Error error) {
    request_.pushes->answer(push.token, {.kind = kind, .json = {}, .error = std::move(error)});
  }

  // Whether the push was done before, or its key names another.
  Result<bool> answer_known(const Push& push) {
    if (push.key.empty() || !request_.kept_answer) return false;
    std::optional<KeptAnswer> kept = TRY(request_.kept_answer(0, push.key));
    if (!kept) return false;
    if (kept->sha256 == push.sha256) {
      request_.pushes->answer(
          push.token,
          {.kind = PushAnswer::Kind::kRepeated, .json = std::move(kept->answer), .error = {}});
      return true;
    }
    refuse(push,
           PushAnswer::Kind::kOtherBody,
           invalid(fmt::format("the key '{}' was used for another push", push.key),
                   "give each push a key of its own, and repeat one only with the same body"));
    return true;
  }

  void give(Push push, SourceBatch& batch) {
    GivenPush given{.number = ++given_count_,
                    .token = std::move(push.token),
                    .key = std::move(push.key),
                    .sha256 = std::move(push.sha256),
                    .origin = batch.origin,
                    .is_kept = push.is_kept,
                    .rows = batch.rows,
                    .refusals = batch.refusals,
                    .answer = {}};
    batch.position_changes = {{"", number_text(given.number)}};
    given_.push_back(std::move(given));
  }

  Io& io_;
  const SourceRequest request_;
  PushPlan plan_;
  std::vector<std::string> key_;  // of the rows that are given
  bool is_open_ = false;
  std::int64_t given_count_ = 0;
  std::deque<GivenPush> given_;
};

}  // namespace

std::span<const Setting> http_setting_table() {
  return kHttpTable;
}

Result<std::unique_ptr<Source>> make_http_source(Io& io, const SourceRequest& request) {
  const Settings settings =
      TRY(Settings::parse(request.settings, kHttpTable, fmt::format("source '{}'", request.name)));
  const std::string operation = settings.has("operation") ? settings.text("operation") : "";
  auto source = std::make_unique<HttpSource>(io, request, operation);
  TRY(source->prepare());
  return std::unique_ptr<Source>(std::move(source));
}

}  // namespace lockstep
