"""Tables of a real MariaDB server, followed: what the hub has is what the table has, after each of the hard cases."""

import json
import os
import re
import time

import pytest

import conftest
from conftest import Place
from mariadb_server import Client, Database, Server
from postgres_test import HUB, hub_rows, in_order


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
    """`datasets`: {dataset: (key, columns or None)}, each from the table of its name in the database."""
    text = HUB + f"sources:\n  clinic: {{type: mysql, url: \"{database.url}\"{more}}}\ndatasets:\n"
    for name, (key, columns) in datasets.items():
        text += f"  {name}:\n    from: [clinic.{database.name}.{name}]\n    key: [{key}]\n"
        if columns:
            text += f"    columns: {{{columns}}}\n"
    return text


def follow(tmp_path, database, datasets, more=""):
    return Place(tmp_path, configuration(database, datasets, more))


def assert_same(place, database, dataset="t", sql=None):
    assert in_order(hub_rows(place, dataset)) == in_order(database.rows(sql or f"SELECT * FROM {dataset}"))


def synced(place, database, dataset="t", sql=None):
    report = place.json("sync")
    assert report["errors"] == [], report
    assert_same(place, database, dataset, sql)
    return report


def failure(place):
    return place.json("sync", codes=None)["errors"][0]


def fill(rows, text="CONCAT('n', seq)"):
    return f"INSERT INTO t SELECT seq, seq, {text} FROM seq_1_to_{rows}"


def test_a_copy_and_then_each_change(tmp_path, database):
    database.run(f"CREATE TABLE t(id int PRIMARY KEY, hr int, note text); {fill(50)}")
    place = follow(tmp_path, database, {"t": ("id", None)})
    assert synced(place, database)["changes"]["inserted"] == 50
    database.run("INSERT INTO t VALUES (51, 1, 'a'), (52, NULL, NULL)")
    assert synced(place, database)["changes"] == {"inserted": 2, "updated": 0, "deleted": 0}
    database.run("UPDATE t SET hr = hr + 1 WHERE id <= 10")
    assert synced(place, database)["changes"] == {"inserted": 0, "updated": 10, "deleted": 0}
    database.run("DELETE FROM t WHERE id > 40")
    assert synced(place, database)["changes"] == {"inserted": 0, "updated": 0, "deleted": 12}
    assert synced(place, database)["commits"] == 0
    database.run("TRUNCATE TABLE t; INSERT INTO t VALUES (1, 7, 'again')")
    synced(place, database)
    (status,) = place.json("status")["sources"]
    assert re.fullmatch(r"at 0-1-\d+", status["position"]) and status["type"] == "mysql"


def test_keys_that_change_swap_and_come_again(tmp_path, database):
    database.run(f"CREATE TABLE t(id int PRIMARY KEY, hr int, note text); {fill(9)}")
    place = follow(tmp_path, database, {"t": ("id", None)})
    synced(place, database)
    database.run("UPDATE t SET id = 100 WHERE id = 1")
    synced(place, database)
    database.run("BEGIN; UPDATE t SET id = 0 WHERE id = 2; UPDATE t SET id = 2 WHERE id = 3; UPDATE t SET id = 3 WHERE id = 0; COMMIT")
    synced(place, database)
    database.run("UPDATE t SET id = id + 1000 ORDER BY id DESC")
    synced(place, database)
    database.run("BEGIN; DELETE FROM t WHERE id = 1005; INSERT INTO t VALUES (1005, 1, 'again'); REPLACE INTO t VALUES (1006, 2, 'other'); COMMIT")
    synced(place, database)


def test_a_transaction_over_two_tables_is_one_snapshot_and_one_rolled_back_is_none(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int); CREATE TABLE u(id int PRIMARY KEY, x int)")
    place = follow(tmp_path, database, {"t": ("id", None), "u": ("id", None)})
    synced(place, database)
    database.run("BEGIN; INSERT INTO u VALUES (1, 1); INSERT INTO t VALUES (1, 1); SAVEPOINT a; INSERT INTO t VALUES (9, 9); ROLLBACK TO a; "
                 "UPDATE u SET x = 2; COMMIT; BEGIN; INSERT INTO t VALUES (10, 1); ROLLBACK")
    assert synced(place, database)["commits"] == 1
    assert_same(place, database, "u")


