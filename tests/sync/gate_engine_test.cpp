// The gate's comparisons on test rows, through the engine: with the rule about the batch out of the
// way.
#include "sync/world.h"

#include <fmt/format.h>

namespace lockstep::test {
namespace {

std::string configuration_with(const std::string& gate) {
  return "hub: {catalog: \"sqlite:hub/catalog.sqlite\", data: hub/data}\n"
         "sources: {drop: {type: files, path: \"in/*.csv\", mode: upsert}}\n"
         "datasets:\n"
         "  rows:\n"
         "    from: [drop]\n"
         "    key: [id]\n"
         "    columns: {id: int, x: float, y: float}\n"
         "    train: [split: {by: id, test: 0.3}]\n"
         "models:\n"
         "  m:\n"
         "    dataset: rows\n"
         "    features: [x]\n"
         "    targets: [y]\n"
         "    expand: [standardize]\n"
         "    learner: {type: ridge, l2: 0.001}\n"
         "    calibrate_after: 100 rows\n"
         "    gate: " +
         gate + "\n";
}

// Honest rows are y = 2 x with a little noise; poisoned ones have the sign of y turned.
std::string rows(int first, int count, int sign) {
  std::string out = "id,x,y\n";
  for (int id = first; id < first + count; ++id) {
    const double x = static_cast<double>((id * 37) % 101) / 10.0;
    const double noise = static_cast<double>((id * 53) % 17 - 8) / 20.0;
    out += fmt::format("{},{},{}\n", id, x, sign * (2 * x + noise));
  }
  return out;
}

TEST(GateInTheEngine, BlocksWhatIsWorseThanTheChampionOnTheTestRowsFromBefore) {
  World world;
  world.configure(configuration_with("{batch_error: 100000x, at_most_worse: 2%}"));
  world.open();
  world.put("in/1.csv", rows(0, 400, 1));
  ASSERT_EQ(world.sync()["versions"][0]["status"], "ready");
  world.put("in/2.csv", rows(0, 150, -1));
  const Json poisoned = world.sync();
  EXPECT_EQ(poisoned["versions"][0]["status"], "blocked");
  const auto reason = poisoned["versions"][0]["reason"].get<std::string>();
  EXPECT_NE(reason.find("test rmse of y"), std::string::npos) << reason;
  const Json undone = world.run({{"command", "revert"}, {"snapshot", "-1"}});
  EXPECT_EQ(undone["versions"][0]["status"], "ready");
}

TEST(GateInTheEngine, LetsARevertPassThatComesAfterAnAccept) {
  World world;
  world.configure(configuration_with("{batch_error: 100000x, at_most_worse: 2%}"));
  world.open();
  world.put("in/1.csv", rows(0, 400, 1));
  world.sync();
  world.put("in/2.csv", rows(0, 150, -1));
  ASSERT_EQ(world.sync()["versions"][0]["status"], "blocked");
  world.run({{"command", "accept"}, {"model", "m"}});
  const Json undone = world.run({{"command", "revert"}, {"snapshot", "-1"}});
  EXPECT_EQ(undone["versions"][0]["status"], "ready") << undone.dump();
  world.expect_exact();
}

TEST(GateInTheEngine, LetsHonestRowsPass) {
  World world;
  world.configure(configuration_with("{batch_error: 2x, at_most_worse: 2%}"));
  world.open();
  world.put("in/1.csv", rows(0, 400, 1));
  world.sync();
  for (int batch = 0; batch < 20; ++batch) {
    world.put(fmt::format("in/more-{:02}.csv", batch), rows(400 + 25 * batch, 25, 1));
    EXPECT_EQ(world.sync()["versions"][0]["status"], "ready");
  }
}

}  // namespace
}  // namespace lockstep::test
