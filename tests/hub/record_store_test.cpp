#include "hub/record_store.h"

#include "base/io.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace lockstep {
namespace {

template <typename T>
T must(Result<T> result) {
  if (!result.ok()) ADD_FAILURE() << result.error().message;
  return std::move(result).value();
}

void must_do(const Result<void>& result) {
  if (!result.ok()) ADD_FAILURE() << result.error().message;
}

const HubIdentity kIdentity = {"11111111-2222-4333-8444-555555555555",
                               std::string("\x00\x01\xfe\xff", 4) + std::string(28, 'k'),
                               "hub: icu\n"};

class RecordStoreTest : public testing::Test {
 protected:
  RecordStoreTest() {
    open();
    // The one table of the lake that ours put an index on.
    must_do(catalog_->execute("CREATE TABLE ducklake_file_column_stats(data_file_id BIGINT)"));
    must_do(store_->create_tables());
    must_do(store_->initialize(kIdentity));
  }

  // Closes and opens the catalog: what is read afterwards was stored.
  void open() {
    store_.reset();
    catalog_.reset();
    catalog_ = must(open_sqlite(*io_, "/catalog", CatalogMode::kCreate, SqliteFiles::kIo));
    store_ = std::make_unique<RecordStore>(*catalog_);
  }

  std::unique_ptr<SimulatedIo> io_ = make_simulated_io(1);
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<RecordStore> store_;
};

CommitRecord commit_record(std::int64_t id, std::optional<std::int64_t> snapshot) {
  CommitRecord record;
  record.id = CommitId{id};
  if (snapshot.has_value()) record.snapshot = SnapshotId{*snapshot};
  record.kind = CommitKind::kRevert;
  record.time = Timestamp{1'767'225'600'000'000 + id};
  record.inserted = 1;
  record.updated = 2;
  record.deleted = 3;
  record.rejected = -4;
  record.message = "what's \"said\"";
  return record;
}

// Records have no ==: texts that show every field.
std::string text(const CommitRecord& r) {
  const auto time = [](const std::optional<Timestamp>& t) {
    return t.has_value() ? std::to_string(t->us) : "none";
  };
  return std::to_string(number(r.id)) + "|" +
         (r.snapshot.has_value() ? std::to_string(number(*r.snapshot)) : "none") + "|" +
         commit_kind_name(r.kind) + "|" + time(r.time) + "|" + time(r.source_time) + "|" +
         std::to_string(r.inserted) + "," + std::to_string(r.updated) + "," +
         std::to_string(r.deleted) + "," + std::to_string(r.rejected) + "|" + r.message;
}

ModelVersionRecord version_record(const std::string& model,
                                  std::int64_t version,
                                  VersionStatus status = VersionStatus::kReady) {
  ModelVersionRecord record;
  record.model = model;
  record.version = version;
  record.snapshot = SnapshotId{10 + version / 2};
  record.definition = std::string(64, 'd');
  record.kind = VersionKind::kCalibration;
  record.status = status;
  record.reason = "because";
  record.folded = 1;
  record.tested = 2;
  record.refused = 3;
  record.unlabelled = 4;
  record.fingerprint = std::string(32, 'f');
  record.weights = std::string("\0\xff w", 4);
  record.weights_sha256 = std::string(64, 'e');
  record.metrics = R"({"rmse":1.5})";
  if (version > 1) record.parent = version - 1;
  record.duration_us = 77;
  return record;
}

std::string text(const ModelVersionRecord& r) {
  std::string numbers;
  for (const std::int64_t n : {r.version,
                               number(r.snapshot),
                               r.folded,
                               r.tested,
                               r.refused,
                               r.unlabelled,
                               r.parent.value_or(-1),
                               r.duration_us}) {
    numbers += std::to_string(n) + ",";
  }
  return r.model + "|" + numbers + "|" + r.definition + "|" + version_kind_name(r.kind) + "|" +
         version_status_name(r.status) + "|" + r.reason + "|" + r.fingerprint + "|" + r.weights +
         "|" + r.weights_sha256 + "|" + r.metrics;
}

TEST_F(RecordStoreTest, KeepsTheHubsIdentity) {
  open();
  EXPECT_EQ(must(store_->hub_id()), kIdentity.hub_id);
  EXPECT_EQ(must(store_->fingerprint_key()), kIdentity.fingerprint_key);
  EXPECT_EQ(must(store_->configuration()), kIdentity.configuration);
  EXPECT_EQ(must(store_->epoch()), 0);
  must_do(store_->put_epoch(8));
  must_do(store_->put_configuration("hub: other\n"));
  open();
  EXPECT_EQ(must(store_->epoch()), 8);
  EXPECT_EQ(must(store_->configuration()), "hub: other\n");
  EXPECT_EQ(must(store_->meta("unheard of")), std::nullopt);
}

TEST_F(RecordStoreTest, RefusesWhatItCannotRead) {
  struct Case {
    const char* key;
    const char* value;
  };

  const Case cases[] = {{"epoch", "8x"},
                        {"epoch", ""},
                        {"fingerprint_key", "0g"},
                        {"fingerprint_key", "000"},
                        {"fingerprint_key", "00"}};
  for (const Case& c : cases) {
    must_do(store_->put_meta(c.key, c.value));
    const bool is_epoch = std::string(c.key) == "epoch";
    const Code code =
        is_epoch ? store_->epoch().error().code : store_->fingerprint_key().error().code;
    EXPECT_EQ(code, Code::kCorrupt) << c.key << " = " << c.value;
  }
  must_do(catalog_->execute("DELETE FROM lockstep_meta"));
  EXPECT_EQ(store_->hub_id().error().code, Code::kCorrupt);
}

TEST_F(RecordStoreTest, ReadsCommitsBackNewestFirst) {
  EXPECT_EQ(must(store_->next_commit_id()), CommitId{0});
  EXPECT_FALSE(must(store_->newest_commit()).has_value());
  CommitRecord full = commit_record(0, 5);
  full.source_time = Timestamp{-1};
  must_do(store_->insert_commit(full));
  must_do(store_->insert_commit(commit_record(1, std::nullopt)));
  must_do(store_->insert_commit(commit_record(2, std::nullopt)));
  open();
  EXPECT_EQ(must(store_->next_commit_id()), CommitId{3});
  EXPECT_EQ(text(must(store_->newest_commit()).value()), text(commit_record(2, std::nullopt)));
  const auto newest = must(store_->commits({.count = 2}));
  ASSERT_EQ(newest.size(), 2U);
  EXPECT_EQ(text(newest[1]), text(commit_record(1, std::nullopt)));
  EXPECT_EQ(text(must(store_->commit_of_snapshot(SnapshotId{5})).value()), text(full));
  EXPECT_FALSE(must(store_->commit_of_snapshot(SnapshotId{6})).has_value());
  EXPECT_FALSE(store_->insert_commit(commit_record(3, 5)).ok()) << "a snapshot of two commits";
}

TEST_F(RecordStoreTest, ReadsCommitsUpToATime) {
  EXPECT_TRUE(must(store_->commits({.count = 5, .until = Timestamp{0}})).empty());
  for (std::int64_t id = 0; id < 9; ++id) {
    CommitRecord record = commit_record(id, std::nullopt);
    record.time = Timestamp{100 + 10 * id};
    must_do(store_->insert_commit(record));
  }
  for (std::int64_t us = 95; us < 200; ++us) {
    const auto found = must(store_->commits({.count = 2, .until = Timestamp{us}}));
    const std::int64_t newest = us < 100 ? -1 : std::min<std::int64_t>((us - 100) / 10, 8);
    ASSERT_EQ(std::ssize(found), std::min<std::int64_t>(newest + 1, 2)) << us;
    for (std::size_t back = 0; back < found.size(); ++back)
      EXPECT_EQ(number(found[back].id), newest - static_cast<std::int64_t>(back)) << us;
  }
}

TEST_F(RecordStoreTest, SpellsEveryKindAsItReadsIt) {
  std::int64_t id = 0;
  for (const CommitKind kind : {CommitKind::kInit,
                                CommitKind::kChanges,
                                CommitKind::kRevert,
                                CommitKind::kRecalibration,
                                CommitKind::kAlias,
                                CommitKind::kConfiguration,
                                CommitKind::kMaintenance}) {
    CommitRecord record = commit_record(id++, std::nullopt);
    record.kind = kind;
    must_do(store_->insert_commit(record));
    EXPECT_EQ(must(store_->newest_commit())->kind, kind);
  }
  std::int64_t version = 0;
  for (const VersionKind kind : {VersionKind::kCalibration,
                                 VersionKind::kIncrement,
                                 VersionKind::kRecalibration,
                                 VersionKind::kRevert}) {
    for (const VersionStatus status :
         {VersionStatus::kReady, VersionStatus::kBlocked, VersionStatus::kUnsolved}) {
      ModelVersionRecord record = version_record("bp", ++version, status);
      record.kind = kind;
      must_do(store_->add_version(record));
      EXPECT_EQ(text(must(store_->version("bp", version)).value()), text(record));
    }
  }
  must_do(catalog_->execute("UPDATE lockstep_commit SET kind = 'unheard of'"));
  EXPECT_EQ(store_->newest_commit().error().code, Code::kCorrupt);
}

TEST_F(RecordStoreTest, KeepsTheKeyOfEachTable) {
  const TableRecord first = {7, "raw", "vitals", {"patient", "at \"noon\", ü"}};
  const TableRecord second = {8, "clean", "vitals", {"patient"}};
  must_do(store_->insert_table(second));
  must_do(store_->insert_table(first));
  open();
  EXPECT_EQ(must(store_->tables()), (std::vector{first, second}));
  EXPECT_EQ(must(store_->table(7)), first);
  EXPECT_EQ(must(store_->table(9)), std::nullopt);
  EXPECT_EQ(store_->insert_table({9, "raw", "x", {"\xff"}}).error().code, Code::kInvalid);
  for (const char* key : {"", "[]", "{}", "[1]", "[\"a\",", "\"a\""}) {
    Statement* const update = must(catalog_->cached("UPDATE lockstep_table SET key = ?"));
    must_do(update->run({std::string(key)}));
    EXPECT_EQ(store_->tables().error().code, Code::kCorrupt) << key;
  }
}

TEST_F(RecordStoreTest, MovesAPartOfAPositionAndLeavesTheOthers) {
  must_do(store_->put_position({"clinic", "", "0/16B3748", CommitId{1}}));
  must_do(store_->put_position({"files", "a.csv", "120", CommitId{1}}));
  must_do(store_->put_position({"files", "b.csv", "7", CommitId{1}}));
  must_do(store_->put_position({"clinic", "", "0/16B3800", CommitId{2}}));
  must_do(store_->put_position({"files", "b.csv", "", CommitId{2}}));
  open();
  const std::map<std::string, PositionParts> expected = {{"clinic", {{"", "0/16B3800"}}},
                                                         {"files", {{"a.csv", "120"}}}};
  EXPECT_EQ(must(store_->positions()), expected);
}

TEST_F(RecordStoreTest, ForgetsAllPartsOfASource) {
  must_do(store_->put_position({"files", "a.csv", "120", CommitId{1}}));
  must_do(store_->put_position({"other", "a.csv", "1", CommitId{1}}));
  must_do(store_->forget_positions("files"));
  const std::map<std::string, PositionParts> expected = {{"other", {{"a.csv", "1"}}}};
  EXPECT_EQ(must(store_->positions()), expected);
}

TEST_F(RecordStoreTest, LeavesAKnownDefinitionAsItIs) {
  must_do(store_->add_definition({"abc", "bp", "{}"}));
  must_do(store_->add_definition({"abc", "other", "{\"x\":1}"}));
  EXPECT_EQ(must(store_->definition("abc"))->model, "bp");
  EXPECT_EQ(must(store_->definition("abc"))->json, "{}");
  EXPECT_FALSE(must(store_->definition("abd")).has_value());
}

TEST_F(RecordStoreTest, FindsVersionsByModelSnapshotAndStatus) {
  const std::array statuses = {
      VersionStatus::kReady, VersionStatus::kReady, VersionStatus::kBlocked};
  for (std::int64_t version = 1; version <= 3; ++version) {
    must_do(store_->add_version(
        version_record("bp", version, statuses.at(static_cast<std::size_t>(version) - 1))));
  }
  must_do(store_->add_version(version_record("age", 1)));
  open();
  EXPECT_EQ(must(store_->models()), (std::vector<std::string>{"age", "bp"}));
  EXPECT_EQ(text(must(store_->version("bp", 2)).value()), text(version_record("bp", 2)));
  EXPECT_FALSE(must(store_->version("bp", 4)).has_value());
  EXPECT_EQ(must(store_->newest_version("bp", std::nullopt))->version, 3);
  EXPECT_EQ(text(must(store_->newest_version("bp", VersionStatus::kReady)).value()),
            text(version_record("bp", 2)));
  EXPECT_FALSE(must(store_->newest_version("bp", VersionStatus::kUnsolved)).has_value());
  const auto newest = must(store_->versions("bp", 2));
  ASSERT_EQ(newest.size(), 2U);
  ModelVersionRecord without_weights = version_record("bp", 2);
  without_weights.weights.clear();
  EXPECT_EQ(text(newest[1]), text(without_weights));
  const auto of_snapshot = must(store_->versions_of_snapshot(SnapshotId{10}));
  ASSERT_EQ(of_snapshot.size(), 2U);
  EXPECT_EQ(of_snapshot[0].model, "age");
  EXPECT_EQ(of_snapshot[1].model, "bp");
}

TEST_F(RecordStoreTest, RefusesAVersionThatIsNotTheNext) {
  EXPECT_EQ(store_->add_version(version_record("bp", 2)).error().code, Code::kInvalid);
  must_do(store_->add_version(version_record("bp", 1)));
  for (const std::int64_t version : {0, 1, 3}) {
    EXPECT_EQ(store_->add_version(version_record("bp", version)).error().code, Code::kInvalid);
  }
  EXPECT_TRUE(must(store_->models()) == std::vector<std::string>{"bp"});
}

TEST_F(RecordStoreTest, KeepsTheHistoryOfAnAlias) {
  AliasEvent follow = {99, "bp", "champion", true, std::nullopt, Timestamp{5}, "ada", "start"};
  AliasEvent fixed = {99, "bp", "champion", false, 3, Timestamp{6}, "gate", "blocked"};
  EXPECT_EQ(must(store_->add_alias_event(follow)), 1);
  EXPECT_EQ(must(store_->add_alias_event({0, "age", "mine", false, 1, Timestamp{6}, "bo", ""})), 2);
  EXPECT_EQ(must(store_->add_alias_event(fixed)), 3);
  open();
  EXPECT_EQ(must(store_->alias_history("")).size(), 3U);
  const auto history = must(store_->alias_history("bp"));
  ASSERT_EQ(history.size(), 2U);
  EXPECT_TRUE(history[0].follow);
  EXPECT_EQ(history[0].version, std::nullopt);
  EXPECT_EQ(history[0].who + "/" + history[0].why, "ada/start");
  const auto in_force = must(store_->alias("bp", "champion"));
  ASSERT_TRUE(in_force.has_value());
  EXPECT_EQ(in_force->id, 3);
  EXPECT_FALSE(in_force->follow);
  EXPECT_EQ(in_force->version, 3);
  EXPECT_EQ(in_force->time, Timestamp{6});
  EXPECT_FALSE(must(store_->alias("bp", "mine")).has_value());
}

TEST_F(RecordStoreTest, ReplacesAModelsState) {
  EXPECT_EQ(must(store_->model_state("bp")), std::nullopt);
  must_do(store_->put_model_state({"bp", "{\"latched\":true}"}));
  must_do(store_->put_model_state({"bp", "{}"}));
  EXPECT_EQ(must(store_->model_state("bp")), "{}");
}

TEST_F(RecordStoreTest, KeepsOverridesByKeyBytes) {
  const std::string key("\0\x01\xff", 3);
  must_do(store_->add_override({"vitals", key, "old"}));
  must_do(store_->add_override({"vitals", key, std::string("\0h", 2)}));
  must_do(store_->add_override({"vitals", "b", ""}));
  must_do(store_->add_override({"labs", key, "other"}));
  open();
  using Overrides = std::map<std::string, std::string>;
  EXPECT_EQ(must(store_->overrides("vitals")),
            (Overrides{{key, std::string("\0h", 2)}, {"b", ""}}));
  must_do(store_->remove_override("vitals", key));
  must_do(store_->remove_override("vitals", "never there"));
  EXPECT_EQ(must(store_->overrides("vitals")), (Overrides{{"b", ""}}));
  EXPECT_EQ(must(store_->overrides("labs")).size(), 1U);
}

TEST_F(RecordStoreTest, KeepsTheLastTwoCheckpointsOfAModel) {
  using Paths = std::vector<std::string>;

  struct Case {
    CheckpointRecord record;
    Paths gone;
  };

  const Case cases[] = {
      {{"bp", "d1", SnapshotId{10}, "a", "ha", 1}, {}},
      {{"age", "d9", SnapshotId{10}, "a", "ha", 1}, {}},
      {{"bp", "d1", SnapshotId{20}, "b", "hb", 2}, {}},
      {{"bp", "d2", SnapshotId{30}, "c", "hc", 3}, {}},  // `a` goes, but age still has it
      {{"bp", "d2", SnapshotId{40}, "d", "hd", 4}, {"b"}},
      {{"bp", "d2", SnapshotId{40}, "e", "he", 5}, {"d"}},  // the same state anew
      {{"bp", "d2", SnapshotId{5}, "f", "hf", 6}, {"f"}},   // older than both that are kept
  };
  for (const Case& c : cases) {
    EXPECT_EQ(must(store_->add_checkpoint(c.record)), c.gone) << c.record.path;
  }
  open();
  const auto kept = must(store_->checkpoints("bp", "d2", SnapshotId{100}));
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_EQ(kept[0].path, "e");
  EXPECT_EQ(kept[0].sha256, "he");
  EXPECT_EQ(kept[0].size_bytes, 5);
  EXPECT_EQ(kept[1].snapshot, SnapshotId{30});
  EXPECT_EQ(must(store_->checkpoints("bp", "d2", SnapshotId{39})).size(), 1U);
  EXPECT_TRUE(must(store_->checkpoints("bp", "d1", SnapshotId{100})).empty());
}

// DuckDB's scanner maps by the declared type and scans by rowid.
TEST_F(RecordStoreTest, DeclaresOnlyTypesThatDuckDbMaps) {
  const std::set<std::string> allowed = {"BIGINT", "VARCHAR", "BLOB", "DOUBLE"};
  auto columns = must(catalog_->prepare(
      "SELECT s.name, c.name, c.type FROM sqlite_schema s JOIN pragma_table_info(s.name) c "
      "WHERE s.type = 'table' AND s.name NOT LIKE 'ducklake%'"));
  int count = 0;
  while (must(columns->step())) {
    EXPECT_TRUE(allowed.contains(std::string(columns->text(2)))) << columns->text(1);
    EXPECT_TRUE(columns->text(0).starts_with("lockstep_"));
    count += 1;
  }
  EXPECT_GT(count, 50);
  EXPECT_EQ(must(catalog_->single("SELECT count(*) FROM pragma_table_list WHERE wr = 1")),
            Cell(std::int64_t{0}));
}

// A read that was left standing would hold the view of its time.
TEST_F(RecordStoreTest, LeavesNoStatementStanding) {
  must_do(store_->insert_commit(commit_record(0, 1)));
  must(store_->newest_commit());
  must(store_->hub_id());
  must(store_->next_commit_id());
  must_do(catalog_->checkpoint());
  EXPECT_EQ(catalog_->log_bytes(), 0U);
}

TEST_F(RecordStoreTest, TakesBackWhatItsTransactionDoes) {
  {
    auto transaction = must(catalog_->begin());
    must_do(store_->insert_commit(commit_record(0, 1)));
    must_do(store_->put_position({"clinic", "", "1", CommitId{0}}));
    must_do(store_->add_version(version_record("bp", 1)));
  }
  EXPECT_TRUE(must(store_->commits({.count = 10})).empty());
  EXPECT_TRUE(must(store_->positions()).empty());
  EXPECT_TRUE(must(store_->models()).empty());
}

TEST_F(RecordStoreTest, AnswersAreFoundByKeyAndByToken) {
  const RequestRecord first{"t1", "vitals", "k", "hash", Timestamp{10}, "{\"rows\":1}"};
  RequestRecord without_key = first;
  without_key.token = "t2";
  without_key.key.clear();
  must_do(store_->add_request(first));
  must_do(store_->add_request(without_key));
  without_key.token = "t3";
  must_do(store_->add_request(without_key));
  open();
  EXPECT_EQ(must(store_->request_of_key("vitals", "k"))->answer, first.answer);
  EXPECT_EQ(must(store_->request_of_token("t2"))->key, "");
  EXPECT_FALSE(must(store_->request_of_key("labs", "k")));
  EXPECT_FALSE(must(store_->request_of_key("vitals", "")));
  RequestRecord twice = first;
  twice.token = "t4";
  EXPECT_FALSE(store_->add_request(twice).ok());
}

TEST_F(RecordStoreTest, OldAnswersAreForgottenAndNewOnesStay) {
  for (std::int64_t i = 0; i < 200; ++i) {
    const std::string name = std::to_string(i);
    must_do(store_->add_request({name, "vitals", name, "hash", Timestamp{i}, "{}"}));
  }
  for (int round = 0; round < 3; ++round)
    must_do(store_->forget_requests(Timestamp{50}, 1'000));
  EXPECT_FALSE(must(store_->request_of_token("49")));
  EXPECT_TRUE(must(store_->request_of_token("50")));
  for (int round = 0; round < 3; ++round)
    must_do(store_->forget_requests(Timestamp{0}, 20));
  EXPECT_FALSE(must(store_->request_of_token("179")));
  EXPECT_TRUE(must(store_->request_of_token("180")));
}

}  // namespace
}  // namespace lockstep
