"""PostgreSQL's changes: how fast they become committed versions, beside the server's own reader, which throws them away.

The server is one of its own in a temporary folder, and shares the machine's cores. pg_recvlogical reads the same log from
a slot of its own, to /dev/null, and so does bench_pgoutput, which makes rows of it and nothing of them. The latency is from the
return of COMMIT to the snapshot in the catalog. Last a first copy of a large table, beside COPY to /dev/null and beside the same
rows from a CSV file.
"""

import json
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
COPIED = int(os.environ.get("LOCKSTEP_BENCH_COPY_ROWS", "10000000"))
FEATURES = ", ".join(f"x{i} float8" for i in range(4))
VALUES = ", ".join(f"i * 0.{i + 1}" for i in range(4))
CONFIGURATION = """
hub: {{catalog: "sqlite:hub/catalog.sqlite", data: hub/data, snapshot_per: {per}}}
sources:
  db: {{type: postgres, url: "{url}", slot: {slot}, publication: {publication}}}
datasets:
  t: {{from: [db.public.{table}], key: [id]}}
"""
FILES = """
hub: {catalog: "sqlite:hub/catalog.sqlite", data: hub/data}
sources:
  csv: {type: files, path: "drop/*.csv"}
datasets:
  t: {from: csv, key: [id]}
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


class Hub:
    """One of its own in a folder, which follows a table by a slot of its own; nothing of it is there yet."""

    def __init__(self, lockstep, folder, text):
        self.lockstep = lockstep
        self.folder = folder
        os.makedirs(folder)
        with open(os.path.join(folder, "lockstep.yaml"), "w", encoding="utf-8") as file:
            file.write(text)

    def sync(self, rows):
        """Timed; the hub then has so many rows."""
        times = timed([self.lockstep, "sync"], self.folder)
        catalog = sqlite3.connect(f"file:{self.folder}/hub/catalog.sqlite?mode=ro", uri=True)
        query = ("SELECT coalesce(sum(record_count), 0) FROM ducklake_table_stats JOIN ducklake_table USING (table_id) JOIN ducklake_schema "
                 "USING (schema_id) WHERE table_name = 't' AND schema_name = 'clean' AND ducklake_table.end_snapshot IS NULL")
        there = catalog.execute(query).fetchall()
        catalog.close()
        if there != [(rows,)]:
            raise AssertionError(f"{self.folder}: {rows} rows were to come, and there are {there}")
        return times


def pgoutput(lockstep, database, position, rows):
    command = [os.path.join(os.path.dirname(lockstep), "bench_pgoutput"), database.url, position, str(rows)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(text) if text else None


def changes(lockstep, server, database, folder):
    """Backlogs, each read by all in turn."""
    hubs = {per: Hub(lockstep, f"{folder}/{per}", CONFIGURATION.format(url=database.url, per=per, slot=f"per_{per}", table="t",
                                                                       publication="bench")) for per in ("commit", "transaction")}
    position = f"{folder}/position"
    pgoutput(lockstep, database, position, 0)
    for hub in hubs.values():
        hub.sync(0)
    results = {}
    there = 0
    for name, count, rows in (("single", SINGLE, 1), ("thousand", GROUPS, 1000)):
        database.run(f"DO $$ BEGIN FOR k IN 1..{count} LOOP INSERT INTO t SELECT (SELECT coalesce(max(id), 0) FROM t) + i, "
                     f"{VALUES} FROM generate_series(1, {rows}) i; COMMIT; END LOOP; END $$")
        there += count * rows
        results[name] = {"transactions": count, "rows": count * rows, "pg_recvlogical": receive(server, database),
                         "decoded": pgoutput(lockstep, database, position, count * rows),
                         **{per: hub.sync(there) for per, hub in hubs.items()}}
    results["latency"] = latencies(lockstep, hubs["commit"].folder, postgres_server.Client(database))
    return results


def first_copy(lockstep, database, folder):
    database.run(f"CREATE TABLE large(id bigint PRIMARY KEY, {FEATURES}); CREATE PUBLICATION large FOR TABLE large; "
                 f"INSERT INTO large SELECT i, {VALUES} FROM generate_series(1, {COPIED}) i")
    database.run("VACUUM ANALYZE large; CHECKPOINT")
    psql = ["psql", "-q", "-X", database.url, "-c"]
    table_hub = Hub(lockstep, f"{folder}/table", CONFIGURATION.format(url=database.url, per="commit", slot="large", table="large",
                                                                      publication="large"))
    file_hub = Hub(lockstep, f"{folder}/csv", FILES)
    os.makedirs(f"{folder}/csv/drop")
    subprocess.run([*psql, f"\\copy large TO '{folder}/csv/drop/large.csv' (FORMAT csv, HEADER)"], check=True)
    os.utime(f"{folder}/csv/drop/large.csv", (1_700_000_000, 1_700_000_000))  # it is not being written any more
    return {"rows": COPIED, "copy": timed([*psql, "\\copy large TO '/dev/null'"], folder), "table": table_hub.sync(COPIED),
            "csv": file_hub.sync(COPIED)}


def run(lockstep):
    lockstep = os.path.abspath(lockstep)
    server = postgres_server.Server()
    try:
        database = postgres_server.Database(server, "bench")
        database.run(f"CREATE TABLE t(id bigint PRIMARY KEY, {FEATURES}); CREATE PUBLICATION bench FOR TABLE t")
        database.run("SELECT pg_create_logical_replication_slot('peer', 'pgoutput')")
        with tempfile.TemporaryDirectory(prefix="lockstep-bench-", dir=os.getcwd()) as folder:
            results = changes(lockstep, server, database, folder)
            if COPIED:
                results["first_copy"] = first_copy(lockstep, database, folder)
    finally:
        server.close()
    return results


def table(results):
    ways = {"pg_recvlogical": "pg_recvlogical", "decoded": "decoded alone", "commit": "per commit", "transaction": "per transaction"}
    text = f"{'PostgreSQL, and seconds of our processors':42}" + "".join(f"{name:>18}" for name in ways.values())
    for name, what in (("single", "one row a transaction, tx/s"), ("thousand", "1,000 rows a transaction, rows/s")):
        one = results[name]
        text += f"\n{what:42}"
        for way in ways:
            text += f"{one['rows'] / one[way]['wall_s']:>11,.0f}{one[way]['cpu_s']:>5.1f} s"
    latency = results["latency"]
    text += f"\n{'COMMIT to snapshot, p50, p99':42}{latency['p50_ms']:>15.1f} ms{latency['p99_ms']:>15.1f} ms"
    if "first_copy" not in results:
        return text
    copy = results["first_copy"]
    ways = {"copy": "COPY alone", "table": "first copy", "csv": "from CSV"}
    text += f"\n{copy['rows']:,} rows{'':20}" + "".join(f"{name:>18}" for name in ways.values()) + f"\n{'rows/s':42}"
    for way in ways:
        text += f"{copy['rows'] / copy[way]['wall_s']:>11,.0f}{copy[way]['cpu_s']:>5.1f} s"
    return text


if __name__ == "__main__":
    figures = run(sys.argv[1])
    print(table(figures))
    print(json.dumps(figures))
