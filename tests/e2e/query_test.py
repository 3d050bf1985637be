"""Tables that are read by SELECT every so often, from real PostgreSQL, MariaDB and SQLite: the hub has what the table has."""

import os
import re
import sqlite3
import time

import pytest

import mariadb_server
import postgres_server
from conftest import Place, stop, wait_until
from postgres_test import hub_rows, in_order

COLUMNS = "SELECT id, hr, note FROM t"


class File:
    """A SQLite database, with the methods of the servers' databases."""

    stamp = "DATETIME"
    commit_rows_max = 100_000  # a look is one batch

    def __init__(self, folder):
        self.path = os.path.join(folder, "clinic.db")
        self.connection = sqlite3.connect(self.path, isolation_level=None)

    @property
    def url(self):
        return "sqlite:" + self.path

    def run(self, sql):
        self.connection.executescript(sql)

    def rows(self, sql):
        cursor = self.connection.execute(sql)
        names = [one[0] for one in cursor.description]
        return [{name: "" if cell is None else str(cell) for name, cell in zip(names, row, strict=True)} for row in cursor]

    def leave(self):
        os.rename(self.path, self.path + ".away")

    def come_back(self):
        os.rename(self.path + ".away", self.path)

    def close(self):
        self.connection.close()


class OnServer:
    commit_rows_max = 700  # a look is many

    def leave(self):
        self.server.stop(at_once=True)

    def come_back(self):
        self.server.start()


class Postgres(OnServer, postgres_server.Database):
    stamp = "timestamptz"


class Mariadb(OnServer, mariadb_server.Database):
    stamp = "datetime(6)"


@pytest.fixture(scope="module")
def servers():
    """Started when they are asked for."""
    started = {}
    yield started
    for one in started.values():
        one.close()


def database_of(kind, servers, tmp_path, name):
    if kind == "sqlite":
        return File(tmp_path)
    if kind not in servers:
        servers[kind] = {"postgres": postgres_server, "mariadb": mariadb_server}[kind].Server()
    return {"postgres": Postgres, "mariadb": Mariadb}[kind](servers[kind], name)


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def database(request, servers, tmp_path):
    one = database_of(request.param, servers, tmp_path, "t_" + re.sub(r"\W", "_", request.node.name.lower())[:50])
    one.run(f"CREATE TABLE t(id INTEGER PRIMARY KEY, hr INTEGER, note TEXT, seen {one.stamp})")
    yield one
    one.close()


def configuration(database, more="", hub="", table="t"):
    return (f'hub: {{catalog: "sqlite:hub/catalog.sqlite", data: hub/data{hub}}}\n'
            f'sources:\n  clinic: {{type: query, url: "{database.url}"{more}}}\n  drop: {{type: files, path: "incoming/*.csv"}}\n'
            f"datasets:\n  t:\n    from: [clinic.{table}]\n    key: [id]\n    columns: {{id: int, hr: int, note: text}}\n"
            "  other:\n    from: [drop]\n    key: [id]\n    columns: {id: int}\n")


def put(database, ids, seen="2026-01-01 08:00:00", note="n"):
    rows = ", ".join(f"({number}, {number % 100}, '{note}{number}', '{seen}')" for number in ids)
    database.run(f"INSERT INTO t VALUES {rows};")


def assert_same(place, database):
    assert in_order(hub_rows(place)) == in_order(database.rows(COLUMNS))


def synced(place, database):
    report = place.json("sync")
    assert report["errors"] == [], report
    assert_same(place, database)
    return report


def changes(inserted=0, updated=0, deleted=0):
    return {"inserted": inserted, "updated": updated, "deleted": deleted}


def test_a_comparison_finds_all_that_differs_and_makes_one_snapshot_of_it(tmp_path, database):
    put(database, range(1, 2001))
    place = Place(tmp_path, configuration(database, hub=f", commit_rows_max: {database.commit_rows_max}"))
    done = synced(place, database)
    assert done["changes"] == changes(inserted=2000) and done["commits"] == 1
    before = place.json("status")["commit"]
    assert synced(place, database)["commits"] == 0
    assert place.json("status")["commit"] == before, "a table that stayed the same was committed"
    database.run("UPDATE t SET note = 'other' WHERE id % 400 = 0; DELETE FROM t WHERE id BETWEEN 11 AND 18;")
    put(database, [9001])
    done = synced(place, database)
    assert done["changes"] == changes(1, 5, 8) and done["commits"] == 1
    assert place.json("resync", "clinic")["changes"] == changes()
    place.run("pause", "clinic")
    put(database, [9002])
    assert place.json("sync")["changes"] == changes()
    place.run("resume", "clinic")
    assert synced(place, database)["changes"] == changes(1)
    (status,) = [one for one in place.json("status")["sources"] if one["name"] == "clinic"]
    assert status["position"] == "t with 1994 rows" and status["type"] == "query"


