#include "source/files/files.h"

#include "source/files/file_look.h"
#include "source/files/file_reader.h"
#include "source/files/files_listing.h"
#include "source/files/files_position.h"
#include "source/files/files_settings.h"
#include "source/files/glob.h"
#include "source/files/object_store_io.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace lockstep {
namespace {

// A file that the system would not let us read is tried again after this time: rights and disks are
// mended without the file's changing.
constexpr std::int64_t kRetryUs = 60'000'000;

// What is known of a file beyond its state: it is not looked at again before it changes.
struct Held {
  FileInfo info;
  std::optional<std::int64_t> retry_at_us = {};
  std::optional<Error> refused = {};  // content that append does not take
};

class FilesSource final : public Source {
 public:
  // `bucket`: instead of `io`, where there is one.
  FilesSource(Io& io,
              std::unique_ptr<ObjectStoreIo> bucket,
              SourceRequest request,
              FilesSettings settings)
      : bucket_(std::move(bucket)),
        io_(bucket_ ? *bucket_ : io),
        request_(std::move(request)),
        target_(request_.targets.empty() ? SourceTarget() : request_.targets.front()),
        settings_(std::move(settings)) {}

  // Finds out at once whether the columns and the key fit, where the columns are known.
  Result<void> prepare() {
    if (target_.schema.size() > 0) TRY(has_plan());
    return {};
  }

  Capabilities capabilities() const override {
    const bool deletes = !settings_.operation.empty() || is_mirror();
    return {.replays = true, .deletes = deletes};
  }

  Result<Schema> infer_schema(int) override {
    const Schema read = TRY(infer_from_files(io_, listing_request()));
    return finish_schema(read);
  }

  Result<Schema> infer_newest_schema(int) override {
    return infer_from_newest_file(io_, listing_request());
  }

  Result<void> open(const Position& position) override {
    position_ = TRY(parse_position(position));
    reader_.reset();
    moved_.clear();
    queue_.clear();
    vanished_.clear();
    held_.clear();
    look_at_us_ = 0;
    return {};
  }

  Result<std::optional<SourceBatch>> next(const SourceLimits& limits) override {
    // A look at a bucket is a request, and some are paid for.
    bool has_scanned = bucket_ && is_idle() && io_.monotonic_us() < look_at_us_;
    if (!has_scanned && !TRY(has_plan())) return std::optional<SourceBatch>();
    while (true) {
      std::optional<SourceBatch> batch;
      if (reader_) {
        batch = TRY(read_on(limits));
      } else if (!queue_.empty()) {
        const GlobMatch match = std::move(queue_.front());
        queue_.pop_front();
        batch = TRY(start(match));
      } else if (!vanished_.empty()) {
        batch = remove_origin();
      } else if (has_scanned) {
        TRY(refuse_other_content());
        return std::optional<SourceBatch>();
      } else {
        TRY(scan());
        has_scanned = true;
      }
      if (batch) return batch;
    }
  }

  Result<void> committed(const Position&) override { return {}; }  // files stay where they are

  Result<bool> wait(std::int64_t timeout_us) override {
    if (!is_idle()) return true;
    if (!watch_ && !polls_) {
      start_watching();
      return true;  // what came before the watch began was not seen by it
    }
    if (watch_) {
      const Result<bool> changed = watch_->wait(timeout_us);
      if (changed.ok() || changed.error().code == Code::kInterrupted) return changed;
      watch_.reset();
      polls_ = true;
    }
    return poll(timeout_us);
  }

  std::string describe(const Position& position) const override {
    const Result<FilesPosition> parsed = parse_position(position);
    return parsed.ok() ? describe_position(parsed.value()) : parsed.error().message;
  }

  SourceLag lag() override {
    // What a bucket has is known from the last look at it.
    const Result<std::vector<GlobMatch>> work =
        bucket_ ? std::vector<GlobMatch>(queue_.begin(), queue_.end()) : list_work();
    if (!work.ok()) return {};
    std::uint64_t bytes =
        bucket_ && reader_ ? unread_bytes({reader_->task().name, reader_->task().info}) : 0;
    for (const GlobMatch& match : work.value())
      bytes += unread_bytes(match);
    return {.bytes = bytes};
  }

 private:
  bool is_mirror() const { return settings_.mode == FilesMode::kMirror; }

