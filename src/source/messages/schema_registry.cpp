#include "source/messages/schema_registry.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <curl/curl.h>
#include <utility>

namespace lockstep {
namespace {

constexpr std::uint64_t kSchemaBytesMax = 16U << 20;
using CurlLong = long;  // NOLINT(google-runtime-int): libcurl's type

constexpr CurlLong kAnswerSecondsMax = 10;
constexpr CurlLong kHttpFound = 200;
constexpr CurlLong kHttpNotFound = 404;

class FolderRegistry final : public SchemaRegistry {
 public:
  FolderRegistry(Io& io, std::string folder) : io_(io), folder_(std::move(folder)) {}

  Result<std::optional<std::string>> schema(std::uint32_t id) override {
    Result<std::string> text =
        read_file(io_, join_path(folder_, fmt::format("{}.avsc", id)), kSchemaBytesMax);
    if (!text.ok() && text.error().code == Code::kNotFound) return std::optional<std::string>();
    return std::optional(TRY(std::move(text)));
  }

 private:
  Io& io_;
  const std::string folder_;
};

struct FreeCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};

struct HttpAnswer {
  CurlLong status = 0;
  std::string body;
};

std::size_t keep_body(const char* bytes, std::size_t size, std::size_t count, void* body) {
  std::string& out = *static_cast<std::string*>(body);
  if (out.size() + size * count > kSchemaBytesMax) return 0;
  out.append(bytes, size * count);
  return size * count;
}

// A registry without its user and password.
std::string shown_url(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t start = scheme == std::string::npos ? 0 : scheme + 3;
  const std::size_t at = url.rfind('@', url.find('/', start));
  return at == std::string::npos || at < start ? url : url.substr(0, start) + url.substr(at + 1);
}

class HttpRegistry final : public SchemaRegistry {
 public:
  explicit HttpRegistry(std::string url) : url_(std::move(url)) {
    while (url_.ends_with('/'))
      url_.pop_back();
  }

  Result<std::optional<std::string>> schema(std::uint32_t id) override {
    const HttpAnswer answer = TRY(get(fmt::format("/schemas/ids/{}", id)));
    if (answer.status == kHttpNotFound) return std::optional<std::string>();
    if (answer.status != kHttpFound) {
      return make_error(answer.status == 401 || answer.status == 403 ? Code::kDenied : Code::kIo,
                        fmt::format("the schema registry at {} answers {} when it is asked for "
                                    "schema {}",
                                    shown_url(url_),
                                    answer.status,
                                    id),
                        "look at the source's registry: user, password, path");
    }
    return std::optional(TRY_IN(schema_of_answer(answer.body), fmt::format("schema {}", id)));
  }

 private:
  Result<HttpAnswer> get(const std::string& path) const {
    const std::unique_ptr<CURL, FreeCurl> curl(curl_easy_init());
    if (!curl) return make_error(Code::kIo, "libcurl does not start");
    HttpAnswer out;
    const std::string whole = url_ + path;
    curl_easy_setopt(curl.get(), CURLOPT_URL, whole.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, kAnswerSecondsMax);
    curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, CurlLong{1});
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, keep_body);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &out.body);
    const CURLcode failed = curl_easy_perform(curl.get());
    if (failed != CURLE_OK) {
      return make_error(
          Code::kIo,
          fmt::format(
              "the schema registry at {}: {}", shown_url(url_), curl_easy_strerror(failed)));
    }
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &out.status);
    return out;
  }

  std::string url_;
};

}  // namespace

Result<std::string> schema_of_answer(const std::string& answer) {
  const nlohmann::json json = nlohmann::json::parse(answer, nullptr, false);
  if (!json.is_object() || !json.contains("schema") || !json["schema"].is_string())
    return make_error(Code::kIo, "the registry's answer is no schema");
  const bool is_avro = !json.contains("schemaType") || json["schemaType"] == "AVRO";
  const bool refers = json.contains("references") && !json["references"].empty();
  if (is_avro && !refers) return json["schema"].get<std::string>();
  return make_error(Code::kUnsupported,
                    is_avro ? "it refers to other schemas" : "it is not a schema of Avro",
                    "let the producer register schemas of Avro that stand alone");
}

std::unique_ptr<SchemaRegistry> make_folder_registry(Io& io, std::string folder) {
  return std::make_unique<FolderRegistry>(io, std::move(folder));
}

std::unique_ptr<SchemaRegistry> make_http_registry(std::string url) {
  return std::make_unique<HttpRegistry>(std::move(url));
}

}  // namespace lockstep
