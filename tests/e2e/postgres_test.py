"""Tables of a real PostgreSQL server, followed: what the hub has is what the table has, after each of the hard cases."""

import csv
import io
import json
import os
import re
import time

import pytest

import conftest
from conftest import Place
from postgres_server import Database, Server

HUB = 'hub: {catalog: "sqlite:hub/catalog.sqlite", data: hub/data}\n'


@pytest.fixture(scope="module")
def server():
    one = Server()
    yield one
    one.close()


@pytest.fixture
def database(server, request):
    one = Database(server, "t_" + re.sub(r"\W", "_", request.node.name.lower())[:50])
    yield one
    one.close()


def configuration(database, datasets, more=""):
    """`datasets`: {dataset: (key, columns or None)}, each from the table of its name in schema public."""
    text = HUB + f"sources:\n  clinic: {{type: postgres, url: \"{database.url}\", slot: {database.name}{more}}}\ndatasets:\n"
    for name, (key, columns) in datasets.items():
        text += f"  {name}:\n    from: [clinic.public.{name}]\n    key: [{key}]\n"
        if columns:
            text += f"    columns: {{{columns}}}\n"
    return text


def follow(tmp_path, database, datasets, more=""):
    return Place(tmp_path, configuration(database, datasets, more))


def hub_rows(place, dataset="t"):
    text = place.run("export", dataset, "--layer", "raw").out
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return [{name: cell for name, cell in row.items() if not name.startswith("_")} for row in rows]


def in_order(rows):
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def assert_same(place, database, dataset="t", sql=None):
    wanted = database.rows(sql or f"SELECT * FROM {dataset}")
    assert in_order(hub_rows(place, dataset)) == in_order(wanted)


def synced(place, database, dataset="t", sql=None):
    report = place.json("sync")
    assert report["errors"] == [], report
    assert_same(place, database, dataset, sql)
    return report


def test_a_copy_and_then_each_change(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, hr int, note text); INSERT INTO t SELECT i, i, 'n' || i FROM generate_series(1, 50) i")
    place = follow(tmp_path, database, {"t": ("id", None)})
    assert synced(place, database)["changes"]["inserted"] == 50
    database.run("INSERT INTO t VALUES (51, 1, 'a'), (52, NULL, NULL)")
    assert synced(place, database)["changes"] == {"inserted": 2, "updated": 0, "deleted": 0}
    database.run("UPDATE t SET hr = hr + 1 WHERE id <= 10")
    assert synced(place, database)["changes"] == {"inserted": 0, "updated": 10, "deleted": 0}
    database.run("DELETE FROM t WHERE id > 40")
    assert synced(place, database)["changes"] == {"inserted": 0, "updated": 0, "deleted": 12}
    assert synced(place, database)["commits"] == 0


def test_keys_that_change_swap_and_come_again(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, note text); INSERT INTO t SELECT i, 'n' || i FROM generate_series(1, 9) i")
    place = follow(tmp_path, database, {"t": ("id", None)})
    synced(place, database)
    database.run("UPDATE t SET id = 100 WHERE id = 1")
    synced(place, database)
    database.run("BEGIN; UPDATE t SET id = 0 WHERE id = 2; UPDATE t SET id = 2 WHERE id = 3; UPDATE t SET id = 3 WHERE id = 0; COMMIT")
    synced(place, database)
    database.run("UPDATE t SET id = id + 1000")
    synced(place, database)
    database.run("BEGIN; DELETE FROM t WHERE id = 5; INSERT INTO t VALUES (5, 'again'); COMMIT")
    synced(place, database)
    # Two rows may have one key for a while, and the stream does not tell which of them is meant.
    database.run("""CREATE TABLE u(id int PRIMARY KEY DEFERRABLE, note text); ALTER TABLE u REPLICA IDENTITY FULL""")
    place.configure(configuration(database, {"u": ("id", None)}))
    assert "deferrable" in json.dumps(place.json("check", codes=(4,)))


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
def test_values_that_are_stored_apart_and_do_not_change(tmp_path, database, identity):
    database.run(f"""CREATE TABLE t(id int PRIMARY KEY, hr int, note text); ALTER TABLE t REPLICA IDENTITY {identity};
        ALTER TABLE t ALTER note SET STORAGE EXTERNAL;
        INSERT INTO t SELECT i, i, repeat(i || ' long ', 2000) FROM generate_series(1, 6) i""")
    place = follow(tmp_path, database, {"t": ("id", None)})
    synced(place, database)
    database.run("UPDATE t SET hr = 100 WHERE id = 1; UPDATE t SET id = 20 WHERE id = 2; UPDATE t SET id = 30, hr = 3 WHERE id = 3")
    synced(place, database)
    # Several within one transaction: the value is that of a row of the same transaction.
    database.run("""BEGIN; INSERT INTO t VALUES (7, 1, repeat('seven ', 3000)); UPDATE t SET hr = 2 WHERE id = 7;
        UPDATE t SET id = 70 WHERE id = 7; UPDATE t SET hr = 3 WHERE id = 70; UPDATE t SET id = 40 WHERE id = 4;
        UPDATE t SET id = 41 WHERE id = 40; COMMIT""")
    synced(place, database)


