"""What a long history of one-row commits comes to: speed, memory and size as it grows, how long the hub then takes to open,
and DuckDB to answer for the newest snapshot.

Nine of ten commits insert a row, one updates any; each has the row in three layers and a model version
(bench/history.cpp). Retention is the usual one.
"""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile

COMMITS = int(os.environ.get("LOCKSTEP_BENCH_COMMITS", "50000"))
QUESTIONS = 7
DUCKDB = """
import duckdb, importlib, json, sys, time
con = duckdb.connect(config={"extension_directory": sys.argv[2], "autoinstall_known_extensions": False})
con.execute("SET threads = 1")
for name in ("ducklake", "sqlite_scanner"):
    folder = importlib.import_module("duckdb_extension_" + name).__path__[0]
    con.execute(f"INSTALL '{folder}/extensions/v1.5.5/{name}.duckdb_extension'")
times = []
for question in range(int(sys.argv[3])):
    started = time.perf_counter()
    if question == 0:
        con.execute(f"ATTACH 'ducklake:sqlite:{sys.argv[1]}' AS lake (READ_ONLY)")
    answer = con.execute("SELECT count(*), sum(x0), max(x1) FROM lake.raw.rows").fetchone()
    times.append(1000 * (time.perf_counter() - started))
print(json.dumps({"rows": answer[0], "first_ms": times[0], "ms": sorted(times[1:])[len(times) // 2]}))
"""


def ask_duckdb(catalog):
    with tempfile.TemporaryDirectory(prefix="lockstep-duckdb-") as extensions:
        done = subprocess.run(
            [sys.executable, "-c", DUCKDB, catalog, extensions, str(QUESTIONS)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def parts_of(catalog):
    """Megabytes of the catalog's largest tables, with their indexes; and of the pages that wait to be used again."""
    database = sqlite3.connect(catalog)
    rows = database.execute(
        "SELECT coalesce(m.tbl_name, s.name), sum(s.pgsize) FROM dbstat s LEFT JOIN sqlite_master m ON m.name = s.name "
        "GROUP BY 1 ORDER BY 2 DESC LIMIT 6").fetchall()
    free, page = (database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_size"))
    database.close()
    return {name: size / 1e6 for name, size in rows} | {"free": free * page / 1e6}


def disk_mb(folder):
    return sum(os.path.getsize(os.path.join(path, name)) for path, _, names in os.walk(folder) for name in names) / 1e6


def run(lockstep):
    program = os.path.join(os.path.dirname(lockstep), "bench_history")
    with tempfile.TemporaryDirectory(prefix="lockstep-bench-", dir=os.getcwd()) as folder:
        done = subprocess.run([program, folder, str(COMMITS)], stdout=subprocess.PIPE, text=True, check=True)
        return look_at(folder, json.loads(done.stdout))


def look_at(folder, results):
    catalog = os.path.join(folder, "catalog.sqlite")
    return results | {
        "duckdb": ask_duckdb(catalog),
        "catalog_parts_mb": parts_of(catalog),
        "index_mb": disk_mb(catalog + ".index"),
        "disk_data_mb": disk_mb(os.path.join(folder, "data")),
    }


def table(results):
    lines = [f"{results['commits']} one-row commits, three layers and a model version each",
             f"{'commits':>9}{'a second':>10}{'resident MB':>13}{'catalog MB':>12}{'log MB':>8}{'rows MB':>9}{'files':>7}"
             f"{'inlined':>9}"]  # fmt: skip
    for part, growth in enumerate(results["growth"]):
        lines.append(f"{results['commits'] * (part + 1) // 10:>9}{growth['commits_per_s']:>10.0f}"
                     f"{growth['resident_mb']:>13.0f}{growth['catalog_mb']:>12.1f}{growth['log_mb']:>8.1f}{growth['data_mb']:>9.1f}"
                     f"{growth['data_files']:>7}{growth['inlined_rows']:>9}")  # fmt: skip
    settled, duckdb = results["settled"], results["duckdb"]
    parts = ", ".join(f"{name} {size:.1f}" for name, size in results["catalog_parts_mb"].items())
    lines.append(f"{'steps of upkeep, ms':<26}{'number':>8}{'median':>9}{'p99':>9}{'longest':>9}{'above 5':>9}{'CPU: median':>13}{'p99':>9}"
                 f"{'longest':>9}{'above 5':>9}")  # fmt: skip
    for kind, steps in results["upkeep"].items():
        held, cpu = steps["held_ms"], steps["cpu_ms"]
        lines.append(f"{kind:<26}{steps['count']:>8}{held['median']:>9.2f}{held['p99']:>9.2f}{held['max']:>9.2f}{held['above_5']:>9}"
                     f"{cpu['median']:>13.2f}{cpu['p99']:>9.2f}{cpu['max']:>9.2f}{cpu['above_5']:>9}")  # fmt: skip
    lines += [
        f"rows: {settled['data_mb']:.1f} MB in {settled['data_files']} files, beside {results['one_file_mb']:.1f} MB in one "
        f"file a layer: {settled['data_mb'] / results['one_file_mb']:.2f} times",
        f"on the disk: {results['disk_data_mb']:.1f} MB with replaced files that wait, catalog {settled['catalog_mb']:.1f}, key "
        f"index {results['index_mb']:.1f}",
        f"of the catalog: {parts}",
        f"opening, and one commit: {results['start_ms']:.0f} ms",
        f"DuckDB, the newest snapshot: first query with ATTACH {duckdb['first_ms']:.0f} ms, then {duckdb['ms']:.0f} ms",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    measured = run(os.path.abspath(sys.argv[1]))
    print(table(measured))
    print(json.dumps(measured))
