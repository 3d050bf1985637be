"""What a commit costs, one after another and in groups: beside bare SQLite transactions on this disk, and beside one-row
inserts through DuckDB's own DuckLake client and through deltalake.

A commit of Lockstep's holds the row in raw, clean and train, the source's position, a new model version with its weights
and metrics, and the gate's decision. A peer's holds the row in one table. Rows of Lockstep's come from memory
(bench/commits.cpp, which does the measuring); the last line goes through `lockstep sync` with a file for each row.
"""

import csv
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile

from one_dataset import configuration

FILES = 200
FEATURES = 37
ROWS = 5_000
PEERS = {"ducklake": "DuckDB's DuckLake client, an insert each", "deltalake": "deltalake, an insert each"}
CONFIGURATION = configuration(FEATURES, "snapshot_per: transaction")


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


def through_files(lockstep, folder):
    generator = random.Random(1)
    os.makedirs(os.path.join(folder, "in"))
    with open(os.path.join(folder, "lockstep.yaml"), "w", encoding="utf-8") as file:
        file.write(CONFIGURATION)
    write(folder, 0, [row(generator, key) for key in range(ROWS)])
    subprocess.run([lockstep, "sync"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    for count in range(1, FILES + 1):
        write(folder, count, [row(generator, generator.randrange(ROWS))])
    done = subprocess.run([lockstep, "sync", "--json"], cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    report = json.loads(done.stdout)
    return {"commits": report["commits"], "mean_ms": 1000 * report["duration_s"] / report["commits"]}


def peer(name, folder):
    os.makedirs(folder)
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "commit_peers.py")
    done = subprocess.run([sys.executable, program, name, folder], check=True, stdout=subprocess.PIPE, text=True)
    return {"median_ms": 1000 * statistics.median(json.loads(done.stdout))}


def run(lockstep, share=1.0):
    program = os.path.join(os.path.dirname(os.path.abspath(lockstep)), "bench_commits")
    with tempfile.TemporaryDirectory(prefix="lockstep-bench-", dir=os.getcwd()) as folder:
        done = subprocess.run([program, folder, str(share)], check=True, stdout=subprocess.PIPE, text=True)
        results = json.loads(done.stdout)
        results["peers"] = {name: peer(name, os.path.join(folder, name)) for name in PEERS}
        results["files"] = through_files(lockstep, os.path.join(folder, "files"))
    return results


def table(results):
    bare = statistics.median(results["bare_ms"])
    lines = [f"one-row commits, {results['features']} features (d = {results['d']}), three layers and a model version",
             f"{'one after another':<50}{'ms':>9}{'a second':>10}{'over bare':>11}"]  # fmt: skip

    def each(what, ms):
        lines.append(f"{what:<50}{ms:>9.2f}{1000 / ms:>10.0f}{ms - bare:>8.2f} ms")

    each("bare SQLite transaction, synchronous=FULL", bare)
    for figures in results["sequential"]:
        each(f"lockstep, {figures['rows']}", figures["median_ms"])
    for name, figures in results["peers"].items():
        each(PEERS[name], figures["median_ms"])
    lines.append(f"{'many waiting':<50}{'waiting':>9}{'rows each':>11}{'snapshots/s':>13}{'rows/s':>10}")
    for kind in ("transaction", "commit"):
        for figures in results[kind]:
            lines.append(f"{'lockstep, snapshot_per: ' + kind:<50}{figures['waiting']:>9}{figures['rows_each']:>11}"
                         f"{figures['snapshots_per_s']:>13.0f}{figures['rows_per_s']:>10.0f}")  # fmt: skip
    files = results["files"]
    lines.append(f"{'lockstep sync, a file each, snapshot_per: transaction':<50}{files['mean_ms']:>9.2f} ms each")
    return "\n".join(lines)


if __name__ == "__main__":
    measured = run(os.path.abspath(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1.0)
    print(table(measured))
    print(json.dumps(measured))
