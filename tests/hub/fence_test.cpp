// A writer that lost its lock while it was away (hub-5): whoever took over goes on alone.
#include "hub/hub_support.h"

#include <filesystem>

namespace lockstep {
namespace {

CommitRequest adding(std::int64_t first, std::int64_t end) {
  CommitRequest request;
  request.changes.push_back({small_table().name, numbered_rows(first, end)});
  return request;
}

// A second writer that comes at one moment of the first one's commit.
class TakeOver {
 public:
  TakeOver(const HubPlayground& ground, int moment)
      : ground_(ground), moment_(moment), io_(make_system_io()) {}

  // For the first writer's Io. In a transaction of SQLite the second one would wait for its end.
  IoObserver observer() {
    return [this](IoOperation, std::string_view path) -> Result<void> {
      const bool counts = path.find("/data/") != std::string_view::npos;
      if (counts && count_++ == moment_) come();
      return {};
    };
  }

  bool came() const { return second_ != nullptr; }

  Hub& second() { return *second_; }

 private:
  void come() {
    std::filesystem::remove(ground_.folder() + "/catalog.sqlite.lock");
    second_ = must(Hub::open(*io_, ground_.place(), HubMode::kWrite));
    must(second_->commit(adding(100, 110)));
  }

  const HubPlayground& ground_;
  const int moment_;
  const std::unique_ptr<Io> io_;
  int count_ = 0;
  std::unique_ptr<Hub> second_;
};

TEST(HubFence, KeepsALateCommitOutWheneverTheSecondWriterCame) {  // hub-5
  bool came = true;
  int moments = 0;
  for (; came; ++moments) {
    ASSERT_LT(moments, 100);
    HubPlayground ground;
    const auto io = make_system_io();
    auto first = must(open_hub(*io, ground.place(), HubMode::kWrite, {.inline_rows_max = 10}));
    CommitRequest making;
    making.create.push_back(small_table());
    must(first->commit(making));
    TakeOver other(ground, moments);
    io->observe(other.observer());
    const auto late = first->commit(adding(0, 50));
    io->observe({});
    came = other.came();
    if (!came) {
      EXPECT_TRUE(late.ok());
      break;
    }
    ASSERT_FALSE(late.ok());
    EXPECT_EQ(late.error().code, Code::kLocked) << late.error().message;
    EXPECT_EQ(first->commit(adding(0, 1)).error().code, Code::kLocked);
    Hub& second = other.second();
    must(second.commit(adding(110, 120)));
    EXPECT_EQ(must(second.row_count(small_table().name, second.latest_snapshot())), 20);
    first.reset();
    std::int64_t files = 0;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(ground.folder() + "/data"))
      files += entry.is_regular_file() ? 1 : 0;
    EXPECT_EQ(files, 0) << "the late commit left a file";
  }
  EXPECT_GT(moments, 3);
}

}  // namespace
}  // namespace lockstep
