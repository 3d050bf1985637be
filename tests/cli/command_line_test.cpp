#include "cli/help_text.h"
#include "cli/parse.h"
#include "cli/version.h"
#include "world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace lockstep {
namespace {

using Words = std::vector<std::string>;

struct Mistake {
  Words words;
  const char* error;
  const char* hint;
};

TEST(CommandLine, AnswersAMistakeWithTheObjectAndTheNextStep) {
  const Mistake cases[] = {
      {{"stauts"}, "there is no command 'stauts'", "lockstep status"},
      {{"train"}, "there is no command 'train'", "lockstep sync"},
      {{"xyzzy"}, "there is no command 'xyzzy'", "lockstep help"},
      {{"alias"},
       "'alias' needs a verb",
       "lockstep alias set | lockstep alias list | lockstep alias history"},
      {{"alias", "sett"},
       "there is no command 'alias sett'",
       "lockstep alias set | lockstep alias list | lockstep alias history"},
      {{"sync", "--aply"}, "lockstep sync has no flag --aply", "lockstep sync --apply"},
      {{"sync", "now"}, "lockstep sync does not take 'now'", "lockstep sync --help"},
      {{"predict", "bp"}, "lockstep predict needs FILE", "lockstep predict --help"},
      {{"predict", "bp", "a.csv", "--output"}, "--output needs a value", "lockstep predict --help"},
      {{"predict", "bp", "a.csv", "-o", "a", "-o", "b"},
       "--output was given 2 times",
       "lockstep predict --help"},
      {{"export", "v", "--layer", "cleen"},
       "--layer is 'cleen', not one of raw | clean | train | rejected",
       "--layer clean"},
      {{"completion", "basch"}, "SHELL is 'basch', not one of bash | zsh | fish", "SHELL bash"},
      {{"log", "-n", "none"}, "--number is 'none', not a whole number of at least 1", ""},
      {{"predict", "bp", "a.csv", "--level", "95"},
       "--level is '95', not a number between 0 and 1",
       "--level 0.95"},
      {{"predict", "bp", "a.csv", "--json"},
       "--json prints a summary, and standard output takes the predictions",
       "--json --output predictions.csv"},
      {{"revert", "12", "--keep-later", "--overwrite"},
       "--keep-later and --overwrite exclude each other",
       "--keep-later"},
      {{"alias", "set", "bp", "champion", "best"},
       "version 'best' is neither a number nor 'latest'",
       "lockstep models"},
      {{"help", "exit-code"}, "there is no help on 'exit-code'", "lockstep help exit-codes"},
  };
  for (const Mistake& one : cases) {
    FakeWorld world;
    const bool json = std::find(one.words.begin(), one.words.end(), "--json") != one.words.end();
    const int exit_code = world.run(one.words);
    EXPECT_EQ(exit_code, 2) << one.error;
    EXPECT_EQ(world.terminal.output, "") << one.error;
    EXPECT_EQ(world.terminal.talk, failure_text({Code::kUsage, one.error, one.hint}, json, false));
  }
}

TEST(CommandLine, KeepsWordsAndFlagsApartWhereverTheyStand) {
  const auto parsed = [](const Words& words) {
    const Result<Invocation> invocation = parse_command_line(words);
    return invocation.ok() ? invocation.value() : Invocation{};
  };
  for (const Words& words : {Words{"-c", "a.yaml", "diff", "-2", "-1", "--rows", "5"},
                             Words{"diff", "--rows=5", "-2", "-1", "--config", "a.yaml"},
                             Words{"--config=a.yaml", "diff", "--rows", "5", "--", "-2", "-1"}}) {
    const Invocation invocation = parsed(words);
    ASSERT_NE(invocation.command, nullptr);
    EXPECT_EQ(invocation.command->name, "diff");
    EXPECT_EQ(invocation.arguments.words, (Words{"-2", "-1"}));
    EXPECT_EQ(invocation.arguments.text("--rows", ""), "5");
    EXPECT_EQ(invocation.arguments.text("--config", ""), "a.yaml");
  }
  EXPECT_EQ(parsed({"export", "vitals", "--at", "-1"}).arguments.text("--at", ""), "-1");
  EXPECT_EQ(parsed({"export", "status"}).arguments.words, Words{"status"});
  EXPECT_EQ(parsed({"init", "--target", "a", "--target", "b"}).arguments.texts("--target"),
            (Words{"a", "b"}));
  EXPECT_EQ(parsed({"alias", "set", "bp", "champion", "7"}).command->name, "alias set");
}

TEST(CommandLine, ShowsWhatItIsWhenNothingIsAsked) {
  FakeWorld world;
  EXPECT_EQ(world.run({}), 0);
  EXPECT_NE(world.terminal.output.find("lockstep init"), std::string::npos);
  EXPECT_EQ(world.terminal.talk, "");
}

TEST(CommandLine, FailsWithTheExitCodeOfTheError) {
  FakeWorld world;
  EXPECT_EQ(world.run({"status", "-c", "none.yaml"}), 1);
  EXPECT_NE(world.terminal.talk.find("error: "), std::string::npos);
  EXPECT_NE(world.terminal.talk.find("none.yaml"), std::string::npos);
  EXPECT_NE(world.terminal.talk.find("\ntry: "), std::string::npos);
  EXPECT_EQ(world.terminal.output, "");
}

TEST(Failure, IsTwoLinesOrOneOfJson) {
  const Error error = make_error(Code::kNoHub, "there is no hub at \"hub\"", "lockstep sync");
  EXPECT_EQ(failure_text(error, false, false),
            "error: there is no hub at \"hub\"\ntry: lockstep sync\n");
  EXPECT_EQ(
      failure_text(error, true, false),
      R"({"error":{"code":"no_hub","message":"there is no hub at \"hub\"","hint":"lockstep sync"}})"
      "\n");
  EXPECT_EQ(failure_text(invalid("wrong"), false, false), "error: wrong\n");
}

