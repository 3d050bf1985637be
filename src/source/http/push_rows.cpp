#include "source/http/push_rows.h"

#include "table/arrow_rows.h"
#include "table/memory_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>

namespace lockstep {
namespace {

bool is_json(PushFormat format) {
  return format == PushFormat::kJson || format == PushFormat::kNdjson;
}

bool has_lines(PushFormat format) {
  return format == PushFormat::kNdjson || format == PushFormat::kCsv;
}

Format format_of_push(PushFormat format) {
  if (format == PushFormat::kParquet) return Format::kParquet;
  return is_json(format) ? Format::kNdjson : Format::kCsv;
}

Result<std::unique_ptr<Decoder>> open_body(std::string_view bytes,
                                           PushFormat format,
                                           const DecodeRequest& request) {
  const std::string name = "the body";
  return format == PushFormat::kArrow ? open_arrow_stream(bytes, name, request)
                                      : open_decoder_of_bytes(bytes, name, request);
}

// A delete is its key: other cells are not looked at.
Schema schema_of_push(const PushPlan& plan, const Push& push) {
  if (push.operation != Operation::kDelete) return plan.target.schema;
  std::vector<Field> key;
  for (const Field& field : plan.target.schema.fields()) {
    if (std::ranges::find(plan.target.key, field.name) != plan.target.key.end())
      key.push_back(field);
  }
  return Schema(std::move(key));
}

Result<RowPlan> row_plan(const PushPlan& plan, const Push& push) {
  RowPlanRequest request{.schema = schema_of_push(plan, push),
                         .key = plan.target.key,
                         .operation = push.operation ? std::string() : plan.operation,
                         .fallback = push.operation.value_or(Operation::kUpsert)};
  if (push.operation == Operation::kDelete && is_made_key(plan.target.key)) {
    return invalid("the dataset has no key, so that no row can be named to be deleted",
                   "give the dataset a key");
  }
  return plan_rows(request);
}

// In JSON an absent member is null; but one that is nowhere, beside one of nearly its name, is a
// slip.
Result<void> check_names(const RowPlan& plan, const std::vector<std::string>& names) {
  std::vector<std::string> unknown;
  for (const std::string& name : names) {
    if (!plan.decoded.index_of(name)) unknown.push_back(name);
  }
  for (int column = 0; column < plan.decoded.size(); ++column) {
    const std::string& name = plan.decoded.field(column).name;
    if (std::ranges::find(names, name) != names.end()) continue;
    const bool must = std::ranges::find(plan.key, column) != plan.key.end() ||
                      column == plan.operation.value_or(-1);
    const std::optional<std::string> near = nearest(name, unknown);
    if (!must && !near) continue;
    return invalid(fmt::format("no row has a column '{}'", name),
                   near ? fmt::format("did you mean '{}' by '{}'?", name, *near)
                        : fmt::format("the body's columns are {}", fmt::join(names, ", ")));
  }
  return {};
}

template <typename Item>
void append_all(std::vector<Item>& all, std::vector<Item>& more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

// A delete's rows have the key alone: the other cells are null.
Result<Batch> with_all_columns(const Batch& rows, const Schema& schema) {
  if (rows.schema().size() == schema.size()) return rows;
  BatchBuilder out(schema);
  for (std::int64_t row = 0; row < rows.row_count(); ++row) {
    for (int column = 0; column < schema.size(); ++column) {
      const auto from = rows.schema().index_of(schema.field(column).name);
      if (from) {
        out.append_from(column, rows, *from, row);
      } else {
        out.append_null(column);
      }
    }
  }
  return out.finish();
}

Result<SourceBatch> rows_of_text(const RowPlan& plan, const Push& push, std::string_view text) {
  DecodeRequest request;
  request.format.format = format_of_push(push.format);
  request.schema = plan.decoded;
  request.missing_is_null = is_json(push.format);
  SourceBatch whole;
  std::vector<Batch> rows;
  std::uint64_t records = 0;
  // A text without a byte has no header either: no rows.
  if (text.empty()) {
    whole.rows = Batch::empty(plan.rows);
    return whole;
  }
  const std::unique_ptr<Decoder> decoder = TRY(open_body(text, push.format, request));
  if (is_json(push.format) && !decoder->column_names().empty())
    TRY(check_names(plan, decoder->column_names()));
  const std::string origin = origin_of(push);
  const RecordPlace place{.name = origin_of(push),
                          .records_before = 0,
                          .unit = has_lines(push.format) ? "line" : "row"};
  while (true) {
    const Decoded piece = TRY(decoder->next(std::numeric_limits<std::int64_t>::max()));
    const std::uint64_t count = piece.lines.size() + piece.bad.size();
    if (count == 0) break;
    RecordPlace here = place;
    here.records_before = records;
    records += count;
    SourceBatch part = TRY(rows_of(plan, here, piece));
    rows.push_back(std::move(part.rows));
    append_all(whole.operations, part.operations);
    whole.positions.append(part.positions);
    append_all(whole.refusals, part.refusals);
  }
  whole.rows = rows.size() == 1 ? std::move(rows.front()) : TRY(concatenate(plan.rows, rows));
  return whole;
}

}  // namespace

std::string origin_of(const Push& push) {
  return "push " + push.token;
}

Result<SourceBatch> rows_of_push(const PushPlan& plan, const Push& push) {
  const RowPlan rows = TRY(row_plan(plan, push));
  const std::string lines =
      push.format == PushFormat::kJson ? TRY(lines_of_json(push.body)) : std::string();
  SourceBatch batch =
      TRY(rows_of_text(rows, push, push.format == PushFormat::kJson ? lines : push.body));
  if (push.operation == Operation::kDelete)
    batch.rows = TRY(with_all_columns(batch.rows, plan.target.schema));
  batch.origin = origin_of(push);
  batch.begins_origin = true;
  batch.source_time = Timestamp{push.received_us};
  return batch;
}

}  // namespace lockstep
