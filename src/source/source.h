// The source layer: where changes come from.
//
// A source reads changes in order and names its position after each batch: how far it has read, in
// words that only the source understands. The position is committed with the rows; after a crash
// the source is opened at the committed position and goes on there. What was not committed comes
// again.
//
// What it promises:
//   source-1  Opened at a committed position, a source gives exactly the changes after it, in the
//   same order. source-2  What cannot become a row is a Refusal with place and reason, never
//   silence, and stops nothing else. source-3  A batch is bounded by the limits given, but for a
//   mirrored file and a push, which are whole. source-4  It says what it can do (Capabilities) as
//   data; the pipeline decides from that, never from the type. source-5  next() does not wait:
//   nothing to read now is an empty answer. wait() waits. source-7  A transaction of the source is
//   a run of batches that are `whole`, all but the last of them with has_more; it becomes one
//   snapshot or none, and only its last batch moves the position. source-8  A run
//   that `resumes` is gone on with by another Source, opened at the position of the batch staged
//   last: one snapshot, as if the run had never been left, or of a later moment. Where it cannot,
//   open() fails, or its first batch begins_origin.
//
// What it does not do: know datasets' cleaning, models, or the hub.
//
//   auto source = TRY(make_source(io, spec));
//   TRY(source->open(position));
//   while (auto batch = TRY(source->next(limits))) { ... commit rows and position changes in one
//   transaction ... }
#pragma once

#include "base/assert.h"
#include "base/config.h"
#include "base/io.h"
#include "base/result.h"
#include "source/row_positions.h"
#include "source/source_state.h"
#include "table/batch.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

enum class Operation : std::uint8_t {
  kInsert,  // a new key; one that is there already is a refusal in `append`
  kUpsert,  // becomes the row of its key, whatever was there
  kDelete,  // takes the row of its key away; only the key's cells are looked at
};

// Value. How far a source has been read, in parts (a file, a partition, a table), each a text that
// only the source understands. A commit stores the parts that it moves, so that its cost does not
// grow with their number.
using Position = std::map<std::string, std::string>;

// `changes` over `position`; an empty text takes a part away.
void move_position(Position& position, const Position& changes);

// A record that did not become a row.
struct Refusal {
  std::string origin;    // the file, table or topic
  std::string position;  // within it: "line 17"
  std::string stage;     // "decode" | "operation" | "key"
  std::string reason;
  std::string text;  // the record, cut at 4 KiB
  std::optional<std::vector<Value>>
      key;  // when it could be read: a later good row of it clears the refusal
};

// A cell whose value the source did not send, because it did not change: it is the one that the row
// of `key_row`'s key had before. `key_row` is the row itself, or the delete of the row's old key.
struct UnchangedCell {
  std::int64_t row = 0;  // of the same batch, as `key_row` is
  int column = 0;
  std::int64_t key_row = 0;
};

struct SourceBatch {
  int target = 0;                     // which of the request's targets the rows are for
  Batch rows;                         // the target's columns, all signs +1
  std::vector<Operation> operations;  // one a row
  RowPositions positions;             // one a row: "line 17", for refusals further up
  std::string origin;                 // all rows' file, table or topic
  std::vector<Refusal> refusals;
  Position position_changes;  // the parts that this batch moves; empty: the part is gone
  std::optional<Timestamp> source_time;
  // Set: this batch is all that `origin` holds now; what the hub has of this source and origin, and
  // is not here, goes, unless that is more than max_delete. With has_more it begins a run of whole
  // batches that is all of it.
  bool replaces_origin = false;
  // Set: nothing of `origin`, as it is now, was given before.
  bool begins_origin = false;
  // Set: `origin`, or the transaction, may have more to give now, as the next batch.
  bool has_more = false;
  // Set: with its neighbours one transaction of the source, or alone one (source-7).
  bool whole = false;
  std::vector<UnchangedCell> unchanged;  // by row; those cells of `rows` are null
  // Set: `origin` is gone; with replaces_origin the rows are empty.
  bool origin_removed = false;
  // Set: before these rows the source emptied `origin`, and says so itself: max_delete has no say.
  bool truncates = false;
  // Set: a delete of a key that is not there is no mistake: the source tells some of them twice.
  bool deletes_again = false;
  // Set: some of these rows are of a time that is past for others of their run, whose last batch
  // brings all to one time (source-8).
  bool retells = false;
  // Set, of a run that goes on: a source opened at this batch's position goes on with the run
  // behind it (source-8).
  bool resumes = false;
  // Set: with these rows the targets are not what the source had at one moment: a table was
  // altered, or is of another moment, until it is copied or the others have followed.
  bool schema_pending = false;
};