def test_an_emptied_table_does_not_empty_the_hub_and_holds_up_no_other_source(tmp_path, database):
    put(database, range(1, 2001))
    place = Place(tmp_path, configuration(database, hub=f", commit_rows_max: {database.commit_rows_max}"))
    synced(place, database)
    database.run("DELETE FROM t WHERE id <= 1000;")
    place.drop_text("id\n1\n2\n", "one.csv")
    report = place.json("sync", codes=None)
    (error,) = report["errors"]
    assert error["message"] == "source 'clinic': t would delete 1000 of 2000 rows, above max_delete"
    assert report["changes"] == changes(inserted=2), "the other source's rows"
    assert len(hub_rows(place)) == 2000
    done = place.json("sync", "--accept-deletes")
    assert done["changes"] == changes(deleted=1000)
    assert_same(place, database)
    assert place.json("doctor") == [] or all(one["level"] == "ok" for one in place.json("doctor"))


def test_a_watermark_finds_the_new_and_the_late_and_a_comparison_the_deleted(tmp_path, database):
    put(database, range(1, 1001))
    put(database, [1001], "2026-01-01 09:00:00.25")
    settings = ", watermark: seen, overlap: 10m"
    place = Place(tmp_path, configuration(database, settings))
    assert synced(place, database)["changes"] == changes(1001)
    assert synced(place, database)["commits"] == 0
    database.run("UPDATE t SET note = 'other', seen = '2026-01-01 09:30:00' WHERE id = 7;")
    put(database, [1002], "2026-01-01 09:30:00")
    put(database, [1003], "2026-01-01 08:51:00")  # committed late
    assert synced(place, database)["changes"] == changes(2, 1)
    assert synced(place, database)["commits"] == 0
    (status,) = [one for one in place.json("status")["sources"] if one["name"] == "clinic"]
    assert re.match(r"t up to 202[56]-[01]\d-[03]1 ", status["position"]), status
    database.run("INSERT INTO t VALUES (1004, 1, 'no watermark', NULL);")
    assert synced(place, database)["changes"] == changes(1)
    database.run("DELETE FROM t WHERE id <= 3;")
    assert place.json("sync")["changes"] == changes()
    place.configure(configuration(database, settings + ", full: 1s"))
    time.sleep(1.1)
    assert synced(place, database)["changes"] == changes(deleted=3)


def test_a_look_that_breaks_off_never_was_and_holds_up_no_other_source(tmp_path, servers):
    database = database_of("postgres", servers, tmp_path, "breaks")
    try:
        database.run("CREATE TABLE t(id INTEGER PRIMARY KEY, hr INTEGER, note TEXT, seen timestamptz)")
        put(database, range(1, 2001))
        query = "SELECT id, hr + 0 / (id - 1500) AS hr, note FROM t"  # behind two batches
        place = Place(tmp_path, configuration(database, f', queries: {{t: "{query}"}}', hub=", commit_rows_max: 700"))
        place.drop_text("id\n1\n", "one.csv")
        report = place.json("sync", codes=None)
        assert "division by zero" in report["errors"][0]["message"] and report["changes"] == changes(1)
        assert hub_rows(place) == []
        database.run("DELETE FROM t WHERE id = 1500")
        assert synced(place, database)["changes"] == changes(1999)
    finally:
        database.close()


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_a_transaction_that_commits_after_a_later_one_is_found_in_the_overlap(tmp_path, servers, kind):
    database = database_of(kind, servers, tmp_path, "late")
    now = {"postgres": "now()", "mariadb": "now(6)"}[kind]
    database.run(f"CREATE TABLE t(id INTEGER PRIMARY KEY, hr INTEGER, note TEXT, seen {database.stamp})")
    client = {"postgres": postgres_server, "mariadb": mariadb_server}[kind].Client(database)
    place = Place(tmp_path, configuration(database, ", watermark: seen"))
    try:
        database.run(f"INSERT INTO t VALUES (1, 1, 'first', {now});")
        synced(place, database)
        client.run(f"BEGIN; INSERT INTO t VALUES (2, 2, 'late', {now});")
        database.run(f"INSERT INTO t VALUES (3, 3, 'later, and seen before', {now});")
        assert synced(place, database)["changes"] == changes(1)
        client.run("COMMIT;")
        assert synced(place, database)["changes"] == changes(1)
    finally:
        client.close()
        database.close()


