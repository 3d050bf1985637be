"""Tables of a server that speaks MySQL 8's protocol, followed over the real client library."""

import json
import random
import time

import pytest

import conftest
from conftest import Place
from mysql_server import MysqlServer, image
from postgres_test import HUB, hub_rows, in_order

OTHER = "8a94f357-aab4-11df-86ab-c80aa9429562"
SMALL = [[1, 1.5, "a", {"k": [1, None, True, "x\"é", 100_000, {"a": 0.5}], "longer": {}}], [2, None, None, None], [3, -2.25, "", []]]


@pytest.fixture
def server():
    one = MysqlServer()
    yield one
    one.close()


def configuration(server, more=""):
    return HUB + f"""sources:
  clinic: {{type: mysql, url: "{server.url}"{more}}}
datasets:
  visits:
    from: [clinic.shop.visits]
    key: [id]
"""


def follow(tmp_path, server):
    return Place(tmp_path, configuration(server))


def synced(place, server):
    report = place.json("sync")
    assert report["errors"] == [], report
    assert in_order(hub_rows(place, "visits")) == in_order(server.rows())
    return report


def failure(place):
    return place.json("sync", codes=None)["errors"][0]


def test_a_copy_and_then_each_transaction_plain_and_compressed(tmp_path, server):
    server.insert(SMALL)
    place = follow(tmp_path, server)
    assert synced(place, server)["changes"]["inserted"] == 3
    assert server.statements.index("FLUSH TABLES WITH READ LOCK") < server.statements.index("UNLOCK TABLES")
    server.insert([[4, 4, "four", {"new": -1}], [5, 5, "five", None]])
    server.update([[1, 9, "b", {"k": "changed"}]], is_compressed=True)
    server.delete([2], is_compressed=True)
    assert synced(place, server)["changes"] == {"inserted": 2, "updated": 1, "deleted": 1}
    assert synced(place, server)["commits"] == 0
    assert [after for _, after in server.dumps] == [{server.uuid: 1}, {server.uuid: 1}, {server.uuid: 4}]
    assert len({client for client, _ in server.dumps}) == 1
    server.cut()
    server.insert([[6, 6, "six", None]])
    assert synced(place, server)["changes"]["inserted"] == 1


def test_what_is_written_meanwhile_is_there_once_though_daemon_and_connection_are_cut(tmp_path, server):
    chance = random.Random(7)
    server.insert([[key, key / 8, "copied", {"v": key}] for key in range(200)])
    place = follow(tmp_path, server)
    daemon = place.start("run")
    fresh, killed = 1_000, 0
    end = time.monotonic() + 8
    dies = time.monotonic() + 1.5
    while time.monotonic() < end:
        is_compressed = chance.random() < 0.5
        kind = chance.choice(["insert", "update", "delete"])
        if kind == "insert":
            server.insert([[fresh + at, at / 8, f"n{at}", {"k": [at]}] for at in range(chance.randrange(1, 200))], is_compressed=is_compressed)
            fresh += 200
        elif kind == "update":
            keys = chance.sample(list(server.table), 20)
            server.update([[key, chance.randrange(99) / 8, "u", None] for key in keys], is_compressed=is_compressed)
        else:
            server.delete(chance.sample(list(server.table), 20), is_compressed=is_compressed)
        if chance.random() < 0.01:
            server.cut()
        if time.monotonic() > dies:
            daemon.kill()
            daemon.communicate()
            killed += 1
            daemon = place.start("run")
            dies = time.monotonic() + chance.uniform(0.5, 2)
        time.sleep(0.005)
    daemon.kill()
    daemon.communicate()
    synced(place, server)
    assert killed > 2 and len(server.dumps) > 1


def test_it_goes_on_on_another_server_that_has_the_transactions(tmp_path, server):
    server.insert(SMALL)
    place = follow(tmp_path, server)
    synced(place, server)
    promoted = MysqlServer(uuid=OTHER)
    try:
        promoted.table, promoted.log, promoted.executed = dict(server.table), list(server.log), dict(server.executed)
        promoted.insert([[7, 7, "on the other", None]])
        place.configure(configuration(promoted))
        assert synced(place, promoted)["changes"] == {"inserted": 1, "updated": 0, "deleted": 0}
        promoted.delete([7])
        assert synced(place, promoted)["changes"]["deleted"] == 1
        assert promoted.dumps[-1][1] == {server.uuid: 1, OTHER: 1}
    finally:
        promoted.close()


