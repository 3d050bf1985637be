// Pushes: the desk that takes them, their bodies as rows, and the source that hands them on.
#include "source/http/http.h"
#include "source/http/push_desk.h"
#include "source/http/push_rows.h"
#include "source/world.h"
#include "table/memory_input.h"

#include <nlohmann/json.hpp>

namespace lockstep::test {
namespace {

using Kind = PushAnswer::Kind;

Push push_of(std::string token, std::string body, PushFormat format = PushFormat::kJson) {
  Push push;
  push.source = "drop";
  push.token = std::move(token);
  push.format = format;
  push.body = std::move(body);
  return push;
}

Story rows_of_body(const std::string& body, PushFormat format = PushFormat::kJson) {
  const PushPlan plan{.target = {.table = {}, .schema = kSchema, .key = {"patient"}},
                      .operation = {}};
  const Result<SourceBatch> batch = rows_of_push(plan, push_of("t", body, format));
  if (!batch.ok()) return {"error: " + batch.error().message};
  return story_of(batch.value());
}

TEST(JsonLines, AreTheElementsOfAList) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[]", ""},
      {" [ {\"a\": 1} ,\n{\"b\": \"},]\\\"\"} ] ", "{\"a\": 1}\n{\"b\": \"},]\\\"\"}\n"},
      {"{\"a\":\n[1, {}]}", "{\"a\": [1, {}]}\n"},
      {"[1, \"x\", null]", "1\n\"x\"\nnull\n"},
  };
  for (const auto& [text, lines] : cases) {
    const Result<std::string> cut = lines_of_json(text);
    ASSERT_TRUE(cut.ok()) << text << ": " << cut.error().message;
    EXPECT_EQ(cut.value(), lines);
  }
}

TEST(JsonLines, RefuseWhatIsNoList) {
  for (const char* text : {"",
                           "17",
                           "\"x\"",
                           "[",
                           "[{}",
                           "[{}}",
                           "[{},]",
                           "[,{}]",
                           "{} {}",
                           "[{}] 1",
                           "[{\"a\": \"]",
                           "{\"a\": 1",
                           "nonsense"}) {
    EXPECT_FALSE(lines_of_json(text).ok()) << text;
  }
}

TEST(PushRows, AreThoseOfTheBody) {
  const Story wanted = {"U push t row 1: 17,121.5", "U push t row 2: 18,"};
  EXPECT_EQ(rows_of_body(R"([{"patient": 17, "sbp": 121.5, "more": 1}, {"patient": 18}])"), wanted);
  const Story lines = {"U push t line 1: 17,121.5", "U push t line 3: 18,"};
  EXPECT_EQ(
      rows_of_body("{\"patient\":17,\"sbp\":121.5}\n\n{\"patient\":18}\n", PushFormat::kNdjson),
      lines);
  EXPECT_EQ(rows_of_body("patient,sbp\n17,121.5\n18,\n", PushFormat::kCsv),
            (Story{"U push t line 2: 17,121.5", "U push t line 3: 18,"}));
  EXPECT_EQ(rows_of_body("[]"), Story{});
  EXPECT_EQ(rows_of_body("", PushFormat::kCsv), Story{});
}

TEST(PushRows, ThatAreBadAreRefusedOneByOne) {
  EXPECT_EQ(rows_of_body(R"([{"patient": "x"}, {"patient": null}, 5, {"patient": 1}])"),
            (Story{"U push t row 4: 1,",
                   "refused push t row 1 at decode",
                   "refused push t row 2 at key",
                   "refused push t row 3 at decode"}));
}

TEST(PushRows, AreRefusedAsAWholeWhereColumnsLack) {
  EXPECT_EQ(rows_of_body(R"([{"sbp": 1}])"), Story{"error: no row has a column 'patient'"});
  EXPECT_EQ(rows_of_body(R"([{"patient": 1, "spb": 1}])"),
            Story{"error: no row has a column 'sbp'"});
  EXPECT_EQ(rows_of_body("patient\n1\n", PushFormat::kCsv).size(), 1u);
  EXPECT_TRUE(rows_of_body("patient\n1\n", PushFormat::kCsv).front().starts_with("error: "));
}