def test_truncates_cascade_and_rows_follow_them(tmp_path, database):
    database.run("""CREATE TABLE t(id int PRIMARY KEY, x int); CREATE TABLE u(id int PRIMARY KEY, t int REFERENCES t);
        INSERT INTO t SELECT i, i FROM generate_series(1, 30) i; INSERT INTO u SELECT i, i FROM generate_series(1, 20) i""")
    place = follow(tmp_path, database, {"t": ("id", None), "u": ("id", None)})
    synced(place, database)
    assert_same(place, database, "u")
    database.run("BEGIN; INSERT INTO t VALUES (31, 1); TRUNCATE t CASCADE; INSERT INTO t VALUES (1, 2), (2, 2); COMMIT")
    synced(place, database)
    assert_same(place, database, "u")
    assert len(hub_rows(place, "u")) == 0


def test_a_transaction_over_two_tables_is_one_snapshot(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int); CREATE TABLE u(id int PRIMARY KEY, x int)")
    place = follow(tmp_path, database, {"t": ("id", None), "u": ("id", None)})
    synced(place, database)
    database.run("BEGIN; INSERT INTO u VALUES (1, 1); INSERT INTO t VALUES (1, 1); UPDATE u SET x = 2; COMMIT")
    assert synced(place, database)["commits"] == 1
    assert_same(place, database, "u")


def test_values_of_every_kind(tmp_path, database):
    database.run("""
        CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE DOMAIN percent AS int CHECK (VALUE >= 0); CREATE DOMAIN share AS percent;
        CREATE TABLE t(id bigint PRIMARY KEY, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, n0 numeric(12, 0),
            d date, at timestamp, atz timestamptz, c char(5), v varchar(20), x text, u uuid, j json, jb jsonb, m mood, p share);
        INSERT INTO t VALUES
          (1, true, -32768, -2147483648, -9223372036854775808, 1.5, 0.1, 1.25, 999999999999, '2024-02-29', '2024-02-29 23:59:59.999999',
           '2024-03-31 01:59:59+01', 'ab', 'é', E'tab\\t nl\\n back\\\\ "q"', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a" : 1}', '{"a" : 1}', 'good', 7),
          (2, false, 0, 0, 0, 'NaN', 'Infinity', 'NaN', 0, '0001-01-01', '0001-01-01', '9999-12-31 23:59:59.999999+00', '', '', '', NULL, NULL, NULL, 'bad', 0),
          (3, NULL, NULL, NULL, NULL, '-Infinity', '-0', 12345678901234567890123456789012345678, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)""")
    place = follow(tmp_path, database, {"t": ("id", None)})
    place.json("sync")
    copied = sorted(hub_rows(place), key=lambda row: int(row["id"]))
    assert [row["f8"] for row in copied] == ["0.1", "inf", "-0"]
    assert copied[0]["at"] == "2024-02-29 23:59:59.999999+00"
    assert copied[0]["atz"] == "2024-03-31 00:59:59+00"
    assert copied[0]["x"] == 'tab\t nl\n back\\ "q"'
    assert (copied[0]["b"], copied[0]["m"], copied[0]["p"], copied[0]["n0"]) == ("true", "good", "7", "999999999999")
    # The stream gives the same as the copy, whatever the database's settings are.
    database.run(f"ALTER DATABASE {database.name} SET timezone = 'Asia/Tokyo'; ALTER DATABASE {database.name} SET datestyle = 'German'")
    database.run("UPDATE t SET id = id + 10")
    place.json("sync")
    streamed = [dict(row, id=str(int(row["id"]) - 10)) for row in hub_rows(place)]
    assert in_order(streamed) == in_order(copied)


