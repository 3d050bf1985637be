#include "base/hash.h"
#include "source/files/object_store_io.h"
#include "source/world.h"

#include <gmock/gmock.h>

#include <cstring>
#include <map>

namespace lockstep::test {
namespace {

using ::testing::HasSubstr;

// A bucket in memory whose times are by the second. Counts what it is asked.
class MemoryStore final : public ObjectStore {
 public:
  struct Object {
    std::string bytes;
    std::int64_t modified_us = 0;
  };

  Result<std::vector<FileInfo>> list(const std::string& folder) override {
    std::vector<FileInfo> entries;
    const std::string prefix = folder.empty() ? "" : folder + "/";
    for (const auto& [key, object] : objects) {
      if (key.starts_with(prefix)) entries.push_back(info_of(key, object));
    }
    return entries;
  }

  Result<FileInfo> info(const std::string& key) override {
    const auto found = objects.find(key);
    if (found == objects.end()) return make_error(Code::kNotFound, key + " is missing");
    const FileInfo answer = info_of(key, found->second);
    if (between) std::exchange(between, nullptr)();
    return answer;
  }

  Result<std::string> etag(const std::string& key) override {
    ++etags;
    if (!objects.contains(key)) return make_error(Code::kNotFound, key + " is missing");
    std::string answer = sha256_hex(objects[key].bytes);
    if (between) std::exchange(between, nullptr)();
    return answer;
  }

  Result<std::size_t> read(const std::string& key,
                           std::uint64_t offset,
                           std::span<std::byte> buffer) override {
    ++reads;
    TRY(info(key));
    const std::string& bytes = objects[key].bytes;
    const std::size_t from = std::min<std::size_t>(offset, bytes.size());
    const std::size_t count = std::min(bytes.size() - from, buffer.size());
    std::memcpy(buffer.data(), bytes.data() + from, count);
    if (after_read) after_read();
    return count;
  }

  std::map<std::string, Object> objects;
  std::function<void()> after_read;
  std::function<void()> between;  // once, behind the first question of an open
  int reads = 0;
  int etags = 0;

 private:
  static FileInfo info_of(const std::string& key, const Object& object) {
    return {.path = key, .size_bytes = object.bytes.size(), .modified_us = object.modified_us};
  }
};

class ObjectStoreTest : public ::testing::Test {
 protected:
  void put(const std::string& key, std::string bytes) {
    constexpr std::int64_t kSecondUs = 1'000'000;
    store_->objects[key] = {std::move(bytes), machine_->now_us() / kSecondUs * kSecondUs};
  }

  std::int64_t listed_us() {
    const auto listed = io_->list("/in");
    EXPECT_TRUE(listed.ok() && listed.value().size() == 1);
    return listed.value().front().modified_us;
  }

  std::string read_all(const std::string& path) {
    const auto text = read_file(*io_, path, 100 << 20);
    return text.ok() ? text.value() : text.error().message;
  }

