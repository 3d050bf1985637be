// Pushes through the engine: what their senders hear, and what outlives a writer.
#include "source/http/push_desk.h"
#include "sync/champion.h"
#include "sync/small_model.h"
#include "sync/surface.h"
#include "sync/world.h"

#include <fmt/format.h>

#include <map>
#include <regex>

namespace lockstep::test {
namespace {

// Writes down what it hears, in order.
class Listener final : public Surface {
 public:
  Result<void> opened() override { return {}; }

  void champion(std::shared_ptr<const Champion> champion) override {
    heard.push_back(fmt::format("champion {}", champion->version));
    newest = std::move(champion);
  }

  void committed(const CommitNews& news) override {
    heard.push_back(
        fmt::format("commit of '{}': +{} ~{}", news.source, news.inserted, news.updated));
  }

  void sources(const Json&) override {}

  void standing_by() override {}

  void closed() override {}

  std::string address() const override { return "here"; }

  std::vector<std::string> heard;
  std::shared_ptr<const Champion> newest;
};

class Pushes : public ::testing::Test {
 protected:
  Pushes() {
    std::string text = kSmallModel;
    text = std::regex_replace(text, std::regex("sources:"), "sources:\n  inbox: {type: http}");
    text = std::regex_replace(text, std::regex("from: \\[a\\]"), "from: [a, inbox]");
    world_.configure("serve: {listen: \"127.0.0.1:0\"}" + text);
    std::string rows = "id,x,y\n";
    for (int i = 0; i < 40; ++i)
      rows += fmt::format("{},{},{}\n", i, i, 2 * i + i % 3);
    world_.put("in/a.csv", rows);
    open();
    world_.sync();
    surface_.heard.clear();
  }

  ~Pushes() override { world_.close(); }  // before the desk

  void open() {
    EngineOptions options;
    options.pushes = &desk_;
    options.surface = &surface_;
    world_.open(options);
  }

  void push(const std::string& token, const std::string& body, const std::string& key = "") {
    Push push;
    push.source = "inbox";
    push.token = token;
    push.key = key;
    push.sha256 = body;
    push.body = body;
    const auto taken = desk_.offer(push, [this, token](const PushAnswer& answer) {
      surface_.heard.push_back("answer " + token);
      answers_[token] = answer;
    });
    EXPECT_EQ(taken, PushDesk::Taken::kYes);
  }

  Json answer(const std::string& token) { return Json::parse(answers_.at(token).json); }

  World world_;
  PushDesk desk_{1'000'000};
  Listener surface_;
  std::map<std::string, PushAnswer> answers_;
};

TEST_F(Pushes, AreAnsweredBehindTheirChampion) {  // serve-1
  push("t", R"([{"id": 100, "x": 3, "y": 6}, {"id": 101, "x": 4, "y": 9}])");
  world_.sync();
  EXPECT_EQ(surface_.heard,
            (std::vector<std::string>{"champion 2", "answer t", "commit of 'inbox': +2 ~0"}));
  EXPECT_EQ(answer("t")["rows"], 2);
  EXPECT_EQ(answer("t")["models"]["m"]["version"], 2);
  EXPECT_EQ(answer("t")["snapshot"], number(world_.hub().latest_snapshot()));
  EXPECT_EQ(surface_.newest->data_version, number(world_.hub().latest_snapshot()));
  world_.expect_exact();
}

TEST_F(Pushes, ThatWaitTogetherShareACommit) {
  push("a", R"([{"id": 100, "x": 3, "y": 6}])");
  push("b", R"([{"id": 101, "x": "bad"}, {"id": 102, "x": 4, "y": 9}])");
  world_.sync();
  EXPECT_EQ(answer("a")["commit"], answer("b")["commit"]);
  EXPECT_EQ(answer("a")["rejected"], 0);
  EXPECT_EQ(answer("b")["rejected"], 1);
}

TEST_F(Pushes, OfAKeyAreAppliedOnceByTheNextWriterToo) {
  push("a", R"([{"id": 100, "x": 3, "y": 6}])", "k");
  world_.sync();
  const auto before = world_.lines(Layer::kRaw, "d");
  world_.close();
  open();
  world_.sync();  // which opens the source
  push("b", R"([{"id": 100, "x": 3, "y": 6}])", "k");
  push("c", R"([{"id": 100, "x": 3, "y": 7}])", "k2");
  world_.sync();
  EXPECT_EQ(answers_.at("b").kind, PushAnswer::Kind::kRepeated);
  EXPECT_EQ(answers_.at("b").json, answers_.at("a").json);
  push("d", R"([{"id": 100, "x": 9, "y": 9}])", "k2");
  world_.sync();
  EXPECT_EQ(answers_.at("d").kind, PushAnswer::Kind::kOtherBody);
  EXPECT_EQ(world_.lines(Layer::kRaw, "d").size(), before.size());
  const Json found = world_.run({{"command", "push-state"}, {"token", "a"}});
  EXPECT_EQ(found["state"], "done");
  EXPECT_EQ(found["answer"], answer("a"));
  EXPECT_EQ(world_.run({{"command", "push-state"}, {"token", "zzz"}})["state"], "unknown");
}

TEST_F(Pushes, WakeTheEngineAndAPauseEndsThem) {
  EXPECT_FALSE(world_.engine().wait(1'000).value());
  push("a", R"([{"id": 100, "x": 3, "y": 6}])");
  EXPECT_TRUE(world_.engine().wait(60'000'000).value());
  world_.run({{"command", "pause"}, {"source", "inbox"}});
  EXPECT_EQ(answers_.at("a").kind, PushAnswer::Kind::kFailed);
  EXPECT_FALSE(desk_.is_open("inbox"));
}

TEST(ServeSettings, AreCheckedBeforeAnythingListens) {
  World world;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"serve: {listen: \"0.0.0.0:80\"}", "nothing asks callers who they are"},
      {"serve: {listen: \"example.org:80\"}", "no address to listen at"},
      {"serve: {listen: \"127.0.0.1\"}", "no address to listen at"},
      {"serve: {listen: \"127.0.0.1:99999\"}", "no address to listen at"},
      {"serve: {listen: \"127.0.0.1:1\", token: abcdefghijklmnopqrstuvwxyz}",
       "in the configuration itself"},
      {"serve: {listen: \"127.0.0.1:1\", body_max: 9MB, queue_max: 8MB}", "queue_max is less"},
  };
  for (const auto& [serve, message] : cases) {
    world.configure(serve + kSmallModel);
    const Result<Configuration> read = world.configuration();
    ASSERT_FALSE(read.ok()) << serve;
    EXPECT_NE(read.error().message.find(message), std::string::npos) << read.error().message;
  }
  world.configure("serve: {listen: \"[::1]:0\"}" + std::string(kSmallModel));
  EXPECT_EQ(world.configuration().value().serve.host, "::1");
}

}  // namespace
}  // namespace lockstep::test
