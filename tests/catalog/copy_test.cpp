// Copies of a catalog that others go on writing to.
#include "catalog/sqlite_copy.h"
#include "catalog/worlds.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

class CatalogCopy : public testing::Test {
 protected:
  void SetUp() override {
    writer_ = must(world_.open(CatalogMode::kCreate));
    ASSERT_TRUE(writer_->execute("CREATE TABLE t(id BIGINT, text VARCHAR)").ok());
    fill(0, 2'000);
  }

  void fill(int first, int end) {
    const auto transaction = must(writer_->begin());
    for (int id = first; id < end; ++id) {
      Statement* const insert = must(writer_->cached("INSERT INTO t VALUES (?, ?)"));
      ASSERT_TRUE(insert->run({std::int64_t{id}, std::string(100, 'x')}).ok());
    }
    ASSERT_TRUE(transaction->commit().ok());
  }

  std::string copy_path() { return world_.path() + ".copy"; }

  Result<void> copy() { return copy_sqlite(world_.io(), world_.path(), copy_path()); }

  std::int64_t rows_of_copy() {
    const auto copy = must(open_sqlite(world_.io(), copy_path(), CatalogMode::kWrite));
    EXPECT_EQ(std::get<std::string>(must(copy->single("PRAGMA integrity_check"))), "ok");
    return std::get<std::int64_t>(must(copy->single("SELECT count(*) FROM t")));
  }

  SystemWorld world_;
  std::unique_ptr<Catalog> writer_;
};

TEST_F(CatalogCopy, HoldsWhatAReaderSawWhileOthersCommit) {
  int next = 2'000;
  world_.io().observe([&](IoOperation operation, std::string_view path) -> Result<void> {
    const bool copying = operation == IoOperation::kWrite && path.ends_with(".copy");
    if (!copying || next >= 2'005) return {};
    ++next;
    fill(next - 1, next);
    EXPECT_TRUE(writer_->checkpoint().ok());
    return {};
  });
  ASSERT_TRUE(copy().ok());
  world_.io().observe({});
  EXPECT_EQ(next, 2'005);
  EXPECT_EQ(rows_of_copy(), 2'000);
  EXPECT_EQ(std::get<std::int64_t>(must(writer_->single("SELECT count(*) FROM t"))), 2'005);
}

TEST_F(CatalogCopy, IsRefusedWhereAFileIs) {
  ASSERT_TRUE(copy().ok());
  EXPECT_EQ(copy().error().code, Code::kRefused);
  EXPECT_EQ(rows_of_copy(), 2'000);
}

// Every operation on the copy's files failed once: no part stays, and the catalog goes on.
TEST_F(CatalogCopy, ThatFailsLeavesNothingAndHarmsNothing) {
  bool failed = true;
  for (int failing = 0; failed; ++failing) {
    ASSERT_LT(failing, 1'000);
    int count = 0;
    world_.io().observe([&](IoOperation operation, std::string_view path) -> Result<void> {
      if (operation == IoOperation::kRemove) return {};
      const bool counts = path.find(".copy") != std::string_view::npos;
      if (counts && count++ == failing) return make_error(Code::kIo, "the disk is gone");
      return {};
    });
    const Result<void> copied = copy();
    world_.io().observe({});
    failed = !copied.ok();
    if (!failed) break;
    EXPECT_FALSE(world_.io().info(copy_path()).ok());
    fill(failing, failing + 1);
  }
  EXPECT_GT(rows_of_copy(), 2'000);
}

}  // namespace
}  // namespace lockstep
