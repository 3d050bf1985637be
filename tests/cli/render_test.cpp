#include "cli/render.h"

#include "world.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

struct Case {
  const char* name;
  std::string (*render)(const View&, const Json&);
  const char* report;
  const char* on_a_terminal;
  const char* in_a_pipe;
};

void PrintTo(const Case& one, std::ostream* out) {
  *out << one.name;
}

constexpr const char* kVersions =
    R"([{"model":"bp","version":7,"snapshot":12,"status":"ready","reason":"",
         "metrics":{"test":{"rows":9,"targets":{"sbp":{"rmse":10.214,"r2":0.4},"dbp":{"rmse":6.4,"r2":0.3}}},
                    "progressive":{"targets":{"sbp":{"rmse":99}}}}}])";

std::string sync_report() {
  return std::string(
             R"({"snapshot":12,"changes":{"inserted":1040,"updated":2,"deleted":0},"rejected":3,
      "commits":1,"duration_s":1.5,"versions":)") +
         kVersions + "}";
}

class Render : public testing::TestWithParam<Case> {};

TEST_P(Render, ShowsTheReportOnATerminalAndInAPipe) {
  const Case& one = GetParam();
  const Json report = Json::parse(one.report);
  EXPECT_EQ(one.render(terminal_view(), report), one.on_a_terminal);
  EXPECT_EQ(one.render(pipe_view(), report), one.in_a_pipe);
}

const std::string kSyncReport = sync_report();

