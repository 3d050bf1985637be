"""One column of many rows at an old snapshot, 5 % of which are deleted: beside DuckDB over the same hub, once with the deletes
in the catalog, and once compacted, with the deletes in files.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile

ROWS = int(os.environ.get("LOCKSTEP_BENCH_ROWS", "1000000"))
SCANS = 7
DUCKDB = """
import duckdb, importlib, json, sys, time
con = duckdb.connect(config={"extension_directory": sys.argv[2], "autoinstall_known_extensions": False})
con.execute("SET enable_progress_bar = false")
for name in ("ducklake", "sqlite_scanner"):
    folder = importlib.import_module("duckdb_extension_" + name).__path__[0]
    con.execute(f"INSTALL '{folder}/extensions/v1.5.5/{name}.duckdb_extension'")
if int(sys.argv[5]):
    con.execute(f"SET threads = {sys.argv[5]}")
con.execute(f"ATTACH 'ducklake:sqlite:{sys.argv[1]}' AS lake (READ_ONLY)")
times = []
for scan in range(int(sys.argv[4])):
    started = time.perf_counter()
    answer = con.execute(f"SELECT count(*), sum(x) FROM lake.raw.rows AT (VERSION => {sys.argv[3]})").fetchone()
    times.append(time.perf_counter() - started)
threads = con.execute("SELECT current_setting('threads')").fetchone()[0]
print(json.dumps({"seconds": times, "rows": answer[0], "sum": answer[1], "threads": threads}))
"""


def ask_duckdb(folder, snapshot, threads):
    with tempfile.TemporaryDirectory(prefix="lockstep-duckdb-") as extensions:
        done = subprocess.run(
            [sys.executable, "-c", DUCKDB, os.path.join(folder, "catalog.sqlite"), extensions, str(snapshot), str(SCANS),
             str(threads)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def ask(program, *words):
    done = subprocess.run([program, *map(str, words)], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def compare(program, folder, made):
    found = {
        "lockstep": ask(program, "scan", folder, made["snapshot"]),
        "duckdb_one_thread": ask_duckdb(folder, made["snapshot"], 1),
        "duckdb": ask_duckdb(folder, made["snapshot"], 0),
    }
    for name, one in found.items():
        assert one["rows"] == made["rows"], (name, one["rows"], made["rows"])
        assert abs(one["sum"] - found["lockstep"]["sum"]) < 1e-6 * abs(one["sum"]), name
        # The first scan reads the catalog, and perhaps the disk.
        one["rows_per_s"] = one["rows"] / statistics.median(one["seconds"][1:])
    return found


def run(lockstep):
    program = os.path.join(os.path.dirname(lockstep), "bench_scan")
    with tempfile.TemporaryDirectory(prefix="lockstep-bench-", dir=os.getcwd()) as folder:
        made = ask(program, "make", folder, ROWS)
        results = {"rows": ROWS, "deletes in the catalog": compare(program, folder, made)}
        results["compaction"] = ask(program, "compact", folder)
        results["deletes in files"] = compare(program, folder, made)
    return results


def table(results):
    lines = [f"one column of {results['rows']} rows at an old snapshot, 5 % deleted: million rows/s",
             f"{'':<26}{'Lockstep':>10}{'DuckDB, 1 thread':>18}{'ratio':>8}{'DuckDB':>10}{'ratio':>8}"]  # fmt: skip
    for state in ("deletes in the catalog", "deletes in files"):
        ours, one, all_threads = (results[state][name]["rows_per_s"] for name in ("lockstep", "duckdb_one_thread", "duckdb"))
        lines.append(f"{state:<26}{ours / 1e6:>10.1f}{one / 1e6:>18.1f}{ours / one:>8.2f}"
                     f"{all_threads / 1e6:>10.1f}{ours / all_threads:>8.2f}")  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    measured = run(os.path.abspath(sys.argv[1]))
    print(table(measured))
    print(json.dumps(measured))
