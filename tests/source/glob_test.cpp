#include "source/files/glob.h"

#include "source/world.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace lockstep::test {
namespace {

struct NameCase {
  std::string_view pattern;
  std::string_view name;
  bool matches;
};

TEST(Glob, MatchesNames) {
  // clang-format off
  const std::vector<NameCase> cases = {
      {"a.csv", "a.csv", true},        {"a.csv", "b.csv", false},       {"*", "a", true},
      {"*", "", true},                 {"*.csv", "a.csv", true},        {"*.csv", "a.csv.gz", false},
      {"a*b*c", "aXbYbZc", true},      {"a*b*c", "aXbYbZ", false},      {"?", "a", true},
      {"?", "ab", false},              {"?", "\xC3\xA4", true},         {"??", "\xC3\xA4", false},
      {"[abc]", "b", true},            {"[a-c]x", "bx", true},          {"[a-c]", "d", false},
      {"[!a-c]", "d", true},           {"[^a-c]", "a", false},          {"[]]", "]", true},
      {"[a-]", "-", true},             {"[", "[", true},                {"[a", "[a", true},
      {"[a", "a", false},              {"*", ".hidden", false},         {".*", ".hidden", true},
      {"?x", ".x", false},             {"[\xC3\xA0-\xC3\xBC]", "\xC3\xA4", true},
      {"*[0-9].csv", "a7.csv", true},  {"*[0-9].csv", "a.csv", false},  {"**", "ab", true},
  };
  // clang-format on
  for (const NameCase& row : cases) {
    EXPECT_EQ(matches_name(row.pattern, row.name), row.matches)
        << row.pattern << " on " << row.name;
  }
}

TEST(Glob, ManyStarsTakeNoLongTime) {
  std::string pattern;
  for (int star = 0; star < 200; ++star)
    pattern += "*a";
  EXPECT_FALSE(matches_name(pattern + "b", std::string(4000, 'a')));
}

struct FindCase {
  std::vector<std::string> patterns;
  std::vector<std::string> names;
};

TEST(Glob, FindsFilesOnceAndByName) {
  World world;
  for (const char* name : {"a.csv",
                           "in/a.csv",
                           "in/b.csv",
                           "in/b.txt",
                           "in/x/c.csv",
                           "in/x/y/d.csv",
                           "in/.h/e.csv",
                           "in/.f.csv"}) {
    world.put(name, "x");
  }
  const std::vector<FindCase> cases = {
      {{"*.csv"}, {"a.csv"}},
      {{"./a.csv"}, {"a.csv"}},
      {{"in/*.csv"}, {"in/a.csv", "in/b.csv"}},
      {{"/data/in/*.csv", "in//b.*", "./in/a.csv"}, {"in/a.csv", "in/b.csv", "in/b.txt"}},
      {{"in/**/*.csv"}, {"in/a.csv", "in/b.csv", "in/x/c.csv", "in/x/y/d.csv"}},
      {{"**/d.csv"}, {"in/x/y/d.csv"}},
      {{"in/x/**/**/*.csv"}, {"in/x/c.csv", "in/x/y/d.csv"}},
      {{"in/*/c.csv"}, {"in/x/c.csv"}},
      {{"in/.h/*"}, {"in/.h/e.csv"}},
      {{"in"}, {}},
      {{"none/*.csv", "none.csv", "a.csv/b"}, {}},
  };
  for (const FindCase& row : cases) {
    SCOPED_TRACE(row.patterns[0]);
    const auto found = find_files(world.io(), "/data", row.patterns);
    ASSERT_TRUE(found.ok()) << found.error().message;
    std::vector<std::string> names;
    for (const GlobMatch& match : found.value()) {
      names.push_back(match.name);
      EXPECT_TRUE(world.io().info(match.info.path).ok());
    }
    EXPECT_EQ(names, row.names);
  }
}

TEST(Glob, StopsAtItsLimits) {
  World world;
  for (const char* name : {"a.csv", "b.csv", "x/y/c.csv"})
    world.put(name, "x");
  EXPECT_EQ(find_files(world.io(), "/data", {"*.csv"}, {.file_count_max = 1}).error().code,
            Code::kUnsupported);
  EXPECT_EQ(find_files(world.io(), "/data", {"**/*.csv"}, {.directory_count_max = 1}).error().code,
            Code::kUnsupported);
  EXPECT_EQ(find_files(world.io(), "/data", {"**/c.csv"}, {.path_bytes_max = 5}).error().code,
            Code::kUnsupported);
}

TEST(Glob, KnowsTheFolderAboveTheFirstWildcard) {
  EXPECT_EQ(fixed_directory("/data", "in/*.csv"), "/data/in");
  EXPECT_EQ(fixed_directory("/data", "in/a.csv"), "/data/in");
  EXPECT_EQ(fixed_directory("/data", "in/**/x/*.csv"), "/data/in");
  EXPECT_EQ(fixed_directory("/data", "*.csv"), "/data");
  EXPECT_EQ(fixed_directory("/data", "/other/*.csv"), "/other");
}

}  // namespace
}  // namespace lockstep::test