  ListingRequest listing_request() const {
    return {.directory = request_.directory, .settings = settings_};
  }

  Result<Schema> finish_schema(const Schema& read) const {
    if (!is_made_key(target_.key)) {
      TRY_IN(read.require_all(target_.key), fmt::format("the key of source '{}'", request_.name));
      return read;
    }
    return TRY(plan_rows({.schema = read})).rows;
  }

  // False: the columns are not known yet, for want of a file.
  Result<bool> has_plan() {
    if (plan_) return true;
    Schema schema = target_.schema;
    if (schema.size() == 0) {
      Result<Schema> inferred = infer_schema(0);
      if (!inferred.ok() && inferred.error().code == Code::kNotFound) return false;
      schema = TRY(std::move(inferred));
    }
    plan_ =
        TRY_IN(plan_rows({.schema = std::move(schema),
                          .key = target_.key,
                          .operation = settings_.operation,
                          .fallback = settings_.mode == FilesMode::kAppend ? Operation::kInsert
                                                                           : Operation::kUpsert}),
               fmt::format("source '{}'", request_.name));
    return true;
  }

  const FileState* known(const std::string& name) const {
    const auto found = position_.files.find(name);
    return found == position_.files.end() ? nullptr : &found->second;
  }

  static bool is_as_it_was(const FileInfo& then, const FileInfo& now) {
    return then.size_bytes == now.size_bytes && then.modified_us == now.modified_us;
  }

  bool is_work(const GlobMatch& match) const {
    const auto held = held_.find(match.name);
    if (held != held_.end() && is_as_it_was(held->second.info, match.info)) {
      const auto& retry_at_us = held->second.retry_at_us;
      return retry_at_us && io_.monotonic_us() >= *retry_at_us;
    }
    const FileState* state = known(match.name);
    if (state == nullptr || state->size_bytes != match.info.size_bytes) return true;
    // It waited under other settings.
    if (state->waiting && (settings_.take_final_line || is_mirror())) return true;
    return !is_settled(*state) ||
           (state->modified_us != match.info.modified_us && !is_known_by_etag(match, *state));
  }

  // An object that an earlier process saw when it was young: whether it was not written again
  // within the same second.
  bool is_known_by_etag(const GlobMatch& match, const FileState& state) const {
    if (!bucket_ || whole_second(state.modified_us) != match.info.modified_us) return false;
    const Result<FileInfo> now = bucket_->info_by_etag(match.info.path);
    return now.ok() && now.value().modified_us == state.modified_us;
  }

  Result<std::vector<GlobMatch>> list_work() const {
    return work_of(TRY(list_files(io_, listing_request())));
  }

  // Those that must be looked at, in order.
  std::vector<GlobMatch> work_of(std::vector<GlobMatch> matches) const {
    std::erase_if(matches, [this](const GlobMatch& match) { return !is_work(match); });
    // A file that was begun comes first, so that the order is the same after a restart.
    std::stable_partition(matches.begin(), matches.end(), [this](const GlobMatch& match) {
      const FileState* state = known(match.name);
      return state != nullptr && !is_settled(*state);
    });
    return matches;
  }

  bool is_idle() const { return !reader_ && queue_.empty() && vanished_.empty(); }

  // Looks at the folders anew.
  Result<void> scan() {
    look_at_us_ = io_.monotonic_us() + settings_.poll_us;
    std::vector<GlobMatch> matches = TRY(list_files(io_, listing_request()));
    std::set<std::string> present;
    for (const GlobMatch& match : matches)
      present.insert(match.name);
    std::erase_if(held_, [&present](const auto& held) { return !present.contains(held.first); });
    for (GlobMatch& match : work_of(std::move(matches)))
      queue_.push_back(std::move(match));
    if (!is_mirror() || position_.files.empty()) return {};
    TRY(check_directories(io_, listing_request()));
    for (const auto& [name, state] : position_.files) {
      if (!present.contains(name)) vanished_.push_back(name);
    }
    return {};
  }

  bool is_plain_text(const std::string& name) const {
    const Result<FileFormat> format = settings_.format_of(name);
    return format.ok() && format.value().compression == Compression::kNone &&
           format.value().format != Format::kParquet;
  }

