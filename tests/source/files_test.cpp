#include "source/source.h"
#include "source/world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace lockstep::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kAppend = "{type: files, path: \"in/*.csv\"}";
constexpr std::string_view kUpsert = "{type: files, path: \"in/*.csv\", mode: upsert}";
constexpr std::string_view kMirror = "{type: files, path: \"in/*.csv\", mode: mirror}";

struct Situation {
  std::string what;
  std::string settings;
  std::string name;
  std::string text;
  Story story;
};

// One file under each setting, and what comes of it.
const std::vector<Situation>& situations() {
  static const std::string csv = "{type: files, path: \"in/*\"";
  static const std::vector<Situation> kSituations = {
      {"plain", csv + "}", "a.csv", "patient,sbp\n1,120\n", {"I in/a.csv line 2: 1,120"}},
      {"upsert",
       csv + ", mode: upsert}",
       "a.csv",
       "patient,sbp\n1,2\n",
       {"U in/a.csv line 2: 1,2"}},
      {"other order, more columns",
       csv + "}",
       "a.csv",
       "sbp,ward,patient\n5,x,1\n",
       {"I in/a.csv line 2: 1,5"}},
      {"empty", csv + "}", "a.csv", "", {}},
      {"half a header", csv + "}", "a.csv", "patient,s", {}},
      {"header only", csv + "}", "a.csv", "patient,sbp\n", {}},
      {"unfinished line", csv + "}", "a.csv", "patient,sbp\n1,2\n3,4", {"I in/a.csv line 2: 1,2"}},
      {"unfinished line taken",
       csv + ", final_line: take}",
       "a.csv",
       "patient,sbp\n1,2\n3,4",
       {"I in/a.csv line 2: 1,2", "I in/a.csv line 3: 3,4"}},
      {"unfinished character",
       csv + "}",
       "a.csv",
       "patient,sbp\n1,2\n\xC3",
       {"I in/a.csv line 2: 1,2"}},
      {"bad cell",
       csv + "}",
       "a.csv",
       "patient,sbp\n1,x\n2,5\n",
       {"I in/a.csv line 3: 2,5", "refused in/a.csv line 2 at decode"}},
      {"null in key",
       csv + "}",
       "a.csv",
       "patient,sbp\n,7\n2,5\n",
       {"I in/a.csv line 3: 2,5", "refused in/a.csv line 2 at key"}},
      {"missing column",
       csv + "}",
       "a.csv",
       "patient,spb\n1,2\n",
       {"refused in/a.csv file at decode"}},
      {"not text",
       csv + "}",
       "a.csv",
       "patient,sbp\n\xFF\xFE,2\n",
       {"refused in/a.csv file at decode"}},
      {"truncated gzip",
       csv + "}",
       "a.csv.gz",
       "\x1f\x8b\x08",
       {"refused in/a.csv.gz file at decode"}},
      {"not Parquet", csv + "}", "a.parquet", "PAR1PAR1", {"refused in/a.parquet file at decode"}},
      {"unknown ending",
       csv + "}",
       "a.txt",
       "patient,sbp\n1,2\n",
       {"refused in/a.txt file at decode"}},
      {"format given",
       csv + ", format: csv}",
       "a.txt",
       "patient,sbp\n1,2\n",
       {"I in/a.txt line 2: 1,2"}},
      {"hidden", csv + "}", ".a.csv", "patient,sbp\n1,2\n", {}},
      {"delimiter",
       csv + ", delimiter: \";\", decimal_comma: true}",
       "a.csv",
       "patient;sbp\n1;2,5\n",
       {"I in/a.csv line 2: 1,2.5"}},
      {"tab separated", csv + "}", "a.tsv", "patient\tsbp\n1\t2\n", {"I in/a.tsv line 2: 1,2"}},
      {"null words",
       csv + ", \"null\": [\"\", NA]}",
       "a.csv",
       "patient,sbp\n1,NA\n",
       {"I in/a.csv line 2: 1,"}},
      {"utf-16, without a key",
       csv + ", encoding: utf-16le}",
       "a.ndjson",
       std::string("{\0}\0\n\0", 6),
       {"refused in/a.ndjson line 1 at key"}},
      {"ndjson",
       csv + "}",
       "a.ndjson",
       "{\"patient\":1,\"sbp\":2}\n{\"pat",
       {"I in/a.ndjson line 1: 1,2"}},
      {"operations",
       csv + ", operation: op}",
       "a.csv",
       "op,patient,sbp\nI,1,2\nu,2,3\nD,3,\nd,4,x\nX,5,6\n,6,7\nU,,8\n",
       {"I in/a.csv line 2: 1,2",
        "U in/a.csv line 3: 2,3",
        "D in/a.csv line 4: 3,",
        "D in/a.csv line 5: 4,",
        "refused in/a.csv line 6 at operation",
        "refused in/a.csv line 7 at operation",
        "refused in/a.csv line 8 at key"}},
      {"mirror",
       csv + ", mode: mirror}",
       "a.csv",
       "patient,sbp\n1,2\n3,4",
       {"replaced in/a.csv", "U in/a.csv line 2: 1,2", "U in/a.csv line 3: 3,4"}},
      {"mirror of nothing", csv + ", mode: mirror}", "a.csv", "", {"replaced in/a.csv"}},
      {"mirror, unreadable",
       csv + ", mode: mirror}",
       "a.csv",
       "patient\n1\n",
       {"refused in/a.csv file at decode"}},
  };
  return kSituations;
}

