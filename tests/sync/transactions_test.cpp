// Transactions of a source over two tables: each snapshot is a state that the source committed, in
// both datasets, whatever dies and however large a transaction is.
#include "sync/stream_source.h"
#include "sync/world.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace lockstep::test {
namespace {

const char* const kYaml = R"(
hub: {{snapshot_per: {}, commit_rows_max: {}}}
sources:
  s: {{type: postgres, url: "postgresql://nobody@localhost/none"}}
datasets:
  a:
    from: [s.public.a]
    key: [id]
    columns: {{id: int, x: float, note: text}}
    train: [split: {{by: id, test: 0.3}}]
  b:
    from: [s.public.b]
    key: [id]
    columns: {{id: int, v: int}}
models:
  m:
    dataset: a
    features: [x]
    targets: [id]
    learner: {{type: ridge, l2: 1}}
    calibrate_after: 20 rows
)";

struct RowOfA {
  double x = 0;
  std::string note;
  bool operator==(const RowOfA&) const = default;
};

// What the source holds after a transaction.
struct State {
  std::map<std::int64_t, RowOfA> a;
  std::map<std::int64_t, std::int64_t> b;  // under 0: the transaction's number
};

// Builds the batches of one transaction.
class Writer final {
 public:
  Writer(Dice& dice, std::size_t piece_rows_max) : dice_(dice), piece_rows_max_(piece_rows_max) {}

  void a(Operation operation, std::int64_t id, const RowOfA& row, bool sends_note = true) {
    room(0, 1);
    put_a(operation, id, row, sends_note, row_count_);
  }

  // One row leaves its key for another, and its note is not sent.
  void move_a(std::int64_t from, std::int64_t to, const RowOfA& row) {
    room(0, 2);
    put_a(Operation::kDelete, from, {}, true, 0);
    put_a(Operation::kUpsert, to, row, false, row_count_ - 1);
  }

  void b(Operation operation, std::int64_t id, std::int64_t v) {
    room(1, 1);
    rows_->append_int(0, id);
    rows_->append_int(1, v);
    finish_row(operation);
  }

  void truncate_a() {
    close();
    begin(0);
    out_.back().truncates = true;
  }

  std::vector<SourceBatch> finish() {
    close();
    for (SourceBatch& batch : out_)
      batch.has_more = &batch != &out_.back();
    return std::move(out_);
  }

 private:
  static Schema schema(int target) {
    return target == 0 ? Schema({{"id", Type::kInt}, {"x", Type::kFloat}, {"note", Type::kText}})
                       : Schema({{"id", Type::kInt}, {"v", Type::kInt}});
  }

  void begin(int target) {
    SourceBatch batch;
    batch.target = target;
    batch.origin = target == 0 ? "a" : "b";
    batch.whole = true;
    out_.push_back(std::move(batch));
    rows_.emplace(schema(target));
    row_count_ = 0;
  }

  void room(int target, std::size_t count) {
    const bool fits = rows_ && out_.back().target == target &&
                      out_.back().operations.size() + count <= piece_rows_max_ && !dice_.one_in(9);
    if (fits) return;
    close();
    begin(target);
  }

  void close() {
    if (!rows_) return;
    out_.back().rows = rows_->finish().value();
    rows_.reset();
  }

  void put_a(Operation operation,
             std::int64_t id,
             const RowOfA& row,
             bool sends_note,
             std::int64_t key_row) {
    rows_->append_int(0, id);
    rows_->append_float(1, row.x);
    if (sends_note) {
      rows_->append_text(2, row.note);
    } else {
      rows_->append_null(2);
      out_.back().unchanged.push_back({row_count_, 2, key_row});
    }
    finish_row(operation);
  }

  void finish_row(Operation operation) {
    rows_->append_sign(1);
    out_.back().operations.push_back(operation);
    out_.back().positions.push_back(fmt::format("row {}", row_count_++));
  }

  Dice& dice_;
  const std::size_t piece_rows_max_;
  std::vector<SourceBatch> out_;
  std::optional<BatchBuilder> rows_;
  std::int64_t row_count_ = 0;
};

std::int64_t some_id(Dice& dice, const std::map<std::int64_t, RowOfA>& rows) {
  auto found = rows.lower_bound(static_cast<std::int64_t>(dice.below(60)));
  return found == rows.end() ? rows.begin()->first : found->first;
}

void change_a(Dice& dice, State& state, Writer& writer) {
  const auto fresh = static_cast<std::int64_t>(dice.below(60));
  const auto x = static_cast<double>(dice.below(100)) / 4;
  if (state.a.empty() || dice.one_in(3)) {
    const RowOfA row{x, fmt::format("note {}", dice.below(1000))};
    writer.a(Operation::kUpsert, fresh, row);
    state.a[fresh] = row;
    return;
  }
  const std::int64_t id = some_id(dice, state.a);
  if (dice.one_in(4)) {
    writer.a(Operation::kDelete, id, {});
    state.a.erase(id);
  } else if (dice.one_in(3) && !state.a.contains(fresh)) {
    const RowOfA row{x, state.a.at(id).note};
    writer.move_a(id, fresh, row);
    state.a.erase(id);
    state.a[fresh] = row;
  } else {
    state.a[id].x = x;
    writer.a(Operation::kUpsert, id, state.a[id], false);
  }
}

