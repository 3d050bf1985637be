// The cluster, by librdkafka: its simple consumer, which knows no group and asks no coordinator.
#include "source/kafka/kafka_link.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <librdkafka/rdkafka.h>
#include <utility>

namespace lockstep {
namespace {

constexpr int kAskMs = 1'000;
constexpr int kAnswerMsMax = 10'000;
constexpr std::string_view kCleanupPolicy = "cleanup.policy";

struct FreeConf {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};

struct FreeClient {
  void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
};

struct FreeTopic {
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
};

struct FreeQueue {
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
};

struct FreeMetadata {
  void operator()(const rd_kafka_metadata_t* metadata) const {
    rd_kafka_metadata_destroy(metadata);
  }
};

struct FreeResource {
  void operator()(rd_kafka_ConfigResource_t* resource) const {
    rd_kafka_ConfigResource_destroy(resource);
  }
};

struct FreeKafkaEvent {
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
};

using ResourceHandle = std::unique_ptr<rd_kafka_ConfigResource_t, FreeResource>;
using EventHandle = std::unique_ptr<rd_kafka_event_t, FreeKafkaEvent>;
using ConfHandle = std::unique_ptr<rd_kafka_conf_t, FreeConf>;
using ClientHandle = std::unique_ptr<rd_kafka_t, FreeClient>;
using TopicHandle = std::unique_ptr<rd_kafka_topic_t, FreeTopic>;
using QueueHandle = std::unique_ptr<rd_kafka_queue_t, FreeQueue>;
using MetadataHandle = std::unique_ptr<const rd_kafka_metadata_t, FreeMetadata>;

// What the source depends on, and bounds of memory. An option of the user may change the latter.
constexpr std::array<std::pair<const char*, const char*>, 8> kPinnedOptions = {{
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"},
    {"isolation.level", "read_committed"},
    {"enable.partition.eof", "true"},
    {"client.id", "lockstep"},
    {"queued.max.messages.kbytes", "32768"},
    {"fetch.wait.max.ms", "100"},
}};

bool is_secret_option(std::string_view name) {
  constexpr std::array<std::string_view, 5> kWords = {
      "password", "secret", "key.pem", "oauthbearer.config", "ssl.key"};
  return std::ranges::any_of(
      kWords, [&](std::string_view word) { return name.find(word) != std::string_view::npos; });
}

Result<void> set_option(rd_kafka_conf_t* conf, const KafkaOption& option) {
  std::array<char, 512> why = {};
  const rd_kafka_conf_res_t done =
      rd_kafka_conf_set(conf, option.name.c_str(), option.value.c_str(), why.data(), why.size());
  if (done == RD_KAFKA_CONF_OK) return {};
  return invalid_at(
      option.mark,
      is_secret_option(option.name)
          ? fmt::format("librdkafka does not take option '{}'", option.name)
          : fmt::format("librdkafka does not take option '{}': {}", option.name, why.data()),
      "its options are listed at CONFIGURATION.md of librdkafka");
}

// What to do about an error that the client words so.
std::string kafka_hint_of(std::string_view why) {
  constexpr std::array<std::pair<std::string_view, const char*>, 6> kHints = {{
      {"certificate verify failed",
       "write ssl.ca.location: the file with the certificate of the authority that signed the "
       "brokers'"},
      {"mechanism handshake failed", "write sasl.mechanism: one that the brokers support"},
      {"authentication error",
       "correct sasl.username and sasl.password, for the sasl.mechanism that the user has"},
      {"security.protocol", "write security.protocol: what the brokers' port speaks"},
      {"unexpected eof",
       "write security.protocol: what the brokers' port speaks, which may not be TLS"},
      {"SSL", "look at the source's options: security.protocol and ssl.*"},
  }};
  const auto* const known = std::ranges::find_if(
      kHints, [&](const auto& hint) { return why.find(hint.first) != std::string_view::npos; });
  return known == kHints.end() ? "" : known->second;
}

// Without how long it took and how often it happened, which would make one error look like many.
std::string without_counts(std::string_view why) {
  return std::string(why.substr(0, why.find(" (after ")));
}

// Of the answer to a question for one topic's configuration. Empty: it may not be asked.
std::string cleanup_policy_of(rd_kafka_event_t* answer) {
  const rd_kafka_DescribeConfigs_result_t* result = rd_kafka_event_DescribeConfigs_result(answer);
  if (result == nullptr || rd_kafka_event_error(answer) != RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  std::size_t topic_count = 0;
  const rd_kafka_ConfigResource_t** topics =
      rd_kafka_DescribeConfigs_result_resources(result, &topic_count);
  if (topic_count != 1) return {};
  std::size_t count = 0;
  const rd_kafka_ConfigEntry_t** entries = rd_kafka_ConfigResource_configs(topics[0], &count);
  for (std::size_t index = 0; index < count; ++index) {
    const char* value = rd_kafka_ConfigEntry_value(entries[index]);
    if (value != nullptr && rd_kafka_ConfigEntry_name(entries[index]) == kCleanupPolicy)
      return value;
  }
  return {};
}

// Its log says nothing that is not said by errors, and would go to standard error.
void ignore_log(const rd_kafka_t*, int, const char*, const char*) {
}

Result<ConfHandle> make_conf(const KafkaSettings& settings) {
  ConfHandle conf(rd_kafka_conf_new());
  rd_kafka_conf_set_log_cb(conf.get(), ignore_log);
  for (const auto& [name, value] : kPinnedOptions)
    TRY(set_option(conf.get(), {name, value, {}}));
  TRY(set_option(conf.get(), {"bootstrap.servers", settings.brokers, {}}));
  for (const KafkaOption& option : settings.options)
    TRY(set_option(conf.get(), option));
  return conf;
}

// What Debezium writes with the delete and the insert that a changed key becomes.
bool has_key_header(const rd_kafka_message_t& message) {
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  const void* value = nullptr;
  std::size_t size = 0;
  return std::ranges::any_of(
      std::array{"__debezium.newkey", "__debezium.oldkey"}, [&](const char* name) {
        return rd_kafka_header_get_last(headers, name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
      });
}

class RdkafkaLink final : public KafkaLink {
 public:
  explicit RdkafkaLink(const KafkaSettings& settings) : settings_(settings) {}

  RdkafkaLink(const RdkafkaLink&) = delete;
  RdkafkaLink& operator=(const RdkafkaLink&) = delete;

  ~RdkafkaLink() override {
    for (const Reader& reader : readers_)
      rd_kafka_consume_stop(reader.topic->handle.get(), reader.partition);
    free_messages();
  }

  Result<void> connect() {
    ConfHandle conf = TRY(make_conf(settings_));
    rd_kafka_conf_set_opaque(conf.get(), this);
    rd_kafka_conf_set_error_cb(conf.get(), [](rd_kafka_t*, int code, const char* why, void* self) {
      static_cast<RdkafkaLink*>(self)->heard(static_cast<rd_kafka_resp_err_t>(code), why);
    });
    std::array<char, 512> why = {};
    client_.reset(rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), why.data(), why.size()));
    if (!client_)
      return make_error(Code::kInvalid,
                        without_secrets(fmt::format("Kafka: {}", why.data())),
                        "correct the source's options; a file that they name is read here");
    const rd_kafka_conf_t* const taken = conf.release();
    LOCKSTEP_ASSERT(taken != nullptr, "source: a client without its options");
    queue_.reset(rd_kafka_queue_new(client_.get()));
    return {};
  }

  Result<KafkaCluster> look(const std::vector<std::string>& topics) override {
    for (const std::string& topic : topics)
      know(topic);
    const MetadataHandle metadata = TRY(ask_metadata());
    KafkaCluster out;
    out.broker_count = metadata->broker_cnt;
    for (int index = 0; index < metadata->topic_cnt; ++index) {
      const rd_kafka_metadata_topic_t& one = metadata->topics[index];
      if (one.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        out.partition_counts[one.topic] = one.partition_cnt;
      } else if (one.err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        out.failures[one.topic] = rd_kafka_err2str(one.err);
      }
    }
    char* id = rd_kafka_clusterid(client_.get(), kAnswerMsMax);
    if (id != nullptr) out.id = id;
    rd_kafka_mem_free(client_.get(), id);
    return out;
  }

  Result<KafkaRange> range(const KafkaPartition& partition) override {
    KafkaRange out;
    const rd_kafka_resp_err_t failed = rd_kafka_query_watermark_offsets(client_.get(),
                                                                        partition.topic.c_str(),
                                                                        partition.number,
                                                                        &out.oldest,
                                                                        &out.end,
                                                                        kAnswerMsMax);
    if (failed == RD_KAFKA_RESP_ERR_NO_ERROR) return out;
    return error_of(failed, partition);
  }

  Result<int> start(const KafkaPartition& partition, std::int64_t offset) override {
    Topic& topic = know(partition.topic);
    const auto place = static_cast<std::size_t>(partition.number);
    if (topic.readers.size() <= place) topic.readers.resize(place + 1, -1);
    topic.readers[place] = static_cast<int>(readers_.size());
    const int failed =
        rd_kafka_consume_start_queue(topic.handle.get(), partition.number, offset, queue_.get());
    if (failed != 0) return error_of(rd_kafka_last_error(), partition);
    readers_.push_back({&topic, partition.number});
    return topic.readers[place];
  }

  Result<KafkaReceived> receive(std::int64_t count_max, std::int64_t timeout_us) override {
    free_messages();
    rd_kafka_poll(client_.get(), 0);
    if (failure_) return *std::exchange(failure_, std::nullopt);
    take(count_max, 0);
    if (messages_.empty() && timeout_us > 0) {
      take(1, static_cast<int>((timeout_us + 999) / 1'000));
      if (!messages_.empty() && count_max > 1) take(count_max - 1, 0);
    }
    KafkaReceived out;
    out.messages.reserve(messages_.size());
    for (const rd_kafka_message_t* message : messages_) {
      Result<void> added = add(*message, out);
      if (added.ok()) continue;
      if (out.messages.empty()) return added.error();
      failure_ = std::move(added).error();  // what came before it is good
      break;
    }
    return out;
  }

  std::int64_t end_of(int reader) const override {
    const Reader& one = readers_.at(static_cast<std::size_t>(reader));
    std::int64_t oldest = -1;
    std::int64_t end = -1;
    const rd_kafka_resp_err_t failed = rd_kafka_get_watermark_offsets(
        client_.get(), rd_kafka_topic_name(one.topic->handle.get()), one.partition, &oldest, &end);
    return failed == RD_KAFKA_RESP_ERR_NO_ERROR ? end : -1;
  }

  bool keeps_every_key(const std::string& topic) override {
    const ResourceHandle asked(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str()));
    const QueueHandle answers(rd_kafka_queue_new(client_.get()));
    rd_kafka_ConfigResource_t* one = asked.get();
    rd_kafka_DescribeConfigs(client_.get(), &one, 1, nullptr, answers.get());
    const EventHandle answer(rd_kafka_queue_poll(answers.get(), kAnswerMsMax));
    return answer && cleanup_policy_of(answer.get()) == "compact";
  }

 private:
  struct Topic {
    TopicHandle handle;
    std::vector<int> readers;  // by partition
  };

  struct Reader {
    Topic* topic = nullptr;
    std::int32_t partition = 0;
  };

  Topic& know(const std::string& name) {
    std::unique_ptr<Topic>& topic = topics_[name];
    if (topic) return *topic;
    topic = std::make_unique<Topic>();
    rd_kafka_topic_conf_t* conf = rd_kafka_default_topic_conf_dup(client_.get());
    rd_kafka_topic_conf_set_opaque(conf, topic.get());
    topic->handle.reset(rd_kafka_topic_new(client_.get(), name.c_str(), conf));
    return *topic;
  }

  // Of the topics that are known here. Why it gets no answer is told by the error's callback.
  Result<MetadataHandle> ask_metadata() {
    failure_.reset();
    for (int waited_ms = 0; waited_ms < kAnswerMsMax; waited_ms += kAskMs) {
      const rd_kafka_metadata_t* metadata = nullptr;
      const rd_kafka_resp_err_t failed =
          rd_kafka_metadata(client_.get(), 0, nullptr, &metadata, kAskMs);
      if (failed == RD_KAFKA_RESP_ERR_NO_ERROR) return MetadataHandle(metadata);
      rd_kafka_poll(client_.get(), 0);
      if (failure_) return *std::exchange(failure_, std::nullopt);
    }
    return unreachable();
  }

  Error unreachable() const {
    const std::string why = reason_.empty() ? "no broker answers" : reason_;
    const std::string hint = kafka_hint_of(why);
    return make_error(Code::kIo,
                      fmt::format("Kafka at {}: {}", settings_.brokers, why),
                      hint.empty()
                          ? "see that the brokers run, and are reached from here under the "
                            "names that they advertise"
                          : hint);
  }

  // Of the client as a whole.
  void heard(rd_kafka_resp_err_t code, const char* why) {
    const bool is_summary = code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    if (!is_summary) reason_ = without_secrets(without_counts(why));
    if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL) {
      const std::string hint = kafka_hint_of(reason_);
      failure_ = make_error(Code::kDenied,
                            fmt::format("Kafka at {}: {}", settings_.brokers, reason_),
                            hint.empty() ? "look at the source's options: sasl.* and ssl.*" : hint);
    } else if ((is_summary || code == RD_KAFKA_RESP_ERR__FATAL) && !failure_) {
      failure_ = unreachable();
    }
  }

  std::string without_secrets(std::string text) const {
    for (const KafkaOption& option : settings_.options) {
      if (!is_secret_option(option.name) || option.value.empty()) continue;
      for (std::size_t at = text.find(option.value); at != std::string::npos;
           at = text.find(option.value, at + 3))
        text.replace(at, option.value.size(), "***");
    }
    return text;
  }

  static Error error_of(rd_kafka_resp_err_t code, const KafkaPartition& partition) {
    const std::string where =
        fmt::format("topic '{}', partition {}", partition.topic, partition.number);
    switch (code) {
      case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return make_error(Code::kCorrupt, where + ": there is no such offset");
      case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
      case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
      case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return make_error(Code::kNotFound, where + ": it is not there (any more)");
      case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return make_error(Code::kDenied, where + ": it may not be read", kKafkaRightsHint);
      default:
        return make_error(Code::kIo, fmt::format("{}: {}", where, rd_kafka_err2str(code)));
    }
  }

  void take(std::int64_t count_max, int timeout_ms) {
    const std::size_t before = messages_.size();
    messages_.resize(before + static_cast<std::size_t>(count_max));
    const ssize_t taken = rd_kafka_consume_batch_queue(
        queue_.get(), timeout_ms, messages_.data() + before, static_cast<std::size_t>(count_max));
    messages_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(taken, 0)));
  }

