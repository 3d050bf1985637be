#include "hub/format.h"

#include "hub/record_store_query.h"

#include <fmt/format.h>

#include <charconv>
#include <iterator>

namespace lockstep {
namespace {

// 1 -> 2: names for snapshots, and what finds the bounds of one file.
constexpr const char* kTags = R"sql(
CREATE TABLE IF NOT EXISTS lockstep_tag(  -- a snapshot's name, which keeps it
  name VARCHAR NOT NULL PRIMARY KEY,
  snapshot_id BIGINT NOT NULL,
  created_time BIGINT NOT NULL,  -- microseconds since 1970, UTC
  who VARCHAR NOT NULL,
  message VARCHAR NOT NULL
);
CREATE INDEX IF NOT EXISTS lockstep_index_file_stats ON ducklake_file_column_stats(data_file_id);
)sql";

// 2 -> 3: answers to requests.
constexpr const char* kRequests = R"sql(
CREATE TABLE IF NOT EXISTS lockstep_request(  -- answers, each kept in the commit that it tells of
  request_id BIGINT NOT NULL PRIMARY KEY,  -- rising
  token VARCHAR NOT NULL,  -- whom `lockstep wait` asks for
  dataset VARCHAR NOT NULL,
  key VARCHAR,  -- the sender's Idempotency-Key; NULL: none
  body_sha256 VARCHAR NOT NULL,  -- of all that was asked for
  request_time BIGINT NOT NULL,  -- microseconds since 1970, UTC
  answer VARCHAR NOT NULL  -- JSON
);
CREATE UNIQUE INDEX IF NOT EXISTS lockstep_request_by_token ON lockstep_request(token);
CREATE UNIQUE INDEX IF NOT EXISTS lockstep_request_by_key ON lockstep_request(dataset, key);
)sql";

// kSteps[0] makes format 2 of format 1, and so on. One that was released is never changed: what is
// needed besides becomes another step at the end.
constexpr const char* kSteps[] = {kTags, kRequests};

}  // namespace

const std::int64_t kHubFormat = 1 + static_cast<std::int64_t>(std::size(kSteps));

Result<std::int64_t> hub_format(Catalog& catalog) {
  if (!catalog.table_exists("lockstep_meta")) {
    return make_error(Code::kNoHub,
                      "the catalog is no hub: it has no table lockstep_meta",
                      "make the hub first: lockstep sync");
  }
  const auto text =
      TRY(read_row(catalog, "SELECT value FROM lockstep_meta WHERE key = 'format'", {}, text_row));
  if (!text) return make_error(Code::kCorrupt, "the catalog has no format in lockstep_meta");
  std::int64_t format = 0;
  const char* const end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, format);
  if (error != std::errc() || rest != end || format < 1) {
    return make_error(Code::kCorrupt, fmt::format("the catalog's format is no number: {}", *text));
  }
  if (format <= kHubFormat) return format;
  return make_error(
      Code::kTooNew,
      fmt::format(
          "the hub has format {}, and this program knows formats up to {}", format, kHubFormat),
      "use a newer Lockstep");
}

Result<void> run_format_steps(Catalog& catalog, std::int64_t format) {
  for (std::int64_t step = format; step < kHubFormat; ++step) {
    TRY_IN(catalog.execute(kSteps[step - 1]),
           fmt::format("from format {} to {}: ", step, step + 1));
  }
  return {};
}

Result<void> upgrade_hub_format(Catalog& catalog) {
  const std::int64_t format = TRY(hub_format(catalog));
  if (format == kHubFormat) return {};
  TRY_IN(run_format_steps(catalog, format), "upgrading the hub: ");
  return write_row(catalog,
                   "UPDATE lockstep_meta SET value = ? WHERE key = 'format'",
                   {std::to_string(kHubFormat)});
}

}  // namespace lockstep