struct History {
  std::vector<SourceBatch> batches;
  std::vector<State> states = {State()};  // after each transaction; the first: before all
};

History history_of(std::uint64_t seed, int count, std::size_t rows_max) {
  Dice dice(seed);
  History out;
  State state;
  for (int number = 1; number <= count; ++number) {
    Writer writer(dice, rows_max);
    const std::size_t changes = dice.one_in(6) ? 2 * rows_max + dice.below(20) : dice.below(6);
    for (std::size_t change = 0; change < changes; ++change) {
      if (dice.one_in(30)) {
        writer.truncate_a();
        state.a.clear();
      }
      if (dice.one_in(3)) {
        const auto id = static_cast<std::int64_t>(1 + dice.below(20));
        const auto v = static_cast<std::int64_t>(dice.below(100));
        writer.b(Operation::kUpsert, id, v);
        state.b[id] = v;
      } else {
        change_a(dice, state, writer);
      }
    }
    writer.b(Operation::kUpsert, 0, number);
    state.b[0] = number;
    for (SourceBatch& batch : writer.finish())
      out.batches.push_back(std::move(batch));
    out.states.push_back(state);
  }
  return out;
}

EngineOptions options_of(Stream& stream) {
  EngineOptions options;
  options.make_source = [&stream](Io&, const SourceRequest& request) {
    EXPECT_EQ(request.targets.size(), 2U);
    return Result<std::unique_ptr<Source>>(std::make_unique<StreamSource>(stream));
  };
  return options;
}

State state_at(Hub& hub, SnapshotId at) {
  State state;
  const Batch a = hub.read({Layer::kRaw, "a"}, at).value();
  for (std::int64_t row = 0; row < a.row_count(); ++row) {
    EXPECT_EQ(a.text_at(3, row), "a");
    state.a[a.int_at(4, row)] = {std::get<double>(a.value(5, row)), std::string(a.text_at(6, row))};
  }
  EXPECT_EQ(static_cast<std::int64_t>(state.a.size()), a.row_count());
  const Batch b = hub.read({Layer::kRaw, "b"}, at).value();
  for (std::int64_t row = 0; row < b.row_count(); ++row)
    state.b[b.int_at(4, row)] = b.int_at(5, row);
  return state;
}

// The numbers of the transactions after which there is a snapshot.
std::set<std::int64_t> expect_states(Hub& hub, const History& history) {
  std::set<std::int64_t> seen;
  for (const CommitRecord& commit : hub.commits({.count = 100'000}).value()) {
    if (!commit.snapshot || commit.kind != CommitKind::kChanges) continue;
    const State state = state_at(hub, *commit.snapshot);
    const std::int64_t number = state.b.at(0);
    const State& expected = history.states.at(static_cast<std::size_t>(number));
    EXPECT_EQ(state.a, expected.a) << "after transaction " << number;
    EXPECT_EQ(state.b, expected.b) << "after transaction " << number;
    EXPECT_TRUE(seen.insert(number).second) << "transaction " << number << " came twice";
  }
  return seen;
}

void open(World& world, Stream& stream, const char* snapshot_per) {
  world.configure(fmt::format(fmt::runtime(kYaml), snapshot_per, 12));
  world.open(options_of(stream));
}

TEST(Transactions, OfTwoTablesAreOneSnapshotEach) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const History history = history_of(seed, 50, 12);
    Stream stream{.transactions = history.batches};
    World world;
    open(world, stream, "transaction");
    ASSERT_TRUE(world.is_open());
    world.sync();
    EXPECT_EQ(expect_states(world.hub(), history).size(), 50U);
    EXPECT_EQ(stream.acknowledged, static_cast<std::int64_t>(history.batches.size()));
    EXPECT_TRUE(world.lines(Layer::kRejected, "a").empty());
    world.expect_exact();
  }
}

TEST(Transactions, AreNeverSplitHoweverManyAreGathered) {
  for (std::uint64_t seed = 11; seed <= 20; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const History history = history_of(seed, 50, 12);
    Stream stream{.transactions = history.batches};
    World world;
    open(world, stream, "commit");
    ASSERT_TRUE(world.is_open());
    world.sync();
    EXPECT_EQ(*expect_states(world.hub(), history).rbegin(), 50);
    world.expect_exact();
  }
}