TEST(Files, EachSituationGivesItsRowsAndRefusals) {
  for (const Situation& situation : situations()) {
    SCOPED_TRACE(situation.what);
    World world;
    world.put("in/" + situation.name, situation.text);
    const auto source = world.open(World::request(situation.settings));
    ASSERT_NE(source, nullptr);
    const Told told = tell(*source);
    EXPECT_EQ(told.story, situation.story);
    EXPECT_FALSE(told.error) << told.error->message;
    // Nothing comes a second time, from this source nor from one at the position that it left.
    EXPECT_THAT(tell(*source).story, IsEmpty());
    if (told.positions.empty()) continue;
    const auto again = world.open(World::request(situation.settings), told.positions.back());
    EXPECT_THAT(tell(*again).story, IsEmpty());
  }
}

TEST(Files, ARefusalSaysWhyAndKeepsTheRecordAndItsKey) {
  World world;
  world.put("in/a.csv", "patient,sbp\n17,7x\n");
  const auto source = world.open(World::request(kAppend));
  const auto batch = source->next({}).value();
  ASSERT_TRUE(batch);
  ASSERT_EQ(batch->refusals.size(), 1u);
  EXPECT_THAT(batch->refusals[0].reason, HasSubstr("7x"));
  EXPECT_EQ(batch->refusals[0].text, "17,7x");
  EXPECT_EQ(batch->refusals[0].key, std::vector<Value>{std::int64_t{17}});
}

TEST(Files, AMissingColumnIsRefusedWithTheNearest) {
  World world;
  world.put("in/a.csv", "patient,spb\n1,2\n");
  const auto source = world.open(World::request(kAppend));
  const auto batch = source->next({}).value();
  ASSERT_TRUE(batch);
  EXPECT_THAT(batch->refusals.at(0).reason, HasSubstr("spb"));
}

TEST(Files, OfAFolderThatIsNamedAloneAreNone) {
  World world;
  world.put("in/a.csv", "patient,sbp\n17,7\n");
  const auto source = make_source(world.io(), World::request("{type: files, path: in}"));
  const Result<void> opened = source.value()->open({});
  const Error error = opened.ok() ? source.value()->next({}).error() : opened.error();
  EXPECT_EQ(error.code, Code::kInvalid);
  EXPECT_THAT(error.message, HasSubstr("the folder in"));
  EXPECT_EQ(error.hint, "write in/*.csv, or the ending that its files have");
}

