// The source of type postgres over a server of a script: copy, stream, acknowledgements, refusals.
#include "source/postgres/postgres.h"

#include "source/postgres/postgres_position.h"
#include "source/postgres/postgres_rows.h"
#include "source/postgres/postgres_settings.h"
#include "source/postgres_scripted.h"
#include "source/world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

namespace lockstep::test {
namespace {

const Schema kVitals({{"id", Type::kInt}, {"sbp", Type::kFloat}});

class PostgresStory : public ::testing::Test {
 protected:
  PostgresStory() : io_(make_simulated_io(3)) {}

  std::unique_ptr<Source> make(const std::string& more = "") {
    SourceRequest request;
    request.name = "clinic";
    request.settings =
        parse_yaml("{type: postgres, url: \"postgresql://x\"" + more + "}", "lockstep.yaml")
            .value();
    request.targets.push_back({.table = "vitals", .schema = kVitals, .key = {"id"}});
    request.stopping = stopping_;
    return make_postgres_source_of(*io_, request, std::make_unique<ScriptedServer>(state_)).value();
  }

  static std::string shape(std::uint32_t id) {
    const Relation relation{.id = id,
                            .schema = "public",
                            .table = "vitals",
                            .columns = {{.in_identity = true, .name = "id", .type = 20},
                                        {.in_identity = false, .name = "sbp", .type = 701}}};
    return table_shape(
        parse_target({.table = "vitals", .schema = kVitals, .key = {"id"}}, 0).value(), relation);
  }

  static Position position(Lsn lsn) {
    return PostgresPosition{.system = "7329",
                            .timeline = 1,
                            .slot = "lockstep_clinic",
                            .lsn = lsn,
                            .tables = {{"public.vitals", {0x80, shape(7)}}}}
        .parts();
  }

  void put_transaction(Lsn commit, const std::vector<std::string>& messages) {
    const auto frame = [&](const std::string& message) {
      state_.stream.push_back(frame_bytes(commit + 0x10, message));
    };
    frame(begin_bytes(commit));
    frame(relation_bytes(7, "vitals", {{"id", 20, true}, {"sbp", 701}}));
    for (const std::string& message : messages)
      frame(message);
    frame(commit_bytes(commit, commit + 0x10));
  }

  void caught_up() { state_.stream.push_back(keepalive_bytes(0x1000)); }

  static Lsn flushed(const std::string& status) {
    Lsn lsn = 0;
    for (std::size_t index = 9; index < 17; ++index)
      lsn = lsn << 8 | static_cast<unsigned char>(status[index]);
    return lsn;
  }

  std::optional<SourceBatch> next(Source& source) {
    auto batch = source.next({});
    EXPECT_TRUE(batch.ok()) << (batch.ok() ? "" : batch.error().message);
    return batch.ok() ? std::move(batch).value() : std::nullopt;
  }

  void refuses(const Position& from, const std::string& why) {
    const Result<void> opened = make()->open(from);
    ASSERT_FALSE(opened.ok()) << why;
    EXPECT_EQ(opened.error().code, Code::kRefused) << opened.error().message;
    EXPECT_NE(opened.error().message.find(why), std::string::npos) << opened.error().message;
    EXPECT_NE(opened.error().hint.find("lockstep resync clinic"), std::string::npos);
  }

