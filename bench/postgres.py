"""PostgreSQL's changes: how fast they become committed versions, beside the server's own reader, which throws them away.

The server is one of its own in a temporary folder, and shares the machine's cores. pg_recvlogical reads the same log from
a second slot, to /dev/null. The latency is from the return of COMMIT to the snapshot in the catalog.
"""

import os
import resource
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "e2e"))
import postgres_server  # noqa: E402

SINGLE = int(os.environ.get("LOCKSTEP_BENCH_TRANSACTIONS", "50000"))
GROUPS = 300
COMMITS = 300
FEATURES = ", ".join(f"x{i} float8" for i in range(4))
VALUES = ", ".join(f"i * 0.{i + 1}" for i in range(4))
CONFIGURATION = """
hub: {{catalog: "sqlite:hub/catalog.sqlite", data: hub/data}}
sources:
  db: {{type: postgres, url: "{url}", slot: bench, publication: bench}}
datasets:
  t: {{from: [db.public.t], key: [id]}}
"""


def timed(command, folder):
    """Seconds on the wall, and of the processors in this program alone."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"wall_s": wall, "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def receive(server, database):
    end = database.text("SELECT pg_current_wal_lsn()")
    return timed(
        [os.path.join(server.programs, "pg_recvlogical"), "-d", database.url, "--slot", "peer", "--start", "--no-loop",
         "-o", "proto_version=1", "-o", "publication_names=bench", "-f", "/dev/null", f"--endpos={end}"], server.folder)


def latencies(lockstep, folder, client, end=";"):
    """Of single commits, at about 100 a second, by a client, which is closed; `end` of its statements. Also of other databases."""
    process = subprocess.Popen([lockstep, "run"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    catalog = sqlite3.connect(f"file:{folder}/hub/catalog.sqlite?mode=ro", uri=True)
    newest = lambda: catalog.execute("SELECT max(snapshot_id) FROM ducklake_snapshot").fetchone()[0]  # noqa: E731
    times = []
    try:
        time.sleep(3)
        for number in range(COMMITS):
            before = newest()
            client.run(f"INSERT INTO t(id) VALUES ({-1 - number}){end}")
            started = time.perf_counter()
            while newest() == before:
                if time.perf_counter() - started > 20:
                    raise TimeoutError("no snapshot within 20 s")
                time.sleep(0.0001)
            times.append(time.perf_counter() - started)
            time.sleep(0.01)
    finally:
        client.close()
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    times.sort()
    return {"p50_ms": statistics.median(times) * 1e3, "p99_ms": times[int(len(times) * 0.99)] * 1e3}


def run(lockstep):
    lockstep = os.path.abspath(lockstep)
    server = postgres_server.Server()
    results = {}
    try:
        database = postgres_server.Database(server, "bench")
        database.run(f"CREATE TABLE t(id bigint PRIMARY KEY, {FEATURES}); CREATE PUBLICATION bench FOR TABLE t")
        database.run("SELECT pg_create_logical_replication_slot('peer', 'pgoutput')")
        with tempfile.TemporaryDirectory(prefix="lockstep-bench-", dir=os.getcwd()) as folder:
            with open(os.path.join(folder, "lockstep.yaml"), "w", encoding="utf-8") as file:
                file.write(CONFIGURATION.format(url=database.url))
            subprocess.run([lockstep, "sync"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            for name, count, rows in (("single", SINGLE, 1), ("thousand", GROUPS, 1000)):
                database.run(f"DO $$ BEGIN FOR k IN 1..{count} LOOP INSERT INTO t SELECT (SELECT coalesce(max(id), 0) FROM t) + i, "
                             f"{VALUES} FROM generate_series(1, {rows}) i; COMMIT; END LOOP; END $$")
                results[name] = {"transactions": count, "rows": count * rows,
                                 "lockstep": timed([lockstep, "sync"], folder), "pg_recvlogical": receive(server, database)}
            results["latency"] = latencies(lockstep, folder, postgres_server.Client(database))
    finally:
        server.close()
    return results


def table(results):
    text = f"{'PostgreSQL':34}{'Lockstep':>14}{'of it CPU':>12}{'pg_recvlogical':>18}"
    for name, what in (("single", "one row a transaction, tx/s"), ("thousand", "1,000 rows a transaction, rows/s")):
        one = results[name]
        count = one["rows"] if name == "thousand" else one["transactions"]
        text += (f"\n{what:34}{count / one['lockstep']['wall_s']:>14,.0f}{one['lockstep']['cpu_s']:>10.1f} s"
                 f"{count / one['pg_recvlogical']['wall_s']:>18,.0f}")
    latency = results["latency"]
    return text + f"\n{'COMMIT to snapshot, p50, p99':34}{latency['p50_ms']:>11.1f} ms{latency['p99_ms']:>9.1f} ms"
