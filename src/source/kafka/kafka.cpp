#include "source/kafka/kafka.h"

#include "source/kafka/kafka_check.h"
#include "source/kafka/kafka_position.h"
#include "source/kafka/kafka_readers.h"
#include "source/messages/message_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

namespace lockstep {
namespace {

// While there is more to come for sure, the cluster may be silent for so long.
constexpr std::int64_t kKafkaSilenceUs = 60'000'000;
constexpr std::int64_t kKafkaAskUs = 100'000;
constexpr std::int64_t kMillisecondUs = 1'000;

// The first part of a changed key waits so long for the other: they are written at once.
constexpr std::int64_t kKafkaHeldUs = 1'000'000;

// Where a batch ends.
struct KafkaCut {
  int reader = 0;
  KafkaTrace last;
  std::optional<std::int64_t> time_ms = {};
  std::int64_t since_us = 0;  // of one that is held
};

KafkaCut cut_behind(const KafkaMessage& message) {
  return {message.reader, trace_of(message), message.time_ms};
}

// What becomes of a topic's messages.
struct TopicRows {
  MessageRows rows;
  std::unique_ptr<MessageFormat> format;
  std::optional<KafkaCut> held = {};  // the newest message that the format holds
};

class KafkaSource final : public Source {
 public:
  KafkaSource(Io& io,
              KafkaSettings settings,
              std::vector<SourceTarget> requested,
              std::unique_ptr<KafkaServer> server)
      : io_(io),
        settings_(std::move(settings)),
        requested_(std::move(requested)),
        server_(std::move(server)) {
    if (!settings_.registry.empty()) registry_ = make_http_registry(settings_.registry);
    if (!settings_.schemas.empty()) registry_ = make_folder_registry(io_, settings_.schemas);
    if (registry_) schemas_.emplace(*registry_);
  }

  Capabilities capabilities() const override { return {.replays = true, .deletes = true}; }

  Result<Schema> infer_schema(int target) override {
    const std::string& table = requested_.at(static_cast<std::size_t>(target)).table;
    return invalid(fmt::format("the dataset of {} declares no columns",
                               table.empty() ? fmt::format("source '{}'", settings_.name)
                                             : fmt::format("topic '{}'", table)),
                   "messages need not name all their columns: write columns: {id: int, ...}");
  }

  // Its columns are declared: messages show no others.
  Result<Schema> infer_newest_schema(int) override {
    return make_error(Code::kNotFound, "messages do not say which columns there are");
  }

  Result<void> open(const Position& position) override {
    return open_at(position, settings_.topics);
  }

  Result<void> open_anew() override;
  Result<std::optional<SourceBatch>> next(const SourceLimits& limits) override;

  // Nothing is told the cluster: the hub's position is the only one.
  Result<void> committed(const Position&) override { return {}; }

  Result<bool> wait(std::int64_t timeout_us) override;

  std::string describe(const Position& position) const override {
    const Result<KafkaPosition> parsed = parse_kafka_position(position);
    return parsed.ok() ? kafka_position_text(parsed.value()) : parsed.error().message;
  }

  SourceLag lag() override {
    return readers_ ? SourceLag{.messages = readers_->lag()} : SourceLag{};
  }

  Result<std::optional<SourceBatch>> sample(int target, std::int64_t row_count) override;

  std::vector<SourceFinding> check() override { return check_kafka(*server_, settings_); }

 private:
  Result<void> open_at(const Position& position, const std::vector<std::string>& topics);
  Result<void> open_topic(const std::string& topic);
  Result<void> mind_partitions();
  void count_partitions();
  Result<void> pump(std::int64_t row_count_max, std::int64_t timeout_us);
  Result<void> take(std::vector<KafkaMessage>& messages, std::int64_t row_count_max);
  Result<void> cut(const KafkaCut& at);
  bool holds() const;
  Result<void> await_held();
  static SourceBatch moved_only(const MessageTarget& target, Position changes);

  const MessageTarget& first_target() const { return topics_.begin()->second->rows.target(); }

  std::optional<SourceBatch> heartbeat();
  std::optional<SourceBatch> give();
  SourceBatch part_of_anew(SourceBatch batch);

