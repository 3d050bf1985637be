#include "sync/foreign_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace lockstep {
namespace {

constexpr int kSourceColumn = 0;
constexpr int kSequenceColumn = 1;
constexpr int kOriginColumn = 3;

Error refused_row(const DatasetFlow& flow, const std::string& record, const std::string& why) {
  return make_error(Code::kRefused,
                    fmt::format("raw.{}: {} {}", flow.dataset().name, record, why),
                    "put it right with the program that wrote it, then run the command again");
}

// Resource. One pass over what another program did to raw.
class RowCompletion final {
 public:
  RowCompletion(Hub& hub, const DatasetFlow& flow, const ForeignRows& foreign)
      : hub_(hub),
        flow_(flow),
        foreign_(foreign),
        delta_(flow.raw_schema()),
        rest_(flow.raw_schema()) {}

  Result<RawDelta> run() {
    own_key_ = TRY(flow_.raw_schema().require_all(flow_.key()));
    raw_key_ = own_key_;
    raw_key_.insert(raw_key_.begin(), kSourceColumn);
    const Batch& rows = foreign_.delta;
    for (std::int64_t row = 0; row < rows.row_count(); ++row) {
      if (rows.sign(row) < 0) {
        delta_.append_row_from(rows, row, -1);
      } else {
        TRY(take(row));
      }
    }
    RawDelta out{.rows = TRY(delta_.finish()), .rest = TRY(rest_.finish()), .stored = true};
    TRY(refuse_keys_that_are_there(out.rest));
    return out;
  }

 private:
  Result<void> take(std::int64_t row) {
    const Batch& rows = foreign_.delta;
    const std::string record = key_text(rows, own_key_, row);
    for (const int column : own_key_) {
      if (rows.is_null(column, row)) return refused_row(flow_, record, "has no value in its key");
    }
    const std::string source = TRY(source_of(row, record));
    if (!entered_.insert(source + '\0' + encode_key(rows, own_key_, row)).second)
      return refused_row(flow_, record, "was written twice");
    const bool complete = !rows.is_null(kSourceColumn, row) &&
                          !rows.is_null(kSequenceColumn, row) && !rows.is_null(kOriginColumn, row);
    if (complete) {
      delta_.append_row_from(rows, row, 1);
      return {};
    }
    std::vector<Value> cells = rows.row(row);
    cells[kSourceColumn] = source;
    if (is_null(cells[kSequenceColumn])) cells[kSequenceColumn] = number(foreign_.commit);
    if (is_null(cells[kOriginColumn]))
      cells[kOriginColumn] = fmt::format("snapshot {}", number(foreign_.snapshot));
    delta_.append_row(cells, 1);
    rest_.append_row_from(rows, row, -1);
    rest_.append_row(cells, 1);
    return {};
  }

  Result<std::string> source_of(std::int64_t row, const std::string& record) const {
    const std::vector<std::string>& from = flow_.dataset().from;
    const std::string known = fmt::format("{}", fmt::join(from, ", "));
    if (foreign_.delta.is_null(kSourceColumn, row)) {
      if (from.size() == 1) return from.front();
      return refused_row(flow_, record, fmt::format("names no _source; it is one of {}", known));
    }
    std::string source(foreign_.delta.text_at(kSourceColumn, row));
    if (std::find(from.begin(), from.end(), source) != from.end()) return source;
    return refused_row(
        flow_, record, fmt::format("has the _source '{}'; it is one of {}", source, known));
  }

  // A row that gets its source only now may meet the one that the source itself gave.
  Result<void> refuse_keys_that_are_there(const Batch& rest) {
    std::vector<std::int64_t> moved;
    for (std::int64_t row = 0; row + 1 < rest.row_count(); row += 2) {
      if (rest.is_null(kSourceColumn, row)) moved.push_back(row + 1);
    }
    if (moved.empty()) return {};
    const Batch rows = rest.select_rows(moved);
    const Lookup there = TRY(hub_.lookup(flow_.table(Layer::kRaw), rows.select_columns(raw_key_)));
    for (std::size_t row = 0; row < moved.size(); ++row) {
      if (there.row_of_key[row] < 0) continue;
      return refused_row(flow_,
                         key_text(rows, own_key_, static_cast<std::int64_t>(row)),
                         "is there already: update that row, or delete one of the two");
    }
    return {};
  }

  Hub& hub_;
  const DatasetFlow& flow_;
  const ForeignRows& foreign_;
  BatchBuilder delta_;
  BatchBuilder rest_;
  std::vector<int> own_key_;
  std::vector<int> raw_key_;
  std::set<std::string> entered_;
};

}  // namespace

Result<RawDelta> complete_rows(Hub& hub, const DatasetFlow& flow, const ForeignRows& foreign) {
  return RowCompletion(hub, flow, foreign).run();
}

}  // namespace lockstep