TEST(PushRows, OfADeleteNeedTheKeyAlone) {
  const PushPlan plan{.target = {.table = {}, .schema = kSchema, .key = {"patient"}},
                      .operation = {}};
  Push push = push_of("t", R"([{"patient": 17, "sbp": "not looked at"}])");
  push.operation = Operation::kDelete;
  const Result<SourceBatch> batch = rows_of_push(plan, push);
  ASSERT_TRUE(batch.ok()) << batch.error().message;
  EXPECT_EQ(story_of(batch.value()), Story{"D push t row 1: 17,"});
  EXPECT_EQ(batch.value().rows.schema(), kSchema);
}

class Desk : public ::testing::Test {
 protected:
  PushDesk::Taken offer(Push push) {
    const std::string token = push.token;
    return desk_.offer(std::move(push), [this, token](const PushAnswer& answer) {
      heard_.push_back(token + " " + std::to_string(static_cast<int>(answer.kind)) + answer.json);
    });
  }

  PushDesk desk_{100};
  std::vector<std::string> heard_;
};

TEST_F(Desk, TakesNothingForASourceThatIsClosed) {
  EXPECT_EQ(offer(push_of("a", "1")), PushDesk::Taken::kClosed);
  desk_.open("drop");
  EXPECT_EQ(offer(push_of("a", "1")), PushDesk::Taken::kYes);
  desk_.close("drop");  // push-1
  EXPECT_EQ(heard_, std::vector<std::string>{"a 5"});
  EXPECT_EQ(desk_.bytes(), 0u);
}

TEST_F(Desk, HoldsNoMoreBytesThanItMay) {  // push-3
  desk_.open("drop");
  EXPECT_EQ(offer(push_of("a", std::string(60, 'x'))), PushDesk::Taken::kYes);
  EXPECT_EQ(offer(push_of("b", std::string(41, 'x'))), PushDesk::Taken::kFull);
  ASSERT_TRUE(desk_.take("drop"));
  EXPECT_EQ(offer(push_of("b", std::string(41, 'x'))), PushDesk::Taken::kFull);
  desk_.answer("a", {.kind = Kind::kDone, .json = "{}", .error = {}});
  EXPECT_EQ(offer(push_of("b", std::string(41, 'x'))), PushDesk::Taken::kYes);
}

TEST_F(Desk, HasOnePushOfAKeyUnderWay) {  // push-2
  desk_.open("drop");
  Push push = push_of("a", "1");
  push.key = "k";
  EXPECT_EQ(offer(push), PushDesk::Taken::kYes);
  push.token = "b";
  EXPECT_EQ(offer(push), PushDesk::Taken::kUnderWay);
  desk_.answer("a", {.kind = Kind::kDone, .json = "{}", .error = {}});
  EXPECT_EQ(offer(push), PushDesk::Taken::kYes);
}

TEST_F(Desk, TellsThoseWhoAskForAToken) {
  desk_.open("drop");
  Push push = push_of("a", "1");
  push.is_kept = true;
  desk_.offer(push, {});
  std::vector<std::string> asked;
  const auto hear = [&](const PushAnswer& answer) { asked.push_back(answer.json); };
  const auto [state, first] = desk_.await("a", hear);
  EXPECT_EQ(state, PushDesk::Token::kWaiting);
  EXPECT_EQ(desk_.await("a", hear).first, PushDesk::Token::kWaiting);
  desk_.forget("a", first);
  desk_.answer("a", {.kind = Kind::kDone, .json = "{1}", .error = {}});
  EXPECT_EQ(asked, std::vector<std::string>{"{1}"});
  EXPECT_EQ(desk_.await("a", hear).first, PushDesk::Token::kAnswered);
  EXPECT_EQ(asked.size(), 2u);
  EXPECT_EQ(desk_.await("b", hear).first, PushDesk::Token::kUnknown);
}

