"""A PostgreSQL source over time: a first copy that breaks off, a slot in danger, tables that change, rows that were rejected."""

import os
import re
import signal
import time

import pytest

import conftest
from conftest import Place
from postgres_server import Client, Database, Server
from postgres_test import assert_same, configuration, follow, synced


@pytest.fixture(scope="module")
def server():
    one = Server(max_slot_wal_keep_size="96MB", max_wal_size="64MB")
    yield one
    one.close()


@pytest.fixture
def database(server, request):
    one = Database(server, "t_" + re.sub(r"\W", "_", request.node.name.lower())[:50])
    yield one
    one.close()


def kill_when_staged(place, pattern):
    """Begins a sync, and kills it once the load's journal has the pattern."""
    process = place.start("sync")

    def is_staged():
        assert process.poll() is None, process.communicate()
        try:
            with open(place.path("hub", "data", "_load.journal"), "rb") as file:
                return re.search(pattern, file.read())
        except FileNotFoundError:
            return None

    try:
        conftest.wait_until(is_staged, what=f"{pattern} in the journal")
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def test_a_first_copy_that_breaks_off_goes_on_and_is_one_exact_snapshot(tmp_path, database):
    database.run("""CREATE TABLE small(id int PRIMARY KEY, x int); INSERT INTO small SELECT i, i FROM generate_series(1, 100) i;
        CREATE TABLE t(id int PRIMARY KEY, x int, note text); ALTER TABLE t ALTER note SET STORAGE PLAIN;
        INSERT INTO t SELECT i, i, repeat('n', 700) FROM generate_series(1, 80000) i""")
    text = configuration(database, {"small": ("id", None), "t": ("id", None)})
    text = text.replace("data: hub/data", "data: hub/data, commit_rows_max: 5000")
    place = Place(tmp_path, text)
    kill_when_staged(place, rb"block\W+2048")
    # Rows of both parts change, leave, come, and move to where the copy was already; small is whole.
    database.run("""UPDATE t SET x = -x WHERE id % 7 = 0; DELETE FROM t WHERE id % 11 = 0; UPDATE small SET x = 0 WHERE id < 9;
        INSERT INTO t SELECT i, i, 'late' FROM generate_series(90001, 90500) i; VACUUM t; UPDATE t SET x = x + 1 WHERE id > 79000;
        UPDATE t SET id = id + 200000 WHERE id BETWEEN 78000 AND 78050; DELETE FROM t WHERE id > 90400 AND id < 100000""")
    kill_when_staged(place, rb"block\W+4096")
    database.run("BEGIN; UPDATE t SET x = 7 WHERE id < 50; DELETE FROM small WHERE id = 50; COMMIT; TRUNCATE small; INSERT INTO small VALUES (1, 1)")
    done = place.run("sync", "--verbose")
    assert "goes on where it was left" in done.err, done
    assert_same(place, database)
    assert_same(place, database, "small")
    assert [line["kind"] for line in place.json("log")].count("changes") == 1
    assert place.json("status")["datasets"][0]["rejected"] == 0
    database.run("UPDATE t SET x = 1 WHERE id = 1; INSERT INTO small VALUES (2, 2)")
    synced(place, database)
    assert_same(place, database, "small")


def test_a_first_copy_of_a_table_that_was_written_anew_begins_anew(tmp_path, database):
    database.run("""CREATE TABLE t(id int PRIMARY KEY, x int, note text); ALTER TABLE t ALTER note SET STORAGE PLAIN;
        INSERT INTO t SELECT i, i, repeat('n', 700) FROM generate_series(1, 40000) i""")
    text = configuration(database, {"t": ("id", None)}).replace("data: hub/data", "data: hub/data, commit_rows_max: 5000")
    place = Place(tmp_path, text)
    kill_when_staged(place, rb"block\W+2048")
    database.run("DELETE FROM t WHERE id % 2 = 0; VACUUM FULL t")
    done = place.run("sync", "--verbose")
    assert "begins anew" in done.err, done
    assert_same(place, database)


def state_of(place):
    return place.json("status")["sources"][0]


