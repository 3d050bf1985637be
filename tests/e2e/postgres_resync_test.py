"""`lockstep resync`: the tables are copied anew, and only what differs is a change, however large they are."""

import conftest
import pytest

from postgres_server import Database, Server
from postgres_test import configuration, hub_rows, synced

LOST = {"max_slot_wal_keep_size": "1MB", "min_wal_size": "32MB", "max_wal_size": "32MB"}


@pytest.mark.parametrize("commit_rows_max", [100_000, 700])
def test_a_lost_slot_is_healed_by_what_differs(tmp_path, commit_rows_max):
    server = Server(**LOST)
    try:
        database = Database(server, "resync")
        database.run("CREATE TABLE t(id int PRIMARY KEY, x text); CREATE TABLE u(id int PRIMARY KEY, x text);"
                     "INSERT INTO t SELECT i, 'x' || i FROM generate_series(1, 5000) i; INSERT INTO u VALUES (1, 'a'), (2, 'b')")
        place = conftest.Place(tmp_path, configuration(database, {"t": ("id", None), "u": ("id", None)}).replace(
            "hub: {", f"hub: {{commit_rows_max: {commit_rows_max}, "))
        synced(place, database)
        assert place.json("resync", "clinic")["changes"] == {"inserted": 0, "updated": 0, "deleted": 0}
        database.run("UPDATE t SET x = 'other' WHERE id % 1000 = 0; DELETE FROM t WHERE id BETWEEN 11 AND 17;"
                     "INSERT INTO t VALUES (9001, 'new'); DELETE FROM u WHERE id = 2")
        for _ in range(4):
            database.run("BEGIN; CREATE TABLE away AS SELECT i, repeat('x', 1000) AS x FROM generate_series(1, 20000) i; COMMIT;"
                         "DROP TABLE away; SELECT pg_switch_wal(); CHECKPOINT")
        failed = place.run("sync", codes=None)
        assert "is lost" in failed.err and "lockstep resync clinic" in failed.err
        done = place.json("resync", "clinic")
        assert done["changes"] == {"inserted": 1, "updated": 5, "deleted": 8} and done["commits"] == 1
        for dataset in ("t", "u"):
            synced(place, database, dataset)
        database.run("UPDATE t SET x = 'after' WHERE id = 1")
        synced(place, database)
        assert {"id": "1", "x": "after"} in hub_rows(place)
    finally:
        server.close()


def test_files_are_not_copied_anew(tmp_path):
    place = conftest.Place(tmp_path)
    place.drop(conftest.inserts(conftest.visits(5)))
    place.run("sync")
    refused = place.run("resync", "drop", codes=None)
    assert refused.code != 0 and "has no tables to copy anew" in refused.err
