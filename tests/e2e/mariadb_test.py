"""Tables of a real MariaDB server, followed: what the hub has is what the table has, after each of the hard cases."""

import json
import re
import subprocess
import time

import pytest

import conftest
from conftest import Place
from mariadb_server import Database, Server
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


def cut_readers(database):
    """The server ends the connections of all that read its log."""
    for number in database.text("SELECT id FROM information_schema.processlist WHERE command = 'Binlog Dump'").split():
        database.run(f"KILL {number}", fails=True)


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
            if number == 2:
                cut_readers(database)
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


def test_columns_that_come_go_and_change_in_mid_stream(tmp_path, database):
    database.run(f"CREATE TABLE t(id int PRIMARY KEY, x int, note text); {fill(9)}")
    place = follow(tmp_path, database, {"t": ("id", "id: int, x: float, note: text")})
    three = "SELECT id, x, note FROM t"
    synced(place, database, sql=three)
    database.run("INSERT INTO t VALUES (10, 1, 'a'); ALTER TABLE t ADD COLUMN more text DEFAULT 'd' AFTER id; INSERT INTO t VALUES (11, 'x', 1, 'b')")
    synced(place, database, sql=three)
    # Rows change without a word in the log: the table is copied again, and only what differs is a change.
    database.run("ALTER TABLE t DROP COLUMN note, ADD COLUMN note text DEFAULT 'new'; UPDATE t SET note = 'c' WHERE id = 1")
    synced(place, database, sql=three)
    database.run("UPDATE t SET x = 3 WHERE id = 2; ALTER TABLE t MODIFY x bigint; UPDATE t SET x = 4 WHERE id = 3; CREATE INDEX i ON t(x)")
    assert synced(place, database, sql=three)["changes"] == {"inserted": 0, "updated": 2, "deleted": 0}
    database.run("ALTER TABLE t DROP COLUMN more; ALTER TABLE t RENAME COLUMN note TO remark; INSERT INTO t VALUES (12, 1, 'r')")
    assert "has no column 'note'" in failure(place)["message"]
    place.configure(configuration(database, {"t": ("id", "id: int, x: float, remark: text")}))
    assert place.json("sync", "--apply")["errors"] == []
    assert_same(place, database)


def test_tables_that_are_dropped_made_again_and_swapped_are_copied_anew(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int); INSERT INTO t SELECT seq, seq FROM seq_1_to_9")
    place = follow(tmp_path, database, {"t": ("id", "id: int, x: int")})
    synced(place, database)
    database.run("UPDATE t SET x = 2; DROP TABLE t; CREATE TABLE t(id int PRIMARY KEY, x int); INSERT INTO t VALUES (5, 50), (70, 7)")
    synced(place, database)
    database.run("CREATE TABLE other(id int PRIMARY KEY, x int) SELECT seq AS id, 1 AS x FROM seq_1_to_4; RENAME TABLE t TO old, other TO t; UPDATE t SET x = 9 WHERE id = 4")
    synced(place, database)
    database.run("CREATE OR REPLACE TABLE t(id int PRIMARY KEY, x int) SELECT seq AS id, 3 AS x FROM seq_3_to_7")
    synced(place, database)
    database.run("UPDATE t SET x = 0")
    synced(place, database)
    # A crash between the definition and the copy forgets neither.
    process = place.start("run")
    try:
        for number in range(4):
            database.run(f"ALTER TABLE t DROP COLUMN x, ADD COLUMN x int DEFAULT {number}; INSERT INTO t VALUES ({100 + number}, 1)")
            time.sleep(0.05 * number)
            process.kill()
            process.communicate()
            process = place.start("run")
    finally:
        conftest.stop(process)
    synced(place, database)


