"""The rules of form. Each takes `files`, a map from path to text, and returns a map from place to (measure, message).

A message names the fix. The measure is what a ratchet may lower: lines, includes, or 1 for a plain finding.
"""

import collections
import functools
import re

FLOORS = {
    "base": 1, "table": 2, "catalog": 3, "source": 3, "prepare": 3, "learn": 3,
    "hub": 4, "sync": 5, "serve": 6, "bridge": 6, "cli": 7,
}  # fmt: skip
# The layer that may see a library's headers, so that its types, statuses and exceptions stay there. SQLite is the catalog's
# store, and a database that a source reads.
LIBRARY_HOME = {
    "sqlite3.h": ("catalog", "source"), "yaml-cpp/": "base", "openssl/": "base", "spdlog/": "base", "muParser": "prepare",
    "CLI/": "cli", "parquet/": "table", "libpq-fe.h": "source", "boost/": "serve",
}  # fmt: skip
WITHOUT_ARROW = ("base", "catalog")
SYSTEM_HEADER = re.compile(r"(sys|linux|arpa|netinet)/|[a-z0-9_]+\.h$")
THIRD_PARTY_FLAT = re.compile(r"(sqlite3|muParser|xxhash|zstd|zlib|rapidcheck|yaml)\w*\.h$")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)

HEADER_LINES_MAX = 250
HEADER_INCLUDES_MAX = 7
SOURCE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 5
README_LINES_MAX = 20

# (name, pattern, replacement). Comments and, but for the last group, texts in quotes are not looked at.
OUTSIDE_BASE = [
    ("std::filesystem", r"\bstd::filesystem\b|#include <filesystem>", "use base/io.h: Io::list, Io::read_file ..."),
    ("fopen", r"\b(fopen|fdopen|freopen|tmpfile)\s*\(", "open files through base/io.h"),
    ("clock", r"_clock::now\b|\b(gettimeofday|clock_gettime)\s*\(", "ask Io::now_us or Io::monotonic_us"),
    ("sleep", r"\b(sleep_for|sleep_until|usleep|nanosleep)\s*\(", "sleep through Io, so that tests need no time"),
    ("random", r"\brandom_device\b|(?<![\w.>:])s?rand\s*\(", "ask Io for random bytes; derive the rest by a seed"),
    ("getenv", r"\b(secure_)?getenv\s*\(", "ask Io::environment"),
    ("std::thread", r"\bstd::(thread|jthread|async)\b|#include <thread>", "use base/thread.h"),
    ("socket", r"(?<![\w.>])(::)?(socket|connect|bind|accept|listen)\s*\([^)]*(AF_|SOCK_|sockaddr)",
     "connect through base/io.h"),
]  # fmt: skip
EVERYWHERE = [
    ("locale-bound number", r"\b(stod|stof|stold|strtod|strtof|strtold|atof)\b", "use std::from_chars"),
    ("throwing number", r"\b(std::sto(i|l|ll|ul|ull)|atoi|atol|atoll|strtoll?|strtoull?)\b", "use std::from_chars"),
    ("iostream", r"#include <(iostream|fstream|sstream|iomanip|ostream|istream)>|\bstd::(cout|cerr|clog)\b|stringstream\b",
     "use fmt, and base/io.h for files"),
    ("dynamic_cast", r"\bdynamic_cast\b", "let the type declare what it can do, or use a variant"),
    ("volatile", r"\bvolatile\b", "use std::atomic"),
    ("goto", r"\bgoto\b", "return early, or split the function"),
    ("catch (...)", r"\bcatch\s*\(\s*\.\.\.\s*\)", "catch what the library throws, and turn it into a Result"),
    ("using namespace std", r"\busing\s+namespace\s+std\b", "write std::"),
    ("names of no meaning", r"\b(class|struct)\s+\w*(Manager|Helper|Utils?|Impl)\b", "name what it is or does"),
]  # fmt: skip
IN_EXACT_CODE = [
    ("libm", r"\b(std)?::(exp2?|expm1|log|log2|log10|log1p|pow|sin|cos|tan|a?sinh?|a?cosh?|a?tanh?|atan2|cbrt|erfc?|tgamma|lgamma|hypot)f?\s*\(",
     "its bits differ between machines: use base/exact_math.h"),
    ("std::reduce", r"\bstd::(transform_)?reduce\b", "its order is open: add in a fixed order, or in integers"),
    ("distribution", r"\bstd::\w+_distribution\b", "it differs between standard libraries: use base/exact_math.h or a hash"),
]  # fmt: skip
IN_TEXTS = [("%g", r"%[-+ #0]*[0-9.*]*l?[gGeEfF]\b", "it follows the locale and loses digits: use fmt")]
EXACT_LAYERS = ("learn", "prepare", "table", "sync", "hub")
# What a rule must allow, with the reason.
ALLOWED = {
    ("src/base/config_parse.cpp", "iostream"): "yaml-cpp's event parser reads from a std::istream only",
}