  std::unique_ptr<SimulatedIo> io_;
  ScriptedState state_;
  std::function<bool()> stopping_;
};

TEST_F(PostgresStory, BeginsWithACopyAndGoesOnWithTheStreamFromItsPlace) {
  state_.copy_lines = {"1\t121.5", "2\t\\N"};
  const auto source = make();
  ASSERT_TRUE(source->open({}).ok());
  const auto copy = next(*source);
  ASSERT_TRUE(copy);
  EXPECT_EQ(story_of(*copy),
            (Story{"U public.vitals 0/800 row 1: 1,121.5", "U public.vitals 0/800 row 2: 2,"}));
  EXPECT_TRUE(copy->whole && !copy->has_more && copy->truncates);
  const auto moved = parse_postgres_position(copy->position_changes);
  ASSERT_TRUE(moved.ok());
  EXPECT_EQ(moved.value().lsn, 0x800u);
  EXPECT_EQ(moved.value().tables.at("public.vitals"), (CopiedTable{0x800, shape(7)}));
  put_transaction(0x900, {insert_bytes(7, {"3", "1"})});
  EXPECT_EQ(story_of(*next(*source)), (Story{"U public.vitals 0/900 row 1: 3,1"}));
  const std::string start = state_.commands.back();
  EXPECT_EQ(start,
            "START_REPLICATION SLOT \"lockstep_clinic\" LOGICAL 0/800 (proto_version '1', "
            "publication_names '\"lockstep_clinic\"')");
}

TEST_F(PostgresStory, ACopyOfManyRowsIsOneWholeRun) {
  for (int row = 0; row < 25; ++row)
    state_.copy_lines.push_back(std::to_string(row) + "\t1");
  const auto source = make();
  ASSERT_TRUE(source->open({}).ok());
  for (const std::int64_t rows : {10, 10, 5}) {
    const auto batch = source->next({.row_count_max = 10}).value();
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->rows.row_count(), rows);
    EXPECT_TRUE(batch->whole);
    EXPECT_EQ(batch->has_more, rows == 10);
    EXPECT_EQ(batch->resumes, rows == 10);
    EXPECT_EQ(batch->position_changes.contains("table public.vitals"), rows != 10);
  }
}

// source-8: from the rows of two moments to one, by the log between them.
TEST_F(PostgresStory, ACopyThatWasLeftGoesOnBehindItsLastChunk) {
  for (int row = 0; row < 3; ++row)
    state_.copy_lines.push_back(std::to_string(row) + "\t1");
  state_.block_count = "3000";
  auto source = make();
  ASSERT_TRUE(source->open({}).ok());
  const auto first = source->next({.row_count_max = 2}).value();
  ASSERT_TRUE(first && first->resumes && !first->retells);
  const auto has = [](std::string_view words) {
    return [words](const std::string& command) { return command.find(words) != std::string::npos; };
  };
  EXPECT_TRUE(std::ranges::any_of(state_.commands, has("ctid < '(2048,0)'")));
  EXPECT_TRUE(std::ranges::any_of(state_.commands, has("ctid >= '(2048,0)'")));
  Position staged = first->position_changes;
  const auto left = parse_postgres_position(staged);
  ASSERT_TRUE(left.ok());
  EXPECT_EQ(left.value().copy, (CopyProgress{"public.vitals", 70, 0}));
  move_position(staged, source->next({.row_count_max = 2}).value()->position_changes);
  EXPECT_EQ(parse_postgres_position(staged).value().copy,
            (CopyProgress{"public.vitals", 70, 2048}));
  // Another process, later.
  state_.slot_start = "0/900";
  state_.copy_lines = {"7\t1"};
  source = make();
  ASSERT_TRUE(source->open(staged).ok());
  EXPECT_EQ(state_.commands.back(), "LOCK TABLE ONLY \"public\".\"vitals\" IN ACCESS SHARE MODE");
  put_transaction(0x850, {delete_bytes(7, 'K', {"0", std::nullopt})});
  put_transaction(0x880, {insert_bytes(7, {"8", "1"})});
  caught_up();
  const auto rest = next(*source);
  ASSERT_TRUE(rest);
  EXPECT_EQ(story_of(*rest), (Story{"U public.vitals 0/900 row 1: 7,1"}));
  EXPECT_TRUE(rest->retells && rest->has_more && rest->resumes && !rest->truncates);
  const auto log = next(*source);
  ASSERT_TRUE(log);
  EXPECT_EQ(story_of(*log).size(), 2U);  // both transactions, and no word of either alone
  EXPECT_TRUE(log->retells && log->whole && !log->has_more && !log->resumes);
  Position whole = staged;
  move_position(whole, rest->position_changes);
  move_position(whole, log->position_changes);
  EXPECT_EQ(parse_postgres_position(whole).value().copy, std::nullopt);
  EXPECT_EQ(parse_postgres_position(whole).value().lsn, 0x1000u);
  EXPECT_EQ(parse_postgres_position(whole).value().tables.at("public.vitals").lsn, 0x800u);
  put_transaction(0x1100, {insert_bytes(7, {"9", "1"})});
  EXPECT_FALSE(next(*source)->retells);
}

TEST_F(PostgresStory, ACopyWhoseTableWasWrittenAnewDoesNotGoOn) {
  PostgresPosition left{.system = "7329",
                        .timeline = 1,
                        .slot = "lockstep_clinic",
                        .lsn = 0x800,
                        .tables = {},
                        .copy = {}};
  left.copy = CopyProgress{"public.vitals", 70, 2048};
  EXPECT_TRUE(make()->open(left.parts()).ok());
  state_.node = "71";
  const Result<void> opened = make()->open(left.parts());
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::kRefused);
}

