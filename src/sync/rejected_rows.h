// Rows of rejected.<dataset>: state, not a log. Keyed by source, record and stage; a correction
// takes the row away.
#pragma once

#include "base/result.h"
#include "hub/hub.h"
#include "table/batch.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace lockstep {

const Schema& rejected_schema();                 // _source _record _stage _reason _row
const std::vector<std::string>& rejected_key();  // _source _record _stage

struct RejectedRow {
  std::string source;
  std::string record;  // the key's text, or origin and place
  std::string stage;   // "decode", "key", "clean[1] range"
  std::string reason;
  std::string row;  // the record as text
  // Of a delete that found no row: its key's record. Where that one was rejected itself, the delete
  // takes it out of rejected and is no mistake.
  std::string of_key = {};
};

// Resource. Gathers what enters and what leaves, and nets it against what the hub has.
class RejectedChange final {
 public:
  void put(RejectedRow row);
  void remove(const std::string& source, const std::string& record, const std::string& stage);
  // What raw refused, but for deletes of rows that are in the hub's table, or were put.
  Result<void> put_refused(Hub& hub, const TableName& table, std::vector<RejectedRow> rows);

  bool empty() const { return wanted_.empty(); }

  // Signed rows, in the order of their keys.
  Result<Batch> delta(Hub& hub, const TableName& table) const;
  // All that were put, +1: when the table is made anew.
  Result<Batch> rows() const;

 private:
  // In key order; nullopt: gone.
  using Key = std::tuple<std::string, std::string, std::string>;
  std::map<Key, std::optional<RejectedRow>> wanted_;
  std::set<Key> cleared_;  // put, and gone again
};

// A row's cells as JSON, for people: {"age": 7, "sex": null}.
std::string row_json(const Batch& batch, std::int64_t row, int first_column);

}  // namespace lockstep