def test_a_daemon_goes_on_after_it_was_killed_and_after_the_database_was_away(tmp_path, database):
    put(database, range(1, 101))
    place = Place(tmp_path, configuration(database, ", every: 200ms, watermark: seen"))

    def follows(count):
        wait_until(lambda: len(hub_rows(place)) == count, what=f"row {count}")

    process = place.start("run")
    try:
        wait_until(lambda: os.path.exists(place.catalog), what="the hub")
        wait_until(lambda: place.json("status")["writer"]["running"], what="the daemon")
        follows(100)
        put(database, [101], "2026-01-01 09:00:00")
        follows(101)
        process.kill()
        process.communicate()
        put(database, [102], "2026-01-01 09:00:00")
        process = place.start("run")
        follows(102)
        database.leave()
        wait_until(lambda: any(one["state"] == "failing" for one in place.json("status")["sources"]), what="the failure")
        database.come_back()
        put(database, [103], "2026-01-01 10:00:00")
        follows(103)
        assert_same(place, database)
    finally:
        stop(process)


def test_sync_makes_a_daemon_look_at_once(tmp_path, database):
    put(database, [1])
    place = Place(tmp_path, configuration(database, ", every: 1h"))
    synced(place, database)
    process = place.start("run")
    try:
        wait_until(lambda: place.json("status")["writer"]["running"], what="the daemon")
        put(database, [2])
        assert synced(place, database)["changes"] == changes(1)
    finally:
        stop(process)


def test_what_is_wrong_is_told_and_other_sources_go_on(tmp_path, database):
    put(database, [1])
    place = Place(tmp_path, configuration(database).replace("note: text", "notes: text"))
    place.drop_text("id\n1\n", "one.csv")
    report = place.json("sync", codes=None)
    (error,) = report["errors"]
    assert error["message"] == "source 'clinic': t: table t has no column 'notes'" and error["hint"] == "did you mean 'note'?"
    assert report["changes"] == changes(1)
    found = place.json("check", codes=None)
    assert any(one["level"] == "fail" and "has no column 'notes'" in one["message"] for one in found)
    place = Place(tmp_path / "other", configuration(database, ', queries: {t: "SELECT id, hr, note FROM nowhere"}'))
    assert "nowhere" in place.json("sync", codes=None)["errors"][0]["message"]
    if not isinstance(database, File):  # SQLite knows values, and no types
        place.configure(configuration(database, ", watermark: note"))
        assert "is no watermark" in place.json("sync", codes=None)["errors"][0]["message"]
    place.configure(configuration(database, ", watermark: seen"))
    assert synced(place, database)["changes"] == changes(1)
    told = [one["message"] + " " + one["hint"] for one in place.json("check", codes=None) if one["level"] == "warn"]
    assert any("deleted rows of t are not found" in one and "full: 24h" in one for one in told)
    (statement,) = [one.split("run: ")[1] for one in told if "run: CREATE INDEX" in one]
    database.run(statement)
    assert not any("CREATE INDEX" in one["hint"] for one in place.json("check", codes=None))


def test_a_query_is_read_as_a_table(tmp_path, database):
    put(database, range(1, 11))
    query = "SELECT id, hr * 2 AS hr, note, seen FROM t WHERE id > 5 -- the first are tests"
    place = Place(tmp_path, configuration(database, f', watermark: seen, queries: {{doubled: "{query}; "}}', table="doubled"))
    assert place.json("sync")["changes"] == changes(5)
    assert {"id": "7", "hr": "14", "note": "n7"} in hub_rows(place)
    sample = place.json("preview", "t")
    assert len(sample["raw"]) == 5
    put(database, [11], "2026-01-02 08:00:00")
    assert place.json("sync")["changes"] == changes(1)
    columns = "columns: {id: int, hr: int, note: text}"
    bare = Place(tmp_path / "bare", configuration(database).replace(columns, ""))
    assert bare.json("sync")["changes"] == changes(11)
    assert set(hub_rows(bare)[0]) == {"id", "hr", "note", "seen"}