TEST(Files, OneUnreadableFileStopsNoOther) {
  World world;
  world.put("in/a.csv", "patient\n1\n");
  world.put("in/b.csv", "patient,sbp\n1,2\n");
  const auto source = world.open(World::request(kAppend));
  const Told told = tell(*source);
  EXPECT_THAT(told.story, ElementsAre("refused in/a.csv file at decode", "I in/b.csv line 2: 1,2"));
  // It is tried again once it has changed.
  world.put("in/a.csv", "patient,sbp\n3,4\n");
  EXPECT_THAT(tell(*world.open(World::request(kAppend), told.positions.back())).story,
              ElementsAre("I in/a.csv line 2: 3,4"));
}

TEST(Files, ComeByModificationTimeThenByName) {
  World world;
  world.put("in/b.csv", "patient,sbp\n1,1\n");
  world.put("in/c.csv", "patient,sbp\n2,2\n");
  world.put("in/a.csv", "patient,sbp\n3,3\n");
  EXPECT_THAT(
      tell(*world.open(World::request(kAppend))).story,
      ElementsAre("I in/b.csv line 2: 1,1", "I in/c.csv line 2: 2,2", "I in/a.csv line 2: 3,3"));
}

TEST(Files, GrowthAtEveryByteGivesEachRowOnce) {
  const std::string text =
      "patient,sbp\n1,120\n\n\"2\",\"121\"\r\n3,\xC3\xA4\n4,\"1\n2\"\n55,66.25\n";
  const Story all = {"I in/a.csv line 2: 1,120",
                     "I in/a.csv line 4: 2,121",
                     "refused in/a.csv line 5 at decode",
                     "refused in/a.csv line 6 at decode",
                     "I in/a.csv line 8: 55,66.25"};
  for (std::size_t first = 0; first < text.size(); ++first) {
    SCOPED_TRACE(first);
    World world;
    world.put("in/a.csv", text.substr(0, first));
    const Told told = tell(*world.open(World::request(kAppend)));
    world.put("in/a.csv", text);
    const Position position = told.positions.empty() ? Position() : told.positions.back();
    Story story = told.story;
    const Told rest = tell(*world.open(World::request(kAppend), position));
    EXPECT_FALSE(rest.error) << rest.error->message;
    story.insert(story.end(), rest.story.begin(), rest.story.end());
    std::sort(story.begin(), story.end());
    Story wanted = all;
    std::sort(wanted.begin(), wanted.end());
    EXPECT_EQ(story, wanted);
  }
}

TEST(Files, GrowthByteByByteInOneSourceGivesEachRowOnce) {
  const std::string text = "patient,sbp\n1,120\n2,121\n3,4.5\n";
  World world;
  const auto source = world.open(World::request(kAppend));
  Story story;
  for (std::size_t size = 0; size <= text.size(); ++size) {
    world.put("in/a.csv", text.substr(0, size));
    const Told told = tell(*source);
    ASSERT_FALSE(told.error) << told.error->message;
    story.insert(story.end(), told.story.begin(), told.story.end());
  }
  EXPECT_THAT(
      story,
      ElementsAre(
          "I in/a.csv line 2: 1,120", "I in/a.csv line 3: 2,121", "I in/a.csv line 4: 3,4.5"));
}

TEST(Files, AnUnfinishedLineMayStillBecomeAnother) {
  World world;
  world.put("in/a.csv", "patient,sbp\n1,2\n3,4");
  const Told told = tell(*world.open(World::request(kAppend)));
  world.put("in/a.csv", "patient,sbp\n1,2\n9,8\n");
  EXPECT_THAT(tell(*world.open(World::request(kAppend), told.positions.back())).story,
              ElementsAre("I in/a.csv line 3: 9,8"));
}

