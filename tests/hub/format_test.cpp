// The version of the hub's form: what is refused, what is read, and what the first writer does.
#include "hub/format.h"

#include "hub/hub_support.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

class HubFormat : public testing::Test {
 protected:
  std::unique_ptr<Catalog> catalog(CatalogMode mode = CatalogMode::kWrite) {
    return must(open_sqlite(ground_.io(), ground_.folder() + "/catalog.sqlite", mode));
  }

  void set_format(const std::string& text) {
    const auto opened = catalog();
    must(RecordStore(*opened).put_meta("format", text));
  }

  // The hub as the program of format 1 would have left it.
  void make_old() {
    const auto opened = catalog();
    must(
        opened->execute("DROP TABLE lockstep_tag; DROP TABLE lockstep_request; "
                        "DROP INDEX lockstep_index_file_stats"));
    must(RecordStore(*opened).put_meta("format", "1"));
  }

  Result<std::unique_ptr<Hub>> open(HubMode mode) {
    return Hub::open(ground_.io(), ground_.place(), mode);
  }

  std::string schema() {
    const auto opened = catalog(CatalogMode::kRead);
    auto rows = must(opened->prepare("SELECT name, sql FROM sqlite_schema ORDER BY name"));
    std::string text;
    while (must(rows->step()))
      text += fmt::format("{}: {}\n", rows->text(0), rows->text(1));
    return text;
  }

  HubPlayground ground_;
};

TEST_F(HubFormat, OfANewHubIsTodays) {
  EXPECT_EQ(must(hub_format(*catalog())), kHubFormat);
}

TEST_F(HubFormat, NewerThanTheProgramIsRefusedByReadersAndWriters) {
  set_format(std::to_string(kHubFormat + 1));
  const std::string before = schema();
  for (const HubMode mode : {HubMode::kRead, HubMode::kWrite}) {
    const auto opened = open(mode);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, Code::kTooNew);
  }
  EXPECT_EQ(schema(), before);
}

TEST_F(HubFormat, ThatIsNoNumberIsCorrupt) {
  for (const char* text : {"", "x", "2x", "0", "-1", "1.0", " 1", "99999999999999999999"}) {
    set_format(text);
    EXPECT_EQ(hub_format(*catalog()).error().code, Code::kCorrupt) << text;
  }
  must(catalog()->execute("DELETE FROM lockstep_meta WHERE key = 'format'"));
  EXPECT_EQ(hub_format(*catalog()).error().code, Code::kCorrupt);
  must(catalog()->execute("DROP TABLE lockstep_meta"));
  EXPECT_EQ(hub_format(*catalog()).error().code, Code::kNoHub);
}

TEST_F(HubFormat, OfAnOlderHubStaysAsItIsForReaders) {
  make_old();
  const std::string before = schema();
  EXPECT_TRUE(open(HubMode::kRead).ok());
  EXPECT_EQ(schema(), before);
  EXPECT_EQ(must(hub_format(*catalog())), 1);
}

TEST_F(HubFormat, IsBroughtUpByTheFirstWriterAndThenLikeANewHubs) {
  const std::string fresh = schema();
  make_old();
  ASSERT_NE(schema(), fresh);
  EXPECT_TRUE(open(HubMode::kWrite).ok());
  EXPECT_EQ(schema(), fresh);
  EXPECT_EQ(must(hub_format(*catalog())), kHubFormat);
}

TEST_F(HubFormat, IsBroughtUpWholeOrNotAtAll) {
  make_old();
  const std::string before = schema();
  const std::int64_t epoch = must(RecordStore(*catalog()).epoch());
  for (int failing = 0;; ++failing) {
    const auto io = make_system_io();
    int writes = 0;
    io->observe([&](IoOperation operation, std::string_view path) -> Result<void> {
      const bool counts =
          operation == IoOperation::kWrite && path.find(".sqlite-wal") != std::string_view::npos;
      if (counts && writes++ == failing) return make_error(Code::kIo, "no space left");
      return {};
    });
    const auto opened = Hub::open(*io, ground_.place(), HubMode::kWrite);
    if (opened.ok()) break;
    ASSERT_LT(failing, 200);
    EXPECT_EQ(schema(), before) << "after a failure at write " << failing;
    EXPECT_EQ(must(RecordStore(*catalog()).epoch()), epoch);
  }
  EXPECT_EQ(must(hub_format(*catalog())), kHubFormat);
}

}  // namespace
}  // namespace lockstep
