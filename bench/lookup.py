"""What a look-up by key and a change of one row cost, at ten thousand rows and at many, beside DuckDB over the same hub.

The rows of the three layers lie in Parquet files; each has a key and 37 numbers, in no order of the keys.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile

SIZES = (10_000, int(os.environ.get("LOCKSTEP_BENCH_ROWS", "1000000")))
QUESTIONS = 20
DUCKDB = """
import duckdb, importlib, json, sys, time
con = duckdb.connect(config={"extension_directory": sys.argv[2], "autoinstall_known_extensions": False})
con.execute("SET threads = 1")
for name in ("ducklake", "sqlite_scanner"):
    folder = importlib.import_module("duckdb_extension_" + name).__path__[0]
    con.execute(f"INSTALL '{folder}/extensions/v1.5.5/{name}.duckdb_extension'")
con.execute(f"ATTACH 'ducklake:sqlite:{sys.argv[1]}' AS lake (READ_ONLY)")
times = []
for question in range(int(sys.argv[3]) + 1):
    key = (question * 7919 % int(sys.argv[4])) * 2654435761 % 2**32
    started = time.perf_counter()
    rows = con.execute("SELECT * FROM lake.raw.rows WHERE id = ?", [key]).fetchall()
    times.append(time.perf_counter() - started)
    assert len(rows) == 1, rows
print(json.dumps(times[1:]))
"""


def ask_duckdb(folder, rows):
    """The median of a point query, in microseconds, once DuckDB has read the catalog."""
    with tempfile.TemporaryDirectory(prefix="lockstep-duckdb-") as extensions:
        done = subprocess.run(
            [sys.executable, "-c", DUCKDB, os.path.join(folder, "catalog.sqlite"), extensions, str(QUESTIONS), str(rows)],
            capture_output=True, text=True, check=True)
    return statistics.median(json.loads(done.stdout)) * 1e6


def run(lockstep):
    program = os.path.join(os.path.dirname(lockstep), "bench_lookup")
    results = {}
    for rows in SIZES:
        with tempfile.TemporaryDirectory(prefix="lockstep-bench-", dir=os.getcwd()) as folder:
            done = subprocess.run([program, folder, str(rows)], stdout=subprocess.PIPE, text=True, check=True)
            results[rows] = json.loads(done.stdout) | {"duckdb_row_us": ask_duckdb(folder, rows)}
    return results


def table(results):
    lines = [("key to position, us", lambda one: one["index"]["find_us"]),
             ("key that is not there, us", lambda one: one["index"]["miss_us"]),
             ("row, read first, us", lambda one: one["row_cold_us"]),
             ("row, read again, us", lambda one: one["row_cached_us"]),
             ("row, DuckDB, us", lambda one: one["duckdb_row_us"]),
             ("group of ten, read first, us", lambda one: one["groups"]["cold_us"]),
             ("group of ten, read again, us", lambda one: one["groups"]["cached_us"]),
             ("making the index of groups, us", lambda one: one["groups"]["build_us"]),
             ("commit of one row, us", lambda one: one["groups"]["commit_us"]),
             ("... with an index of groups, us", lambda one: one["groups"]["commit_indexed_us"]),
             ("update of any row, us", lambda one: one["update_us"]),
             ("... that was just read, us", lambda one: one["update_known_us"]),
             ("opening the hub, us", lambda one: one["open_us"])]
    text = f"{'look-up':32}" + "".join(f"{rows:>14,} rows" for rows in results)
    for name, figure in lines:
        text += f"\n{name:32}" + "".join(f"{figure(one):>19,.1f}" for one in results.values())
    return text