  std::uint64_t unread_bytes(const GlobMatch& match) const {
    const FileState* state =
        reader_ && reader_->task().name == match.name ? &reader_->state() : known(match.name);
    const bool counts = state != nullptr && !is_mirror() && is_plain_text(match.name) &&
                        state->offset_bytes <= match.info.size_bytes;
    return match.info.size_bytes - (counts ? state->offset_bytes : 0);
  }

  Result<std::optional<SourceBatch>> start(const GlobMatch& match) {
    held_.erase(match.name);
    Result<FileInfo> info = io_.info(match.info.path);
    if (!info.ok() && info.error().code == Code::kNotFound) return std::optional<SourceBatch>();
    if (info.ok()) info.value().path = match.info.path;
    const FileInfo now = info.ok() ? info.value() : match.info;
    if (!info.ok()) return fail(match.name, now, info.error());
    Result<std::optional<SourceBatch>> begun = begin(match.name, now);
    if (begun.ok()) return begun;
    return fail(match.name, now, begun.error());
  }

  Result<std::optional<SourceBatch>> begin(const std::string& name, const FileInfo& info) {
    TRY(check_file_name(name));
    const ReadTask task = TRY(make_task(io_, settings_, name, info));
    Looked looked = TRY(look_at(io_, task, known(name)));
    if (looked.content == Content::kOther && settings_.mode == FilesMode::kAppend) {
      held_[name] = {.info = info, .refused = other_content(name)};
      return std::optional<SourceBatch>();
    }
    if (looked.content == Content::kSame) {
      state_to_move(name) = looked.state;
      return std::optional<SourceBatch>();
    }
    if (!is_mirror()) {
      reader_ = TRY(FileReader::open(io_, task, *plan_, looked.state));
      return std::optional<SourceBatch>();
    }
    looked.state.offset_bytes = 0;
    looked.state.record_count = 0;
    return read_whole(task, looked.state);
  }

  Result<std::optional<SourceBatch>> read_on(const SourceLimits& limits) {
    Result<std::optional<SourceBatch>> batch = reader_->next(limits.row_count_max);
    const ReadTask task = reader_->task();
    if (!batch.ok()) {
      reader_.reset();
      return fail(task.name, task.info, batch.error());
    }
    state_to_move(task.name) = reader_->state();
    if (reader_->state().done) reader_.reset();
    if (!batch.value()) return std::optional<SourceBatch>();
    position_.last = task.name;
    return finish_batch(std::move(*std::move(batch).value()), task.info);
  }

