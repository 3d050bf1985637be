// Back-ups: what they hold, what they survive, and how they come back.
#include "hub/backup.h"

#include "hub/hub_support.h"

#include <fmt/format.h>

#include <filesystem>

namespace lockstep {
namespace {

namespace files = std::filesystem;

CommitRequest adding(std::int64_t first, std::int64_t end) {
  CommitRequest request;
  request.changes.push_back({small_table().name, numbered_rows(first, end)});
  request.positions["clinic"] = {{"", std::to_string(end)}};
  return request;
}

class Backups : public testing::Test {
 protected:
  void SetUp() override {
    hub_ = ground_.open({.inline_rows_max = 10});
    CommitRequest request = adding(0, 100);  // a Parquet file
    request.create.push_back(small_table());
    must(hub_->commit(request));
    must(hub_->commit(adding(100, 105)));  // inlined
    CheckpointRecord state;
    state.model = "bp";
    state.definition = "d";
    state.snapshot = hub_->latest_snapshot();
    must(hub_->write_checkpoint(state, "the bytes of a state"));
  }

  std::string folder() const { return ground_.folder() + "/backup"; }

  HubPlace elsewhere() const {
    return {"sqlite:" + ground_.folder() + "/other/catalog.sqlite",
            ground_.folder() + "/other/data"};
  }

  Result<BackupInfo> back_up(Io& io) { return backup_hub(io, ground_.place(), folder(), {}); }

  std::string first_file(const std::string& below) {
    for (const auto& entry : files::recursive_directory_iterator(ground_.folder() + "/" + below)) {
      if (entry.path().extension() == ".parquet") return entry.path();
    }
    return "";
  }

