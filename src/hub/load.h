// A load: the rows of many batches in durable files that no snapshot names, until one commit names
// them all.
//
// Each stage is one batch: a file for each table that it changes, then one line of the load's
// journal, which lies beside the data. A writer that dies leaves nothing visible; the next one goes
// on behind the last whole line, as long as nobody made a snapshot meanwhile.
#pragma once

#include "hub/commit_apply.h"
#include "hub/load_journal.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

// Where a load takes place. Everything outlives it.
struct LoadGround {
  Io& io;
  DataFiles& files;
  LakeSnapshot base;  // the newest; the load becomes the next
};

// 0, 1 ... count - 1.
std::vector<int> first_columns(std::size_t count);

// What a load does to one table of the catalog.
struct LoadedTable {
  TablePlan plan;      // what leaves
  WrittenFiles files;  // what enters, by file id
  TableStatistics after;
};

// Resource; one thread at a time. Files are written on a thread of their own, one stage behind.
// After a failure it is worth nothing in memory; what is on the disk is good.
class Load final {
 public:
  using FindTable = std::function<Result<TableState*>(std::int64_t table_id)>;  // indexed

  static Result<std::unique_ptr<Load>> begin(const LoadGround& ground, const std::string& name);
  // Goes on with what the journal has.
  static Result<std::unique_ptr<Load>> resume(const LoadGround& ground,
                                              LoadJournalContent content,
                                              const FindTable& find);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // The tables' indexes know the rows at once.
  Result<void> stage(const std::vector<std::pair<TableState*, Batch>>& changes,
                     const std::string& note);
  // Waits until everything staged is durable and in the journal: then staged rows can be read.
  Result<void> settle();

  const std::vector<LoadStage>& stages() const { return stages_; }

  // What a stage changed in a table, settled: -1 for rows that left, then +1.
  Result<Batch> staged(const LakeTable& table, std::size_t stage);

  // Takes out of the files what entered and left again; what the catalog is to be told. Once.
  Result<void> finish();

  const std::vector<LoadedTable>& tables() const { return loaded_; }

  std::int64_t next_file_id() const { return next_file_id_; }

  // After the commit: moves it into the tables' states.
  void publish();
  // Then takes away what is not needed any more. Where that fails the next writer does it.
  Result<void> end();

 private:
  // A table as it was before the load.
  struct Before {
    TableState* table = nullptr;
    TableStatistics statistics;
    bool has_inlined_deletes = false;
    std::map<std::int64_t, DataFile> touched;  // older files that rows leave
  };

  // The files of one stage on their way to the disk.
  struct Writing;

  struct Tally;

  explicit Load(const LoadGround& ground);

  Before& before(TableState& table);
  Result<TablePlan> plan(TableState& table, const Batch& rows, LoadPart& part);
  Result<void> note_leaving(TableState& table, const TablePlan& plan, LoadPart& part);
  void enter(TableState& table, const TablePlan& plan, std::span<const DataFile> files);
  Result<void> replay(TableState& table, LoadPart& part);
  Result<void> replay_file(TableState& table, WrittenFile& file);
  Result<Batch> leaving_rows(const LakeTable& table, const LoadPart& part);
  Result<Batch> piece_rows(const DataFile& file, std::span<const ParquetColumn> columns);
  Result<void> rewrite(Before& before, std::int64_t file_id, std::vector<std::int64_t> dead);
  void tally_part(const LoadPart& part, Tally& tally, TablePlan& plan) const;
  static void end_files(const Before& before, const Tally& tally, TablePlan& plan);
  Result<void> finish_table(Before& before);
  std::string next_piece_name();

  const LoadGround ground_;
  std::string id_;
  std::unique_ptr<LoadJournal> journal_;
  std::unique_ptr<Writing> writing_;
  std::vector<LoadStage> stages_;
  std::map<std::int64_t, Before> tables_;       // by id
  std::map<std::int64_t, WrittenFile> pieces_;  // by file id
  std::vector<LoadedTable> loaded_;
  std::vector<std::string> replaced_;  // paths of pieces that were written anew
  std::int64_t next_file_id_ = 0;
  std::int64_t next_piece_ = 0;
};

// Within the caller's transaction.
Result<void> apply_loaded(Catalog& catalog, const LoadedTable& loaded, std::int64_t snapshot);

// Removes the files of a load that no row of the catalog names; `keeps_whole`: but for those in its
// journal.
Result<void> remove_pieces(Io& io,
                           Catalog& catalog,
                           const std::string& data_path,
                           const LoadJournalContent& content,
                           bool keeps_whole);
// All of them, and the journal, if there is one.
Result<void> discard_load(Io& io, Catalog& catalog, const std::string& data_path);

}  // namespace lockstep