struct Capabilities {
  bool replays = false;   // can be opened at an old position
  bool old_rows = false;  // gives the row before an update or delete
  bool deletes = false;
  bool transactions = false;  // keeps transactions whole
  bool wakes = false;         // wait() ends when something comes; else it looks now and then
};

// What a commit published, for the source whose batches it holds.
struct Completion {
  struct Version {
    std::string model;
    std::int64_t version = 0;
    std::int64_t data_version = 0;
    std::string status;
  };

  struct Rejected {  // a row that the commit put to rejected
    std::string record;
    std::string stage;
    std::string reason;
  };

  std::int64_t commit = 0;
  std::int64_t snapshot = 0;  // the newest with it; its own, where it changed rows
  std::vector<Version> versions;
  std::vector<Rejected> rejected;
};

// What is kept in the commit of a batch, for who asks again.
struct KeptAnswer {
  int target = 0;
  std::string token;
  std::string key;  // empty: none
  std::string sha256;
  std::string answer;
};

class PushDesk;

struct SourceLimits {
  std::int64_t row_count_max = 10'000;
};

// What a source must know of a dataset that it feeds.
struct SourceTarget {
  std::string table;             // which of the source's tables; empty: the only one
  Schema schema;                 // the dataset's columns; empty until they are known
  std::vector<std::string> key;  // may be empty: a row's key is then file hash and row number
};

struct SourceRequest {
  std::string name;                   // of the source
  Node settings;                      // as in lockstep.yaml
  std::string directory;              // relative paths are from here: where lockstep.yaml is
  std::vector<SourceTarget> targets;  // one, but for a source of tables
  PushDesk* pushes = nullptr;         // where changes are brought to; none: nobody brings any
  // What an earlier commit kept under a key.
  std::function<Result<std::optional<KeptAnswer>>(int target, const std::string& key)> kept_answer =
      {};
  // True: whoever asks it wants to end, and next() waits for nothing more. May be empty.
  std::function<bool()> stopping = {};
};

// Resource; one thread at a time.
class Source {
 public:
  virtual ~Source() = default;
  virtual Capabilities capabilities() const = 0;
  // The columns and types that the source itself shows for a target, for a dataset without declared
  // ones. kNotFound: nothing yet.
  virtual Result<Schema> infer_schema(int target) = 0;
  // The same of its newest data, which may show columns that the dataset does not take.
  virtual Result<Schema> infer_newest_schema(int target) = 0;
  // `position`: as committed, or empty for the beginning.
  virtual Result<void> open(const Position& position) = 0;

  // At the beginning again, of a source whose rows are there already: where it knows all that it
  // holds now, the others leave (`truncates`).
  virtual Result<void> open_anew() { return open({}); }

  virtual Result<std::optional<SourceBatch>> next(
      const SourceLimits& limits) = 0;  // nullopt: nothing now
  // The oldest batch that was not told yet, by its position_changes, is durable (source-6).
  virtual Result<void> committed(const Position& changes) = 0;

  // What the commit of the oldest batch that was not told yet keeps, before it is durable.
  virtual std::vector<KeptAnswer> answers(const Position&, const Completion&) { return {}; }

  // committed(), for sources that want to know what was made of their batch.
  virtual Result<void> completed(const Position& changes, const Completion&) {
    return committed(changes);
  }

  virtual Result<bool> wait(std::int64_t timeout_us) = 0;  // true: there may be something

  // Somebody asks for what there is now: one that looks by a schedule looks at once.
  virtual void look_now() {}

  // How far, in the source's own words, for `status`: "3 files, vitals.csv at line 4012".
  virtual std::string describe(const Position& position) const = 0;
  virtual SourceLag lag() = 0;

  // What endangers it though it works, as it was seen last: for `status` and the log.
  virtual std::vector<SourceFinding> warnings() { return {}; }

  // Up to so many of a target's rows, without a trace at the source. Not of an open source.
  virtual Result<std::optional<SourceBatch>> sample(int target, std::int64_t row_count) {
    LOCKSTEP_ASSERT(target == 0, "source: a source without tables has one target");
    TRY(open({}));
    return next({row_count});
  }

  // Looks at what it needs of the outside, changes nothing.
  virtual std::vector<SourceFinding> check() { return {}; }
};

struct SourceInfo {
  std::string_view type;  // "files"
  std::string_view text;
  bool has_tables = false;  // it may feed several datasets, a table each
  std::span<const Setting> settings;
  Result<std::unique_ptr<Source>> (*make)(Io& io, const SourceRequest& request);
};

// Every type of source there is.
std::span<const SourceInfo> source_types();
Result<std::unique_ptr<Source>> make_source(Io& io,
                                            const SourceRequest& request);  // by settings' `type`

}  // namespace lockstep