def test_changes_that_are_lost_ask_for_a_resync(tmp_path, server):
    server.insert(SMALL)
    place = follow(tmp_path, server)
    synced(place, server)
    server.insert([[4, 4, "gone from the log", None]])
    server.purged = {server.uuid: 2}
    error = failure(place)
    assert f"removed the log of {server.uuid}:2" in error["message"] and "lockstep resync clinic" in error["hint"], error
    place.run("resync", "clinic")
    synced(place, server)
    server.executed, server.purged = {server.uuid: 1}, {}
    error = failure(place)
    assert "lost what came last" in error["message"] and "lockstep resync clinic" in error["hint"], error


def test_the_servers_own_word_that_the_log_is_gone(tmp_path, server):
    server.insert(SMALL)
    place = follow(tmp_path, server)
    synced(place, server)
    server.insert([[4, 4, "gone from the log", None]])
    # Between what was asked and the log's start: only then the server says so itself.
    server.answer = lambda sql, snapshot, answer=server.answer: [[""]] if "gtid_purged" in sql else answer(sql, snapshot)
    server.purged = {server.uuid: 2}
    error = failure(place)
    assert "cannot go on behind the position" in error["message"] and "purged required" in error["message"], error
    assert "lockstep resync" in error["hint"], error


def test_what_the_server_lacks_is_told_with_its_statements(tmp_path, server):
    place = follow(tmp_path, server)
    assert "connected to MySQL 8.4.3" in place.run("check").out
    server.variables |= {"gtid_mode": "OFF", "binlog_row_metadata": "MINIMAL"}
    said = place.run("check", codes=(4,)).out
    assert "SET PERSIST gtid_mode = OFF_PERMISSIVE; SET PERSIST gtid_mode = ON_PERMISSIVE; SET PERSIST gtid_mode = ON;" in said, said
    assert "SET PERSIST binlog_row_metadata = 'FULL';" in said, said


def test_init_writes_what_can_be_followed(tmp_path, server):
    server.insert(SMALL)
    place = Place(tmp_path)
    place.run("init", "--force", "--from", server.url)
    with open(place.path("lockstep.yaml"), encoding="utf-8") as file:
        written = file.read()
    assert "doc: text" in written and "type: mysql" in written, written


def test_a_password_that_the_server_must_be_sent(tmp_path):
    server = MysqlServer(password_is_cached=False)
    try:
        server.insert(SMALL)
        synced(follow(tmp_path, server), server)
        server.key = None
        error = failure(follow(tmp_path, server))
        assert "ssl-mode=required" in error["hint"] and "secret" not in str(error), error
    finally:
        server.close()


def peak_of_sync(tmp_path, images, is_compressed):
    """In kB: of a huge transaction that is one snapshot."""
    server = MysqlServer()
    try:
        server.insert(SMALL)
        tmp_path.mkdir()
        place = follow(tmp_path, server)
        synced(place, server)
        server.write(30, images, is_compressed)
        process = place.start("sync", "--json")
        peak = conftest.peak_kb(process)
        code, out, err = conftest.stop(process, seconds=120)
        assert code == 0, err
        report = json.loads(out)
        assert (report["commits"], report["changes"]["inserted"]) == (1, len(images)), report
        return peak
    finally:
        server.close()


def test_a_compressed_transaction_takes_no_more_memory_than_a_plain_one(tmp_path):
    """A megabyte holds one of 80: unpacked at once it would show."""
    note = "the same note in each of the rows, so that it is packed well; "
    images = [image([key, 0.5, note, None]) for key in range(10, 800_010)]
    plain = peak_of_sync(tmp_path / "plain", images, False)
    packed = peak_of_sync(tmp_path / "packed", images, True)
    assert packed < plain + 40_000, f"{plain} kB, {packed} kB"