TEST(Files, ATakenLastLineThatGrowsIsOtherContent) {
  constexpr std::string_view kTake = "{type: files, path: in/a.csv, final_line: take}";
  for (const auto& [then, story, is_refused] : std::vector<std::tuple<std::string, Story, bool>>{
           {"patient,sbp\n3,4\n5,6", {"I in/a.csv line 3: 5,6"}, false},
           {"patient,sbp\n3,45\n", {}, true}}) {
    World world;
    world.put("in/a.csv", "patient,sbp\n3,4");
    const Told told = tell(*world.open(World::request(kTake)));
    ASSERT_EQ(told.story.size(), 1u);
    world.put("in/a.csv", then);
    const Told rest = tell(*world.open(World::request(kTake), told.positions.back()));
    EXPECT_EQ(rest.story, story);
    EXPECT_EQ(rest.error.has_value(), is_refused);
  }
}

TEST(Files, OtherContentUnderAKnownNameIsRefusedInAppendAfterAllOtherFiles) {
  World world;
  world.put("in/a.csv", "patient,sbp\n1,2\n");
  const auto source = world.open(World::request(kAppend));
  const Told told = tell(*source);
  world.put("in/a.csv", "patient,sbp\n1,3\n");
  world.put("in/b.csv", "patient,sbp\n5,6\n");
  const auto reopened = world.open(World::request(kAppend), told.positions[0]);
  for (Source* reader : {source.get(), reopened.get()}) {
    const Told rest = tell(*reader);
    EXPECT_THAT(rest.story, ElementsAre("I in/b.csv line 2: 5,6"));
    ASSERT_TRUE(rest.error);
    EXPECT_EQ(rest.error->code, Code::kRefused);
    EXPECT_THAT(rest.error->message, HasSubstr("in/a.csv"));
    EXPECT_THAT(rest.error->hint, HasSubstr("mode: upsert"));
  }
  world.remove("in/a.csv");
  EXPECT_FALSE(tell(*source).error) << "the file is gone, and with it what was refused";
}

TEST(Files, OtherContentIsReadAgainInUpsert) {
  World world;
  world.put("in/a.csv", "patient,sbp\n1,2\n");
  const Told told = tell(*world.open(World::request(kUpsert)));
  world.put("in/a.csv", "patient,sbp\n1,3\n2,4\n");
  EXPECT_THAT(tell(*world.open(World::request(kUpsert), told.positions[0])).story,
              ElementsAre("U in/a.csv line 2: 1,3", "U in/a.csv line 3: 2,4"));
}

TEST(Files, ATouchedFileGivesNothing) {
  for (const std::string_view settings : {kAppend, kUpsert, kMirror}) {
    World world;
    world.put("in/a.csv", "patient,sbp\n1,2\n");
    const auto source = world.open(World::request(settings));
    EXPECT_FALSE(tell(*source).story.empty());
    world.put("in/a.csv", "patient,sbp\n1,2\n");
    EXPECT_THAT(tell(*source).story, IsEmpty());
  }
}

TEST(Files, AMirroredFileIsAlwaysWholeAndGoesWhenItVanishes) {
  World world;
  world.put("in/a.csv", "patient,sbp\n1,2\n");
  world.put("in/b.csv", "patient,sbp\n9,9\n");
  const auto source = world.open(World::request(kMirror));
  tell(*source);
  world.put("in/a.csv", "patient,sbp\n1,2\n2,4\n");
  EXPECT_THAT(tell(*source, 1).story,
              ElementsAre("replaced in/a.csv", "U in/a.csv line 2: 1,2", "U in/a.csv line 3: 2,4"));
  world.remove("in/a.csv");
  EXPECT_THAT(tell(*source).story, ElementsAre("removed in/a.csv"));
  EXPECT_THAT(tell(*source).story, IsEmpty());
}

