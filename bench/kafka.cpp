// How fast messages of a topic become rows: bench_kafka MODE MESSAGES [BROKERS TOPIC].
//
// memory: messages that lie in memory become batches. poll: librdkafka gives them, and nothing more
// is done. source: both. Each prints its messages, its seconds and those of the processor, as JSON.
#include "source/kafka/kafka.h"

#include "base/io.h"
#include "source/kafka/kafka_link.h"
#include "source/kafka/kafka_settings.h"
#include "support.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <utility>
#include <vector>

namespace lockstep {
namespace {

constexpr std::int64_t kBatchRows = 10'000;
constexpr std::int64_t kWaitUs = 1'000'000;
constexpr std::int64_t kDistinct = 10'000;

// As bench/kafka.py sends them, of about 200 bytes.
std::string value_of(std::int64_t id) {
  return fmt::format(
      R"({{"id":{},"hr":{},"sbp":{}.25,"ward":"intensive care {}","seen":"2026-01-31T08:{:02}:00Z","note":"measured at the bedside, patient at rest, cuff on the left arm, second of three","ok":true}})",
      id,
      60 + id % 60,
      100 + id % 70,
      id % 9,
      id % 60);
}

const char* const kColumns[] = {"id", "hr", "sbp", "ward", "seen", "note", "ok"};

SourceRequest request_of(const std::string& brokers, const std::string& topic) {
  SourceRequest request;
  request.name = "bench";
  request.settings = must(parse_yaml(
      fmt::format("{{type: kafka, brokers: \"{}\", topics: [{}]}}", brokers, topic), "bench"));
  request.targets = {{.table = {},
                      .schema = Schema({{kColumns[0], Type::kInt},
                                        {kColumns[1], Type::kInt},
                                        {kColumns[2], Type::kFloat},
                                        {kColumns[3], Type::kText},
                                        {kColumns[4], Type::kTimestamp},
                                        {kColumns[5], Type::kText},
                                        {kColumns[6], Type::kBool}}),
                      .key = {"id"}}};
  return request;
}

// One partition of messages that are there already.
class MemoryLink final : public KafkaLink {
 public:
  explicit MemoryLink(std::int64_t count) : count_(count) {
    for (std::int64_t id = 0; id < std::min(count, kDistinct); ++id)
      values_.push_back(value_of(id));
  }

  Result<KafkaCluster> look(const std::vector<std::string>& topics) override {
    return KafkaCluster{
        .id = "memory", .broker_count = 1, .partition_counts = {{topics.front(), 1}}};
  }

  Result<KafkaRange> range(const KafkaPartition&) override { return KafkaRange{0, count_}; }

  Result<int> start(const KafkaPartition&, std::int64_t offset) override {
    next_ = offset;
    return 0;
  }

  Result<KafkaReceived> receive(std::int64_t count_max, std::int64_t) override {
    KafkaReceived out;
    const std::int64_t end = std::min(count_, next_ + count_max);
    out.messages.reserve(static_cast<std::size_t>(end - next_));
    for (; next_ < end; ++next_) {
      const std::string& value = values_[static_cast<std::size_t>(next_ % kDistinct)];
      out.messages.push_back({.offset = next_, .time_ms = 1'700'000'000'000, .value = value});
    }
    return out;
  }

  std::int64_t end_of(int) const override { return count_; }

  bool keeps_every_key(const std::string&) override { return false; }

 private:
  const std::int64_t count_;
  std::int64_t next_ = 0;
  std::vector<std::string> values_;
};

class MemoryServer final : public KafkaServer {
 public:
  explicit MemoryServer(std::int64_t count) : count_(count) {}

  Result<std::unique_ptr<KafkaLink>> connect() override {
    return std::unique_ptr<KafkaLink>(std::make_unique<MemoryLink>(count_));
  }

 private:
  const std::int64_t count_;
};

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double cpu_seconds(int who) {
  rusage used = {};
  getrusage(who, &used);
  return seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
}

template <typename Work>
void measure(const Work& work) {
  const auto started = std::chrono::steady_clock::now();
  const double cpu = cpu_seconds(RUSAGE_SELF);
  const double thread_cpu = cpu_seconds(RUSAGE_THREAD);
  const std::int64_t count = work();
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - started;
  fmt::print(
      "{{\"messages\": {}, \"wall_s\": {:.4f}, \"cpu_s\": {:.4f}, \"reader_cpu_s\": {:.4f}}}\n",
      count,
      wall.count(),
      cpu_seconds(RUSAGE_SELF) - cpu,
      cpu_seconds(RUSAGE_THREAD) - thread_cpu);
}

std::int64_t read_source(Source& source, std::int64_t wanted) {
  std::int64_t count = 0;
  while (count < wanted) {
    const std::optional<SourceBatch> batch = must(source.next({kBatchRows}));
    if (batch) count += batch->rows.row_count();
    if (!batch) must(source.wait(kWaitUs));
  }
  return count;
}

std::int64_t poll(KafkaLink& link, const std::string& topic, std::int64_t wanted) {
  must(link.look({topic}));
  must(link.start({topic, 0}, 0));
  std::int64_t count = 0;
  std::size_t bytes = 0;
  while (count < wanted) {
    const KafkaReceived received = must(link.receive(kBatchRows, kWaitUs));
    for (const KafkaMessage& message : received.messages)
      bytes += message.value.value_or("").size();
    count += static_cast<std::int64_t>(received.messages.size());
  }
  return bytes > 0 ? count : 0;
}

void run(const std::string& mode,
         std::int64_t count,
         const std::string& brokers,
         const std::string& topic) {
  const std::unique_ptr<Io> io = make_system_io();
  const SourceRequest request = request_of(brokers, topic);
  std::unique_ptr<KafkaServer> server = std::make_unique<MemoryServer>(count);
  if (mode != "memory") server = must(make_kafka_server(must(parse_kafka_settings(request))));
  if (mode == "poll") {
    const std::unique_ptr<KafkaLink> link = must(server->connect());
    return measure([&] { return poll(*link, topic, count); });
  }
  const std::unique_ptr<Source> source =
      must(make_kafka_source_of(*io, request, std::move(server)));
  must(source->open({}));
  measure([&] { return read_source(*source, count); });
}

}  // namespace
}  // namespace lockstep

int main(int argc, char** argv) {
  if (argc != 3 && argc != 5) return 2;
  lockstep::run(argv[1],
                std::strtoll(argv[2], nullptr, 10),
                argc == 5 ? argv[3] : "memory",
                argc == 5 ? argv[4] : "bench");
  return 0;
}