def test_what_no_cell_can_hold_is_rejected_with_its_place(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, at timestamptz, d date, n numeric)")
    place = follow(tmp_path, database, {"t": ("id", "id: int, at: timestamp, d: date, n: int")})
    synced(place, database)
    database.run("""INSERT INTO t VALUES (1, '2024-01-01', '2024-01-01', 1), (2, 'infinity', NULL, 1), (3, NULL, '-infinity', 1),
        (4, NULL, '4713-01-01 BC', 1), (5, NULL, NULL, 1.5), (6, NULL, NULL, 'NaN'), (7, NULL, NULL, 2.00)""")
    report = place.json("sync")
    assert report["rejected"] == 5
    assert [row["id"] for row in hub_rows(place)] == ["1", "7"]
    reasons = place.run("rejected", "t").out
    assert "infinity" in reasons and "BC" in reasons and "1.5" in reasons
    # Mended, they leave `rejected`.
    database.run("UPDATE t SET at = NULL, d = NULL, n = 1")
    synced(place, database)
    assert place.json("rejected", "t") == []


def test_partitions_are_one_table_and_rows_may_move(tmp_path, database):
    database.run("""CREATE TABLE t(id int, region text, x int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
        CREATE TABLE t_a PARTITION OF t FOR VALUES IN ('a'); CREATE TABLE t_b PARTITION OF t FOR VALUES IN ('b');
        INSERT INTO t SELECT i, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END, i FROM generate_series(1, 10) i""")
    place = follow(tmp_path, database, {"t": ("id, region", None)})
    synced(place, database)
    database.run("UPDATE t SET region = 'b' WHERE id = 2; UPDATE t SET x = 0 WHERE id = 3; DELETE FROM t WHERE id = 4")
    synced(place, database)
    database.run("CREATE TABLE t_c PARTITION OF t FOR VALUES IN ('c'); INSERT INTO t VALUES (50, 'c', 1)")
    synced(place, database)
    database.run("TRUNCATE t")
    synced(place, database)


def test_composite_and_text_keys(tmp_path, database):
    database.run("""CREATE TABLE t(patient text, hour int, hr int, PRIMARY KEY (hour, patient));
        INSERT INTO t VALUES ('a', 1, 1), ('a,b', 1, 2), ('é "x"', 2, 3)""")
    place = follow(tmp_path, database, {"t": ("patient, hour", None)})
    synced(place, database)
    database.run("UPDATE t SET patient = 'A' WHERE patient = 'a'; DELETE FROM t WHERE patient = 'a,b'; UPDATE t SET hr = 9 WHERE hour = 2")
    synced(place, database)


def test_an_index_as_identity(tmp_path, database):
    database.run("""CREATE TABLE t(id int PRIMARY KEY, code text NOT NULL UNIQUE, x int);
        ALTER TABLE t REPLICA IDENTITY USING INDEX t_code_key; INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)""")
    place = follow(tmp_path, database, {"t": ("code", None)})
    synced(place, database)
    database.run("UPDATE t SET code = 'c' WHERE id = 1; UPDATE t SET x = 5 WHERE id = 2; DELETE FROM t WHERE id = 2")
    synced(place, database)
    # The primary key is not in the identity: a delete would not tell it.
    (tmp_path / "wrong").mkdir()
    wrong = follow(tmp_path / "wrong", database, {"t": ("id", None)})
    failed = [line for line in wrong.json("check", codes=(4,)) if line["level"] == "fail"]
    assert "replica identity" in failed[0]["message"] and "REPLICA IDENTITY FULL" in failed[0]["hint"]


def test_generated_columns_and_arrays_are_told(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int, twice int GENERATED ALWAYS AS (x * 2) STORED, tags int[])")
    place = follow(tmp_path, database, {"t": ("id", None)})
    report = place.json("sync", codes=None)
    assert "column 'tags' of table public.t has type integer[]" in report["errors"][0]["message"]
    place.configure(configuration(database, {"t": ("id", "id: int, twice: int")}))
    assert "generated" in json.dumps(place.json("check", codes=(4,)))
    place.configure(configuration(database, {"t": ("id", "id: int, x: int")}))
    database.run("INSERT INTO t(id, x, tags) VALUES (1, 2, '{1,2}')")
    synced(place, database, sql="SELECT id, x FROM t")
    database.run("UPDATE t SET tags = NULL, x = 3")
    synced(place, database, sql="SELECT id, x FROM t")


