// Answers to requests, by the sender's key and by the token that was given out.
#include "hub/record_store.h"
#include "hub/record_store_query.h"

#include <fmt/format.h>

namespace lockstep {
namespace {

constexpr std::int64_t kForgottenAtOnce = 64;

Result<RequestRecord> read_request(const Statement& row) {
  RequestRecord record;
  record.token = row.text(0);
  record.dataset = row.text(1);
  if (!row.is_null(2)) record.key = row.text(2);
  record.body_sha256 = row.text(3);
  record.time = Timestamp{row.integer(4)};
  record.answer = row.text(5);
  return record;
}

}  // namespace

Result<void> RecordStore::add_request(const RequestRecord& record) {
  return write_row(catalog_,
                   "INSERT INTO lockstep_request(token, dataset, key, body_sha256, request_time, "
                   "answer, request_id) VALUES (?, ?, ?, ?, ?, ?, "
                   "(SELECT coalesce(max(request_id), 0) + 1 FROM lockstep_request))",
                   {record.token,
                    record.dataset,
                    record.key.empty() ? Cell{} : Cell{record.key},
                    record.body_sha256,
                    record.time.us,
                    record.answer});
}

// The oldest stand first, so that a look at a few of them is enough.
Result<void> RecordStore::forget_requests(Timestamp before, std::int64_t newest_count) {
  return write_row(
      catalog_,
      "DELETE FROM lockstep_request WHERE request_id IN (SELECT request_id FROM (SELECT "
      "request_id, request_time FROM lockstep_request ORDER BY request_id LIMIT ?) WHERE "
      "request_time < ? OR request_id <= (SELECT max(request_id) FROM lockstep_request) - ?)",
      {kForgottenAtOnce, before.us, newest_count});
}

Result<std::optional<RequestRecord>> RecordStore::request_of_key(const std::string& dataset,
                                                                 const std::string& key) {
  // A reader of an older hub finds no table: it has kept no answer.
  if (!catalog_.table_exists("lockstep_request")) return std::optional<RequestRecord>();
  return read_row(catalog_,
                  "SELECT token, dataset, key, body_sha256, request_time, answer FROM "
                  "lockstep_request WHERE dataset = ? AND key = ?",
                  {dataset, key},
                  read_request);
}

Result<std::optional<RequestRecord>> RecordStore::request_of_token(const std::string& token) {
  if (!catalog_.table_exists("lockstep_request")) return std::optional<RequestRecord>();
  return read_row(catalog_,
                  "SELECT token, dataset, key, body_sha256, request_time, answer FROM "
                  "lockstep_request WHERE token = ?",
                  {token},
                  read_request);
}

}  // namespace lockstep