class HttpSourceTest : public Desk {
 protected:
  std::unique_ptr<Source> open(const Position& position = {}) {
    SourceRequest request = World::request("{type: http}");
    request.pushes = &desk_;
    request.kept_answer = [this](int, const std::string& key) {
      std::optional<KeptAnswer> found;
      if (key == kept_.key) found = kept_;
      return Result<std::optional<KeptAnswer>>(found);
    };
    Result<std::unique_ptr<Source>> source = make_source(world_.io(), request);
    EXPECT_TRUE(source.ok()) << source.error().message;
    EXPECT_TRUE(source.value()->open(position).ok());
    return std::move(source).value();
  }

  World world_;
  KeptAnswer kept_;
};

TEST_F(HttpSourceTest, AnswersAPushWithWhatItsCommitMade) {
  const std::unique_ptr<Source> source = open({{"", "41"}});
  Push push = push_of("a", R"([{"patient": 17}, {"patient": "x"}, {"patient": 18}])");
  push.source = "drop";
  push.key = "k";
  EXPECT_EQ(offer(push), PushDesk::Taken::kYes);
  EXPECT_TRUE(source->wait(0).value());
  const auto batch = source->next({10}).value();
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->position_changes, (Position{{"", "42"}}));
  EXPECT_FALSE(source->next({10}).value());
  Completion done;
  done.commit = 7;
  done.snapshot = 6;
  done.versions = {{"bp", 3, 6, "ready"}};
  done.rejected = {{"patient=18", "range", "too high"}, {"patient=99", "range", "of another"}};
  const auto kept = source->answers(batch->position_changes, done);
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept.front().key, "k");
  EXPECT_TRUE(heard_.empty());
  ASSERT_TRUE(source->completed(batch->position_changes, done).ok());
  ASSERT_EQ(heard_.size(), 1u);
  const auto told = nlohmann::json::parse(heard_.front().substr(3));
  EXPECT_EQ(told.at("rows"), 3);
  EXPECT_EQ(told.at("rejected"), 2);
  EXPECT_EQ(told.at("models").at("bp").at("version"), 3);
  EXPECT_EQ(told.dump(), nlohmann::json::parse(kept.front().answer).dump());
}

TEST_F(HttpSourceTest, KnowsWhatWasDoneBefore) {
  const std::unique_ptr<Source> source = open();
  kept_ = {.target = 0, .token = "old", .key = "k", .sha256 = "same", .answer = "{old}"};
  Push push = push_of("a", R"([{"patient": 17}])");
  push.key = "k";
  push.sha256 = "same";
  offer(push);
  EXPECT_FALSE(source->next({10}).value());
  push.token = "b";
  push.sha256 = "other";
  offer(push);
  EXPECT_FALSE(source->next({10}).value());
  EXPECT_EQ(heard_, (std::vector<std::string>{"a 1{old}", "b 3"}));
}

TEST_F(HttpSourceTest, RefusesBodiesAndGoesOn) {
  const std::unique_ptr<Source> source = open();
  offer(push_of("a", "{"));
  Push strict = push_of("b", R"([{"patient": 1}, {"patient": "x"}])");
  strict.is_strict = true;
  offer(strict);
  offer(push_of("c", R"([{"patient": 1}])"));
  ASSERT_TRUE(source->next({10}).value());
  EXPECT_EQ(heard_, (std::vector<std::string>{"a 2", "b 4"}));
}

TEST_F(HttpSourceTest, FailsWhatIsNotCommittedWhenItGoes) {  // push-1
  std::unique_ptr<Source> source = open();
  offer(push_of("a", R"([{"patient": 1}])"));
  offer(push_of("b", R"([{"patient": 1}])"));
  ASSERT_TRUE(source->next({10}).value());
  source.reset();
  EXPECT_EQ(heard_, (std::vector<std::string>{"a 5", "b 5"}));
}

}  // namespace
}  // namespace lockstep::test