def test_a_table_that_comes_later_is_copied_beside_the_stream(tmp_path, database):
    database.run("""CREATE TABLE t(id int PRIMARY KEY, x int); CREATE TABLE u(id int PRIMARY KEY, x int);
        INSERT INTO t SELECT seq, seq FROM seq_1_to_9; INSERT INTO u SELECT seq, seq FROM seq_1_to_9""")
    columns = "id: int, x: int"
    place = follow(tmp_path, database, {"t": ("id", columns)})
    synced(place, database)
    database.run("UPDATE t SET x = 1; UPDATE u SET x = 1 WHERE id < 5")
    place.configure(configuration(database, {"t": ("id", columns), "u": ("id", columns)}))
    synced(place, database)
    assert_same(place, database, "u")
    database.run("UPDATE u SET x = 7; DELETE FROM t WHERE id = 1")
    synced(place, database)
    assert_same(place, database, "u")


def test_a_log_that_is_gone_begun_anew_or_of_another_server_is_refused_and_resync_heals(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int); INSERT INTO t SELECT seq, seq FROM seq_1_to_2000")
    place = follow(tmp_path, database, {"t": ("id", "id: int, x: int")})
    synced(place, database)

    def refused_and_healed(said, changes):
        error = failure(place)
        assert said in error["message"] and "lockstep resync" in error["hint"], error
        (source,) = place.json("status")["sources"]
        place.run("resync", "clinic")
        assert_same(place, database)
        log = place.json("log")
        assert (log[0]["inserted"], log[0]["updated"], log[0]["deleted"]) == changes, log[0]
        database.run("UPDATE t SET x = x + 1 WHERE id = 2000")
        synced(place, database)

    # The server removed log that was not read yet.
    database.run("UPDATE t SET x = -1 WHERE id = 1; FLUSH BINARY LOGS; DELETE FROM t WHERE id = 2; FLUSH BINARY LOGS")
    newest = database.text("SHOW BINARY LOGS").split("\n")[-1].split("\t")[0]
    cut_readers(database)
    conftest.wait_until(lambda: database.run(f"PURGE BINARY LOGS TO '{newest}'") and "\n" not in database.text("SHOW BINARY LOGS"), what="the purge")
    refused_and_healed("cannot go on behind the position", (0, 1, 1))
    # It forgot what came last, or all.
    database.run("RESET MASTER; UPDATE t SET x = -1 WHERE id = 3")
    refused_and_healed("whose log ends at", (0, 1, 0))
    # It began anew, and went further than before.
    database.run("RESET MASTER; UPDATE t SET x = -1 WHERE id = 4;" + "UPDATE t SET x = x + 1 WHERE id = 5;" * 60)
    refused_and_healed("begun anew", (0, 2, 0))
    other = Server(server_id="9")
    try:
        elsewhere = Database(other, database.name)
        elsewhere.run("CREATE TABLE t(id int PRIMARY KEY, x int); INSERT INTO t VALUES (1, 1)")
        place.configure(configuration(elsewhere, {"t": ("id", "id: int, x: int")}))
        assert "another server" in failure(place)["message"]
    finally:
        other.close()


def test_statements_in_place_of_rows_and_xa_stop_the_source(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int); CREATE TABLE other(id int PRIMARY KEY); INSERT INTO t VALUES (1, 1)")
    place = follow(tmp_path, database, {"t": ("id", "id: int, x: int")})
    synced(place, database)
    database.run("XA START 'a'; INSERT INTO other VALUES (1); XA END 'a'; XA PREPARE 'a'; XA COMMIT 'a'; GRANT SELECT ON t TO root@localhost; "
                 "CREATE OR REPLACE VIEW v AS SELECT * FROM t; INSERT INTO t VALUES (2, 2); ANALYZE TABLE t; FLUSH TABLES; INSERT INTO t VALUES (3, 3)")
    assert synced(place, database)["changes"]["inserted"] == 2
    database.run("SET binlog_format = 'STATEMENT'; UPDATE t SET x = 5")
    error = failure(place)
    assert "a statement in place of the rows" in error["message"] and "UPDATE t SET x = 5" in error["message"]
    place.run("resync", "clinic")
    assert_same(place, database)
    database.run("XA START 'b'; INSERT INTO t VALUES (9, 9); XA END 'b'; XA PREPARE 'b'; XA COMMIT 'b'")
    assert "is an XA transaction" in failure(place)["message"]
    place.run("resync", "clinic")
    assert_same(place, database)
    # What a session leaves out of an update did not change.
    database.run("SET binlog_row_image = 'MINIMAL'; UPDATE t SET x = 50 WHERE id = 1; UPDATE t SET id = 20 WHERE id = 2; DELETE FROM t WHERE id = 3")
    synced(place, database)
    database.run("SET binlog_row_image = 'MINIMAL'; INSERT INTO t(id) VALUES (77)")
    assert "without its column 'x'" in failure(place)["message"]