def test_columns_that_come_go_and_change_in_mid_stream(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int, note text); INSERT INTO t SELECT i, i, 'n' FROM generate_series(1, 9) i")
    columns = "id: int, x: float, note: text"
    place = follow(tmp_path, database, {"t": ("id", columns)})
    synced(place, database)
    database.run("BEGIN; INSERT INTO t VALUES (10, 1, 'a'); ALTER TABLE t ADD COLUMN more text DEFAULT 'd'; INSERT INTO t VALUES (11, 1, 'b'); COMMIT")
    synced(place, database, sql="SELECT id, x, note FROM t")
    # Every row is written anew, and the stream has no word of it: the table is copied again.
    database.run("ALTER TABLE t ALTER x TYPE float8 USING x * 10; UPDATE t SET note = 'c' WHERE id = 1")
    synced(place, database, sql="SELECT id, x, note FROM t")
    database.run("ALTER TABLE t DROP COLUMN more; ALTER TABLE t RENAME note TO remark; INSERT INTO t VALUES (12, 1, 'r')")
    report = place.json("sync", codes=None)
    assert "has no column 'note'" in report["errors"][0]["message"]
    place.configure(configuration(database, {"t": ("id", "id: int, x: float, remark: text")}))
    report = place.json("sync", "--apply")
    assert report["errors"] == []
    assert_same(place, database)


def test_a_table_that_is_dropped_and_made_again_is_copied_anew(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int); INSERT INTO t SELECT i, i FROM generate_series(1, 9) i")
    place = follow(tmp_path, database, {"t": ("id", "id: int, x: int")})
    synced(place, database)
    database.run("DROP TABLE t; CREATE TABLE t(id int PRIMARY KEY, x int); INSERT INTO t VALUES (5, 50), (70, 7)")
    synced(place, database)
    database.run("UPDATE t SET x = 0")
    synced(place, database)


def test_a_table_that_comes_later_is_copied_beside_the_stream(tmp_path, database):
    database.run("""CREATE TABLE t(id int PRIMARY KEY, x int); CREATE TABLE u(id int PRIMARY KEY, x int);
        INSERT INTO t SELECT i, i FROM generate_series(1, 9) i; INSERT INTO u SELECT i, i FROM generate_series(1, 9) i""")
    place = follow(tmp_path, database, {"t": ("id", "id: int, x: int")})
    synced(place, database)
    database.run("UPDATE t SET x = 1; UPDATE u SET x = 1 WHERE id < 5")
    place.configure(configuration(database, {"t": ("id", "id: int, x: int"), "u": ("id", "id: int, x: int")}))
    synced(place, database)
    assert_same(place, database, "u")
    database.run("BEGIN; DELETE FROM u WHERE id = 1; DELETE FROM t WHERE id = 1; COMMIT")
    synced(place, database)
    assert_same(place, database, "u")


def slot_of(database):
    return database.text(f"SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{database.name}'")


def test_a_slot_that_is_gone_made_anew_or_moved_is_refused_and_another_heals(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int); INSERT INTO t SELECT i, i FROM generate_series(1, 9) i")
    datasets = {"t": ("id", "id: int, x: int")}
    place = follow(tmp_path, database, datasets)
    synced(place, database)
    name = database.name
    database.run("INSERT INTO t VALUES (10, 1)")
    database.run(f"SELECT pg_replication_slot_advance('{name}', pg_current_wal_lsn())")
    assert "beyond" in place.json("sync", codes=None)["errors"][0]["message"]
    database.run(f"SELECT pg_drop_replication_slot('{name}')")
    assert "is gone" in place.json("sync", codes=None)["errors"][0]["message"]
    database.run(f"SELECT pg_create_logical_replication_slot('{name}', 'pgoutput')")
    error = place.json("sync", codes=None)["errors"][0]
    assert "made anew" in error["message"] and "lockstep resync clinic" in error["hint"]
    database.run("DELETE FROM t WHERE id < 4")
    place.configure(configuration(database, datasets).replace(f"slot: {name}", f"slot: {name}_2"))
    report = synced(place, database)
    assert report["changes"] == {"inserted": 1, "updated": 0, "deleted": 3}


