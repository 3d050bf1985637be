// Predictions: rows in JSON through the steps and the weights of the champion.
#include "serve/answers.h"
#include "serve/parts.h"
#include "table/memory_input.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

namespace lockstep {
namespace {

constexpr std::size_t kPredictedRowsMax = 10'000;

// {"rows": [{...}, ...]} as NDJSON.
Result<std::string> lines_of_rows(const std::string& body) {
  const AnswerJson parsed = AnswerJson::parse(body, nullptr, false);
  if (parsed.is_discarded())
    return invalid("the body is not JSON", "send {\"rows\": [{\"age\": 60, ...}]}");
  const auto rows = parsed.is_object() ? parsed.find("rows") : parsed.end();
  if (!parsed.is_object() || rows == parsed.end() || !rows->is_array())
    return invalid("the body has no list 'rows'", "send {\"rows\": [{\"age\": 60, ...}]}");
  if (rows->size() > kPredictedRowsMax) {
    return invalid(fmt::format("{} rows are more than {} at once", rows->size(), kPredictedRowsMax),
                   "send them in parts, or use lockstep predict");
  }
  std::string lines;
  for (const AnswerJson& row : *rows) {
    if (!row.is_object()) return invalid("a row is no object", "send {\"age\": 60, ...} for each");
    lines += row.dump(-1, ' ', false, AnswerJson::error_handler_t::replace);
    lines += '\n';
  }
  return lines;
}

Result<Batch> raw_rows(const Predictor& predictor, const std::string& lines) {
  DecodeRequest request;
  request.format.format = Format::kNdjson;
  request.schema = predictor.flow->columns();
  request.missing_is_null = true;
  if (lines.empty()) return Batch::empty(request.schema);
  const auto decoder = TRY(open_decoder_of_bytes(lines, "the rows", request));
  const Decoded decoded = TRY(decoder->next(static_cast<std::int64_t>(kPredictedRowsMax)));
  if (decoded.bad.empty()) return decoded.rows;
  const BadRow& bad = decoded.bad.front();
  return invalid(fmt::format("row {}: {}", bad.line, bad.reason), "correct it, or leave it out");
}

AnswerJson cell_json(const Batch& rows, int column, std::int64_t row) {
  if (rows.is_null(column, row)) return nullptr;
  return rows.number_at(column, row);
}

AnswerJson predictions_json(const Answers& answers) {
  AnswerJson out = AnswerJson::array();
  const Batch& predicted = answers.prediction.rows;
  for (std::size_t row = 0; row < answers.row_of_input.size(); ++row) {
    const std::int64_t from = answers.row_of_input[row];
    AnswerJson one = AnswerJson::object();
    for (int column = 0; column < predicted.schema().size(); ++column) {
      one[predicted.schema().field(column).name] =
          from < 0 ? AnswerJson(nullptr) : cell_json(predicted, column, from);
    }
    if (!answers.reason[row].empty()) one["refused"] = answers.reason[row];
    out.push_back(std::move(one));
  }
  return out;
}

HttpResponse no_champion(const ServeParts& parts, const std::string& name) {
  if (parts.configuration.model(name) != nullptr) {
    if (parts.board.standing() != WriterStanding::kWriting) {
      return later_response(503,
                            make_error(Code::kLocked,
                                       "this process does not write to the hub now, and answers no "
                                       "predictions",
                                       "ask the one that does"));
    }
    return later_response(503,
                          make_error(Code::kRefused,
                                     fmt::format("model '{}' has no version yet", name),
                                     "lockstep status says what it waits for"));
  }
  std::vector<std::string> names;
  for (const ModelConfiguration& model : parts.configuration.models)
    names.push_back(model.name);
  const std::optional<std::string> near = nearest(name, names);
  return error_response(make_error(Code::kNotFound,
                                   fmt::format("there is no model '{}'", name),
                                   near ? fmt::format("did you mean {}?", *near)
                                        : fmt::format("there are: {}", fmt::join(names, ", "))));
}

Result<AnswerJson> predicted(const Champion& champion, const std::string& body) {
  const std::string lines = TRY(lines_of_rows(body));
  const Batch raw = TRY(raw_rows(*champion.predictor, lines));
  const Answers answers = TRY(answer_rows(*champion.predictor, *champion.solution, raw, 0.0));
  AnswerJson out;
  out["model_version"] = champion.version;
  out["data_version"] = champion.data_version;
  out["predictions"] = predictions_json(answers);
  return out;
}

}  // namespace

HttpResponse predict_response(ServeParts& parts,
                              const std::string& model,
                              const HttpRequest& request) {
  const std::shared_ptr<const Champion> champion = parts.board.champion(model);
  if (!champion) return no_champion(parts, model);
  const Result<AnswerJson> answer = predicted(*champion, request.body);
  return answer.ok() ? json_response(200, answer.value()) : error_response(answer.error());
}

}  // namespace lockstep