  std::unique_ptr<SimulatedIo> machine_ = make_simulated_io(3);
  MemoryStore* store_ = new MemoryStore;
  std::unique_ptr<ObjectStoreIo> io_ =
      make_object_store_io(*machine_, std::unique_ptr<ObjectStore>(store_));
};

TEST_F(ObjectStoreTest, AnObjectIsReadByWholeBlocks) {
  std::string large;
  for (int number = 0; large.size() < (9 << 20); ++number)
    large += std::to_string(number) + "\n";
  put("in/a.csv", large);
  EXPECT_EQ(read_all("/in/a.csv"), large);
  EXPECT_EQ(store_->reads, 3);
  put("in/empty.csv", "");
  EXPECT_EQ(read_all("/in/empty.csv"), "");
  EXPECT_EQ(io_->open("/in/none.csv", OpenMode::kRead).error().code, Code::kNotFound);
  EXPECT_EQ(io_->open("/in/a.csv", OpenMode::kReadWrite).error().code, Code::kUnsupported);
}

TEST_F(ObjectStoreTest, AnObjectReplacedWhileItIsReadIsNoMixture) {
  put("in/a.csv", std::string(5 << 20, 'a'));
  store_->after_read = [this] { put("in/a.csv", std::string(5 << 20, 'b')); };
  EXPECT_EQ(read_all("/in/a.csv"), "/in/a.csv changed while it was read");
  store_->after_read = nullptr;
  EXPECT_EQ(read_all("/in/a.csv"), std::string(5 << 20, 'b'));
}

TEST_F(ObjectStoreTest, AnObjectReplacedWhileItIsOpenedIsNotCutToItsOldSize) {
  put("in/a.csv", "1,2");
  store_->between = [this] { put("in/a.csv", "1,2\n3,4"); };
  EXPECT_EQ(read_all("/in/a.csv"), "/in/a.csv changed while it was read");
  EXPECT_EQ(read_all("/in/a.csv"), "1,2\n3,4");
}

TEST_F(ObjectStoreTest, ASecondWriteWithinTheSecondIsSeen) {
  put("in/a.csv", "1,2");
  const std::int64_t first = listed_us();
  EXPECT_EQ(listed_us(), first);
  put("in/a.csv", "1,3");
  const std::int64_t second = listed_us();
  EXPECT_NE(second, first);
  EXPECT_EQ(whole_second(second), whole_second(first));
  EXPECT_EQ(listed_us(), second);
  machine_->sleep_us(120'000'000);
  EXPECT_EQ(listed_us(), second) << "it keeps the time that it was known by";
  const int asked = store_->etags;
  EXPECT_EQ(listed_us(), second);
  EXPECT_EQ(store_->etags, asked) << "an old object costs no request of its own";
}

TEST_F(ObjectStoreTest, ASecondWriteWithinTheSecondIsSeenHoweverLateOneLooks) {
  put("in/a.csv", "1,2");
  const std::int64_t first = listed_us();
  put("in/a.csv", "1,3");
  machine_->sleep_us(120'000'000);
  const std::int64_t second = listed_us();
  EXPECT_NE(second, first);
  EXPECT_EQ(listed_us(), second);
}

TEST_F(ObjectStoreTest, AnotherProcessKnowsAnObjectByItsEtag) {
  put("in/a.csv", "1,2");
  const std::int64_t first = listed_us();
  machine_->sleep_us(120'000'000);
  auto* const store = new MemoryStore;
  store->objects = store_->objects;
  store_ = store;
  io_ = make_object_store_io(*machine_, std::unique_ptr<ObjectStore>(store));
  EXPECT_EQ(listed_us(), whole_second(first)) << "an old object costs no request of its own";
  EXPECT_EQ(io_->info_by_etag("/in/a.csv").value().modified_us, first);
  EXPECT_EQ(listed_us(), first);
}

TEST(FilesInABucket, SettingsAreChecked) {
  const std::unique_ptr<SimulatedIo> io = make_simulated_io(3);
  const auto message = [&io](std::string_view settings) {
    const auto made = make_source(*io, World::request(settings));
    return made.ok() ? "" : made.error().message;
  };
  EXPECT_THAT(message("{type: files, path: [\"s3://a/*.csv\", \"s3://b/*.csv\"]}"),
              HasSubstr("the patterns of 'path' are not in one bucket"));
  EXPECT_THAT(message("{type: files, path: [\"s3://a/*.csv\", \"in/*.csv\"]}"),
              HasSubstr("the patterns of 'path' are not in one bucket"));
  EXPECT_THAT(message("{type: files, path: \"s3://a\"}"),
              HasSubstr("'path' names bucket 'a', and no object in it"));
  EXPECT_THAT(message("{type: files, path: \"s3://a?x=/*.csv\"}"),
              HasSubstr("'a?x=' is not the name of a bucket"));
  EXPECT_THAT(message("{type: files, path: \"s3://a/*.csv\", endpoint: \"http://h/?x\"}"),
              HasSubstr("'http://h/?x' is not the address of an S3 server"));
  EXPECT_THAT(message("{type: files, path: \"in/*.csv\", region: eu}"),
              HasSubstr("'region' is for a path in a bucket"));
}

}  // namespace
}  // namespace lockstep::test