# Written so that the patterns do not match themselves.
STRAY_WORDS = [
    (r"(?<![\w.])/(wor[k]|far[m]|roo[t])/[a-z.]", "a path of one machine: name it relative to the repository"),
    (r"(?<![\w.])/hom[e]/[a-z]+/", "a path of one machine: name it relative to the repository"),
    (r"\bhelpe[r]-\d|\bsub-?agen[t]s?\b|\bAI agen[t]s?\b|\blanguage mode[l]s?\b", "who wrote it is not the reader's business"),
    (r"(?i)\b(this|my|our|previous|earlier|another|next|work) sessio[n]\b|\bDEVELOPER[S]\.md", "say what holds, not when it was written"),
    (r"(?i)\bclaud[e]\b|\bchatgp[t]\b|\bco-?pilo[t]\b", "who wrote it is not the reader's business"),
]  # fmt: skip


def strip_comments(text, keep_texts=False):
    """The code without comments, line by line where it was; without what stands in quotes unless `keep_texts`."""

    def replace(match):
        found = match.group(0)
        if found.startswith("/"):
            return re.sub(r"[^\n]", " ", found)
        if keep_texts:
            return found
        return found[0] + re.sub(r"[^\n]", " ", found[1:-1]) + found[-1]

    includes_kept = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(?P<mark>\w*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'',
        re.DOTALL,
    )
    lines = []
    for line in includes_kept.sub(replace, text).split("\n"):
        lines.append(line)
    return "\n".join(lines)


strip_comments = functools.lru_cache(maxsize=None)(strip_comments)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def layer_of(path):
    parts = path.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "src" else None


def is_cpp(path):
    return path.endswith((".cpp", ".h", ".inc"))


def sources(files):
    return {path: text for path, text in files.items() if layer_of(path) and is_cpp(path)}


def includes(text):
    return [(match.group(1), match.group(2), line_of(text, match.start(2))) for match in INCLUDE.finditer(text)]


def counts_as_dependency(quote, name):
    """A project or third-party include, not one of the standard library or the operating system."""
    if quote == '"':
        return True
    if THIRD_PARTY_FLAT.match(name):
        return True
    return ("/" in name or "." in name) and not SYSTEM_HEADER.match(name)


def layers(files):
    found = {}
    for path, text in sources(files).items():
        layer = layer_of(path)
        if layer not in FLOORS:
            found[path] = (1, f"{path}: src/{layer} has no floor: add it to FLOORS in tests/tidy/rules.py and to the design")
            continue
        for quote, name, line in includes(text):
            other = name.split("/")[0]
            place = f"{path}:{name}"
            if quote == '"' and other in FLOORS and other != layer and FLOORS[other] >= FLOORS[layer]:
                found[place] = (1, f"{path}:{line}: {layer} (floor {FLOORS[layer]}) may not include {name} (floor "
                                   f"{FLOORS[other]}): move what is needed to a lower floor, or hand it in as an argument")  # fmt: skip
            if quote == '"' and "/" not in name:
                found[place] = (1, f'{path}:{line}: write the layer in front: "{layer}/{name}"')
            for library, home in LIBRARY_HOME.items():
                homes = (home,) if isinstance(home, str) else home
                if quote == "<" and name.startswith(library) and layer not in homes:
                    found[place] = (1, f"{path}:{line}: <{name}> is the business of src/{homes[0]} alone: add what is needed there")
            if name.startswith("arrow/") and layer in WITHOUT_ARROW:
                found[place] = (1, f"{path}:{line}: {layer} stands below Arrow: use plain types")
    return found


def own_header_first(files):
    found = {}
    for path, text in sources(files).items():
        header = path[: -len(".cpp")] + ".h"
        if not path.endswith(".cpp") or header not in files:
            continue
        own = header[len("src/") :]
        listed = includes(text)
        if not listed or listed[0][1] != own:
            found[path] = (1, f'{path}: include "{own}" first, so that the header is known to stand alone')
    return found


def pragma_once(files):
    return {
        path: (1, f"{path}: a header needs #pragma once")
        for path, text in files.items()
        if path.endswith(".h") and path.split("/")[0] in ("src", "tests") and "#pragma once" not in text
    }


