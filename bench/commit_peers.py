"""One-row inserts through other versioned stores, strictly one after another. Run as: commit_peers.py NAME FOLDER

In a process of its own, since DuckDB brings its own copy of SQLite. Prints the seconds of each insert as JSON.
"""

import importlib
import json
import os
import random
import sys
import time

FEATURES = 37
NAMES = ["id", *(f"x{i}" for i in range(FEATURES)), "y"]
COMMITS = 40


def rows():
    generator = random.Random(1)
    for key in range(COMMITS):
        features = [round(generator.uniform(-3, 3), 6) for _ in range(FEATURES)]
        yield [key, *features, sum(features)]


def ducklake(folder):
    import duckdb

    connection = duckdb.connect(
        config={"extension_directory": os.path.join(folder, "extensions"), "autoinstall_known_extensions": False}
    )
    for name in ("ducklake", "sqlite_scanner"):
        package = importlib.import_module("duckdb_extension_" + name).__path__[0]
        connection.execute(f"INSTALL '{package}/extensions/v{duckdb.__version__}/{name}.duckdb_extension'")
    connection.execute(f"ATTACH 'ducklake:sqlite:{folder}/lake.sqlite' AS lake (DATA_PATH '{folder}/lake')")
    columns = ", ".join(f"{name} {'BIGINT' if name == 'id' else 'DOUBLE'}" for name in NAMES)
    connection.execute(f"CREATE TABLE lake.rows({columns})")
    insert = f"INSERT INTO lake.rows VALUES ({', '.join('?' for _ in NAMES)})"
    return lambda row: connection.execute(insert, row)


def delta(folder):
    import deltalake
    import pyarrow

    types = [("id", pyarrow.int64()), *((name, pyarrow.float64()) for name in NAMES[1:])]

    def insert(row):
        table = pyarrow.table([[cell] for cell in row], schema=pyarrow.schema(types))
        deltalake.write_deltalake(os.path.join(folder, "delta"), table, mode="append")

    return insert


def main():
    insert = {"ducklake": ducklake, "deltalake": delta}[sys.argv[1]](sys.argv[2])
    seconds = []
    for row in rows():
        started = time.perf_counter()
        insert(row)
        seconds.append(time.perf_counter() - started)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