  // A mirrored file, all or nothing.
  Result<std::optional<SourceBatch>> read_whole(const ReadTask& task, const FileState& state) {
    constexpr std::int64_t kPieceRows = 65'536;
    const std::unique_ptr<FileReader> reader = TRY(FileReader::open(io_, task, *plan_, state));
    SourceBatch whole;
    whole.origin = task.name;
    std::vector<Batch> rows;
    while (std::optional<SourceBatch> piece = TRY(reader->next(kPieceRows))) {
      rows.push_back(std::move(piece->rows));
      const auto append = [](auto& all, auto& more) {
        all.insert(
            all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
      };
      append(whole.operations, piece->operations);
      whole.positions.append(piece->positions);
      append(whole.refusals, piece->refusals);
    }
    whole.rows = TRY(concatenate(plan_->rows, rows));
    whole.replaces_origin = true;
    state_to_move(task.name) = reader->state();
    position_.last = task.name;
    return finish_batch(std::move(whole), task.info);
  }

  std::optional<SourceBatch> finish_batch(SourceBatch batch, const FileInfo& info) {
    LOCKSTEP_ASSERT(batch.operations.size() == static_cast<std::size_t>(batch.rows.row_count()),
                    "source-2: a row without its operation");
    batch.source_time = Timestamp{bucket_ ? whole_second(info.modified_us) : info.modified_us};
    batch.position_changes = take_moves();
    return batch;
  }

  // The state of a file that is about to change: the next batch carries it.
  FileState& state_to_move(const std::string& name) {
    moved_.insert(name);
    return position_.files[name];
  }

  Position take_moves() {
    Position moves = {{"", head_text(position_.last)}};
    for (const std::string& name : moved_) {
      const FileState* state = known(name);
      moves[name] = state == nullptr ? std::string() : part_text(*state);
    }
    moved_.clear();
    return moves;
  }

  std::optional<SourceBatch> remove_origin() {
    SourceBatch batch;
    batch.rows = Batch::empty(plan_->rows);
    batch.origin = vanished_.front();
    vanished_.pop_front();
    batch.replaces_origin = true;
    batch.origin_removed = true;
    position_.files.erase(batch.origin);
    moved_.insert(batch.origin);
    batch.position_changes = take_moves();
    return batch;
  }

  // The file cannot be read as it is: a refusal, and the next one.
  Result<std::optional<SourceBatch>> fail(const std::string& name,
                                          const FileInfo& info,
                                          const Error& error) {
    if (error.code == Code::kInterrupted) return error;
    if (error.code == Code::kNotFound) return std::optional<SourceBatch>();
    const bool may_mend = error.code == Code::kIo || error.code == Code::kDenied;
    if (may_mend || !check_file_name(name).ok()) {
      held_[name].info = info;
      if (may_mend) held_[name].retry_at_us = io_.monotonic_us() + kRetryUs;
    } else {
      FileState& state = state_to_move(name);
      state.size_bytes = info.size_bytes;
      state.modified_us = info.modified_us;
      state.failed = true;
    }
    SourceBatch batch;
    batch.rows = Batch::empty(plan_->rows);
    batch.origin = printable_name(name);
    std::string reason = error.message;
    if (!error.hint.empty()) reason += "; " + error.hint;
    batch.refusals.push_back({.origin = batch.origin,
                              .position = "file",
                              .stage = "decode",
                              .reason = std::move(reason),
                              .text = {},
                              .key = {}});
    return finish_batch(std::move(batch), info);
  }

  Error other_content(const std::string& name) const {
    return make_error(Code::kRefused,
                      fmt::format("{} was read before and now holds other content; source '{}' "
                                  "appends, so its rows would come twice",
                                  name,
                                  request_.name),
                      "give the new content a new name, or set 'mode: upsert' or 'mode: mirror'");
  }

  Result<void> refuse_other_content() const {
    for (const auto& [name, held] : held_) {
      if (held.refused) return *held.refused;
    }
    return {};
  }

  void start_watching() {
    std::vector<std::string> directories = watched_directories(listing_request());
    Result<std::unique_ptr<DirectoryWatch>> watch = io_.watch(directories);
    // A folder that cannot be watched (it is missing, or on a network) is looked at every second.
    polls_ = !watch.ok();
    if (watch.ok()) watch_ = std::move(watch).value();
  }

  Result<bool> poll(std::int64_t timeout_us) {
    const std::int64_t end_us = io_.monotonic_us() + timeout_us;
    while (true) {
      const std::int64_t now_us = io_.monotonic_us();
      if (now_us >= look_at_us_) {
        if (!TRY(list_work()).empty()) return true;
        look_at_us_ = now_us + settings_.poll_us;
      }
      if (now_us >= end_us) return false;
      io_.sleep_us(std::min(end_us, look_at_us_) - now_us);
    }
  }

  const std::unique_ptr<ObjectStoreIo> bucket_;
  Io& io_;
  const SourceRequest request_;
  const SourceTarget target_;
  const FilesSettings settings_;
  std::optional<RowPlan> plan_;
  FilesPosition position_;       // after the last batch given
  std::set<std::string> moved_;  // files whose part the next batch carries
  std::unique_ptr<FileReader> reader_;
  std::deque<GlobMatch> queue_;  // to be looked at, in order
  std::deque<std::string> vanished_;
  std::map<std::string, Held> held_;
  std::unique_ptr<DirectoryWatch> watch_;
  bool polls_ = false;
  std::int64_t look_at_us_ = 0;  // not before then, where nothing is watched
};

}  // namespace

Result<std::unique_ptr<Source>> make_files_source(Io& io, const SourceRequest& request) {
  FilesSettings settings = TRY(parse_files_settings(io, request));
  SourceRequest own = request;
  if (own.directory.empty()) own.directory.assign(1, '.');
  std::unique_ptr<ObjectStoreIo> bucket;
  if (settings.bucket) {
    bucket = make_object_store_io(io, TRY(make_s3_store(*settings.bucket)));
    own.directory.assign(1, '/');
  }
  auto source =
      std::make_unique<FilesSource>(io, std::move(bucket), std::move(own), std::move(settings));
  TRY(source->prepare());
  return std::unique_ptr<Source>(std::move(source));
}

}  // namespace lockstep