TEST(Transactions, ComeAgainAsAWholeWhenTheSourceBreaksOffWithinOne) {
  for (std::uint64_t seed = 21; seed <= 30; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Dice dice(seed);
    const History history = history_of(seed, 40, 12);
    Stream stream{.transactions = history.batches};
    World world;
    open(world, stream, dice.one_in(2) ? "commit" : "transaction");
    ASSERT_TRUE(world.is_open());
    int broken = 0;
    for (int stop = 0; stop < 12; ++stop) {
      stream.reads_left = static_cast<std::int64_t>(1 + dice.below(15));
      // As somebody asks for it: without a pause after the failure before. What was in memory of a
      // large transaction is thrown away, and the engine goes on.
      const Json report = world.run({{"command", "sync"}});
      for (const Json& error : report.at("errors")) {
        EXPECT_NE(error.at("message").get<std::string>().find("the stream broke off"),
                  std::string::npos);
        ++broken;
      }
    }
    EXPECT_GT(broken, 0);
    stream.reads_left = INT64_MAX;
    world.run({{"command", "sync"}});
    EXPECT_EQ(*expect_states(world.hub(), history).rbegin(), 40);
    world.expect_exact();
  }
}

// source-8: what was staged of a run is not read again.
TEST(Transactions, GoOnWhereTheyWereLeftWhenTheirSourceCan) {
  std::int64_t went_on = 0;
  for (std::uint64_t seed = 21; seed <= 26; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Dice dice(seed);
    const History history = history_of(seed, 40, 12);
    Stream stream{.transactions = history.batches};
    for (SourceBatch& batch : stream.transactions)
      batch.resumes = batch.whole && batch.has_more;
    World world;
    open(world, stream, "commit");
    ASSERT_TRUE(world.is_open());
    for (int stop = 0; stop < 12; ++stop) {
      stream.reads_left = static_cast<std::int64_t>(1 + dice.below(8));
      const Json report = world.run({{"command", "sync"}});
      const std::int64_t heard = stream.acknowledged;
      if (report.at("errors").empty()) continue;
      if (dice.one_in(2)) world.open(options_of(stream));  // else the same process goes on
      ASSERT_TRUE(world.is_open());
      // A server that does not answer yet: the load waits for it.
      stream.reads_left = 0;
      EXPECT_EQ(world.run({{"command", "sync"}}).at("errors").size(), 1U);
      went_on += stream.acknowledged > heard ? 1 : 0;
    }
    stream.reads_left = INT64_MAX;
    world.run({{"command", "sync"}});
    EXPECT_EQ(*expect_states(world.hub(), history).rbegin(), 40);
    world.expect_exact();
  }
  EXPECT_GT(went_on, 10);
}

// A row that moved while its table was copied: neither part of the copy has it.
TEST(Transactions, AnUnsentCellOfARunThatRetellsBeginsItAnew) {
  Dice dice(1);
  Writer copied(dice, 12);
  copied.a(Operation::kUpsert, 9, {1, "nine"});
  Writer told(dice, 12);
  told.a(Operation::kUpsert, 7, {1.5, ""}, false);
  Stream stream{.transactions = copied.finish()};
  for (SourceBatch& batch : told.finish())
    stream.transactions.push_back(std::move(batch));
  ASSERT_EQ(stream.transactions.size(), 2U);
  stream.transactions[0].has_more = stream.transactions[0].resumes = true;
  stream.transactions[1].retells = true;
  World world;
  open(world, stream, "transaction");
  ASSERT_TRUE(world.is_open());
  for (const std::int64_t acknowledged : {1, 0}) {
    // First it stops behind what is staged, and goes on with it; then nobody goes on.
    stream.reads_left = acknowledged == 1 ? 1 : 2;
    EXPECT_EQ(world.run({{"command", "sync"}}).at("errors").size(), 1U);
    world.open(options_of(stream));
    ASSERT_TRUE(world.is_open());
    stream.reads_left = 0;
    EXPECT_EQ(world.run({{"command", "sync"}}).at("errors").size(), 1U);
    EXPECT_EQ(stream.acknowledged, acknowledged);
  }
  stream.reads_left = 1;
  EXPECT_EQ(world.run({{"command", "sync"}}).at("errors").size(), 1U);
}

TEST(Transactions, AnUnsentCellOfARowThatTheHubDoesNotHaveIsARejectedRow) {
  Dice dice(1);
  Writer writer(dice, 12);
  writer.a(Operation::kUpsert, 7, {1.5, ""}, false);
  writer.b(Operation::kUpsert, 0, 1);
  Stream stream{.transactions = writer.finish()};
  World world;
  open(world, stream, "transaction");
  ASSERT_TRUE(world.is_open());
  world.sync();
  EXPECT_TRUE(world.lines(Layer::kRaw, "a").empty());
  const std::vector<std::string> rejected = world.lines(Layer::kRejected, "a");
  ASSERT_EQ(rejected.size(), 1U);
  EXPECT_NE(rejected[0].find("did not send column 'note'"), std::string::npos) << rejected[0];
  Writer later(dice, 12);
  later.a(Operation::kUpsert, 7, {1.5, "sent"});
  for (SourceBatch& batch : later.finish())
    stream.transactions.push_back(std::move(batch));
  world.sync();
  EXPECT_EQ(world.lines(Layer::kRaw, "a").size(), 1U);
  EXPECT_TRUE(world.lines(Layer::kRejected, "a").empty()) << "a good row of the key clears it";
}

}  // namespace
}  // namespace lockstep::test