TEST(Failure, CodesAreFoundByTheirNames) {
  EXPECT_EQ(code_of_name("no_hub"), Code::kNoHub);
  EXPECT_EQ(code_of_name("interrupted"), Code::kInterrupted);
  EXPECT_EQ(code_of_name("bad luck"), std::nullopt);
}

TEST(Colour, IsOnOnATerminalUnlessItIsRefused) {
  const auto has_colour = [](bool interactive, const Words& words) {
    FakeWorld world;
    world.terminal.interactive = interactive;
    world.run(words);
    return world.terminal.talk.find('\x1b') != std::string::npos;
  };
  EXPECT_TRUE(has_colour(true, {"show", "-c", "none.yaml"}));
  EXPECT_FALSE(has_colour(false, {"show", "-c", "none.yaml"}));
  EXPECT_FALSE(has_colour(true, {"show", "-c", "none.yaml", "--color", "never"}));
  EXPECT_TRUE(has_colour(false, {"show", "-c", "none.yaml", "--color=always"}));
}

TEST(Help, OfEveryCommandStartsWithAnExampleThatParses) {
  for (const Command& command : commands()) {
    const std::string help = command_help(command);
    EXPECT_TRUE(help.starts_with("  lockstep ") || help.starts_with("  eval ")) << command.name;
    EXPECT_NE(help.find(synopsis(command)), std::string::npos) << command.name;
    EXPECT_FALSE(command.text.ends_with('.')) << command.name;
    EXPECT_NE(command.run, nullptr) << command.name;
    EXPECT_NE(command.example.find(std::string("lockstep ") + std::string(command.name)),
              std::string::npos)
        << command.name;
  }
}

TEST(Help, IsTheSameByFlagAndByCommand) {
  FakeWorld by_flag;
  FakeWorld by_command;
  EXPECT_EQ(by_flag.run({"sync", "--help"}), 0);
  EXPECT_EQ(by_command.run({"help", "sync"}), 0);
  EXPECT_EQ(by_flag.terminal.output, by_command.terminal.output);
  EXPECT_EQ(by_flag.run({"predict", "-h"}), 0);  // needs no words
}

TEST(Help, HasEveryTopic) {
  for (const char* topic : {"exit-codes", "environment", "formats", "words"}) {
    FakeWorld world;
    EXPECT_EQ(world.run({"help", topic}), 0);
    EXPECT_GT(world.terminal.output.size(), 100U) << topic;
  }
}

TEST(Completion, KnowsEveryCommandAndFlag) {
  for (const Shell shell : {Shell::kBash, Shell::kZsh, Shell::kFish}) {
    const std::string script = completion_script(shell);
    for (const Command& command : commands()) {
      const std::string_view first = command.name.substr(0, command.name.find(' '));
      EXPECT_NE(script.find(first), std::string::npos) << command.name;
      for (const Flag& flag : command.flags) {
        EXPECT_NE(script.find(flag.name), std::string::npos) << command.name << flag.name;
      }
    }
  }
}

TEST(Commands, HaveNamesAndFlagsOnlyOnce) {
  std::set<std::string_view> names;
  for (const Command& command : commands()) {
    EXPECT_TRUE(names.insert(command.name).second) << command.name;
    std::set<std::string_view> flags;
    for (const Flag& flag : global_flags())
      flags.insert(flag.name);
    for (const Flag& flag : command.flags)
      EXPECT_TRUE(flags.insert(flag.name).second) << flag.name;
  }
}

TEST(Manual, HoldsEveryCommandAndEveryFlag) {
  const std::string manual = commands_markdown();
  for (const Command& command : commands()) {
    EXPECT_NE(manual.find("\n## lockstep " + std::string(command.name) + "\n"), std::string::npos);
    for (const Flag& flag : command.flags)
      EXPECT_NE(manual.find(flag.name), std::string::npos);
  }
}

TEST(Manual, InTheRepositoryIsTheOneThatTheProgramPrints) {
  const auto io = make_system_io();
  const auto stored = read_file(*io, LOCKSTEP_SOURCE_DIR "/docs/reference/commands.md", 1 << 20);
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored.value(), commands_markdown())
      << "run: lockstep manual > docs/reference/commands.md";
}

TEST(Version, IsTheOneOfTheBuild) {
  const auto io = make_system_io();
  const auto cmake = read_file(*io, LOCKSTEP_SOURCE_DIR "/CMakeLists.txt", 1 << 20);
  ASSERT_TRUE(cmake.ok());
  EXPECT_NE(cmake.value().find(std::string("project(lockstep VERSION ") + kVersion + " "),
            std::string::npos);
}

}  // namespace
}  // namespace lockstep