def sizes(files):
    found = {}
    for path, text in files.items():
        if not is_cpp(path) or path.split("/")[0] not in ("src", "tests", "bench", "fuzz"):
            continue
        count = text.count("\n")
        is_header = path.endswith(".h") and path.startswith("src/")
        limit = HEADER_LINES_MAX if is_header else SOURCE_LINES_MAX
        if count > limit:
            found[path] = (count, f"{path}: {count} lines, at most {limit}: split it by what its parts do")
    return found


def header_includes(files):
    found = {}
    for path, text in sources(files).items():
        if not path.endswith(".h"):
            continue
        count = sum(counts_as_dependency(quote, name) for quote, name, _ in includes(text))
        if count > HEADER_INCLUDES_MAX:
            found[path] = (count, f"{path}: {count} project and third-party includes, at most {HEADER_INCLUDES_MAX}: "
                                  "declare types instead of including them, or split the header")  # fmt: skip
    return found


def functions(files):
    """Length and parameters of each function, by lizard. A table of cases in a test may be longer than a function."""
    import lizard

    found = {}
    for path, text in files.items():
        if not path.endswith((".cpp", ".h")) or path.split("/")[0] not in ("src", "tests", "bench", "fuzz"):
            continue
        if re.search(r"^TEST", text, re.MULTILINE) is None and path.startswith("tests/") and path.endswith(".cpp"):
            continue
        for one in lizard.analyze_file.analyze_source_code(path, text).function_list:
            place = f"{path}:{one.name}"
            is_table = path.startswith("tests/") and one.cyclomatic_complexity <= 2
            if one.length > FUNCTION_LINES_MAX and not is_table:
                found[place] = (one.length, f"{path}:{one.start_line}: {one.name} has {one.length} lines, at most "
                                            f"{FUNCTION_LINES_MAX}: split it by what it does")  # fmt: skip
            elif one.parameter_count > PARAMETERS_MAX and path.startswith("src/"):
                found[place + "()"] = (one.parameter_count, f"{path}:{one.start_line}: {one.name} takes {one.parameter_count} parameters, "
                                                            f"at most {PARAMETERS_MAX}: make a struct with named fields")  # fmt: skip
    return found


def banned(files):
    found = {}
    for path, text in sources(files).items():
        layer = layer_of(path)
        groups = [(EVERYWHERE, False), (IN_TEXTS, True)]
        if layer != "base":
            groups.append((OUTSIDE_BASE, False))
        if layer in EXACT_LAYERS:
            groups.append((IN_EXACT_CODE, False))
        for group, keep_texts in groups:
            code = strip_comments(text, keep_texts)
            for name, pattern, replacement in group:
                if (path, name) in ALLOWED:
                    continue
                lines = [line_of(code, match.start()) for match in re.finditer(pattern, code)]
                if lines:
                    found[f"{path}:{name}"] = (len(lines), f"{path}:{lines[0]}: {name} is banned here: {replacement}")
    return found


def opening(text):
    """The comment that opens a file."""
    lines = []
    for line in text.split("\n"):
        if not line.startswith("//"):
            break
        lines.append(line)
    return "\n".join(lines)


def promises(files):
    """Each layer has one public header, which opens with numbered promises; each number is cited by a test."""
    found = {}
    cited = collections.defaultdict(set)
    for path, text in files.items():
        if path.startswith("tests/") and path.endswith((".cpp", ".h", ".py", ".test")) and not path.startswith("tests/tidy/"):
            for layer, number in re.findall(r"\b(" + "|".join(FLOORS) + r")[-_](\d+)\b", text):
                cited[layer].add(int(number))
    for layer in sorted({layer_of(path) for path in sources(files)} & set(FLOORS)):
        header = f"src/{layer}/{layer}.h"
        if header not in files:
            found[header] = (1, f"{header} is missing: one public header a layer says what the layer promises")
            continue
        numbers = [int(n) for n in re.findall(rf"^//\s+{layer}-(\d+)\b", opening(files[header]), re.MULTILINE)]
        if not numbers:
            found[header] = (1, f"{header}: open with what the layer promises, as `{layer}-1 ...`")
        elif numbers != list(range(1, len(numbers) + 1)):
            found[header] = (1, f"{header}: number the promises from 1 on, without gaps: {numbers}")
        for number in numbers:
            if number not in cited[layer]:
                found[f"{layer}-{number}"] = (1, f"{header}: no test cites {layer}-{number}: name it in a comment above the "
                                                 f"test in tests/{layer} that would fail if it broke")  # fmt: skip
    return found


