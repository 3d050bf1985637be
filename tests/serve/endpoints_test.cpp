// Requests and their answers over an engine, without the network.
#include "serve/endpoints.h"

#include "sync/small_model.h"
#include "sync/world.h"

#include <fmt/format.h>

#include <regex>

namespace lockstep::test {
namespace {

class BoardSurface final : public Surface {
 public:
  explicit BoardSurface(Board& board) : board_(board) {}

  Result<void> opened() override { return {}; }

  void champion(std::shared_ptr<const Champion> champion) override {
    board_.put(std::move(champion));
  }

  void committed(const CommitNews& news) override { board_.add(news); }

  void sources(const Json& states) override { board_.put_sources(states); }

  void standing_by() override {}

  void closed() override {}

  std::string address() const override { return ""; }

 private:
  Board& board_;
};

class EndpointsTest : public ::testing::Test {
 protected:
  explicit EndpointsTest(const std::string& serve = "{listen: \"127.0.0.1:0\"}") {
    std::string text = kSmallModel;
    text = std::regex_replace(text, std::regex("sources:"), "sources:\n  inbox: {type: http}");
    text = std::regex_replace(text, std::regex("from: \\[a\\]"), "from: [a, inbox]");
    world_.put("token", "0123456789abcdef\n");
    world_.configure("serve: " + serve + text);
    configuration_ = world_.configuration().value();
    std::string rows = "id,x,y\n";
    for (int i = 0; i < 40; ++i)
      rows += fmt::format("{},{},{}\n", i, i, 2 * i + i % 3);
    world_.put("in/a.csv", rows);
    EngineOptions options;
    options.pushes = &desk_;
    options.surface = &surface_;
    world_.open(options);
    world_.sync();
    board_.set_standing(WriterStanding::kWriting);
  }

  ~EndpointsTest() override { world_.close(); }  // before the desk

  // Answers that come at once.
  HttpResponse ask(const std::string& method,
                   const std::string& target,
                   const std::string& body = "",
                   const std::string& authorization = "") {
    HttpRequest request;
    request.method = method;
    request.content_type = "application/json";
    request.authorization = authorization;
    request.content_length = body.size();
    request.body = body;
    const auto parsed = parse_target(target);
    request.path = parsed->path;
    request.query = parsed->query;
    if (const auto early = endpoints_.look(request)) return *early;
    const auto answer = std::make_shared<std::optional<HttpResponse>>();
    endpoints_.take(std::move(request),
                    [answer](HttpResponse response) { *answer = std::move(response); });
    return answer->value_or(HttpResponse{.status = 0, .body = "not yet"});
  }

  static Json json_of(const HttpResponse& response) { return Json::parse(response.body); }

  World world_;
  Configuration configuration_;
  Board board_{world_.io(), configuration_of(world_)};
  PushDesk desk_{1'000'000};
  BoardSurface surface_{board_};
  ServeParts parts_{.io = world_.io(),
                    .configuration = configuration_,
                    .board = board_,
                    .pushes = desk_,
                    .after = [](std::int64_t, std::function<void()>) {}};
  Endpoints endpoints_{parts_, [] { return std::int64_t{1}; }};