def test_a_daemon_follows_and_status_tells_how_far(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int)")
    place = follow(tmp_path, database, {"t": ("id", None)})
    synced(place, database)
    process = place.start("run")
    try:
        for number in range(1, 6):
            database.run(f"INSERT INTO t VALUES ({number}, 1)")
            conftest.wait_until(lambda: len(hub_rows(place)) == number, what="the row")
            if number == 2:  # its connection is cut
                database.run("SELECT GROUP_CONCAT(CONCAT('KILL ', id, ';') SEPARATOR '') INTO @k FROM information_schema.processlist "
                             "WHERE command = 'Binlog Dump'; EXECUTE IMMEDIATE @k")
            if number == 3:
                database.server.stop(at_once=True)
                time.sleep(0.5)
                database.server.start()
    finally:
        conftest.stop(process)
    assert_same(place, database)


def test_check_tells_what_is_missing_with_the_statements_and_no_password(tmp_path, server, database):
    database.run("""CREATE TABLE t(id int PRIMARY KEY, x int); CREATE TABLE u(id int PRIMARY KEY, x int);
        CREATE OR REPLACE USER reader@'%' IDENTIFIED BY 'hush-hush'""")
    text = configuration(database, {"t": ("id", None), "u": ("id", None)})
    place = Place(tmp_path, text.replace(database.url, "${MYSQL_URL}"))
    place.environment["MYSQL_URL"] = database.url.replace("root@", "reader:hush-hush@").replace(f"/{database.name}", "/")
    server.sql("SET GLOBAL binlog_row_metadata = 'MINIMAL'; SET GLOBAL binlog_format = 'MIXED'")
    done = place.run("check", "--json", codes=(4,))
    hints = [line["hint"] for line in done.json if line["level"] == "fail"]
    assert "run: GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO 'reader'@'%';" in hints
    assert f"run: GRANT SELECT ON `{database.name}`.`t` TO 'reader'@'%';" in hints
    assert any(hint.startswith("run: SET GLOBAL binlog_row_metadata = 'FULL';") for hint in hints)
    assert any(hint.startswith("run: SET GLOBAL binlog_format = 'ROW';") for hint in hints)
    assert "hush-hush" not in done.out + done.err
    database.run("GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO reader; GRANT SELECT ON t TO reader; GRANT SELECT ON u TO reader")
    assert "binlog_format is MIXED" in failure(place)["message"]
    server.sql("SET GLOBAL binlog_row_metadata = 'FULL'; SET GLOBAL binlog_format = 'ROW'")
    place.run("check")
    assert place.json("sync")["errors"] == []
    done = place.run("sync", codes=None, MYSQL_URL="mysql://reader:hush-hush@127.0.0.1:1/x")
    assert "127.0.0.1:1" in done.out + done.err and "hush-hush" not in done.out + done.err
    with open(place.catalog, "rb") as file:
        assert b"hush-hush" not in file.read()
    database.run("DROP USER reader")


def test_init_writes_a_configuration_that_works(tmp_path, database):
    database.run("""CREATE TABLE patients(id int PRIMARY KEY, age int, sbp double, ward text, photo blob);
        CREATE TABLE stays(patient int, day int, cost decimal(10, 2), PRIMARY KEY (patient, day)); CREATE TABLE notes(x text);
        CREATE TABLE orders(id int PRIMARY KEY, patient int, FOREIGN KEY (patient) REFERENCES patients(id) ON DELETE CASCADE);
        INSERT INTO patients SELECT seq, 20 + seq % 60, 100 + seq % 60, CONCAT('w', seq % 3), NULL FROM seq_1_to_300""")
    place = Place(tmp_path)
    report = place.json("init", "--force", "--from", database.url)
    assert report["datasets"] == ["patients", "stays"] and report["model"] == "patients_model"
    notes, orders = report["left_out"]
    assert notes == f"{database.name}.notes: it has no primary key" and "ON DELETE CASCADE" in orders
    place.run("check")
    assert place.json("sync")["errors"] == []
    assert_same(place, database, "patients", "SELECT id, age, sbp, ward FROM patients")
    secret = database.url.replace("root@", "root:hush-hush@")
    database.server.sql("SET PASSWORD = PASSWORD('hush-hush')")
    try:
        place.run("init", "--force", "--from", secret)
    finally:
        database.server.sql("SET PASSWORD = PASSWORD('')", password="hush-hush")
    with open(place.path("lockstep.yaml"), encoding="utf-8") as file:
        text = file.read()
    assert "hush-hush" not in text and "url: ${MYSQL_URL}" in text