def readmes(files):
    found = {}
    for layer in sorted({layer_of(path) for path in sources(files)}):
        path = f"src/{layer}/README.md"
        if path not in files:
            found[path] = (1, f"{path} is missing: what lives there, what may not, which file to read first")
    for path, text in files.items():
        if path.endswith("/README.md") and path.split("/")[0] in ("src", "tests") and text.count("\n") > README_LINES_MAX:
            count = text.count("\n")
            found[path] = (count, f"{path}: {count} lines, at most {README_LINES_MAX}: the rest belongs in docs/")
    return found


def unfinished(files):
    found = {}
    for path, text in files.items():
        if path.startswith("tests/tidy/") or not path.endswith((".cpp", ".h", ".inc", ".py", ".cmake", ".md", ".sh", "Makefile")):
            continue
        for match in re.finditer(r"\b(TODO(?!\(#\d+\))|FIXME|XXX)\b", text):
            line = line_of(text, match.start())
            found[f"{path}:{match.group(1)}"] = (1, f"{path}:{line}: {match.group(1)}: finish it, or write TODO(#issue)")
    return found


def switched_off(files):
    found = {}
    for path, text in files.items():
        if not is_cpp(path):
            continue
        for match in re.finditer(r"NOLINT\w*([^\n]*)", text):
            if not re.match(r"\([\w.*,\s-]+\):? ?\S+", match.group(1)) or "NOLINTBEGIN" in match.group(0):
                line = line_of(text, match.start())
                found[f"{path}:NOLINT"] = (1, f"{path}:{line}: write // NOLINT(check): reason")
        for match in re.finditer(r"\b(DISABLED_\w+|GTEST_SKIP)\b", text):
            line = line_of(text, match.start())
            found[f"{path}:{match.group(1)}"] = (1, f"{path}:{line}: a test that does not run proves nothing: mend or remove it")
    return found


def stray_words(files):
    found = {}
    for path, text in files.items():
        for pattern, fix in STRAY_WORDS:
            match = re.search(pattern, text)
            if match:
                place = f"{path}:{match.group(0)}"
                found[place] = (1, f"{path}:{line_of(text, match.start())}: {match.group(0)!r}: {fix}")
    return found


def untested_layers(files):
    found = {}
    for layer in sorted({layer_of(path) for path in sources(files)}):
        if not any(path.startswith(f"tests/{layer}/") and path.endswith("_test.cpp") for path in files):
            found[f"tests/{layer}"] = (1, f"tests/{layer} is missing: tests mirror src/{layer}")
    return found


ANONYMOUS = re.compile(r"^namespace \{\n(.*?)^\}  // namespace$", re.DOTALL | re.MULTILINE)
# What may stand once in one translation unit: a type, a constant, a function with its parameters.
UNNAMED_TYPE = re.compile(r"^(?:struct|class|enum class|using) (\w+)(?: = [^;]*;)?", re.MULTILINE)
UNNAMED_CONSTANT = re.compile(r"^constexpr [^\n(=]*?\b(\w+)(?:\[\w*\])?(?: =|\{)", re.MULTILINE)
UNNAMED_FUNCTION = re.compile(r"^(?!\s|//|#|\}|using |return |TEST)[^\n;{}=(]*?(?<!::)\b(\w+\([^)]*\))", re.MULTILINE)


def one_name_a_layer(files):
    """A cold build compiles several files of a layer that uses Arrow as one: there their anonymous namespaces meet."""
    places = collections.defaultdict(set)
    for path, text in sources(files).items():
        if layer_of(path) in WITHOUT_ARROW or not path.endswith(".cpp") or "/kernel_" in path:
            continue
        for body in map(strip_comments, ANONYMOUS.findall(text)):
            for pattern in (UNNAMED_TYPE, UNNAMED_CONSTANT, UNNAMED_FUNCTION):
                for match in pattern.finditer(body):
                    name = " ".join(match.group(1).split())
                    alias = match.group(0) if match.group(0).startswith("using") else ""
                    places[(layer_of(path), name)].add((alias, path))
    found = {}
    for (layer, name), where in sorted(places.items()):
        paths = sorted({path for _, path in where})
        same_alias = len({alias for alias, _ in where}) == 1 and all(alias for alias, _ in where)
        if len(paths) > 1 and not same_alias:
            found[f"{layer}:{name}"] = (len(paths), f"{', '.join(paths)}: {name} stands in each anonymous namespace: "
                                                    "share it, or give one a name that says more")  # fmt: skip
    return found


RULES = [
    one_name_a_layer, layers, own_header_first, pragma_once, sizes, header_includes, functions, banned, promises, readmes, unfinished,
    switched_off, stray_words, untested_layers,
]  # fmt: skip
