#include "hub/load.h"

#include "base/thread.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

namespace lockstep {

namespace {

// Fewer rows are written at once: a thread would cost more than it saves.
constexpr std::int64_t kLoadThreadRowsMin = 10'000;

bool is_staged(const std::map<std::int64_t, WrittenFile>& pieces, const RowPlace& place) {
  return pieces.contains(place.file_id);
}

}  // namespace

std::vector<int> first_columns(std::size_t count) {
  std::vector<int> columns(count);
  std::iota(columns.begin(), columns.end(), 0);
  return columns;
}

struct Load::Writing {
  struct Job {
    TablePlan plan;
    Batch rows;
    std::size_t part = 0;  // of the stage
    std::optional<Result<WrittenFiles>> written;
  };

  void run(Io& io, const std::string& data_path, std::int64_t snapshot) {
    for (Job& job : jobs)
      job.written = write_data_files(io, data_path, job.plan, snapshot);
  }

  std::vector<Job> jobs;
  std::unique_ptr<Thread> thread;  // last, so that it has ended before anything goes
};

Load::Load(const LoadGround& ground) : ground_(ground), next_file_id_(ground.base.next_file_id) {
}

Load::~Load() = default;

Result<std::unique_ptr<Load>> Load::begin(const LoadGround& ground, const std::string& name) {
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): the constructor is private
  std::unique_ptr<Load> load(new Load(ground));
  load->id_ = random_uuid(ground.io);
  const std::string& data_path = ground.files.data_path();
  load->journal_ =
      TRY(LoadJournal::create(ground.io,
                              load_journal_path(data_path),
                              {.id = load->id_, .name = name, .snapshot = ground.base.id}));
  return load;
}

Result<std::unique_ptr<Load>> Load::resume(const LoadGround& ground,
                                           LoadJournalContent content,
                                           const FindTable& find) {
  // NOLINTNEXTLINE(cppcoreguidelines-owning-memory): the constructor is private
  std::unique_ptr<Load> load(new Load(ground));
  load->id_ = content.id;
  load->journal_ =
      TRY(LoadJournal::reopen(ground.io, load_journal_path(ground.files.data_path()), content));
  for (LoadStage& stage : content.stages) {
    for (LoadPart& part : stage.parts) {
      TableState* table = TRY(find(part.table_id));
      TRY(load->replay(*table, part));
    }
    load->stages_.push_back(std::move(stage));
  }
  return load;
}

Load::Before& Load::before(TableState& table) {
  const auto [found, is_new] = tables_.try_emplace(table.lake.id);
  if (is_new) {
    found->second.table = &table;
    found->second.statistics = table.statistics;
    found->second.has_inlined_deletes = table.has_inlined_deletes;
  }
  return found->second;
}

std::string Load::next_piece_name() {
  return fmt::format("{}{}.parquet", load_prefix(id_), next_piece_++);
}

// Where the leaving rows lie, and the counts net of what the load itself did to them.
Result<void> Load::note_leaving(TableState& table, const TablePlan& plan, LoadPart& part) {
  part.inserted = plan.inserted;
  part.updated = plan.updated;
  part.removed = plan.removed;
  Before& before = this->before(table);
  std::vector<std::string> keys;
  for (std::int64_t row = 0; row < plan.rows->row_count(); ++row) {
    if (plan.rows->sign(row) < 0) keys.push_back(encode_key(*plan.rows, table.lake.key, row));
  }
  const FoundPlaces places = TRY(table.index.find_all(keys));
  std::size_t gone = 0;  // those that do not come back stand in the order of the rows
  for (std::size_t index = 0; index < keys.size(); ++index) {
    const std::optional<RowPlace>& place = places[index];
    LOCKSTEP_ASSERT(place.has_value(), "hub: a planned row is in the index");
    part.leaving.push_back(*place);
    const bool comes_back =
        gone == plan.leaving_keys.size() || plan.leaving_keys[gone] != keys[index];
    gone += comes_back ? 0 : 1;
    if (is_staged(pieces_, *place)) {
      const bool was_new = place->row_id >= before.statistics.next_row_id;
      part.inserted -= was_new && !comes_back ? 1 : 0;
      part.removed -= was_new && !comes_back ? 1 : 0;
      part.updated -= !was_new || comes_back ? 1 : 0;
    } else if (!place->is_inlined()) {
      before.touched.try_emplace(place->file_id, table.files.at(place->file_id));
    }
  }
  return {};
}

// In the writer's memory the rows are there at once; the catalog knows nothing of them.
void Load::enter(TableState& table, const TablePlan& plan, std::span<const DataFile> files) {
  const bool has_inlined_deletes = table.has_inlined_deletes;
  TableStatistics after = table.statistics;
  after.next_row_id = plan.next_row_id;
  lockstep::publish(plan, std::move(after), files);
  table.has_inlined_deletes = has_inlined_deletes;
  table.index.merge_runs();
}