def test_a_slot_that_the_server_gave_up_is_told(tmp_path):
    server = Server(max_slot_wal_keep_size="1MB", min_wal_size="32MB", max_wal_size="32MB")
    try:
        database = Database(server, "lost")
        database.run("CREATE TABLE t(id int PRIMARY KEY, x text)")
        place = follow(tmp_path, database, {"t": ("id", None)})
        synced(place, database)
        for _ in range(4):
            database.run("INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 20000) i; DELETE FROM t; SELECT pg_switch_wal(); CHECKPOINT")
        assert "is lost" in place.json("sync", codes=None)["errors"][0]["message"]
        assert "is lost" in json.dumps(place.json("check", codes=(4,)))
    finally:
        server.close()


def test_another_server_and_a_log_that_went_back_are_refused(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int); INSERT INTO t VALUES (1, 1)")
    datasets = {"t": ("id", "id: int, x: int")}
    place = follow(tmp_path, database, datasets)
    synced(place, database)
    other = Server()
    try:
        elsewhere = Database(other, database.name)
        elsewhere.run("CREATE TABLE t(id int PRIMARY KEY, x int)")
        place.configure(configuration(elsewhere, datasets))
        assert "another server" in place.json("sync", codes=None)["errors"][0]["message"]
    finally:
        other.close()


def test_an_idle_table_beside_a_busy_one_does_not_hold_the_log(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int); CREATE TABLE busy(id int, x text)")
    place = follow(tmp_path, database, {"t": ("id", None)}, more=", heartbeat: 200ms")
    process = place.start("run")
    try:
        conftest.wait_until(lambda: slot_of(database), what="the slot")
        before = int(database.text("SELECT pg_current_wal_lsn() - '0/0'"))
        database.run("INSERT INTO busy SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i")
        after = int(database.text("SELECT pg_current_wal_lsn() - '0/0'"))
        assert after - before > 5_000_000
        held = f"SELECT {after} - (confirmed_flush_lsn - '0/0') <= 0 FROM pg_replication_slots WHERE slot_name = '{database.name}'"
        conftest.wait_until(lambda: database.text(held) == "t", what="the slot's advance")
    finally:
        conftest.stop(process)


def test_a_cut_connection_and_a_server_that_restarts_are_survived(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int)")
    place = follow(tmp_path, database, {"t": ("id", None)})
    process = place.start("run")
    try:
        for number in range(1, 5):
            database.run(f"INSERT INTO t SELECT {number} * 100 + i, i FROM generate_series(1, 50) i")
            conftest.wait_until(lambda: slot_of(database) and len(hub_rows(place)) == 50 * number, what="the rows")
            if number == 2:
                database.server.stop(at_once=True)
                time.sleep(1)
                database.server.start()
            else:
                database.run("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active")
        assert_same(place, database)
    finally:
        conftest.stop(process)


def test_a_huge_transaction_is_one_snapshot_within_bounded_memory(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int, note text)")
    place = follow(tmp_path, database, {"t": ("id", None)})
    synced(place, database)
    database.run("""BEGIN; INSERT INTO t SELECT i, i, 'note number ' || i FROM generate_series(1, 200000) i;
        SAVEPOINT a; INSERT INTO t SELECT i, i, 'gone' FROM generate_series(200001, 300000) i; ROLLBACK TO a;
        UPDATE t SET x = -1 WHERE id <= 1000; DELETE FROM t WHERE id > 199000; COMMIT; INSERT INTO t VALUES (0, 0, 'small')""")
    process = place.start("sync", "--json")
    peak = conftest.peak_kb(process)
    code, out, err = conftest.stop(process, seconds=120)
    assert code == 0, err
    assert json.loads(out)["commits"] == 2
    assert peak < 300_000, f"{peak} kB"
    assert_same(place, database)


def test_a_second_reader_of_the_slot_waits_and_tells(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int)")
    place = follow(tmp_path, database, {"t": ("id", None)})
    synced(place, database)
    process = place.start("run")
    try:
        conftest.wait_until(lambda: database.text(f"SELECT active FROM pg_replication_slots WHERE slot_name = '{database.name}'") == "t",
                            what="the first reader")
        (tmp_path / "second").mkdir()
        second = follow(tmp_path / "second", database, {"t": ("id", None)})
        assert "is used by process" in second.json("sync", codes=None)["errors"][0]["message"]
    finally:
        conftest.stop(process)


