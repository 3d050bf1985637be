"""A first load: a CSV of 37 numeric columns into raw, clean and train, and into a model of d = 37.

Beside it, on the same core and the same file: DuckDB's copy of the CSV to one Parquet file, with one thread. The load
writes three layers, each with its key index, folds every row, and commits one snapshot, or one for each batch.
Processor time is told beside the clock's: it is steadier where others use the machine.
"""

import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time

from one_dataset import configuration

ROWS = int(os.environ.get("LOCKSTEP_BENCH_ROWS", "300000"))
FEATURES = 35
LOADS = {"one": "one snapshot", "batches": "by batch"}
CONFIGURATION = configuration(FEATURES, "load: LOAD", '    gate: "off"\n')
DUCKDB = """
import duckdb, json, sys, time
connection = duckdb.connect(config={"threads": 1})
connection.execute("SET enable_progress_bar = false")  # after two seconds it would stand among the figures
started = time.perf_counter(), time.process_time()
connection.execute(f"COPY (FROM read_csv('{sys.argv[1]}')) TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd)")
print(json.dumps([time.perf_counter() - started[0], time.process_time() - started[1]]))
"""


def write_csv(path, count, first=0, seed=1):
    """Rows of 1,000 kinds under keys of their own: to make them costs less than to load them."""
    generator = random.Random(seed)
    kinds = []
    for _ in range(1_000):
        cells = [generator.gauss(0, 1) for _ in range(FEATURES)]
        kinds.append((cells, f"{sum(cells) + generator.gauss(0, 1):.6f}"))
    with open(path, "w", encoding="utf-8") as file:
        file.write(",".join(["id", *(f"x{i}" for i in range(FEATURES)), "y"]) + "\n")
        for number in range(first, first + count):
            cells, target = kinds[number % len(kinds)]
            shift = number / 1e6
            file.write(f"{number}," + ",".join(f"{cell + shift:.6f}" for cell in cells) + f",{target}\n")
    os.utime(path, (1_700_000_000, 1_700_000_000))


def on_one_core(command, **options):
    return subprocess.run(["taskset", "-c", str(min(os.sched_getaffinity(0))), *command], check=True, text=True,
                          stdout=subprocess.PIPE, **options).stdout


def processor_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def load(lockstep, folder, how):
    """Seconds by the clock and of the processor."""
    with open(os.path.join(folder, "lockstep.yaml"), "w", encoding="utf-8") as file:
        file.write(CONFIGURATION.replace("LOAD", LOADS[how]))
    shutil.rmtree(os.path.join(folder, "hub"), ignore_errors=True)
    started = time.perf_counter(), processor_s()
    report = json.loads(on_one_core([lockstep, "sync", "--json"], cwd=folder))
    seconds = time.perf_counter() - started[0], processor_s() - started[1]
    assert report["changes"]["inserted"] == ROWS, report
    assert (report["commits"] == 1) == (how == "one"), report
    return seconds


def run(lockstep):
    with tempfile.TemporaryDirectory(prefix="lockstep-bench-", dir=os.getcwd()) as folder:
        os.makedirs(os.path.join(folder, "in"))
        path = os.path.join(folder, "in", "load.csv")
        write_csv(path, ROWS)
        seconds = {"one": [], "batches": [], "duckdb": []}
        for turn in range(3):
            output = os.path.join(folder, f"{turn}.parquet")
            seconds["duckdb"].append(json.loads(on_one_core([sys.executable, "-c", DUCKDB, path, output])))
            for how in LOADS:
                seconds[how].append(load(lockstep, folder, how))
    best = {name: {"rows_per_s": ROWS / min(clock for clock, _ in found),
                   "rows_per_processor_s": ROWS / min(processor for _, processor in found)}
            for name, found in seconds.items()}
    ratio = {how: best[how]["rows_per_processor_s"] / best["duckdb"]["rows_per_processor_s"] for how in LOADS}
    return {"rows": ROWS, "columns": FEATURES + 2, "rates": best, "ratio": ratio}


def table(results):
    names = {"one": "lockstep: raw, clean, train and a model; one snapshot", "batches": "... a snapshot for each batch",
             "duckdb": "duckdb, one thread: CSV to one Parquet file"}
    lines = [f"a load of {results['rows']:,} rows of {results['columns']} numeric columns, one core",
             f"{'rows a second':<56}{'by clock':>10}{'processor':>11}"]
    for name, text in names.items():
        rates = results["rates"][name]
        lines.append(f"{text:<56}{rates['rows_per_s']:>10,.0f}{rates['rows_per_processor_s']:>11,.0f}")
    lines.append(f"{'of the rate of duckdb: one snapshot, by batch':<56}{results['ratio']['one']:>10.2f}"
                 f"{results['ratio']['batches']:>11.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    measured = run(os.path.abspath(sys.argv[1]))
    print(table(measured))
    print(json.dumps(measured))