  HubPlayground ground_;
  std::unique_ptr<Hub> hub_;
};

TEST_F(Backups, ComeBackElsewhereWithAllSnapshotsAndGoOn) {
  const BackupInfo taken = must(back_up(ground_.io()));
  EXPECT_EQ(taken.file_count, 2);
  must(hub_->commit(adding(105, 110)));
  const BackupInfo put = must(restore_hub(ground_.io(), folder(), elsewhere(), {}));
  EXPECT_EQ(put.snapshot, taken.snapshot);
  EXPECT_EQ(put.hub_id, must(hub_->hub_id()));
  const auto other = must(Hub::open(ground_.io(), elsewhere(), HubMode::kWrite));
  EXPECT_EQ(other->latest_snapshot(), taken.snapshot);
  for (std::int64_t at = 2; at <= number(taken.snapshot); ++at) {
    const Batch here = must(hub_->read(small_table().name, SnapshotId{at}));
    EXPECT_TRUE(must(other->read(small_table().name, SnapshotId{at})).equals(here)) << at;
  }
  EXPECT_EQ(must(other->positions())["clinic"][""], "105");
  const auto state = must(other->read_checkpoint("bp", "d", taken.snapshot));
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->second, "the bytes of a state");
  must(other->commit(adding(105, 300)));
  EXPECT_EQ(must(other->row_count(small_table().name, other->latest_snapshot())), 300);
}

TEST_F(Backups, AreOneMomentWhileCommitsGoOn) {
  std::int64_t next = 105;
  const auto io = make_system_io();
  io->observe([&](IoOperation operation, std::string_view path) -> Result<void> {
    const bool copying =
        operation == IoOperation::kWrite && path.find("/backup/") != std::string_view::npos;
    if (copying && next < 160) {
      must(hub_->commit(adding(next, next + 1)));
      ++next;
    }
    return {};
  });
  const BackupInfo taken = must(back_up(*io));
  EXPECT_GT(next, 110);
  must(restore_hub(ground_.io(), folder(), elsewhere(), {}));
  const auto other = must(Hub::open(ground_.io(), elsewhere(), HubMode::kRead));
  EXPECT_EQ(other->latest_snapshot(), taken.snapshot);
  EXPECT_EQ(must(other->row_count(small_table().name, taken.snapshot)), 105);
}

// A gc between the copy of the catalog and that of a file.
TEST_F(Backups, BeginAnewWhenAFileIsRemovedMeanwhile) {
  const std::string file = first_file("data");
  bool removed = false;
  const auto io = make_system_io();
  io->observe([&](IoOperation operation, std::string_view path) -> Result<void> {
    if (operation != IoOperation::kOpen || path != file || removed) return {};
    removed = true;
    const auto catalog =
        must(open_sqlite(ground_.io(), ground_.folder() + "/catalog.sqlite", CatalogMode::kWrite));
    must(catalog->execute("DELETE FROM ducklake_data_file"));
    files::remove(file);
    return {};
  });
  EXPECT_EQ(must(back_up(*io)).file_count, 1);
  EXPECT_TRUE(removed);
}

TEST_F(Backups, SayWhichFileOfTheHubIsLost) {
  const std::string file = first_file("data");
  files::remove(file);
  const auto taken = back_up(ground_.io());
  ASSERT_FALSE(taken.ok());
  EXPECT_NE(taken.error().message.find(files::path(file).filename().string()), std::string::npos);
}

TEST_F(Backups, DoWithoutAStateThatIsDamagedOrGone) {
  for (const auto& entry : files::directory_iterator(ground_.folder() + "/data/_states"))
    files::remove(entry.path());
  EXPECT_EQ(must(back_up(ground_.io())).file_count, 1);
  must(restore_hub(ground_.io(), folder(), elsewhere(), {}));
  const auto other = must(Hub::open(ground_.io(), elsewhere(), HubMode::kRead));
  EXPECT_FALSE(must(other->read_checkpoint("bp", "d", other->latest_snapshot())).has_value());
}

TEST_F(Backups, TakeOnlyANewFolder) {
  files::create_directories(folder());
  EXPECT_TRUE(back_up(ground_.io()).ok());
  EXPECT_EQ(back_up(ground_.io()).error().code, Code::kRefused);
}

TEST_F(Backups, ThatWereBrokenOffAreNone) {
  bool failed = true;
  for (int failing = 0; failed; failing += 3) {
    ASSERT_LT(failing, 500);
    files::remove_all(folder());
    int count = 0;
    const auto io = make_system_io();
    io->observe([&](IoOperation operation, std::string_view path) -> Result<void> {
      const bool counts = path.find("/backup") != std::string_view::npos &&
                          operation != IoOperation::kRead && count++ == failing;
      if (counts) return make_error(Code::kIo, "the disk is gone");
      return {};
    });
    failed = !back_up(*io).ok();
    io->observe({});
    const auto put = restore_hub(ground_.io(), folder(), elsewhere(), {});
    EXPECT_EQ(put.ok(), !failed) << failing;
    if (failed) {
      EXPECT_EQ(put.error().code, Code::kNotFound) << put.error().message;
    }
  }
  must(hub_->commit(adding(105, 106)));
}

TEST_F(Backups, ThatAreDamagedAreRefusedBeforeAnythingIsDone) {
  must(back_up(ground_.io()));
  std::vector<std::string> all;
  for (const auto& entry : files::recursive_directory_iterator(folder())) {
    if (entry.is_regular_file()) all.push_back(entry.path());
  }
  ASSERT_EQ(all.size(), 4U);
  for (const std::string& path : all) {
    const std::string whole = must(read_file(ground_.io(), path, 1 << 30));
    std::string flipped = whole;
    flipped[flipped.size() / 3] ^= 0x10;
    must(write_file_atomically(ground_.io(), path, flipped));
    const auto put = restore_hub(ground_.io(), folder(), elsewhere(), {});
    ASSERT_FALSE(put.ok()) << path;
    EXPECT_FALSE(files::exists(ground_.folder() + "/other/catalog.sqlite"));
    must(write_file_atomically(ground_.io(), path, whole));
  }
  EXPECT_TRUE(restore_hub(ground_.io(), folder(), elsewhere(), {}).ok());
}

TEST_F(Backups, ReplaceAHubOnlyByForceAndNeverUnderAWriter) {
  must(back_up(ground_.io()));
  must(hub_->commit(adding(105, 400)));
  const auto held = restore_hub(ground_.io(), folder(), ground_.place(), {.force = true});
  EXPECT_EQ(held.error().code, Code::kLocked);
  hub_.reset();
  EXPECT_EQ(restore_hub(ground_.io(), folder(), ground_.place(), {}).error().code, Code::kRefused);
  must(restore_hub(ground_.io(), folder(), ground_.place(), {.force = true}));
  hub_ = ground_.open();
  EXPECT_EQ(must(hub_->row_count(small_table().name, hub_->latest_snapshot())), 105);
  must(hub_->commit(adding(105, 106)));
}

TEST_F(Backups, OfANewerProgramAreRefused) {
  must(back_up(ground_.io()));
  const std::string path = folder() + "/manifest.json";
  std::string text = must(read_file(ground_.io(), path, 1 << 20));
  text.replace(text.find("\"format\": 1"), 11, "\"format\": 9");
  must(write_file_atomically(ground_.io(), path, text));
  EXPECT_EQ(restore_hub(ground_.io(), folder(), elsewhere(), {}).error().code, Code::kTooNew);
}

}  // namespace
}  // namespace lockstep