def test_check_tells_what_is_missing_with_the_statements_and_no_password(tmp_path, server, database):
    database.run("""CREATE TABLE t(id int PRIMARY KEY, x int); CREATE TABLE u(id int, x int);
        DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 'hush-hush'""")
    text = configuration(database, {"t": ("id", None), "u": ("id", None)})
    place = Place(tmp_path, text.replace(database.url, "${PG_URL}"))
    place.environment["PG_URL"] = database.url.replace("postgres@", "reader:hush-hush@")
    done = place.run("check", "--json", codes=(4,))
    failed = {line["message"]: line["hint"] for line in done.json if line["level"] == "fail"}
    assert "run: ALTER ROLE \"reader\" REPLICATION;" in failed.values()
    assert "run: GRANT SELECT ON \"public\".\"t\" TO \"reader\";" in failed.values()
    assert any("CREATE PUBLICATION" in hint for hint in failed.values())
    assert "has no replica identity" in done.out
    assert "hush-hush" not in done.out + done.err
    database.run(f"ALTER ROLE reader REPLICATION; GRANT SELECT ON t, u TO reader; CREATE PUBLICATION lockstep_clinic FOR TABLE t, u")
    place.run("check")
    assert place.json("sync")["errors"] == []
    done = place.run("sync", codes=None, PG_URL="postgresql://reader:hush-hush@127.0.0.1:1/x")
    assert "127.0.0.1:1" in done.out + done.err and "hush-hush" not in done.out + done.err
    assert os.path.exists(place.catalog)
    with open(place.catalog, "rb") as file:
        assert b"hush-hush" not in file.read()
    database.run("DROP OWNED BY reader; DROP ROLE reader")


def test_init_writes_a_configuration_that_works(tmp_path, database):
    database.run("""CREATE TABLE patients(id int PRIMARY KEY, age int, sbp float8, ward text, tags int[]);
        CREATE TABLE stays(patient int, day int, cost numeric, PRIMARY KEY (patient, day)); CREATE TABLE notes(x text);
        INSERT INTO patients SELECT i, 20 + i % 60, 100 + i % 60, 'w' || i % 3 FROM generate_series(1, 300) i; ANALYZE""")
    place = Place(tmp_path)
    report = place.json("init", "--force", "--from", database.url)
    assert report["datasets"] == ["patients", "stays"] and report["model"] == "patients_model"
    assert report["left_out"] == ["public.notes: it has no primary key"]
    place.run("check")
    assert place.json("sync")["errors"] == []
    assert_same(place, database, "patients", "SELECT id, age, sbp, ward FROM patients")
    secret = database.url.replace("postgres@", "postgres:hush-hush@")
    place.run("init", "--force", "--from", secret)
    with open(place.path("lockstep.yaml"), encoding="utf-8") as file:
        text = file.read()
    assert "hush-hush" not in text and "url: ${PG_URL}" in text
    place.run("check", PG_URL=secret)
    place.run("sync", PG_URL=secret)
    with open(place.catalog, "rb") as file:
        assert b"hush-hush" not in file.read()
    assert place.run("init", "--force", "--from", "oracle://x", codes=(2,)).err


def test_a_large_table_that_is_copied_anew_changes_only_what_differs(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int, note text); INSERT INTO t SELECT i, i, 'n' || i FROM generate_series(1, 30000) i")
    datasets = {"t": ("id", "id: int, x: int, note: text")}
    place = follow(tmp_path, database, datasets)
    synced(place, database)
    database.run(f"SELECT pg_drop_replication_slot('{database.name}')")
    database.run("DELETE FROM t WHERE id % 100 = 0; UPDATE t SET x = 0 WHERE id % 100 = 1; INSERT INTO t VALUES (0, 0, 'new')")
    place.configure(configuration(database, datasets).replace(f"slot: {database.name}", f"slot: {database.name}_2"))
    report = synced(place, database)
    assert report["changes"] == {"inserted": 1, "updated": 300, "deleted": 300}
    database.run("UPDATE t SET x = 1 WHERE id = 1")
    assert synced(place, database)["changes"] == {"inserted": 0, "updated": 1, "deleted": 0}
