// The parts of the surface that need no network.
#include "serve/answers.h"
#include "serve/http_metrics.h"
#include "serve/late_answer.h"
#include "serve/routes.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

HttpRequest request_of(const std::string& method, const std::string& target) {
  HttpRequest request;
  request.method = method;
  const auto parsed = parse_target(target);
  if (!parsed) {
    ADD_FAILURE() << target;
    return request;
  }
  request.path = parsed->path;
  request.query = parsed->query;
  return request;
}

TEST(Target, IsAPathAndItsParameters) {
  const auto parsed = parse_target("/a%20b/c?x=1%2B1&y=a+b&z&=e");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->path, "/a b/c");
  EXPECT_EQ(parsed->query,
            (std::map<std::string, std::string>{{"x", "1+1"}, {"y", "a b"}, {"z", ""}, {"", "e"}}));
  for (const char* bad : {"", "a", "http://x/", "/%", "/%2", "/%zz", "/?a=%z"})
    EXPECT_FALSE(parse_target(bad)) << bad;
}

TEST(Routes, NameWhatIsBetween) {
  const auto found = match_route(request_of("POST", "/v1/datasets/vitals/changes?wait=false"));
  ASSERT_TRUE(std::holds_alternative<RouteMatch>(found));
  EXPECT_EQ(std::get<RouteMatch>(found).name, "vitals");
  EXPECT_EQ(std::get<RouteMatch>(found).info->route, Route::kPush);
  for (const char* none :
       {"/", "/v1", "/v1/datasets//changes", "/v1/datasets/a/b/changes", "/metrics/"}) {
    const auto missing = match_route(request_of("GET", none));
    ASSERT_TRUE(std::holds_alternative<HttpResponse>(missing)) << none;
    EXPECT_EQ(std::get<HttpResponse>(missing).status, 404) << none;
  }
  const auto wrong = match_route(request_of("DELETE", "/metrics"));
  EXPECT_EQ(std::get<HttpResponse>(wrong).status, 405);
}

TEST(Answers, CarryCodeMessageAndHint) {
  const HttpResponse response = error_response(make_error(Code::kNotFound, "no \xff here", "look"));
  EXPECT_EQ(response.status, 404);
  const AnswerJson body = AnswerJson::parse(response.body);
  EXPECT_EQ(body["error"]["code"], "not_found");
  EXPECT_EQ(body["error"]["hint"], "look");
  EXPECT_EQ(later_response(429, invalid("full")).headers.front().first, "Retry-After");
}

TEST(LateAnswer, IsGivenOnceAndTakenOverInTime) {  // http-1
  int given = 0;
  const auto count = [&given](HttpResponse) { ++given; };
  const auto first = std::make_shared<LateAnswer>(count);
  const auto second = std::make_shared<LateAnswer>(count);
  LateAnswers answers;
  answers.add(first, 10);
  first->give({});
  answers.add(second, 20);
  EXPECT_TRUE(answers.take_over(19).empty());
  for (const auto& late : answers.take_over(20))
    late->give({});
  second->give({});
  EXPECT_EQ(given, 2);
}

TEST(HttpMetrics, CountRequestsInTheirBuckets) {
  HttpMetrics metrics;
  metrics.add(&routes().front(), 200, 500);
  metrics.add(&routes().front(), 200, 501);
  metrics.add(&routes().front(), 429, 99'000'000);
  metrics.add(nullptr, 404, 0);
  const std::string text = metrics.text();
  const std::string route = "{route=\"/v1/datasets/{name}/changes\"";
  for (const std::string& line :
       {"lockstep_http_requests_total" + route + ",code=\"200\"} 2\n",
        "lockstep_http_requests_total" + route + ",code=\"429\"} 1\n",
        std::string("lockstep_http_requests_total{route=\"none\",code=\"404\"} 1\n"),
        "lockstep_http_request_duration_seconds_bucket" + route + ",le=\"0.0005\"} 1\n",
        "lockstep_http_request_duration_seconds_bucket" + route + ",le=\"0.001\"} 2\n",
        "lockstep_http_request_duration_seconds_bucket" + route + ",le=\"10\"} 2\n",
        "lockstep_http_request_duration_seconds_bucket" + route + ",le=\"+Inf\"} 3\n",
        "lockstep_http_request_duration_seconds_count" + route + "} 3\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

}  // namespace
}  // namespace lockstep