def test_a_slot_in_danger_is_told_before_it_is_lost(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int); INSERT INTO t VALUES (1, 1)")
    place = follow(tmp_path, database, {"t": ("id", None)}, more=", heartbeat: 200ms")
    synced(place, database)
    process = place.start("run")
    holder = Client(database)
    try:
        conftest.wait_until(lambda: state_of(place)["lag"] and state_of(place)["lag"]["s"] == 0, what="the daemon to catch up")
        assert state_of(place)["state"] == "running"
        holder.run("BEGIN; SELECT txid_current();")  # the server keeps its log for a transaction that stays open
        database.run("CREATE TABLE busy(x text); ALTER TABLE busy ALTER x SET STORAGE PLAIN; CHECKPOINT")
        database.run("INSERT INTO busy SELECT repeat('x', 5000) FROM generate_series(1, 14000)")
        conftest.wait_until(lambda: state_of(place)["state"] == "endangered", what="the danger")
        told = state_of(place)
        time.sleep(1.5)  # the log tells it within a second
        assert "of the server's log" in told["error"] and "max_slot_wal_keep_size" in told["hint"], told
        assert told["lag"]["safe_bytes"] < 48 << 20
        found = [line for line in place.json("check", codes=None) if line["level"] == "warn"]
        assert any("of the server's log" in line["message"] for line in found), found
        database.run("INSERT INTO t VALUES (2, 2)")  # and the stream goes on
        conftest.wait_until(lambda: place.json("status")["datasets"][0]["rows"] == 2, what="the row")
        holder.run("COMMIT;")
        database.run("CHECKPOINT; INSERT INTO t VALUES (3, 3); CHECKPOINT; INSERT INTO t VALUES (4, 4)")
        conftest.wait_until(lambda: state_of(place)["state"] == "running", what="the danger's end")
        time.sleep(1.5)  # the log tells it within a second
    finally:
        holder.close()
        _, _, err = conftest.stop(process)
    assert "of the server's log" in err and "no longer in danger" in err, err


def test_snapshots_between_an_alteration_and_its_copy_are_marked(tmp_path, database):
    database.run("""CREATE TABLE t(id int PRIMARY KEY, x int); CREATE TABLE u(id int PRIMARY KEY, x int);
        INSERT INTO t SELECT i, i FROM generate_series(1, 9) i; INSERT INTO u VALUES (1, 1)""")
    place = follow(tmp_path, database, {"t": ("id", "id: int, x: float"), "u": ("id", "id: int, x: int")}, more=", heartbeat: 60s")
    synced(place, database)
    process = place.start("run")
    try:
        conftest.wait_until(lambda: place.json("status")["sources"][0]["state"] == "running", what="the stream")
        database.run("ALTER TABLE t ALTER x TYPE float8 USING x * 10; UPDATE t SET x = 0 WHERE id = 1")
        marked = "public.t (schema pending)"
        conftest.wait_until(lambda: marked in [line["message"] for line in place.json("log")], what="the mark")
        database.run("INSERT INTO u VALUES (2, 2)")
        conftest.wait_until(lambda: place.json("log")[0]["message"] == "public.u", what="a snapshot without a mark")
        assert_same(place, database)
        assert_same(place, database, "u")
    finally:
        conftest.stop(process)


def test_the_delete_of_a_rejected_row_takes_it_out_of_rejected(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, day date)")
    place = follow(tmp_path, database, {"t": ("id", None)})
    synced(place, database)
    rejected = lambda: place.json("status")["datasets"][0]["rejected"]  # noqa: E731
    database.run("INSERT INTO t VALUES (1, 'infinity'), (2, '2024-02-29')")
    place.json("sync", codes=None)
    assert rejected() == 1
    database.run("DELETE FROM t WHERE id = 1")
    assert place.json("sync")["rejected"] == -1
    assert rejected() == 0
    database.run("BEGIN; INSERT INTO t VALUES (3, 'infinity'); DELETE FROM t WHERE id = 3; COMMIT")
    synced(place, database)
    assert rejected() == 0


def test_a_daemon_that_waits_for_its_server_ends_at_once(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int)")
    place = follow(tmp_path, database, {"t": ("id", None)})
    synced(place, database)
    # So much of another table that the server reads for a while, and has not said yet how far it is.
    database.run("CREATE TABLE busy(x int); INSERT INTO busy SELECT 1 FROM generate_series(1, 400000)")
    process = place.start("run")
    sender = conftest.wait_until(
        lambda: database.text("SELECT active_pid FROM pg_replication_slots WHERE active"), what="the stream")
    os.kill(int(sender), signal.SIGSTOP)
    try:
        time.sleep(0.5)
        began = time.monotonic()
        conftest.stop(process)
        assert time.monotonic() - began < 5
    finally:
        os.kill(int(sender), signal.SIGCONT)
