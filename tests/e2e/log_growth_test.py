"""A DuckDB that reads in one long transaction: the catalog's log grows, which is told, and shrinks when the reader goes."""

import os
import subprocess
import sys

from conftest import CONFIGURATION, DUCKDB, Place, inserts, visits

LONG_READ = DUCKDB.split("for question in")[0] + """
con.execute("BEGIN")
print(con.execute("SELECT count(*) FROM lake.raw.visits").fetchall()[0][0], flush=True)
sys.stdin.readline()
print(con.execute("SELECT count(*) FROM lake.raw.visits").fetchall()[0][0], flush=True)
con.execute("COMMIT")
"""


def log_bytes(place):
    path = place.catalog + "-wal"
    return os.path.getsize(path) if os.path.exists(path) else 0


def test_a_long_read_is_told_slows_commits_and_is_survived(tmp_path, duck):
    place = Place(tmp_path, CONFIGURATION.replace("data: hub/data}", "data: hub/data, log_max: 1MB}"))
    place.drop(inserts(visits(80)))
    place.run("sync")
    reader = subprocess.Popen([sys.executable, "-c", LONG_READ, place.catalog, duck.extensions, "(READ_ONLY)"], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert reader.stdout.readline() == "80\n"
        for count in range(30):
            place.drop(inserts(visits(8, seed=count, start=100 + 8 * count)))
            done = place.run("sync")
        assert "somebody reads it for long" in done.err
        assert log_bytes(place) > 1_000_000
        assert place.json("status")["hub"]["log_bytes"] == log_bytes(place)
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.readline() == "80\n", "the reader's own view changed"
        assert reader.wait(timeout=60) == 0
    finally:
        if reader.poll() is None:
            reader.kill()
    place.drop(inserts(visits(1, start=5000)))
    done = place.run("sync")
    assert log_bytes(place) < 1_000_000
    assert duck.ask(place.catalog, ["SELECT count(*) FROM lake.raw.visits"]) == [[("321",)]]
    place.run("verify")