TEST_F(PostgresStory, WhatEndangersTheSlotIsTold) {
  const auto source = make(", heartbeat: 1s");
  ASSERT_TRUE(source->open(position(0x100)).ok());
  EXPECT_TRUE(source->warnings().empty());
  state_.wal_status = "extended";
  state_.held_bytes = "60000000";
  state_.safe_bytes = "40000000";
  state_.held_bytes_max = "100000000";
  io_->sleep_us(1'100'000);
  EXPECT_FALSE(source->wait(0).value());
  ASSERT_EQ(source->warnings().size(), 1U);
  EXPECT_NE(source->warnings()[0].text.find("40.0 MB more"), std::string::npos);
  EXPECT_EQ(source->lag().safe_bytes, 40'000'000);
  state_.silent = true;  // that nobody answers stops no stream
  io_->sleep_us(1'100'000);
  put_transaction(0x1200, {insert_bytes(7, {"2", "1"})});
  EXPECT_TRUE(next(*source));
  EXPECT_NE(source->warnings()[0].text.find("no answer"), std::string::npos);
  state_.silent = false;
  state_.safe_bytes = "90000000";
  io_->sleep_us(1'100'000);
  EXPECT_FALSE(source->wait(0).value());
  EXPECT_TRUE(source->warnings().empty());
}

TEST_F(PostgresStory, WhoWantsToEndWaitsForNoServer) {
  bool stops = false;
  stopping_ = [&] { return stops; };
  const auto source = make();
  ASSERT_TRUE(source->open(position(0x100)).ok());
  stops = true;  // the server has more, and says nothing
  EXPECT_FALSE(next(*source));
}

TEST_F(PostgresStory, ASlotThatACrashLeftIsDroppedBeforeTheCopyBeginsAnew) {
  const auto source = make();
  ASSERT_TRUE(source->open({}).ok());
  EXPECT_NE(state_.commands[0].find("pg_drop_replication_slot"), std::string::npos);
}

TEST_F(PostgresStory, GoesOnAtItsPositionWithoutACopy) {  // source-1
  put_transaction(0xF0, {insert_bytes(7, {"1", "1"})});
  put_transaction(0x200, {insert_bytes(7, {"2", "1"})});
  const auto source = make();
  ASSERT_TRUE(source->open(position(0x100)).ok());
  EXPECT_EQ(story_of(*next(*source)), (Story{"U public.vitals 0/200 row 1: 2,1"}));
  caught_up();
  EXPECT_FALSE(next(*source));  // source-5
}