// clang-format off
const Case kCases[] = {
    {"sync", render_sync, kSyncReport.c_str(),
     "snapshot 12: +1,040 ~2 rows, 3 rejected in 1.5 s\n"
     "  bp@7 ready, rmse sbp 10.21, dbp 6.40\n"
     "try: lockstep rejected\n",
     "snapshot 12: +1040 ~2 rows, 3 rejected\n"
     "  bp@7 ready, rmse sbp 10.214, dbp 6.4\n"},
    {"sync_of_nothing", render_sync,
     R"({"snapshot":12,"changes":{"inserted":0,"updated":0,"deleted":0},"rejected":0,"versions":[],"duration_s":0.1})",
     "snapshot 12: nothing new\n",
     "snapshot 12: nothing new\n"},
    {"revert_that_kept", render_sync,
     R"({"reverted":11,"snapshot":13,"changes":{"deleted":4},"kept_later":1,"versions":[]})",
     "snapshot 13: -4 rows; 1 row changed later, and were kept\n",
     "snapshot 13: -4 rows; 1 row changed later, and were kept\n"},
    {"recalibrate", render_recalibrate,
     R"({"model":"bp","unchanged":false,"version":8,"versions":[{"model":"bp","version":8,"status":"blocked","reason":"test rmse 3 % worse"}]})",
     "bp is recalibrated\n  bp@8 blocked: test rmse 3 % worse\n",
     "bp is recalibrated\n  bp@8 blocked: test rmse 3 % worse\n"},
    {"recalibrate_in_vain", render_recalibrate,
     R"({"model":"bp","unchanged":true,"version":7,"versions":[]})",
     "bp@7 stays: fitted afresh, everything came out the same\n",
     "bp@7 stays: fitted afresh, everything came out the same\n"},
    {"check", render_check,
     R"([{"level":"ok","what":"hub","message":"can be written","hint":""},
         {"level":"fail","what":"source 'drop'","message":"no such folder","hint":"mkdir incoming"}])",
     "ok    hub: can be written\n"
     "fail  source 'drop': no such folder\n"
     "      try: mkdir incoming\n",
     "ok\thub\tcan be written\t\nfail\tsource 'drop'\tno such folder\tmkdir incoming\n"},
    {"preview", render_preview,
     R"({"dataset":"vitals","source":"drop","raw":[{"patient":1001,"sbp":"120"}],"clean":[{"patient":1001,"sbp":120.5}],
         "train":[],"rejected":[],"model":"bp","prediction":[{"patient":1001,"next_sbp":118.25}]})",
     "raw from drop\npatient  sbp\n   1001  120\n\n"
     "clean\npatient    sbp\n   1001  120.5\n\n"
     "prediction by bp\npatient  next_sbp\n   1001    118.25\n",
     "# raw from drop\n1001\t120\n\n# clean\n1001\t120.5\n\n# prediction by bp\n1001\t118.25\n"},
    {"preview_without_a_model", render_preview,
     R"({"source":"drop","raw":[{"a":1}],"clean":[],"train":[],"rejected":[],"model":null,"prediction":[],"note":"too few rows"})",
     "raw from drop\na\n1\ntoo few rows\n",
     "# raw from drop\n1\ntoo few rows\n"},
    {"status", render_status,
     R"({"in_lockstep":false,"reason":"bp is blocked","snapshot":12,"commit":14,"time":"2001-09-09T01:43:40Z",
         "hub":{"catalog_bytes":1500000,"data_bytes":20,"data_files":1,"inlined_rows":0},
         "datasets":[{"name":"vitals","rows":1042,"clean":1040,"train":1040,"rejected":2}],
         "models":[{"name":"bp","champion":6,"newest":7,"status":"blocked","latched":true,"why":"error on the batch 3.4x",
                    "behind_commits":1,"metrics":{"test":{"rows":4,"targets":{"sbp":{"rmse":10.0}}}}}],
         "sources":[{"name":"drop","type":"files","position":"1 file, vitals.csv at line 1043"},
                    {"name":"clinic","type":"postgres","position":"at 0/1A","state":"failing","error":"no route","hint":"",
                     "lag":{"bytes":2500}}],
         "writer":{"running":true,"pid":4312}})",
     "not in lockstep: bp is blocked; snapshot 12, 3 min ago\n"
     "\n"
     "dataset   rows  clean  train  rejected\n"
     "vitals   1,042  1,040  1,040         2\n"
     "\n"
     "model  champion  newest  behind  status            error\n"
     "bp            6       7       1  blocked, latched  rmse sbp 10.00\n"
     "\n"
     "source  type      state    behind  position\n"
     "drop    files                      1 file, vitals.csv at line 1043\n"
     "clinic  postgres  failing  2.5 kB  at 0/1A\n"
     "no route\n"
     "\n"
     "hub: catalog 1.5 MB, data 20 B in 1 file; daemon running, pid 4312\n"
     "bp: error on the batch 3.4x\n"
     "try: lockstep revert SNAPSHOT, lockstep accept bp or lockstep recalibrate bp\n",
     "not in lockstep: bp is blocked; snapshot 12, 2001-09-09T01:43:40Z\n"
     "vitals\t1042\t1040\t1040\t2\n"
     "bp\t6\t7\t1\tblocked, latched\trmse sbp 10\n"
     "drop\tfiles\t\t\t1 file, vitals.csv at line 1043\n"
     "clinic\tpostgres\tfailing\t2500\tat 0/1A\n"
     "hub: catalog 1500000, data 20 in 1 file; daemon running, pid 4312\n"},
    {"log", render_log,
     R"([{"commit":14,"snapshot":12,"kind":"changes","time":"2001-09-09T01:46:10Z","inserted":40,"updated":0,"deleted":3,
          "rejected":1,"message":"a.csv","versions":[{"model":"bp","version":7,"status":"blocked"}]},
         {"commit":13,"snapshot":null,"kind":"alias","time":"2001-09-09T00:46:40Z","inserted":0,"updated":0,"deleted":0,
          "rejected":0,"message":"","versions":[]}])",
     "snapshot  commit  time      kind      +  ~  -  rejected  versions      message\n"
     "      12      14  30 s ago  changes  40  0  3         1  bp@7 blocked  a.csv\n"
     "              13  1 h ago   alias     0  0  0         0\n",
     "12\t14\t2001-09-09T01:46:10Z\tchanges\t40\t0\t3\t1\tbp@7 blocked\ta.csv\n"
     "\t13\t2001-09-09T00:46:40Z\talias\t0\t0\t0\t0\t\t\n"},
    {"show", render_show,
     R"({"commit":14,"snapshot":12,"kind":"changes","time":"2001-09-09T01:46:10Z","inserted":40,"updated":0,"deleted":3,
         "rejected":0,"message":"a.csv","versions":[],"tables":[{"table":"raw.vitals","inserted":40,"updated":0,"deleted":3}],
         "positions":{"drop":"line 43"}})",
     "snapshot 12, commit 14: changes, 30 s ago\na.csv\n+40 -3 rows\n\n"
     "table        +  ~  -\nraw.vitals  40  0  3\nposition of drop: line 43\n",
     "snapshot 12, commit 14: changes, 2001-09-09T01:46:10Z\na.csv\n+40 -3 rows\nraw.vitals\t40\t0\t3\n"
     "position of drop: line 43\n"},
    {"diff", render_diff,
     R"({"from":11,"to":12,"tables":[{"table":"clean.vitals","added":0,"removed":1,"changed":1,"columns":{"sbp":1}}],
         "rows":[{"table":"clean.vitals","key":{"patient":1},"change":"changed","before":{"patient":1,"sbp":120},"after":{"patient":1,"sbp":125}},
                 {"table":"clean.vitals","key":{"patient":2},"change":"removed","before":{"patient":2,"sbp":99},"after":null}]})",
     "snapshot 11 to 12\n"
     "table         added  removed  changed  columns\n"
     "clean.vitals      0        1        1  sbp 1\n"
     "\n"
     "table         key        change   before            after\n"
     "clean.vitals  patient=1  changed  sbp=120           sbp=125\n"
     "clean.vitals  patient=2  removed  patient=2 sbp=99\n",
     "snapshot 11 to 12\n"
     "clean.vitals\t0\t1\t1\tsbp 1\n"
     "clean.vitals\tpatient=1\tchanged\tsbp=120\tsbp=125\n"
     "clean.vitals\tpatient=2\tremoved\tpatient=2 sbp=99\t\n"},
    {"diff_of_equals", render_diff,
     R"({"from":11,"to":12,"tables":[{"table":"clean.vitals","added":0,"removed":0,"changed":0,"columns":{}}],"rows":[]})",
     "snapshot 11 to 12\nno differences\n",
     "snapshot 11 to 12\nno differences\n"},
    {"model_diff", render_model_diff,
     R"({"from":{"version":6,"snapshot":11},"to":{"version":7,"snapshot":12},"same_definition":true,
         "rows":{"inserted":40,"updated":0,"deleted":3},"metrics":[{"name":"test sbp rmse","from":10,"to":10.5}],
         "weights":[{"target":"sbp","column":"age","from":0.5,"to":0.25}]})",
     "version 6 (snapshot 11) to version 7 (snapshot 12)\nsame definition\nrows: +40 -3 rows\n\n"
     "metric         from     to   change\ntest sbp rmse    10  10.50  +5.00 %\n\n"
     "target  column    from      to\nsbp     age     0.5000  0.2500\n",
     "version 6 (snapshot 11) to version 7 (snapshot 12)\nsame definition\nrows: +40 -3 rows\n"
     "test sbp rmse\t10\t10.5\t+5.00 %\nsbp\tage\t0.5\t0.25\n"},
    {"models", render_models,
     R"([{"model":"bp","version":7,"snapshot":12,"kind":"increment","status":"ready","reason":"","folded":1000,"tested":250,
          "weights_sha256":"0123456789abcdef0123","aliases":["champion"],"metrics":null}])",
     "model  version  snapshot  kind       status   rows  test  error  weights       aliases   reason\n"
     "bp           7        12  increment  ready   1,000   250         0123456789ab  champion\n",
     "bp\t7\t12\tincrement\tready\t1000\t250\t\t0123456789abcdef0123\tchampion\t\n"},
    {"rejected", render_rejected,
     R"([{"dataset":"vitals","source":"drop","record":"a.csv line 17","stage":"decode","reason":"'7x' is not an int","row":"7x,\u001b[2J"}])",
     "dataset  source  record         stage   reason              row\n"
     "vitals   drop    a.csv line 17  decode  '7x' is not an int  7x, [2J\n",
     "vitals\tdrop\ta.csv line 17\tdecode\t'7x' is not an int\t7x, [2J\n"},
    {"verify", render_verify,
     R"([{"model":"bp","version":7,"snapshot":12,"exact":true,"fingerprint":"aa","weights_sha256":"bb",
          "retrained_weights_sha256":"bb","differences":[],"rows":1250,"duration_s":0.5},
         {"model":"hr","version":2,"snapshot":12,"exact":false,"fingerprint":"cc","weights_sha256":"dd",
          "retrained_weights_sha256":"ee","differences":["weights differ"],"rows":1,"duration_s":0.5}])",
     "exact  bp@7, snapshot 12: 1,250 rows retrained in 500 ms\n  fingerprint  aa\n  weights      bb\n"
     "differs  hr@2, snapshot 12: 1 row retrained in 500 ms\n  fingerprint  cc\n  weights      dd\n"
     "  retrained    ee\n  weights differ\n",
     "exact\tbp\t7\t12\t1250\taa\tbb\tbb\t\ndiffers\thr\t2\t12\t1\tcc\tdd\tee\tweights differ\n"},
    {"aliases", render_aliases,
     R"([{"id":1,"model":"bp","alias":"champion","version":null,"follow":true,"time":"2001-09-09T00:46:40Z","who":"gate","why":""},
         {"id":2,"model":"bp","alias":"ward","version":6,"follow":false,"time":"2001-09-09T01:46:10Z","who":"ann","why":"holds"}])",
     "model  alias     version  time      who   why\n"
     "bp     champion  follows  1 h ago   gate\n"
     "bp     ward            6  30 s ago  ann   holds\n",
     "bp\tchampion\tfollows\t2001-09-09T00:46:40Z\tgate\t\nbp\tward\t6\t2001-09-09T01:46:10Z\tann\tholds\n"},
    {"alias_set", render_alias_set,
     R"({"model":"bp","alias":"champion","from":7,"version":6,"follow":false,"status":"ready"})",
     "bp@champion is now version 6\n",
     "bp@champion is now version 6\n"},
};
// clang-format on

