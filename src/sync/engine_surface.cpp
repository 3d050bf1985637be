// What the writer tells of its commits: to the sources whose rows they hold, and to the surface.
#include "source/http/push_desk.h"
#include "sync/champion.h"
#include "sync/engine.h"
#include "sync/report_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

// rejected: _source, record, stage, reason, row.
void add_rejected(const Batch& rows, std::vector<Completion::Rejected>& out) {
  for (std::int64_t row = 0; row < rows.row_count(); ++row) {
    if (rows.sign(row) < 0) continue;
    out.push_back({std::string(rows.text_at(1, row)),
                   std::string(rows.text_at(2, row)),
                   std::string(rows.text_at(3, row))});
  }
}

}  // namespace

void CommitNews::tell_counts(const std::string& of_source, const ChangeCounts& counts) {
  source = of_source;
  inserted = counts.inserted;
  updated = counts.updated;
  deleted = counts.deleted;
  rejected = counts.rejected;
}

bool HubEngine::has_listeners() const {
  return options_.surface != nullptr || options_.pushes != nullptr;
}

CommitNews HubEngine::news_of(const CommitRequest& request, const Committed& committed) const {
  CommitNews news;
  news.completion.commit = number(committed.commit);
  news.completion.snapshot = number(hub_->latest_snapshot());
  news.has_snapshot = committed.snapshot.has_value();
  for (const TableChange& change : request.changes) {
    if (change.table.layer == Layer::kRejected) add_rejected(change.rows, news.completion.rejected);
    if (std::ranges::find(news.datasets, change.table.dataset) == news.datasets.end())
      news.datasets.push_back(change.table.dataset);
  }
  for (const ModelVersionRecord& version : request.versions) {
    news.completion.versions.push_back({version.model,
                                        version.version,
                                        number(version.snapshot),
                                        version_status_name(version.status)});
  }
  return news;
}

// Of a commit of the open group, which its models learned beside it.
void HubEngine::note_versions(CommitId commit, const std::vector<ModelVersionRecord>& versions) {
  const auto news = std::ranges::find_if(news_, [&](const CommitNews& candidate) {
    return candidate.completion.commit == number(commit);
  });
  if (news == news_.end()) return;
  for (const ModelVersionRecord& version : versions) {
    news->completion.versions.push_back({version.model,
                                         version.version,
                                         number(version.snapshot),
                                         version_status_name(version.status)});
  }
}

const Completion& HubEngine::completion_of(const Feed::Owed& owed) const {
  static const Completion kNothing;
  const auto found = std::ranges::find_if(news_, [&](const CommitNews& news) {
    return owed.commit && news.completion.commit == number(*owed.commit);
  });
  return found == news_.end() ? kNothing : found->completion;
}

// Before the group is durable: what is kept stands or falls with its rows.
Result<void> HubEngine::keep_answers() {
  if (options_.pushes == nullptr) return {};
  std::vector<RequestRecord> kept;
  for (const Feed& feed : feeds_) {
    for (const Feed::Owed& owed : feed.unacknowledged) {
      for (KeptAnswer& answer : feed.source->answers(owed.changes, completion_of(owed))) {
        kept.push_back({.token = std::move(answer.token),
                        .dataset = feed.datasets[static_cast<std::size_t>(answer.target)],
                        .key = std::move(answer.key),
                        .body_sha256 = std::move(answer.sha256),
                        .time = Timestamp{io_.now_us()},
                        .answer = std::move(answer.answer)});
      }
    }
  }
  Result<void> stored = hub_->keep_requests(kept);
  failed_ = failed_ || !stored.ok();
  return stored;
}

Result<std::optional<KeptAnswer>> HubEngine::kept_answer(const Feed& feed,
                                                         int target,
                                                         const std::string& key) {
  std::optional<RequestRecord> record =
      TRY(hub_->request_of_key(feed.datasets[static_cast<std::size_t>(target)], key));
  if (!record) return std::optional<KeptAnswer>();
  return std::optional(KeptAnswer{.target = target,
                                  .token = std::move(record->token),
                                  .key = key,
                                  .sha256 = std::move(record->body_sha256),
                                  .answer = std::move(record->answer)});
}

// The champions of what is durable now.
void HubEngine::show_champions() {
  if (options_.surface == nullptr) return;
  for (const std::unique_ptr<ModelTrack>& track : tracks_) {
    const std::optional<Standing>& standing = track->champion();
    const std::string& model = track->model().name;
    const auto shown = shown_.find(model);
    if (!standing || (shown != shown_.end() && shown->second == standing->version)) continue;
    shown_[model] = standing->version;
    if (Result<void> done = show_champion(model, *standing); !done.ok()) {
      log_.warning(fmt::format("model '{}' v{} answers no requests: {}",
                               model,
                               standing->version,
                               done.error().message));
    }
  }
}

// Steps and learner of a definition are made once: over the columns of now, or those that the hub
// had before this writer.
Result<void> HubEngine::show_champion(const std::string& model, const Standing& standing) {
  const bool is_older = standing.snapshot <= opened_at_;
  std::shared_ptr<const Predictor>& predictor = predictors_[{standing.definition, is_older}];
  if (!predictor) {
    predictor = std::shared_ptr<const Predictor>(
        TRY(make_predictor(*hub_, standing.definition, standing.snapshot)));
  }
  auto champion = std::make_shared<Champion>();
  champion->model = model;
  champion->version = standing.version;
  champion->data_version = number(standing.snapshot);
  champion->predictor = predictor;
  champion->solution = standing.solution;
  options_.surface->champion(std::move(champion));
  return {};
}

// What became of a push: {state: waiting | done | failed | unknown, answer, error}.
Result<Json> HubEngine::push_state(const std::string& token) {
  PushAnswer answer;
  PushDesk::Token known = PushDesk::Token::kUnknown;
  if (options_.pushes != nullptr) known = options_.pushes->state_of(token, &answer);
  if (known == PushDesk::Token::kWaiting) return Json{{"state", "waiting"}};
  const bool is_done =
      answer.kind == PushAnswer::Kind::kDone || answer.kind == PushAnswer::Kind::kRepeated;
  if (known == PushDesk::Token::kAnswered && !is_done) {
    return Json{{"state", "failed"},
                {"error", {{"message", answer.error.message}, {"hint", answer.error.hint}}}};
  }
  std::string text = std::move(answer.json);
  if (known == PushDesk::Token::kUnknown) {
    const std::optional<RequestRecord> kept = TRY(hub_->request_of_token(token));
    if (!kept) return Json{{"state", "unknown"}};
    text = kept->answer;
  }
  return Json{{"state", "done"}, {"answer", parsed_or_null(text)}};
}

void HubEngine::tell_news() {
  if (options_.surface != nullptr) {
    for (const CommitNews& news : news_)
      options_.surface->committed(news);
  }
  news_.clear();
}

}  // namespace lockstep
