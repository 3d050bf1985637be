// One look at one table: what it holds, or the newest of it, as one whole run of batches.
#pragma once

#include "base/result.h"
#include "source/query/query_database.h"
#include "source/query/query_position.h"
#include "source/query/query_watermark.h"
#include "source/source.h"
#include "source/tables/table_rows.h"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

// Value. What a look is to do.
struct QueryTask {
  TableTarget target;
  std::string from;
  std::string watermark;
  WatermarkOverlap overlap;
  std::string shape;
  std::optional<QueryPlace> last;  // of the same shape; nullopt: never read
  bool compares = true;            // all rows, else those since the last watermark
  std::int64_t now_us = 0;         // by our clock
};

// What a column of the dataset and the watermark lack, told with the nearest right name.
Result<void> check_query_columns(const std::vector<QueryColumn>& columns,
                                 const TableTarget& target,
                                 const std::string& watermark);
const QueryColumn* query_column(const std::vector<QueryColumn>& columns, const std::string& name);

// Resource. The connection is in no transaction before and after it.
class QueryLook final {
 public:
  QueryLook(QueryConnection& connection, QueryTask task);

  Result<void> begin();
  // nullopt: nothing more. A look that found what the last one found gives nothing at all.
  Result<std::optional<SourceBatch>> next(std::int64_t row_count_max);

  const QueryPlace& place() const { return place_; }  // once it is done

  const TableTarget& target() const { return task_.target; }

 private:
  // The 128-bit sum of the rows' hashes, so that their order means nothing.
  struct Content {
    std::array<std::uint64_t, 2> sum{};
    std::int64_t row_count = 0;
    void add(const TableRows& rows, const BadCell& bad);
    std::string text() const;
  };

  void start_again();
  Result<bool> pull();
  Result<bool> fill(std::int64_t row_count_max);
  Result<std::optional<SourceBatch>> give_nothing();
  void take(const QueryRowRead& row);
  void note_watermark(const QueryRowRead& row);
  bool is_as_last_time() const;
  Result<bool> rest_is_as_last_time();
  Result<SourceBatch> finish_batch(bool is_last);
  Result<void> end();

  QueryConnection& connection_;
  const QueryTask task_;
  std::optional<Type> watermark_type_;
  std::vector<QueryRead> reads_;
  std::size_t read_ = 0;  // of them
  bool is_reading_ = false;
  bool keeps_rows_ = true;  // else only their hashes
  bool has_given_ = false;
  bool is_done_ = false;
  TableRows rows_;
  Content content_;
  std::optional<std::int64_t> greatest_;
  QueryPlace place_;
};

}  // namespace lockstep