INSTANTIATE_TEST_SUITE_P(Reports, Render, testing::ValuesIn(kCases), [](const auto& info) {
  return std::string(info.param.name);
});

TEST(Verdict, OfCheckAndVerifyAndDiff) {
  EXPECT_TRUE(anything_failed(Json::parse(R"([{"level":"ok"},{"level":"fail"}])")));
  EXPECT_FALSE(anything_failed(Json::parse(R"([{"level":"ok"},{"level":"warn"}])")));
  EXPECT_TRUE(everything_exact(Json::parse(R"([{"exact":true}])")));
  EXPECT_FALSE(everything_exact(Json::parse(R"([{"exact":true},{"exact":false}])")));
  EXPECT_FALSE(everything_exact(Json::parse(R"([{}])")));
  EXPECT_TRUE(anything_differs(Json::parse(R"({"tables":[{"removed":1}]})")));
  EXPECT_FALSE(anything_differs(Json::parse(R"({"tables":[{"removed":0}]})")));
  EXPECT_TRUE(anything_differs(Json::parse(R"({"same_definition":false})")));
  EXPECT_TRUE(
      anything_differs(Json::parse(R"({"same_definition":true,"weights":[{"from":1,"to":2}]})")));
  EXPECT_FALSE(
      anything_differs(Json::parse(R"({"same_definition":true,"weights":[{"from":1,"to":1}]})")));
}

TEST(Report, OfAnotherShapeIsRenderedWithoutHarm) {
  for (const Case& one : kCases) {
    for (const char* other : {"{}", "[]", "null", "[{}]"}) {
      const std::string text = one.render(terminal_view(), Json::parse(other));
      EXPECT_EQ(text.find('\x1b'), std::string::npos) << one.name << " of " << other;
    }
  }
}

}  // namespace
}  // namespace lockstep
