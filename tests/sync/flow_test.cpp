// From a source's rows to the four layers: who is refused, who wins, what comes back.
#include "sync/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace lockstep::test {
namespace {

using Lines = std::vector<std::string>;

std::string yaml_of(const std::string& source, const std::string& dataset = "") {
  return fmt::format(
      "sources:\n"
      "  a: {{type: files, path: \"a/*.csv\"{}}}\n"
      "datasets:\n"
      "  d:\n"
      "    from: [a]\n"
      "    key: [id]\n"
      "    columns: {{id: int, x: float}}\n"
      "{}",
      source,
      dataset);
}

class Flow : public ::testing::Test {
 protected:
  void start(const std::string& yaml) {
    world_.configure(yaml);
    world_.open();
    ASSERT_TRUE(world_.is_open());
  }

  Json deliver(const std::string& file, const std::string& text) {
    world_.put(file, text);
    return world_.sync();
  }

  Lines raw() { return world_.lines(Layer::kRaw, "d"); }

  // "stage: record: reason"
  Lines rejected() {
    const Batch rows = world_.read(Layer::kRejected, "d");
    Lines out;
    for (std::int64_t row = 0; row < rows.row_count(); ++row) {
      out.push_back(fmt::format(
          "{}: {}: {}", rows.text_at(2, row), rows.text_at(1, row), rows.text_at(3, row)));
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  World world_;
};

TEST_F(Flow, RefusesAnAppendOfAKeyThatIsThere) {
  start(yaml_of(""));
  deliver("a/1.csv", "id,x\n1,10\n2,20\n2,21\n");
  EXPECT_EQ(raw(), (Lines{"a|1|10", "a|2|20"}));
  const Json report = deliver("a/2.csv", "id,x\n2,22\n3,30\n");
  EXPECT_EQ(report["rejected"], 1);
  EXPECT_EQ(raw(), (Lines{"a|1|10", "a|2|20", "a|3|30"}));
  const char* reason = "the key is there already, and the source's mode is append";
  EXPECT_EQ(rejected(),
            (Lines{fmt::format("key: a/1.csv line 4: {}", reason),
                   fmt::format("key: a/2.csv line 2: {}", reason)}));
}

TEST_F(Flow, RefusesADeleteOfAKeyThatIsNotThere) {
  start(yaml_of(", mode: upsert, operation: _op"));
  deliver("a/1.csv", "_op,id,x\nI,1,10\nD,1,\nD,1,\nD,7,\n");
  EXPECT_EQ(raw(), Lines{});
  EXPECT_EQ(rejected(),
            (Lines{"key: a/1.csv line 4: a delete of a key that is not there",
                   "key: a/1.csv line 5: a delete of a key that is not there"}));
}

TEST_F(Flow, CountsWhatACommitChanged) {
  start(yaml_of(", mode: upsert, operation: _op"));
  deliver("a/1.csv", "_op,id,x\nI,1,10\nI,2,20\nI,3,30\n");
  const Json report = deliver("a/2.csv", "_op,id,x\nU,1,11\nU,2,20\nD,3,\nU,4,40\nU,4,41\n");
  EXPECT_EQ(report["changes"], (Json{{"inserted", 1}, {"updated", 1}, {"deleted", 1}}));
  EXPECT_EQ(raw(), (Lines{"a|1|11", "a|2|20", "a|4|41"}));
}

TEST_F(Flow, CommitsNoSnapshotForRowsThatChangeNothing) {
  start(yaml_of(", mode: upsert"));
  deliver("a/1.csv", "id,x\n1,10\n");
  const SnapshotId before = world_.hub().latest_snapshot();
  const Json report = deliver("a/2.csv", "id,x\n1,10\n");
  EXPECT_EQ(report["commits"], 0);
  EXPECT_EQ(world_.hub().latest_snapshot(), before);
  world_.open();
  EXPECT_EQ(world_.sync()["commits"], 0);  // the position was kept all the same
}

TEST_F(Flow, MirrorsAFileUpToMaxDelete) {
  start(yaml_of(", mode: mirror, max_delete: 30%"));
  std::string all = "id,x\n";
  for (int id = 0; id < 10; ++id)
    all += fmt::format("{},{}\n", id, id);
  deliver("a/1.csv", all);
  EXPECT_EQ(raw().size(), 10U);
  deliver("a/1.csv", all.substr(0, all.find("7,7")));  // three of ten
  EXPECT_EQ(raw().size(), 7U);
  world_.put("a/1.csv", "id,x\n0,5\n");
  const Result<Json> refused = world_.engine().sync();
  ASSERT_TRUE(refused.ok()) << refused.error().message;
  ASSERT_EQ(refused.value()["errors"].size(), 1U);
  EXPECT_EQ(refused.value()["errors"][0]["code"], "refused");
  EXPECT_EQ(refused.value()["errors"][0]["message"],
            "source 'a': a/1.csv would delete 6 of 7 rows, above max_delete");
  EXPECT_EQ(refused.value()["errors"][0]["hint"],
            "if that is right: lockstep sync --accept-deletes");
  EXPECT_EQ(raw().size(), 7U);
  EngineOptions accepting;
  accepting.accept_deletes = true;
  world_.open(accepting);
  world_.sync();
  EXPECT_EQ(raw(), Lines{"a|0|5"});
}

TEST_F(Flow, TakesARowOutThatItsMirroredFileLost) {
  start(yaml_of(", mode: mirror, max_delete: 100%"));
  deliver("a/1.csv", "id,x\n1,10\n2,20\n");
  deliver("a/2.csv", "id,x\n3,30\n");
  world_.remove("a/1.csv");
  world_.sync();
  EXPECT_EQ(raw(), Lines{"a|3|30"});
}

TEST_F(Flow, MovesAMirroredRowToTheFileThatHasItNow) {
  start(yaml_of(", mode: mirror, max_delete: 100%"));
  deliver("a/1.csv", "id,x\n1,10\n2,20\n");
  deliver("a/2.csv", "id,x\n2,20\n3,30\n");
  deliver("a/1.csv", "id,x\n1,10\n");
  EXPECT_EQ(raw(), (Lines{"a|1|10", "a|2|20", "a|3|30"}));
}

TEST_F(Flow, ClearsARefusalWithALaterGoodRow) {
  start(yaml_of(", mode: upsert, operation: _op"));
  deliver("a/1.csv", "_op,id,x\nU,1,10\n");
  deliver("a/2.csv", "_op,id,x\nU,1,ten\nX,2,20\n");
  const Lines refused = rejected();
  ASSERT_EQ(refused.size(), 2U);
  EXPECT_EQ(refused[0].substr(0, 14), "decode: id=1: ");
  EXPECT_EQ(refused[1], "operation: id=2: column '_op': 'X' is not an operation; write I, U or D");
  EXPECT_EQ(raw(), Lines{"a|1|10"});
  // As it was: it changes nothing, and yet the key is in order again.
  deliver("a/3.csv", "_op,id,x\nU,1,10\n");
  EXPECT_EQ(rejected().size(), 1U);
  deliver("a/4.csv", "_op,id,x\nU,2,20\n");
  EXPECT_EQ(rejected(), Lines{});
}

TEST_F(Flow, ClearsTheRefusalOfAFileOnceItCanBeRead) {
  for (const char* mode : {"upsert", "mirror"}) {
    World world;
    world.configure(yaml_of(fmt::format(", mode: {}", mode)));
    world.open();
    ASSERT_TRUE(world.is_open());
    world.put("a/1.csv", "id,id\n1,10\n");  // two columns of one name
    world.sync();
    EXPECT_EQ(world.lines(Layer::kRejected, "d").size(), 1U) << mode;
    world.put("a/1.csv", "id,x\n1,10\n");
    world.sync();
    EXPECT_EQ(world.lines(Layer::kRejected, "d"), Lines{}) << mode;
    EXPECT_EQ(world.lines(Layer::kRaw, "d"), Lines{"a|1|10"}) << mode;
  }
}

TEST_F(Flow, TellsTheRefusalsOfAMirroredFileAnewWithIt) {
  start(yaml_of(", mode: mirror, max_delete: 100%"));
  deliver("a/1.csv", "id,x\n1,10\nbad,20\nworse,30\n");
  EXPECT_EQ(rejected().size(), 2U);
  deliver("a/1.csv", "id,x\n1,10\n2,20\nworse,30\n");
  ASSERT_EQ(rejected().size(), 1U);
  EXPECT_NE(rejected()[0].find("a/1.csv line 4"), std::string::npos) << rejected()[0];
  deliver("a/1.csv", "id,x\n1,10\n");
  EXPECT_EQ(rejected(), Lines{});
}

TEST_F(Flow, RejectsByStepAndTakesTheRejectBackWithACorrection) {
  start(yaml_of(", mode: upsert",
                "    clean:\n"
                "      - filter: \"id != 3\"\n"
                "      - range: {columns: [x], max: 100, otherwise: reject}\n"));
  const Json report = deliver("a/1.csv", "id,x\n1,10\n2,200\n3,300\n");
  EXPECT_EQ(report["rejected"], 1);
  EXPECT_EQ(raw().size(), 3U);
  EXPECT_EQ(world_.lines(Layer::kClean, "d"), Lines{"1|10"});
  ASSERT_EQ(rejected().size(), 1U);
  EXPECT_EQ(rejected()[0].substr(0, 22), "clean[1] range: id=2: ");
  EXPECT_EQ(deliver("a/2.csv", "id,x\n2,20\n")["rejected"], -1);
  EXPECT_EQ(world_.lines(Layer::kClean, "d"), (Lines{"1|10", "2|20"}));
  EXPECT_EQ(rejected(), Lines{});
}

TEST_F(Flow, NamesRowsWithoutAKeyByFileAndNumber) {
  world_.configure(
      "sources:\n  a: {type: files, path: \"a/*.csv\"}\n"
      "datasets:\n  d: {from: [a], train: [split: {by: _row, test: 0.2}]}\n");
  world_.put("a/1.csv", "x,w\n1.5,east\n1.5,east\n");
  world_.open();
  ASSERT_TRUE(world_.is_open());
  world_.sync();
  EXPECT_EQ(world_.read(Layer::kRaw, "d").row_count(), 2);
  deliver("a/2.csv", "x,w\n1.5,east\n");
  EXPECT_EQ(world_.read(Layer::kClean, "d").row_count(), 3);
}

TEST_F(Flow, NamesRowsOfDeclaredColumnsByFileAndNumberToo) {
  start(
      "sources:\n  a: {type: files, path: \"a/*.csv\"}\n"
      "datasets:\n  d: {from: [a], columns: {x: float, w: text}}\n");
  deliver("a/1.csv", "x,w\n1.5,east\n1.5,east\n");
  EXPECT_EQ(world_.read(Layer::kClean, "d").row_count(), 2);
}

TEST_F(Flow, RefusesAColumnWithANameOfItsOwn) {
  world_.configure(
      "sources:\n  a: {type: files, path: \"a/*.csv\"}\n"
      "datasets:\n  d: {from: [a], key: [id], columns: {id: int, _source: text}}\n");
  const Result<void> opened = world_.try_open();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().message,
            "lockstep.yaml:4:38: column '_source' has the name of a column that raw adds");
}

// ---- two sources

std::string two_sources(const std::string& latest) {
  return "sources:\n"
         "  a: {type: files, path: \"a/*.csv\", mode: upsert, operation: _op}\n"
         "  b: {type: files, path: \"b/*.csv\", mode: upsert, operation: _op}\n"
         "datasets:\n"
         "  d:\n"
         "    from: [a, b]\n"
         "    key: [id]\n"
         "    columns: {id: int, at: int, x: float}\n" +
         latest;
}

struct Delivery {
  const char* file;
  const char* text;
  Lines clean;  // afterwards
};

TEST_F(Flow, LetsTheLatestOfTwoSourcesCount) {
  start(two_sources("    latest: at\n"));
  const Delivery deliveries[] = {
      {"a/1.csv", "I,1,5,10\nI,2,5,20", {"1|5|10", "2|5|20"}},
      {"b/1.csv", "I,1,4,11\nI,2,6,21", {"1|5|10", "2|6|21"}},
      {"b/2.csv", "U,1,7,12", {"1|7|12", "2|6|21"}},
      {"a/2.csv", "U,2,9,22", {"1|7|12", "2|9|22"}},
      {"b/3.csv", "D,1,,", {"1|5|10", "2|9|22"}},
      {"a/3.csv", "U,2,1,23", {"1|5|10", "2|6|21"}},
      {"a/4.csv", "D,1,,\nD,2,,", {"2|6|21"}},
      {"b/4.csv", "U,2,,24", {"2|NULL|24"}},
      {"a/5.csv", "U,2,0,25", {"2|0|25"}},
  };
  for (const Delivery& delivery : deliveries) {
    deliver(delivery.file, fmt::format("_op,id,at,x\n{}\n", delivery.text));
    EXPECT_EQ(world_.lines(Layer::kClean, "d"), delivery.clean) << delivery.file;
    EXPECT_EQ(world_.lines(Layer::kTrain, "d"), delivery.clean) << delivery.file;
  }
}

TEST_F(Flow, LetsTheLastCommitOfTwoSourcesCountWithoutLatest) {
  start(two_sources(""));
  const Delivery deliveries[] = {
      {"a/1.csv", "I,1,5,10", {"1|5|10"}},
      {"b/1.csv", "I,1,4,11", {"1|4|11"}},
      {"a/2.csv", "U,1,5,10", {"1|4|11"}},  // nothing new from a
      {"a/3.csv", "U,1,3,13", {"1|3|13"}},
      {"a/4.csv", "D,1,,", {"1|4|11"}},
  };
  for (const Delivery& delivery : deliveries) {
    deliver(delivery.file, fmt::format("_op,id,at,x\n{}\n", delivery.text));
    EXPECT_EQ(world_.lines(Layer::kClean, "d"), delivery.clean) << delivery.file;
  }
}

// ---- after a revert

TEST_F(Flow, KeepsARevertedRowOutUntilItsSourceSaysSomethingElse) {
  start(yaml_of(", mode: upsert, operation: _op"));
  deliver("a/1.csv", "_op,id,x\nI,1,10\nI,2,20\n");
  deliver("a/2.csv", "_op,id,x\nU,1,99\nI,3,30\nD,2,\n");
  world_.run({{"command", "revert"}, {"snapshot", "latest"}});
  EXPECT_EQ(raw(), (Lines{"a|1|10", "a|2|20"}));
  EXPECT_EQ(world_.hub().overrides("d").value().size(), 3U);
  const Json report = deliver("a/3.csv", "_op,id,x\nU,1,99\nI,3,30\nD,2,\n");
  EXPECT_EQ(report["skipped"], 3);
  EXPECT_EQ(report["commits"], 0);
  EXPECT_EQ(raw(), (Lines{"a|1|10", "a|2|20"}));
  world_.open();
  deliver("a/4.csv", "_op,id,x\nU,1,98\nI,3,31\nU,2,21\n");
  EXPECT_EQ(raw(), (Lines{"a|1|98", "a|2|21", "a|3|31"}));
  EXPECT_TRUE(world_.hub().overrides("d").value().empty());
  deliver("a/5.csv", "_op,id,x\nU,1,99\nD,2,\n");
  EXPECT_EQ(raw(), (Lines{"a|1|99", "a|3|31"}));
}

TEST_F(Flow, LetsARevertBeReverted) {
  start(yaml_of(", mode: upsert, operation: _op"));
  deliver("a/1.csv", "_op,id,x\nI,1,10\n");
  deliver("a/2.csv", "_op,id,x\nU,1,99\nI,3,30\n");
  const Lines before = raw();
  world_.run({{"command", "revert"}, {"snapshot", "latest"}});
  world_.run({{"command", "revert"}, {"snapshot", "latest"}});
  EXPECT_EQ(raw(), before);
  EXPECT_TRUE(world_.hub().overrides("d").value().empty());
}

TEST_F(Flow, AsksWhatToDoWithRowsThatChangedAgain) {
  struct {
    const char* policy;
    Lines raw;
  } const cases[] = {
      {"keep-later", {"a|1|12", "a|2|20"}},
      {"overwrite", {"a|1|10", "a|2|20"}},
  };

  for (const auto& wanted : cases) {
    World world;
    world.configure(yaml_of(", mode: upsert, operation: _op"));
    world.open();
    ASSERT_TRUE(world.is_open());
    int file = 0;
    for (const char* text : {"I,1,10\nI,2,20", "U,1,11\nU,2,21", "U,1,12"}) {
      world.put(fmt::format("a/{}.csv", ++file), fmt::format("_op,id,x\n{}\n", text));
      world.sync();
    }
    const std::string snapshot = std::to_string(number(world.hub().latest_snapshot()) - 1);
    const Result<Json> refused = world.try_run({{"command", "revert"}, {"snapshot", snapshot}});
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::kRefused);
    EXPECT_EQ(refused.error().message,
              fmt::format("1 rows of snapshot {} changed again later: _source=a, id=1", snapshot));
    world.run({{"command", "revert"}, {"snapshot", snapshot}, {"conflicts", wanted.policy}});
    EXPECT_EQ(world.lines(Layer::kRaw, "d"), wanted.raw) << wanted.policy;
  }
}

TEST_F(Flow, RefusesToRevertWhatHoldsNoRows) {
  start(yaml_of(""));
  deliver("a/1.csv", "id,x\n1,10\n");

  struct {
    const char* snapshot;
    Code code;
  } const cases[] = {
      {"0", Code::kRefused}, {"1", Code::kRefused}, {"99", Code::kNotFound}, {"x", Code::kUsage}};

  for (const auto& wanted : cases) {
    const Result<Json> done =
        world_.try_run({{"command", "revert"}, {"snapshot", wanted.snapshot}});
    ASSERT_FALSE(done.ok()) << wanted.snapshot;
    EXPECT_EQ(done.error().code, wanted.code) << wanted.snapshot << ": " << done.error().message;
  }
  const std::string snapshot = std::to_string(number(world_.hub().latest_snapshot()));
  world_.run({{"command", "revert"}, {"snapshot", "latest"}});
  const Result<Json> again = world_.try_run({{"command", "revert"}, {"snapshot", snapshot}});
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().message,
            fmt::format("there is nothing of snapshot {} left to revert", snapshot));
}

}  // namespace
}  // namespace lockstep::test
