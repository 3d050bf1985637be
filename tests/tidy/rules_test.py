"""Each rule catches a bad sample and leaves a good one alone."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import rules  # noqa: E402
import tidy_test  # noqa: E402

PROMISING = "// The hub.\n//   hub-1  It keeps rows.\n//   hub-2  It loses none.\n#pragma once\n"
LONG_BODY = "  call();\n" * 80
WORKPLACE = "/wor" + "k/main"

# rule, the files, what the message must say (None: nothing may be found)
CASES = [
    (rules.layers, {"src/table/a.cpp": '#include "hub/hub.h"\n'}, "table (floor 2) may not include hub/hub.h (floor 4)"),
    (rules.layers, {"src/source/a.cpp": '#include "learn/learn.h"\n'}, "may not include learn/learn.h"),
    (rules.layers, {"src/sync/a.cpp": '#include "learn/learn.h"\n#include "base/io.h"\n'}, None),
    (rules.layers, {"src/hub/a.cpp": "#include <sqlite3.h>\n"}, "the business of src/catalog alone"),
    (rules.layers, {"src/base/a.h": "#include <arrow/api.h>\n"}, "stands below Arrow"),
    (rules.layers, {"src/base/a.cpp": '#include "io.h"\n'}, 'write the layer in front: "base/io.h"'),
    (rules.layers, {"src/extra/a.cpp": ""}, "has no floor"),
    (rules.own_header_first, {"src/hub/a.cpp": '#include <map>\n#include "hub/a.h"\n', "src/hub/a.h": ""}, "first"),
    (rules.own_header_first, {"src/hub/a.cpp": '#include "hub/a.h"\n', "src/hub/a.h": ""}, None),
    (rules.one_name_a_layer, {f"src/hub/{i}.cpp": "namespace {\nint f(int a) {\n}\n}  // namespace\n" for i in "ab"}, "f(int a) stands"),
    (rules.one_name_a_layer, {f"src/hub/{i}.cpp": f"namespace {{\nint f(int {i}) {{\n}}\n}}  // namespace\n" for i in "ab"}, None),
    (rules.one_name_a_layer, {f"src/hub/{i}.cpp": "namespace {\nconstexpr int kA = 1;\n}  // namespace\n" for i in "ab"}, "kA stands"),
    (rules.one_name_a_layer, {f"src/hub/{i}.cpp": "namespace {\nusing Json = json;\n}  // namespace\n" for i in "ab"}, None),
    (rules.pragma_once, {"src/hub/a.h": "int f();\n"}, "#pragma once"),
    (rules.sizes, {"src/hub/a.h": "\n" * 251}, "251 lines, at most 250"),
    (rules.sizes, {"src/hub/a.cpp": "\n" * 501}, "501 lines, at most 500"),
    (rules.sizes, {"src/hub/a.h": "\n" * 250, "src/hub/a.cpp": "\n" * 500}, None),
    (rules.header_includes, {"src/hub/a.h": "".join(f'#include "base/{i}.h"\n' for i in range(8))}, "8 project"),
    (rules.header_includes, {"src/hub/a.h": "#include <map>\n#include <unistd.h>\n" * 9}, None),
    (rules.functions, {"src/hub/a.cpp": "void f() {\n" + LONG_BODY + "}\n"}, "f has 82 lines, at most 70"),
    (rules.functions, {"src/hub/a.cpp": "void f(int a, int b, int c, int d, int e, int g) {}\n"}, "takes 6 parameters"),
    (rules.functions, {"tests/hub/a_test.cpp": "TEST(A, B) {\n" + LONG_BODY + "}\n"}, None),
    (rules.functions, {"tests/hub/a_test.cpp": "TEST(A, B) {\n" + "  if (x) y();\n" * 80 + "}\n"}, "at most 70"),
    (rules.banned, {"src/hub/a.cpp": "auto t = std::chrono::steady_clock::now();\n"}, "a.cpp:1: clock is banned"),
    (rules.banned, {"src/base/a.cpp": "auto t = std::chrono::steady_clock::now();\n"}, None),
    (rules.banned, {"src/hub/a.cpp": "\nstd::filesystem::remove(p);\n"}, "a.cpp:2: std::filesystem"),
    (rules.banned, {"src/hub/a.cpp": "std::thread t;\n"}, "base/thread.h"),
    (rules.banned, {"src/hub/a.cpp": 'getenv("X");\n'}, "Io::environment"),
    (rules.banned, {"src/base/a.cpp": "double d = std::stod(text);\n"}, "from_chars"),
    (rules.banned, {"src/base/a.cpp": 'snprintf(b, n, "%.17g", d);\n'}, "use fmt"),
    (rules.banned, {"src/base/a.cpp": "#include <iostream>\n"}, "iostream is banned"),
    (rules.banned, {"src/base/a.cpp": "try { f(); } catch (...) { }\n"}, "catch (...) is banned"),
    (rules.banned, {"src/learn/a.cpp": "double d = std::exp(x);\n"}, "base/exact_math.h"),
    (rules.banned, {"src/cli/a.cpp": "double d = std::exp(x);\n"}, None),
    (rules.banned, {"src/learn/a.cpp": "std::normal_distribution<double> d;\n"}, "differs between standard libraries"),
    (rules.banned, {"src/hub/a.cpp": "// goto is not used, nor volatile\nlog(\"goto\");\n"}, None),
    (rules.banned, {"src/hub/a.cpp": "class HubManager {};\n"}, "name what it is or does"),
    (rules.promises, {"src/hub/hub.h": PROMISING, "tests/hub/a_test.cpp": "// hub-1\n"}, "no test cites hub-2"),
    (rules.promises, {"src/hub/hub.h": PROMISING, "tests/hub/a_test.cpp": "// hub-1, hub-2\n"}, None),
    (rules.promises, {"src/hub/hub.h": "// The hub.\n#pragma once\n"}, "open with what the layer promises"),
    (rules.promises, {"src/hub/hub.h": "//  hub-2  Second.\n"}, "without gaps"),
    (rules.promises, {"src/hub/a.h": ""}, "src/hub/hub.h is missing"),
    (rules.readmes, {"src/hub/a.h": ""}, "src/hub/README.md is missing"),
    (rules.readmes, {"src/hub/a.h": "", "src/hub/README.md": "\n" * 21}, "21 lines, at most 20"),
    (rules.unfinished, {"src/hub/a.cpp": "// TO" + "DO: later\n"}, "finish it"),
    (rules.unfinished, {"src/hub/a.cpp": "// TO" + "DO(#12): later\n"}, None),
    (rules.switched_off, {"src/hub/a.cpp": "int* p = new int;  // NOLINT\n"}, "NOLINT(check): reason"),
    (rules.switched_off, {"src/hub/a.cpp": "f();  // NOLINT(bugprone-x): measured\n"}, None),
    (rules.switched_off, {"tests/hub/a_test.cpp": "TEST(Hub, DISABLED_Commits) {}\n"}, "proves nothing"),
    (rules.stray_words, {"docs/a.md": f"see {WORKPLACE}/build\n"}, "a path of one machine"),
    (rules.stray_words, {"docs/a.md": "as found in the previous sessio" + "n\n"}, "not when it was written"),
    (rules.stray_words, {"docs/a.md": "a session of SQL, and ./work/main\n"}, None),
    (rules.untested_layers, {"src/hub/a.cpp": ""}, "tests/hub is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "sample", "expected"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_rule_catches_its_bad_sample_and_leaves_the_good_one(rule, sample, expected):
    messages = [message for _, message in rule(sample).values()]
    if expected is None:
        assert messages == []
    else:
        assert any(expected in message for message in messages), messages


def test_every_rule_has_a_bad_sample():
    assert {rule for rule, _, expected in CASES if expected} == set(rules.RULES)


RATCHET_CASES = [
    ({"a": (80, "too long")}, {}, ["too long"]),
    ({"a": (80, "too long")}, {"a": 80}, []),
    ({"a": (81, "longer still")}, {"a": 80}, ["longer still"]),
    ({}, {}, []),
]


@pytest.mark.parametrize(("found", "allowed", "expected"), RATCHET_CASES)
def test_the_ratchet_allows_what_is_there_and_nothing_more(found, allowed, expected):
    assert tidy_test.compare("sizes", found, allowed) == expected


def test_what_got_better_must_be_lowered_in_the_ratchet():
    assert "--shrink" in tidy_test.compare("sizes", {"a": (75, "")}, {"a": 80})[0]
    assert "--shrink" in tidy_test.compare("sizes", {}, {"a": 80})[0]


def test_shrinking_lowers_and_removes_but_never_adds():
    files = {"src/hub/a.cpp": "\n" * 510, "src/hub/b.cpp": "\n" * 600}
    old = {"sizes": {"src/hub/a.cpp": 520, "src/hub/gone.cpp": 700}}
    assert tidy_test.shrink(old, files) == {"sizes": {"src/hub/a.cpp": 510}}