  void free_messages() {
    for (rd_kafka_message_t* message : messages_)
      rd_kafka_message_destroy(message);
    messages_.clear();
  }

  Result<void> add(const rd_kafka_message_t& message, KafkaReceived& out) const {
    if (message.rkt == nullptr) return {};  // of the client, and told by the callback
    const auto* topic = static_cast<const Topic*>(rd_kafka_topic_opaque(message.rkt));
    const int reader = topic->readers.at(static_cast<std::size_t>(message.partition));
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      out.ends.push_back({reader, message.offset});
      return {};
    }
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return error_of(message.err, {rd_kafka_topic_name(message.rkt), message.partition});
    KafkaMessage& added = out.messages.emplace_back();
    added.reader = reader;
    added.offset = message.offset;
    rd_kafka_timestamp_type_t kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    const std::int64_t time_ms = rd_kafka_message_timestamp(&message, &kind);
    if (kind != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) added.time_ms = time_ms;
    if (message.key != nullptr)
      added.key.emplace(static_cast<const char*>(message.key), message.key_len);
    if (message.payload != nullptr)
      added.value.emplace(static_cast<const char*>(message.payload), message.len);
    added.changes_key = settings_.format == MessageFormatName::kDebezium && has_key_header(message);
    return {};
  }

  const KafkaSettings settings_;
  ClientHandle client_;
  QueueHandle queue_;
  std::map<std::string, std::unique_ptr<Topic>> topics_;
  std::vector<Reader> readers_;
  std::vector<rd_kafka_message_t*> messages_;  // of the last receive()
  std::optional<Error> failure_;
  std::string reason_;  // that the client told last
};

class RdkafkaServer final : public KafkaServer {
 public:
  explicit RdkafkaServer(KafkaSettings settings) : settings_(std::move(settings)) {}

  Result<std::unique_ptr<KafkaLink>> connect() override {
    auto link = std::make_unique<RdkafkaLink>(settings_);
    TRY(link->connect());
    return std::unique_ptr<KafkaLink>(std::move(link));
  }

 private:
  const KafkaSettings settings_;
};

}  // namespace

Result<std::unique_ptr<KafkaServer>> make_kafka_server(const KafkaSettings& settings) {
  TRY(make_conf(settings));
  return std::unique_ptr<KafkaServer>(std::make_unique<RdkafkaServer>(settings));
}

}  // namespace lockstep