TEST(Files, AFolderThatIsGoneIsNotAMirrorOfNothing) {
  World world;
  world.put("in/a.csv", "patient,sbp\n1,2\n");
  const Told told = tell(*world.open(World::request(kMirror)));
  World empty;
  const auto source = empty.open(World::request("{type: files, path: other/*.csv, mode: mirror}"),
                                 told.positions[0]);
  const Told rest = tell(*source);
  EXPECT_THAT(rest.story, IsEmpty());
  ASSERT_TRUE(rest.error);
  EXPECT_EQ(rest.error->code, Code::kRefused);
}

TEST(Files, WithoutAKeyRowsGetTheFileAndTheRecordNumber) {
  World world;
  world.put("in/a.csv", "patient,sbp\n1,x\n1,2\n");
  SourceRequest request = World::request(kAppend);
  request.targets[0].key.clear();
  const Told told = tell(*world.open(request));
  ASSERT_EQ(told.story.size(), 2u);
  EXPECT_THAT(told.story[0], HasSubstr(",2,1,2"));
  world.put("in/a.csv", "patient,sbp\n1,x\n1,2\n7,8\n");
  // As sync asks once it knows the columns.
  request.targets[0].schema = world.open(request)->infer_schema(0).value();
  EXPECT_EQ(request.targets[0].schema.names(),
            (std::vector<std::string>{"_file", "_row", "patient", "sbp"}));
  request.targets[0].schema = Schema({{"_file", Type::kText},
                                      {"_row", Type::kInt},
                                      {"patient", Type::kInt},
                                      {"sbp", Type::kFloat}});
  request.targets[0].key = {"_file", "_row"};
  const Told rest = tell(*world.open(request, told.positions.back()));
  ASSERT_EQ(rest.story.size(), 1u);
  EXPECT_THAT(rest.story[0], HasSubstr(",3,7,8"));
}

TEST(Files, TheSchemaComesFromTheFirstFileWithoutTheOperation) {
  World world;
  SourceRequest request = World::request("{type: files, path: in/*, operation: op}", Schema());
  const auto source = world.open(request);
  EXPECT_EQ(source->infer_schema(0).error().code, Code::kNotFound);
  EXPECT_FALSE(source->next({}).value());
  world.put("in/a.csv", "op,patient,sbp,name\nI,1,2.5,x\n");
  const Schema wanted({{"patient", Type::kInt}, {"sbp", Type::kFloat}, {"name", Type::kText}});
  EXPECT_EQ(source->infer_schema(0).value(), wanted);
  EXPECT_THAT(tell(*source).story, ElementsAre("I in/a.csv line 2: 1,2.5,x"));
}

TEST(Files, AnInsertOfAnUpsertedFileReplacesAndOneOfAnAppendedFileDoesNot) {
  for (const auto& [mode, letter] :
       std::vector<std::pair<std::string, std::string>>{{"append", "I"}, {"upsert", "U"}}) {
    World world;
    world.put("in/a.csv", "op,patient,sbp\nI,1,2\nU,3,4\n");
    const auto source =
        world.open(World::request("{type: files, path: in/*, operation: op, mode: " + mode + "}"));
    EXPECT_THAT(tell(*source).story,
                ElementsAre(letter + " in/a.csv line 2: 1,2", "U in/a.csv line 3: 3,4"));
  }
}

TEST(Files, APositionThatIsNotOneIsRefused) {
  World world;
  const auto source = make_source(world.io(), World::request(kAppend)).value();
  const std::string head = R"({"version":1,"last":""})";
  const std::vector<std::pair<Position, Code>> cases = {
      {{{"", "x"}}, Code::kCorrupt},
      {{{"", "{}"}}, Code::kCorrupt},
      {{{"", R"({"version":2,"last":""})"}}, Code::kTooNew},
      {{{"", head}, {"a", "1"}}, Code::kCorrupt},
      {{{"", head}, {"a", "{}"}}, Code::kCorrupt},
      {{{"a", R"({"size":1})"}}, Code::kCorrupt}};
  for (const auto& [position, code] : cases) {
    const auto opened = source->open(position);
    ASSERT_FALSE(opened.ok()) << position.begin()->second;
    EXPECT_EQ(opened.error().code, code) << position.begin()->second;
  }
}