Result<TablePlan> Load::plan(TableState& table, const Batch& rows, LoadPart& part) {
  before(table);
  TablePlan plan = TRY(plan_table(table, rows, {.inline_rows_max = 0}));
  TRY(note_leaving(table, plan, part));
  part.table_id = table.lake.id;
  part.next_row_id = plan.next_row_id;
  std::vector<DataFile> files;
  for (PlannedFile& planned : plan.files) {
    planned.id = next_file_id_++;
    planned.name = next_piece_name();
    DataFile& file = files.emplace_back();
    file.id = planned.id;
    file.begin = ground_.base.id + 1;
    file.path = ground_.files.data_path() + table.lake.folder +
                partition_folder(table.lake.partition, planned.partition) + planned.name;
    file.row_count = static_cast<std::int64_t>(planned.count);
    file.row_id_start = planned.row_id_start;
    if (!table.lake.partition.empty()) file.partition_id = table.lake.partition.id;
    file.partition = planned.partition;
    pieces_[file.id].file = file;
  }
  enter(table, plan, files);
  return plan;
}

Result<void> Load::stage(const std::vector<std::pair<TableState*, Batch>>& changes,
                         const std::string& note) {
  // A row that the stage before brought may leave in this one, and is then read.
  TRY(settle());
  LoadStage stage{.note = note, .parts = {}};
  auto writing = std::make_unique<Writing>();
  std::int64_t row_count = 0;
  for (const auto& [table, rows] : changes) {
    LoadPart part;
    TablePlan plan = TRY(this->plan(*table, rows, part));
    row_count += rows.row_count();
    if (!plan.files.empty())
      writing->jobs.push_back({std::move(plan), rows, stage.parts.size(), {}});
    stage.parts.push_back(std::move(part));
  }
  stages_.push_back(std::move(stage));
  for (Writing::Job& job : writing->jobs)
    job.plan.rows = &job.rows;
  writing_ = std::move(writing);
  const auto write = [this, work = writing_.get()] {
    work->run(ground_.io, ground_.files.data_path(), ground_.base.id + 1);
  };
  if (row_count >= kLoadThreadRowsMin && hardware_threads() > 1) {
    writing_->thread = std::make_unique<Thread>(write);
    return {};
  }
  write();
  return settle();
}

Result<void> Load::settle() {
  if (!writing_) return {};
  const std::unique_ptr<Writing> done = std::exchange(writing_, nullptr);
  done->thread.reset();
  LoadStage& stage = stages_.back();
  for (Writing::Job& job : done->jobs) {
    WrittenFiles written = TRY(std::move(*job.written));
    for (const WrittenFile& file : written)
      pieces_[file.file.id] = file;
    stage.parts[job.part].files = std::move(written);
  }
  // The last has no note: its commit follows, and the journal does not have it.
  return stage.note.empty() ? Result<void>() : journal_->append(stage);
}

// What an earlier process staged, once more: now from its file.
Result<void> Load::replay(TableState& table, LoadPart& part) {
  const LakeTable& lake = table.lake;
  Before& before = this->before(table);
  for (const RowPlace& place : part.leaving) {
    if (!is_staged(pieces_, place) && !place.is_inlined())
      before.touched.try_emplace(place.file_id, table.files.at(place.file_id));
  }
  const Batch leaving = TRY(leaving_rows(lake, part));
  for (std::int64_t row = 0; row < leaving.row_count(); ++row)
    table.index.erase(encode_key(leaving, lake.key, row));
  table.row_count -= leaving.row_count();
  table.statistics.next_row_id = part.next_row_id;
  for (WrittenFile& file : part.files)
    TRY(replay_file(table, file));
  return {};
}

Result<void> Load::replay_file(TableState& table, WrittenFile& file) {
  const LakeTable& lake = table.lake;
  if (!lake.partition.empty()) file.file.partition_id = lake.partition.id;
  file.file.begin = ground_.base.id + 1;
  file.file.path = ground_.files.data_path() + lake.folder + file.name;
  next_file_id_ = std::max(next_file_id_, file.file.id + 1);
  ++next_piece_;
  table.files[file.file.id] = file.file;
  pieces_[file.file.id] = file;
  std::vector<ParquetColumn> columns;
  for (const int column : lake.key)
    columns.push_back(lake.columns[static_cast<std::size_t>(column)]);
  const int id_column = static_cast<int>(columns.size());
  columns.push_back({{kRowIdColumn, Type::kInt}, kRowIdField});
  const Batch rows = TRY(piece_rows(file.file, columns));
  const std::vector<int> key = first_columns(lake.key.size());
  std::vector<std::string> keys;
  std::vector<std::int64_t> row_ids;
  for (std::int64_t row = 0; row < rows.row_count(); ++row) {
    keys.push_back(encode_key(rows, key, row));
    row_ids.push_back(rows.is_null(id_column, row) ? file.file.row_id_start + row
                                                   : rows.int_at(id_column, row));
  }
  table.index.add_file({.file_id = file.file.id, .keys = keys, .row_ids = row_ids});
  table.index.merge_runs();
  table.row_count += rows.row_count();
  return {};
}

Result<Batch> Load::piece_rows(const DataFile& file, std::span<const ParquetColumn> columns) {
  ParquetReader* reader = TRY(ground_.files.reader(file));
  std::vector<Field> fields;
  for (const ParquetColumn& column : columns)
    fields.push_back(column.field);
  std::vector<Batch> groups;
  for (int group = 0; group < reader->row_group_count(); ++group)
    groups.push_back(TRY(reader->read_row_group(group, columns)));
  return concatenate(Schema(std::move(fields)), groups);
}

}  // namespace lockstep