  TopicRows& topic_of(int reader) {
    return *topics_.at(readers_->all()[static_cast<std::size_t>(reader)].partition.topic);
  }

  bool is_heartbeat_due() const {
    return io_.monotonic_us() - heartbeat_us_ >= settings_.heartbeat_us;
  }

  // Errors stay: after one the readers are worth nothing.
  template <typename T>
  Result<T> keep(Result<T> result) {
    if (!result.ok()) failure_ = result.error();
    return result;
  }

  Io& io_;
  KafkaSettings settings_;
  const std::vector<SourceTarget> requested_;
  const std::unique_ptr<KafkaServer> server_;
  std::unique_ptr<SchemaRegistry> registry_;
  std::optional<AvroSchemas> schemas_;
  std::unique_ptr<KafkaLink> link_;
  std::map<std::string, std::unique_ptr<TopicRows>> topics_;
  std::optional<KafkaReaders> readers_;
  std::deque<SourceBatch> ready_;
  std::optional<Position> anew_;  // of what was given of the topics as a whole, while they are read
  std::optional<Error> failure_;
  std::int64_t heartbeat_us_ = 0;  // when partitions were looked for, and idle positions told
  std::int64_t row_count_max_ = SourceLimits{}.row_count_max;
};

Result<void> KafkaSource::open_topic(const std::string& topic) {
  for (std::size_t index = 0; index < requested_.size(); ++index) {
    const SourceTarget& requested = requested_[index];
    if (!requested.table.empty() && requested.table != topic) continue;
    MessageTarget target = TRY(parse_message_target(requested, static_cast<int>(index)));
    target.origin = topic;
    std::unique_ptr<MessageFormat> format =
        TRY(make_message_format(io_, settings_, target, schemas_ ? &*schemas_ : nullptr));
    topics_[topic] = std::make_unique<TopicRows>(MessageRows(std::move(target)), std::move(format));
    return {};
  }
  return invalid(fmt::format("topic '{}' feeds no dataset", topic));
}

Result<void> KafkaSource::open_at(const Position& position,
                                  const std::vector<std::string>& topics) {
  readers_.reset();
  link_.reset();
  topics_.clear();
  ready_.clear();
  anew_.reset();
  failure_.reset();
  for (const std::string& topic : topics)
    TRY(open_topic(topic));
  const KafkaPosition parsed = TRY(parse_kafka_position(position));
  link_ = TRY(server_->connect());
  readers_.emplace(*link_, settings_);
  TRY(readers_->start(parsed, topics));
  count_partitions();
  heartbeat_us_ = io_.monotonic_us();
  return {};
}

// All that the topics hold now is one transaction. Where a topic has the newest row of every key,
// what the hub has beside them goes.
Result<void> KafkaSource::open_anew() {
  TRY(open({}));
  std::deque<SourceBatch> emptied;
  for (const auto& [topic, rows] : topics_) {
    if (settings_.from_newest || !link_->keeps_every_key(topic)) continue;
    SourceBatch batch = moved_only(rows->rows.target(), {});
    batch.truncates = true;
    emptied.push_back(std::move(batch));
  }
  if (emptied.empty()) return {};
  ready_ = std::move(emptied);
  anew_ = readers_->take_begun();
  add_cluster(*anew_, readers_->cluster());
  return {};
}

// Its position comes with the last part (source-7).
SourceBatch KafkaSource::part_of_anew(SourceBatch batch) {
  move_position(*anew_, batch.position_changes);
  batch.position_changes.clear();
  batch.whole = true;
  batch.has_more = true;
  return batch;
}

// A batch without rows: the position is all that moves.
SourceBatch KafkaSource::moved_only(const MessageTarget& target, Position changes) {
  SourceBatch batch;
  batch.target = target.index;
  batch.rows = Batch::empty(target.schema);
  batch.origin = target.origin;
  batch.position_changes = std::move(changes);
  return batch;
}

std::optional<SourceBatch> KafkaSource::give() {
  if (readers_->has_begun() && !anew_) {
    Position begun = readers_->take_begun();
    add_cluster(begun, readers_->cluster());
    return moved_only(first_target(), std::move(begun));
  }
  if (ready_.empty()) return std::nullopt;
  SourceBatch batch = std::move(ready_.front());
  ready_.pop_front();
  return anew_ ? part_of_anew(std::move(batch)) : std::move(batch);
}

Result<std::optional<SourceBatch>> KafkaSource::next(const SourceLimits& limits) {
  LOCKSTEP_ASSERT(readers_.has_value(), "source: next() before open()");
  row_count_max_ = limits.row_count_max;
  if (std::optional<SourceBatch> batch = give()) return batch;
  if (failure_) return *failure_;
  TRY(keep(pump(limits.row_count_max, 0)));
  const std::int64_t started_us = io_.monotonic_us();
  while (ready_.empty() && readers_->is_behind()) {
    if (io_.monotonic_us() - started_us >= kKafkaSilenceUs)
      return make_error(Code::kIo, "Kafka has messages, and has been silent for a minute");
    TRY(keep(pump(limits.row_count_max, kKafkaAskUs)));
  }
  TRY(keep(await_held()));
  if (std::optional<SourceBatch> batch = give()) return batch;
  if (!anew_) return heartbeat();
  SourceBatch last = moved_only(first_target(), *std::exchange(anew_, std::nullopt));
  last.whole = true;
  return std::optional(std::move(last));
}

// Partitions whose end moved without messages for us: else the topic might remove what the
// position still names, and a loss would be seen where there is none.
std::optional<SourceBatch> KafkaSource::heartbeat() {
  if (!is_heartbeat_due()) return std::nullopt;
  heartbeat_us_ = io_.monotonic_us();
  Position changes;
  for (KafkaReader& reader : readers_->all()) {
    if (reader.given == reader.place.next) continue;
    reader.given = reader.place.next;
    add_place(changes, reader.partition, reader.place);
  }
  if (changes.empty()) return std::nullopt;
  return moved_only(first_target(), std::move(changes));
}

Result<void> KafkaSource::pump(std::int64_t row_count_max, std::int64_t timeout_us) {
  KafkaReceived received = TRY(link_->receive(row_count_max, timeout_us));
  TRY(take(received.messages, row_count_max));
  for (const KafkaEnd& end : received.ends)
    readers_->ended(end);
  return {};
}

// Into batches, each of one partition.
Result<void> KafkaSource::take(std::vector<KafkaMessage>& messages, std::int64_t row_count_max) {
  if (!std::ranges::is_sorted(messages, {}, &KafkaMessage::reader))
    std::ranges::stable_sort(messages, {}, &KafkaMessage::reader);
  const KafkaMessage* last = nullptr;  // in the rows that are being made
  for (const KafkaMessage& message : messages) {
    if (last != nullptr && last->reader != message.reader) {
      TRY(cut(cut_behind(*last)));
      last = nullptr;
    }
    if (!TRY(readers_->takes(message))) continue;
    TopicRows& topic = topic_of(message.reader);
    const KafkaPartition& partition =
        readers_->all()[static_cast<std::size_t>(message.reader)].partition;
    topic.rows.begin({partition.number, message.offset, message.value.value_or("")});
    const MessageBytes bytes{message.key, message.value, message.changes_key};
    if (!TRY(topic.format->read(bytes, topic.rows))) {
      if (last != nullptr || topic.held) TRY(cut(topic.held ? *topic.held : cut_behind(*last)));
      LOCKSTEP_ASSERT(topic.rows.is_empty(), "source: a topic is emptied before a batch");
      const bool was_read = TRY(topic.format->read(bytes, topic.rows));
      LOCKSTEP_ASSERT(was_read, "source: a message that no batch takes");
    }
    readers_->took(message);
    topic.held.reset();
    if (topic.format->holds()) {
      topic.held = cut_behind(message);  // its batch ends behind what it waits for
      topic.held->since_us = io_.monotonic_us();
      continue;
    }
    last = &message;
    if (topic.rows.row_count() < row_count_max) continue;
    TRY(cut(cut_behind(message)));
    last = nullptr;
  }
  if (last != nullptr) TRY(cut(cut_behind(*last)));
  return {};
}

// A batch of what was read, up to `last`. Messages that said nothing move the position later.
Result<void> KafkaSource::cut(const KafkaCut& at) {
  MessageRows& rows = topic_of(at.reader).rows;
  if (rows.is_empty()) return {};
  SourceBatch batch = TRY(rows.finish());
  KafkaReader& reader = readers_->all()[static_cast<std::size_t>(at.reader)];
  reader.given = at.last.offset + 1;
  LOCKSTEP_ASSERT(reader.given <= reader.place.next, "source-1: a position is that of its rows");
  reader.place.last = at.last;
  add_place(batch.position_changes, reader.partition, {reader.given, at.last});
  if (at.time_ms) batch.source_time = Timestamp{*at.time_ms * kMillisecondUs};
  ready_.push_back(std::move(batch));
  return {};
}

bool KafkaSource::holds() const {
  return std::ranges::any_of(topics_,
                             [](const auto& topic) { return topic.second->held.has_value(); });
}

// No position that is given is behind what is held: after a crash it comes again.
Result<void> KafkaSource::await_held() {
  for (std::int64_t waited_us = 0; ready_.empty() && holds() && waited_us < kKafkaHeldUs;
       waited_us += kKafkaAskUs)
    TRY(pump(row_count_max_, kKafkaAskUs));
  const bool has_waited = ready_.empty();
  for (const auto& [name, topic] : topics_) {
    if (!topic->held) continue;
    if (!has_waited && io_.monotonic_us() - topic->held->since_us < kKafkaHeldUs) continue;
    topic->format->release(topic->rows);
    TRY(cut(*std::exchange(topic->held, std::nullopt)));
  }
  return {};
}

Result<void> KafkaSource::mind_partitions() {
  if (!is_heartbeat_due()) return {};
  TRY(readers_->find_new());
  count_partitions();
  return {};
}

void KafkaSource::count_partitions() {
  std::map<std::string, std::int64_t> counts;
  for (const KafkaReader& reader : readers_->all())
    ++counts[reader.partition.topic];
  for (const auto& [topic, count] : counts)
    topics_.at(topic)->rows.set_partition_count(count);
}

Result<bool> KafkaSource::wait(std::int64_t timeout_us) {
  if (failure_ || anew_ || !ready_.empty() || readers_->has_begun()) return true;
  const std::int64_t end_us = io_.monotonic_us() + timeout_us;
  // Asking takes a while: not between two batches.
  if (timeout_us > 0) TRY(keep(mind_partitions()));
  if (readers_->has_begun() || is_heartbeat_due()) return true;
  for (;;) {
    const std::int64_t left_us = std::max<std::int64_t>(0, end_us - io_.monotonic_us());
    TRY(keep(pump(row_count_max_, std::min(left_us, kKafkaAskUs))));
    if (!ready_.empty() || holds()) return true;
    if (io_.monotonic_us() >= end_us) return false;
  }
}

Result<std::optional<SourceBatch>> KafkaSource::sample(int target, std::int64_t row_count) {
  const std::string& table = requested_.at(static_cast<std::size_t>(target)).table;
  const bool was_newest = std::exchange(settings_.from_newest, false);
  const Result<void> opened =
      open_at({}, table.empty() ? settings_.topics : std::vector<std::string>{table});
  settings_.from_newest = was_newest;
  TRY(opened);
  for (;;) {
    std::optional<SourceBatch> batch = TRY(next({row_count}));
    if (!batch || batch->rows.row_count() > 0) return batch;
  }
}

}  // namespace

Result<std::unique_ptr<Source>> make_kafka_source_of(Io& io,
                                                     const SourceRequest& request,
                                                     std::unique_ptr<KafkaServer> server) {
  KafkaSettings settings = TRY(parse_kafka_settings(request));
  return std::unique_ptr<Source>(
      std::make_unique<KafkaSource>(io, std::move(settings), request.targets, std::move(server)));
}

Result<std::unique_ptr<Source>> make_kafka_source(Io& io, const SourceRequest& request) {
  const KafkaSettings settings = TRY(parse_kafka_settings(request));
  return make_kafka_source_of(io, request, TRY(make_kafka_server(settings)));
}

}  // namespace lockstep
