// The Parquet files of a hub: which belong to a table at a snapshot, which of their rows were
// deleted, and their rows.
#pragma once

#include "catalog/catalog.h"
#include "hub/lake_tables.h"
#include "table/parquet.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

// Value. One row of ducklake_data_file.
struct DataFile {
  std::int64_t id = 0;
  std::int64_t begin = 0;
  std::optional<std::int64_t> end;
  std::string path;  // ready to open
  std::int64_t row_count = 0;
  std::int64_t row_id_start = 0;
  std::optional<std::int64_t> partial_max;  // rows of several snapshots: each row names its own
  std::optional<std::int64_t> partition_id = std::nullopt;  // none: rows of any value
  PartitionValue partition = {};

  bool valid_at(std::int64_t at) const { return begin <= at && (!end || *end > at); }
};

// Value. Where fetched rows go, and the sign they get there. The builder has the table's schema.
struct SignedRows {
  BatchBuilder& rows;
  int sign = 1;
};

// Value. Positions of a file's rows that only one of two snapshots has, rising.
struct FileDifference {
  std::vector<std::int64_t> went;
  std::vector<std::int64_t> came;
};

// The rows of [start, start + count) that are not among the missing positions, as indexes from 0.
std::vector<std::int64_t> rows_there(std::int64_t start,
                                     std::int64_t count,
                                     const std::vector<std::int64_t>& missing);

// How the table's files are written. Holds for as long as the table.
ParquetWriteOptions write_options(const LakeTable& table);

// The row group that holds a position.
int group_of_position(const ParquetReader& reader, std::int64_t position);

// Resource. Opens files once and keeps decoded pieces of them, up to a number of bytes.
class DataFiles final {
 public:
  DataFiles(Catalog& catalog, Io& io, std::string data_path);
  DataFiles(const DataFiles&) = delete;
  DataFiles& operator=(const DataFiles&) = delete;

  // Those valid at the snapshot, by id.
  Result<std::vector<DataFile>> at(const LakeTable& table, std::int64_t snapshot);
  // Those valid at either of two snapshots, by id.
  Result<std::vector<DataFile>> at_either(const LakeTable& table,
                                          std::int64_t from,
                                          std::int64_t to);

  // The deletes of the table's rows that stand in the catalog itself, up to the snapshot: by file,
  // in no order. One statement for all files.
  using Deletes = std::map<std::int64_t, std::vector<std::int64_t>>;
  Result<Deletes> inlined_deletes(const LakeTable& table, std::int64_t snapshot);

  // Positions of `file` whose rows are not there at the snapshot, rising: the deleted ones, and in
  // a partial file those that came later. The file must be valid then. `known`: of that snapshot,
  // when many files are asked for.
  Result<std::vector<std::int64_t>> missing(const LakeTable& table,
                                            const DataFile& file,
                                            std::int64_t snapshot,
                                            const Deletes* known = nullptr);

  // When each deleted row of the file went, by its position: puts it into `ends`, which has a place
  // for each row. As the newest snapshot that the catalog knows sees it.
  Result<void> read_ends(const LakeTable& table,
                         const DataFile& file,
                         std::vector<std::int64_t>& ends);

  // Whether rows of a file that both snapshots have may stand in only one of them. Cheap: reads no
  // positions.
  Result<bool> differs(const LakeTable& table,
                       const DataFile& file,
                       std::int64_t from,
                       std::int64_t to);

  // The file must be valid at one of them.
  Result<FileDifference> difference(const LakeTable& table,
                                    const DataFile& file,
                                    std::int64_t from,
                                    std::int64_t to);

  Result<ParquetReader*> reader(const DataFile& file);
  // Adds the rows at these positions, rising.
  Result<void> fetch(const LakeTable& table,
                     const DataFile& file,
                     std::span<const std::int64_t> positions,
                     SignedRows out);

  const std::string& data_path() const { return data_path_; }

  Catalog& catalog() { return catalog_; }

 private:
  // A table that was altered has other columns from then on.
  struct PieceKey {
    std::int64_t file_id = 0;
    std::int64_t start = 0;
    std::int64_t table_begin = 0;
    std::int64_t count = 0;
    auto operator<=>(const PieceKey&) const = default;
  };

  struct Piece {
    PieceKey key;
    Batch rows;
    std::size_t bytes = 0;
  };

  // The rows around the first of the positions with all columns of the table, decoded once: more
  // than that one where others are sought there too, or were lately. Valid until the next call.
  Result<const Piece*> piece(const LakeTable& table,
                             const DataFile& file,
                             std::span<const std::int64_t> positions);
  const Piece* find_piece(const PieceKey& key);
  bool was_sought_lately(const PieceKey& key);
  Result<const Piece*> read_piece(const LakeTable& table,
                                  const DataFile& file,
                                  const PieceKey& key);

  Result<std::vector<std::int64_t>> later_rows(const DataFile& file, std::int64_t snapshot);
  // Of the delete files that are valid at the snapshot; `take` gets the position and the snapshot
  // at which the row went.
  Result<void> each_delete(const DataFile& file,
                           std::int64_t snapshot,
                           const std::function<void(std::int64_t, std::int64_t)>& take);
  std::string path_of(std::string_view relative) const;

  Catalog& catalog_;
  Io& io_;
  const std::string data_path_;
  std::map<std::int64_t, std::unique_ptr<ParquetReader>> readers_;
  std::list<Piece> pieces_;  // the newest used first
  std::map<PieceKey, std::list<Piece>::iterator> piece_at_;
  std::size_t cached_bytes_ = 0;
  std::deque<PieceKey> sought_;  // pieces of which one row alone was read, the newest last
};

}  // namespace lockstep