def test_other_tables_move_the_position_so_that_the_log_may_go(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int); CREATE TABLE busy(id int, x int); INSERT INTO t VALUES (1, 1)")
    place = follow(tmp_path, database, {"t": ("id", None)}, more=", heartbeat: 200ms")
    synced(place, database)
    process = place.start("run")
    try:
        database.run("INSERT INTO busy VALUES (1, 1);" * 50)
        end = database.text("SELECT @@gtid_binlog_pos")
        conftest.wait_until(lambda: place.json("status")["sources"][0]["position"] == f"at {end}", what="the position")
    finally:
        conftest.stop(process)
    database.run("FLUSH BINARY LOGS; INSERT INTO t VALUES (2, 2); FLUSH BINARY LOGS; INSERT INTO t VALUES (3, 3)")
    synced(place, database)


def test_a_huge_transaction_is_one_snapshot_within_bounded_memory(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int, note text)")
    place = follow(tmp_path, database, {"t": ("id", None)})
    synced(place, database)
    database.run("""BEGIN; INSERT INTO t SELECT seq, seq, CONCAT('note number ', seq) FROM seq_1_to_100000;
        SAVEPOINT a; INSERT INTO t SELECT seq, seq, 'gone' FROM seq_100001_to_150000; ROLLBACK TO a;
        UPDATE t SET x = -1 WHERE id <= 1000; DELETE FROM t WHERE id > 99000; COMMIT; INSERT INTO t VALUES (0, 0, 'small')""")
    process = place.start("sync", "--json")
    peak = conftest.peak_kb(process)
    code, out, err = conftest.stop(process, seconds=120)
    assert code == 0, err
    assert json.loads(out)["commits"] == 2
    assert peak < 300_000, f"{peak} kB"
    assert_same(place, database)


def test_two_followers_of_one_id_do_not_lose_anything(tmp_path, database):
    database.run("CREATE TABLE t(id int PRIMARY KEY, x int)")
    places = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        places.append(follow(tmp_path / name, database, {"t": ("id", None)}, more=", server_id: 4711"))
        synced(places[-1], database)
    processes = [place.start("run") for place in places]
    try:
        for number in range(20):
            database.run(f"INSERT INTO t VALUES ({number}, 1)")
            time.sleep(0.05)
    finally:
        for process in processes:
            conftest.stop(process)
    for place in places:
        synced(place, database)


def test_the_connection_may_be_encrypted_and_the_server_proved(tmp_path):
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=tmp_path, check=True, capture_output=True)

    for name in ("right", "wrong"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                "-keyout", f"{name}.key", "-out", f"{name}.pem")
    server = Server(ssl_cert=str(tmp_path / "right.pem"), ssl_key=str(tmp_path / "right.key"))
    try:
        database = Database(server, "safe")
        database.run("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE USER safe REQUIRE SSL; "
                     "GRANT REPLICATION SLAVE, BINLOG MONITOR, SELECT ON *.* TO safe")
        place = follow(tmp_path, database, {"t": ("id", None)})
        text = configuration(database, {"t": ("id", None)})
        plain = server.url("safe", user="safe").replace("127.0.0.1", "localhost")
        place.configure(text.replace(database.url, plain))
        assert "Access denied" in failure(place)["message"]
        verified = f"{plain}?ssl-mode=verify-identity&ssl-ca={tmp_path}"
        place.configure(text.replace(database.url, f"{verified}/wrong.pem"))
        assert "localhost" in failure(place)["message"]
        for url in (f"{plain}?ssl-mode=required", f"{verified}/right.pem"):
            place.configure(text.replace(database.url, url))
            database.run("INSERT INTO t SELECT MAX(id) + 1 FROM t")
            synced(place, database)
    finally:
        server.close()