TEST(Files, SaysHowFarItHasRead) {
  World world;
  world.put("in/a.csv", "patient,sbp\n1,2\n3,4\n5");
  const auto source = world.open(World::request(kAppend));
  EXPECT_EQ(source->describe({}), "no files yet");
  EXPECT_EQ(source->lag().bytes, 21u);
  const Told told = tell(*source);
  EXPECT_EQ(source->describe(told.positions.back()),
            "1 file, in/a.csv at line 3, 1 with an unfinished last line");
  EXPECT_EQ(source->lag().bytes, 0u);
}

TEST(Files, WaitingEndsWhenAFileComes) {
  for (const std::string_view settings :
       {std::string_view("{type: files, path: \"in/*.csv\"}"),
        std::string_view("{type: files, path: \"none/*.csv\"}")}) {
    World world;
    const auto source = world.open(World::request(settings));
    EXPECT_THAT(tell(*source).story, IsEmpty());
    EXPECT_TRUE(source->wait(0).value()) << "what came before the watch may have been missed";
    world.put(settings == "{type: files, path: \"in/*.csv\"}" ? "in/a.csv" : "none/a.csv",
              "patient,sbp\n1,2\n");
    EXPECT_TRUE(source->wait(5'000'000).value());
    EXPECT_EQ(tell(*source).story.size(), 1u);
  }
}

TEST(Files, AFileThatMayNotBeReadIsTriedAgainLater) {
  World world;
  world.put("in/a.csv", "patient,sbp\n1,2\n");
  bool is_denied = true;
  world.io().observe([&is_denied](IoOperation operation, std::string_view path) -> Result<void> {
    if (!is_denied || operation != IoOperation::kOpen || !path.ends_with("a.csv")) return {};
    return make_error(Code::kDenied, "no rights");
  });
  const auto source = world.open(World::request(kAppend));
  EXPECT_THAT(tell(*source).story, ElementsAre("refused in/a.csv file at decode"));
  is_denied = false;
  EXPECT_THAT(tell(*source).story, IsEmpty());
  world.io().sleep_us(61'000'000);
  EXPECT_THAT(tell(*source).story, ElementsAre("I in/a.csv line 2: 1,2"));
}

TEST(Files, SettingsThatCannotBeAreRefusedWithTheirPlace) {
  World world;
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{type: file, path: a.csv}", "files"},
      {"{path: a.csv}", "type"},
      {"{type: files}", "path"},
      {"{type: files, path: in/}", "names no file"},
      {"{type: files, path: a.csv, delimiter: ab}", "delimiter"},
      {"{type: files, path: a.csv, utc_offset: 2h}", "offset"},
      {"{type: files, path: a.csv, utc_offset: \"+15:00\"}", "offset"},
      {"{type: files, path: a.csv, modus: append}", "mode"},
      {"{type: files, path: a.csv, mode: mirror, operation: op}", "mirror"},
      {"{type: files, path: a.csv, operation: sbp}", "operation"}};
  for (const auto& [settings, word] : cases) {
    const auto source = make_source(world.io(), World::request(settings));
    ASSERT_FALSE(source.ok()) << settings;
    EXPECT_THAT(source.error().message + source.error().hint, HasSubstr(word)) << settings;
    EXPECT_THAT(source.error().message, HasSubstr("lockstep.yaml:1:")) << settings;
  }
  SourceRequest request = World::request(kAppend);
  request.targets[0].key = {"pateint"};
  EXPECT_FALSE(make_source(world.io(), request).ok());
}

}  // namespace
}  // namespace lockstep::test
