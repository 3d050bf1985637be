"""What a commit costs: one-row updates through `lockstep run`, beside a bare one-row SQLite transaction on this disk.

Each commit holds the row's change in raw, clean and train, the position, a new model version with its weights and
metrics, and the gate's decision. The bare transaction is one row in WAL mode with synchronous=FULL.
"""

import csv
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

ROWS = 5_000
COMMITS = 300
FEATURES = 36
CONFIGURATION = f"""
hub: {{catalog: "sqlite:hub/catalog.sqlite", data: hub/data}}
sources:
  drop: {{type: files, path: "in/*.csv", mode: upsert}}
datasets:
  rows:
    from: [drop]
    key: [id]
    columns: {{id: int, {", ".join(f"x{i}: float" for i in range(FEATURES))}, y: float}}
    train:
      - split: {{by: id, test: 0.2}}
models:
  m:
    dataset: rows
    features: [{", ".join(f"x{i}" for i in range(FEATURES))}]
    targets: [y]
    expand: [impute: {{with: mean}}, standardize]
    learner: {{type: ridge, l2: 1}}
    gate: "off"
"""


def row(generator, key):
    features = [generator.gauss(0, 1) for _ in range(FEATURES)]
    return [key, *(f"{x:.6f}" for x in features), f"{sum(features) + generator.gauss(0, 1):.6f}"]


def write(folder, count, rows):
    path = os.path.join(folder, "in", f"{count:06d}.csv")
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", *(f"x{i}" for i in range(FEATURES)), "y"])
        writer.writerows(rows)
    os.utime(path, (1_700_000_000 + count, 1_700_000_000 + count))


def bare_sqlite(folder):
    connection = sqlite3.connect(os.path.join(folder, "bare.sqlite"), isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)")
    times = []
    for key in range(COMMITS):
        started = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO t VALUES (?, ?, ?)", (key, "text", 1.5))
        connection.execute("COMMIT")
        times.append(time.perf_counter() - started)
    connection.close()
    return statistics.median(times)


def run(lockstep):
    generator = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="lockstep-bench-", dir=os.getcwd()) as folder:
        os.makedirs(os.path.join(folder, "in"))
        with open(os.path.join(folder, "lockstep.yaml"), "w", encoding="utf-8") as file:
            file.write(CONFIGURATION)
        write(folder, 0, [row(generator, key) for key in range(ROWS)])
        subprocess.run([lockstep, "sync"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        before = bare_sqlite(folder)
        for count in range(1, COMMITS + 1):
            write(folder, count, [row(generator, generator.randrange(ROWS))])
        done = subprocess.run([lockstep, "sync", "--json"], cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
        report = json.loads(done.stdout)
        after = bare_sqlite_again(folder)
    bare = (before + after) / 2
    each = report["duration_s"] / report["commits"]
    return {"commits": report["commits"], "columns": FEATURES + 3, "commit_ms": 1000 * each, "bare_ms": 1000 * bare,
            "ratio": each / bare}


def bare_sqlite_again(folder):
    os.remove(os.path.join(folder, "bare.sqlite"))
    return bare_sqlite(folder)


def table(results):
    return (f"one-row commits, {results['columns']} columns (d = {results['columns']}), three layers and a model version\n"
            f"{'lockstep, a file each':<46}{results['commit_ms']:>9.2f} ms\n"
            f"{'bare SQLite transaction, synchronous=FULL':<46}{results['bare_ms']:>9.2f} ms\n"
            f"{'ratio':<46}{results['ratio']:>9.1f}")


if __name__ == "__main__":
    measured = run(os.path.abspath(sys.argv[1]))
    print(table(measured))
    print(json.dumps(measured))