def test_values_that_no_cell_holds_are_rejected_until_they_are_mended(tmp_path, database):
    put(database, [1, 2])
    database.run("UPDATE t SET note = 'NaNo' WHERE id = 2;")
    place = Place(tmp_path, configuration(database).replace("note: text", "note: text, pulse: int").replace(
        "clinic.t]", "clinic.q]").replace("type: query", 'type: query, queries: {q: "SELECT id, hr, note, hr + 0.5 * (id - 1) AS pulse FROM t"}'))
    assert place.json("sync")["rejected"] == 1
    (rejected,) = place.json("rejected", "t")
    assert "pulse" in rejected["reason"] and rejected["stage"] == "decode"
    database.run("UPDATE t SET id = 3 WHERE id = 2;")
    assert place.json("sync")["changes"] == changes(1)
    assert place.json("rejected", "t") == []


TYPES = {
    "postgres": ("numeric(20,4), real, double precision, boolean, date, timestamptz, timestamp, uuid, bigint",
                 "12345678901234.5678, 0.1, 0.1, true, '2026-01-31', '2026-01-31 08:00:00.5+02', '2026-01-31 08:00:00', "
                 "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 9223372036854775807"),
    "mariadb": ("decimal(20,4), float, double, boolean, date, timestamp(6) null, datetime, uuid, bigint",
                "12345678901234.5678, 0.1, 0.1, true, '2026-01-31', '2026-01-31 06:00:00.5', '2026-01-31 08:00:00', "
                "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 9223372036854775807"),
}


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_types_are_read_as_the_followed_databases_are(tmp_path, servers, kind):
    database = database_of(kind, servers, tmp_path, "types")
    types, values = TYPES[kind]
    names = ", ".join(f"c{index} {one}" for index, one in enumerate(re.split(r", ", types)))
    zone = "SET time_zone = '+00:00'; " if kind == "mariadb" else ""
    database.run(f"CREATE TABLE t(id int PRIMARY KEY, {names}); {zone}INSERT INTO t VALUES (1, {values}); INSERT INTO t(id) VALUES (2);")
    try:
        place = Place(tmp_path, configuration(database).replace("columns: {id: int, hr: int, note: text}", ""))
        assert place.json("sync")["changes"] == changes(2)
        row, empty = sorted(hub_rows(place), key=lambda one: one["id"])
        assert list(row.values()) == [
            "1", "12345678901234.568", "0.1", "0.1", "true" if kind == "postgres" else "1", "2026-01-31", "2026-01-31 06:00:00.5+00",
            "2026-01-31 08:00:00+00", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "9223372036854775807"]
        assert set(empty.values()) == {"2", ""}
        database.run("CREATE TABLE blobs(id int PRIMARY KEY, x " + ("bytea" if kind == "postgres" else "blob") + ")")
        place.configure(configuration(database, table="blobs").replace("columns: {id: int, hr: int, note: text}", "").replace("  t:\n", "  b:\n"))
        refused = place.json("sync", "--apply", codes=None)["errors"][0]
        assert "column 'x' of table blobs has type" in refused["message"]
    finally:
        database.close()


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_check_gives_the_statement_for_a_missing_right(tmp_path, servers, kind):
    database = database_of(kind, servers, tmp_path, "rights")
    try:
        database.run("CREATE TABLE t(id int PRIMARY KEY, hr int, note varchar(9)); INSERT INTO t VALUES (1, 1, 'a')")
        database.run("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN" if kind == "postgres" else
                     "CREATE OR REPLACE USER reader; CREATE TABLE u(id int); GRANT SELECT ON u TO reader")
        url = database.url
        place = Place(tmp_path, configuration(database).replace(url, url.replace("postgres@", "reader@").replace("root@", "reader@")))
        (found,) = [one for one in place.json("check", codes=None) if "GRANT SELECT" in one["hint"]]
        database.run(found["hint"].removeprefix("run: "))
        assert synced(place, database)["changes"] == changes(1)
    finally:
        database.close()
