"""MariaDB's changes: how fast its log's bytes become rows, and how fast they become committed versions.

The server is one of its own in a temporary folder, and shares the machine's cores. The decoding alone is of the server's own
files, without a server and without a hub. The latency is from the return of COMMIT to the snapshot in the catalog.
"""

import glob
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "e2e"))
import mariadb_server  # noqa: E402
from postgres import latencies, timed  # noqa: E402

SINGLE = int(os.environ.get("LOCKSTEP_BENCH_TRANSACTIONS", "50000"))
GROUPS = 300
FEATURES = ", ".join(f"x{i} double" for i in range(4))
VALUES = ", ".join(f"seq * 0.{i + 1}" for i in range(4))
CONFIGURATION = """
hub: {{catalog: "sqlite:hub/catalog.sqlite", data: hub/data}}
sources:
  db: {{type: mysql, url: "{url}"}}
datasets:
  t: {{from: [db.bench.t], key: [id]}}
"""
FILL = """DELIMITER //
CREATE OR REPLACE PROCEDURE fill(IN transactions INT, IN row_count INT)
BEGIN
  DECLARE k INT DEFAULT 0;
  SET @first = (SELECT COALESCE(MAX(id), 0) FROM t);
  WHILE k < transactions DO
    INSERT INTO t SELECT @first + k * row_count + seq, {values} FROM seq_1_to_1000 WHERE seq <= row_count;
    SET k = k + 1;
  END WHILE;
END //
"""


def decoded(lockstep, server):
    """Of the server's newest file; None where the program for it was not built."""
    program = os.path.join(os.path.dirname(lockstep), "bench_binlog")
    if not os.path.exists(program):
        return None
    newest = max(glob.glob(os.path.join(server.data, "binlog.0*")))
    return json.loads(subprocess.run([program, newest], capture_output=True, text=True, check=True).stdout)


def run(lockstep):
    lockstep = os.path.abspath(lockstep)
    server = mariadb_server.Server()
    results = {}
    try:
        database = mariadb_server.Database(server, "bench")
        database.run(f"CREATE TABLE t(id bigint PRIMARY KEY, {FEATURES})")
        database.run(FILL.replace("{values}", VALUES))
        with tempfile.TemporaryDirectory(prefix="lockstep-bench-", dir=os.getcwd()) as folder:
            with open(os.path.join(folder, "lockstep.yaml"), "w", encoding="utf-8") as file:
                file.write(CONFIGURATION.format(url=database.url))
            subprocess.run([lockstep, "sync"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            for name, count, rows in (("single", SINGLE, 1), ("thousand", GROUPS, 1000)):
                database.run(f"FLUSH BINARY LOGS; CALL fill({count}, {rows})")
                results[name] = {"transactions": count, "rows": count * rows, "decoded": decoded(lockstep, server),
                                 "lockstep": timed([lockstep, "sync"], folder)}
            results["latency"] = latencies(lockstep, folder, mariadb_server.Client(database), end="")
    finally:
        server.close()
    return results


def table(results):
    text = f"{'MariaDB':34}{'Lockstep':>14}{'of it CPU':>12}{'decoding alone':>18}"
    for name, what in (("single", "one row a transaction, tx/s"), ("thousand", "1,000 rows a transaction, rows/s")):
        one = results[name]
        count = one["rows"] if name == "thousand" else one["transactions"]
        alone = one["decoded"] and f"{one['rows'] / one['decoded']['best_s']:,.0f}"
        text += (f"\n{what:34}{count / one['lockstep']['wall_s']:>14,.0f}{one['lockstep']['cpu_s']:>10.1f} s"
                 f"{alone or 'not built':>18}")
    latency = results["latency"]
    return text + f"\n{'COMMIT to snapshot, p50, p99':34}{latency['p50_ms']:>11.1f} ms{latency['p99_ms']:>9.1f} ms"