 private:
  // The board knows the models from the beginning.
  static Configuration configuration_of(World& world) {
    world.configure("serve: {listen: \"127.0.0.1:0\"}" + std::string(kSmallModel));
    return world.configuration().value();
  }
};

TEST_F(EndpointsTest, PredictWithTheVersionThatTheyName) {  // serve-2
  const std::string rows = R"({"rows": [{"id": 1, "x": 3}, {"x": 10.5}, {"id": 2}]})";
  const HttpResponse before = ask("POST", "/v1/models/m/predict", rows);
  ASSERT_EQ(before.status, 200) << before.body;
  const ModelVersionRecord version = world_.versions("m").back();
  EXPECT_EQ(json_of(before)["model_version"], version.version);
  EXPECT_EQ(json_of(before)["data_version"], number(version.snapshot));
  ASSERT_EQ(json_of(before)["predictions"].size(), 3u);
  EXPECT_NEAR(json_of(before)["predictions"][0]["y"].get<double>(), 7.0, 1.0);
  const auto held = board_.champion("m");
  world_.put("in/b.csv", "id,x,y\n100,60,121\n101,61,124\n");
  world_.sync();
  const Json after = json_of(ask("POST", "/v1/models/m/predict", rows));
  EXPECT_EQ(after["model_version"], version.version + 1);
  EXPECT_NE(after["predictions"], json_of(before)["predictions"]);
  // One that is being asked stays what it was.
  EXPECT_EQ(held->version, version.version);
}

TEST_F(EndpointsTest, TellWhatIsRefused) {  // serve-3
  const std::vector<std::tuple<std::string, std::string, std::string, int>> cases = {
      {"POST", "/v1/models/m/predict", "{", 400},
      {"POST", "/v1/models/m/predict", R"({"rows": [{"x": "a"}]})", 400},
      {"POST", "/v1/models/nope/predict", "{}", 404},
      {"GET", "/v1/models/m/predict", "", 405},
      {"GET", "/v2/status", "", 404},
      {"GET", "/v1/wait/0123?timeout=1", "", 400},
      {"GET", "/v1/wait/0123", "", 404},
      {"POST", "/v1/datasets/e/changes", "[]", 404},
      {"POST", "/v1/datasets/d/changes?strict=maybe", "[]", 400},
  };
  for (const auto& [method, target, body, status] : cases) {
    const HttpResponse response = ask(method, target, body);
    EXPECT_EQ(response.status, status) << target << response.body;
    const Json error = Json::parse(response.body, nullptr, false);
    ASSERT_TRUE(error.contains("error")) << response.body;
    EXPECT_FALSE(error["error"]["message"].get<std::string>().empty());
    EXPECT_TRUE(error["error"].contains("code"));
  }
}

TEST_F(EndpointsTest, AnswerAPushBehindItsCommit) {  // serve-1
  HttpRequest request;
  request.method = "POST";
  request.path = "/v1/datasets/d/changes";
  request.content_type = "application/json";
  request.body = R"([{"id": 200, "x": 1, "y": 2}])";
  ASSERT_FALSE(endpoints_.look(request));
  std::optional<HttpResponse> answer;
  std::int64_t champion = 0;
  endpoints_.take(std::move(request), [&](HttpResponse response) {
    answer = std::move(response);
    champion = board_.champion("m")->version;
  });
  EXPECT_FALSE(answer);
  world_.sync();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200) << answer->body;
  EXPECT_EQ(json_of(*answer)["models"]["m"]["version"], champion);
  EXPECT_EQ(board_.freshness_s("m"), 0);
  EXPECT_NE(ask("GET", "/metrics").body.find("lockstep_model_version{model=\"m\"} 2\n"),
            std::string::npos);
}

TEST_F(EndpointsTest, TakeNoMoreThanMayWait) {
  HttpRequest request;
  request.method = "POST";
  request.path = "/v1/datasets/d/changes";
  request.content_type = "text/csv";
  request.content_length = configuration_.serve.queue_bytes_max - 10;
  ASSERT_FALSE(endpoints_.look(request));
  EXPECT_EQ(ask("POST", "/v1/datasets/d/changes", "[          ]").status, 429);
  request.lease.reset();
  EXPECT_EQ(ask("POST", "/v1/datasets/d/changes", "[          ]").status, 0);
}

class EndpointsWithToken : public EndpointsTest {
 protected:
  EndpointsWithToken() : EndpointsTest("{listen: \"127.0.0.1:0\", token: \"${file:token}\"}") {}
};

TEST_F(EndpointsWithToken, AskForIt) {  // serve-4
  for (const char* shown :
       {"", "Bearer ", "Bearer 0123456789abcdeF", "0123456789abcdef", "bearer 0123456789abcdef"}) {
    EXPECT_EQ(ask("GET", "/v1/status", "", shown).status, 401) << shown;
    EXPECT_EQ(ask("GET", "/nowhere", "", shown).status, 401) << shown;
  }
  EXPECT_EQ(ask("GET", "/v1/status", "", "Bearer 0123456789abcdef").status, 200);
  EXPECT_EQ(ask("GET", "/-/ready").status, 200);
}

}  // namespace
}  // namespace lockstep::test