TEST_F(PostgresStory, TheServerIsToldOnlyOfWhatIsCommitted) {  // source-6
  const auto source = make();
  ASSERT_TRUE(source->open(position(0x100)).ok());
  put_transaction(0x200, {insert_bytes(7, {"2", "1"})});
  caught_up();
  const auto batch = next(*source);
  ASSERT_TRUE(batch);
  for (int round = 0; round < 5; ++round) {
    io_->sleep_us(6'000'000);
    EXPECT_FALSE(next(*source));
  }
  for (const std::string& status : state_.statuses)
    EXPECT_EQ(flushed(status), 0x100u);
  ASSERT_TRUE(source->committed(batch->position_changes).ok());
  io_->sleep_us(100'000);
  ASSERT_TRUE(source->wait(0).ok());
  EXPECT_EQ(flushed(state_.statuses.back()), 0x210u);
}

TEST_F(PostgresStory, AKeepaliveIsAnsweredAtOnce) {
  const auto source = make();
  ASSERT_TRUE(source->open(position(0x100)).ok());
  caught_up();
  EXPECT_FALSE(next(*source));
  const std::size_t before = state_.statuses.size();
  state_.stream.push_back(keepalive_bytes(0x1000, true));
  EXPECT_FALSE(source->wait(0).value());
  EXPECT_EQ(state_.statuses.size(), before + 1);
}

TEST_F(PostgresStory, WithNothingToCommitThePositionFollowsTheLog) {
  const auto source = make(", heartbeat: 1s");
  ASSERT_TRUE(source->open(position(0x100)).ok());
  state_.stream.push_back(keepalive_bytes(0x2000));
  EXPECT_FALSE(next(*source));
  io_->sleep_us(1'100'000);
  const auto beat = next(*source);
  ASSERT_TRUE(beat);
  EXPECT_EQ(beat->rows.row_count(), 0);
  EXPECT_EQ(beat->position_changes, (Position{{"lsn", "0/2000"}}));
  ASSERT_TRUE(source->committed(beat->position_changes).ok());
  io_->sleep_us(1'100'000);
  EXPECT_FALSE(next(*source));  // the log did not go on
  EXPECT_EQ(flushed(state_.statuses.back()), 0x2000u);
}

TEST_F(PostgresStory, ATableThatIsAnotherNowIsCopiedBetweenTransactions) {
  const auto source = make();
  ASSERT_TRUE(source->open(position(0x100)).ok());
  state_.copy_lines = {"1\t5"};
  state_.table_id = "9";
  const auto frame = [&](const std::string& message) {
    state_.stream.push_back(frame_bytes(0x300, message));
  };
  frame(begin_bytes(0x200));
  frame(relation_bytes(9, "vitals", {{"id", 20, true}, {"sbp", 701}}));
  frame(insert_bytes(9, {"1", "4"}));
  frame(commit_bytes(0x200, 0x210));
  caught_up();
  EXPECT_EQ(story_of(*next(*source)), (Story{"U public.vitals 0/200 row 1: 1,4"}));
  const auto copy = next(*source);
  ASSERT_TRUE(copy);
  EXPECT_TRUE(copy->truncates && copy->whole);
  EXPECT_EQ(copy->position_changes, (Position{{"table public.vitals", "0/800 " + shape(9)}}));
  EXPECT_FALSE(next(*source));
}

TEST_F(PostgresStory, WhereChangesWouldBeMissingItRefuses) {
  refuses(position(0x2000), "ends at 0/1000");
  state_.system = "1";
  refuses(position(0x100), "another server");
  state_ = {};
  state_.timeline = "2";
  refuses(position(0x100), "timeline 2");
  state_ = {};
  state_.confirmed = "0/200";
  refuses(position(0x100), "beyond 0/100");
  state_ = {};
  state_.wal_status = "lost";
  refuses(position(0x100), "is lost");
  state_ = {};
  state_.has_slot = false;
  refuses(position(0x100), "is gone");
}

TEST_F(PostgresStory, AnotherSlotNameCopiesAnew) {
  const auto source = make(", slot: other");
  ASSERT_TRUE(source->open(position(0x100)).ok());
  state_.copy_lines = {"1\t5"};
  EXPECT_TRUE(next(*source)->truncates);
}

TEST_F(PostgresStory, AStreamThatEndsIsAnErrorThatStays) {
  const auto source = make();
  ASSERT_TRUE(source->open(position(0x100)).ok());
  state_.stream_ends = true;
  EXPECT_FALSE(source->next({}).ok());
  EXPECT_FALSE(source->next({}).ok());
}

TEST_F(PostgresStory, WhatIsDamagedIsAnErrorAndNotSilence) {
  const auto source = make();
  ASSERT_TRUE(source->open(position(0x100)).ok());
  state_.stream.push_back(frame_bytes(0x300, "I"));
  EXPECT_EQ(source->next({}).error().code, Code::kCorrupt);
}

TEST_F(PostgresStory, TellsItsPlaceAndLag) {
  const auto source = make();
  EXPECT_EQ(source->describe({}), "nothing yet");
  EXPECT_EQ(source->describe(position(0x100)), "at 0/100");
  ASSERT_TRUE(source->open(position(0x100)).ok());
  caught_up();
  EXPECT_FALSE(next(*source));
  EXPECT_EQ(source->lag().bytes, 0x1000u - 0x100u);
  EXPECT_EQ(source->lag().us, 0);
  constexpr std::int64_t kEpochUs = 946'684'800'000'000;
  state_.stream.push_back(
      keepalive_bytes(0x1000, false, static_cast<std::uint64_t>(io_->now_us() - kEpochUs)));
  state_.stream.push_back(
      frame_bytes(0x2000, relation_bytes(7, "vitals", {{"id", 20, true}, {"sbp", 701}})));
  EXPECT_FALSE(next(*source));
  io_->sleep_us(3'000'000);
  EXPECT_NEAR(
      static_cast<double>(source->lag().us.value()), 3e6, 1e3);  // all of before it was given
  EXPECT_TRUE(source->capabilities().transactions);
}

TEST(PostgresSettings, NamesOfSlotsAreChecked) {
  const auto make = [](const std::string& more) {
    SourceRequest request;
    request.name = "Ward-1";
    request.settings = parse_yaml("{type: postgres, url: u" + more + "}", "lockstep.yaml").value();
    return parse_postgres_settings(request);
  };
  EXPECT_EQ(make("").value().slot, "lockstep_ward_1");
  EXPECT_EQ(make("").value().publication, "lockstep_ward_1");
  EXPECT_EQ(make(", slot: a_1").value().publication, "lockstep_ward_1");
  EXPECT_EQ(make(", slot: a_1, publication: P").value().publication, "P");
  EXPECT_FALSE(make(", slot: A").ok());
  EXPECT_FALSE(make(", sloth: a").ok());
}

TEST(PostgresLibpq, AnUrlThatIsNoneIsToldWithoutIt) {
  const auto server = make_postgres_server("postgresql://u:hush-hush@[::1/x");
  ASSERT_FALSE(server.ok());
  EXPECT_EQ(server.error().message.find("hush"), std::string::npos);
  const auto unreachable = make_postgres_server("postgresql://u:hush-hush@127.0.0.1:1/x")
                               .value()
                               ->connect(LinkKind::kQueries);
  ASSERT_FALSE(unreachable.ok());
  EXPECT_NE(unreachable.error().message.find("127.0.0.1:1"), std::string::npos);
  EXPECT_EQ(unreachable.error().message.find("hush"), std::string::npos);
}

TEST(PostgresLibpq, NamesAndTextsAreQuoted) {
  EXPECT_EQ(quote_name("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(quote_text("it's"), "'it''s'");
}

}  // namespace
}  // namespace lockstep::test
