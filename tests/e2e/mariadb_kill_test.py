"""Lockstep, the server and the connection are killed while clients write: nothing is lost, doubled, or torn apart."""

import random
import threading
import time

import pytest

from conftest import Place
from database_kills import CLIENTS, DATASETS, KEYS, SECONDS, SEED, check_snapshots, disturb
from mariadb_server import Client, Database, Server
from mariadb_test import assert_same
from postgres_server import Proxy
from postgres_test import HUB

TABLES = f"""
CREATE TABLE t(id int PRIMARY KEY, x int, y double, note text);
CREATE TABLE state(one int PRIMARY KEY, number int, row_count int, total bigint);
INSERT INTO t SELECT seq, seq, seq * 0.5, 'n' FROM seq_1_to_{KEYS};
INSERT INTO state VALUES (1, 0, 0, 0);
"""
END = """UPDATE state SET number = number + 1, row_count = (SELECT count(*) FROM t),
         total = (SELECT coalesce(sum(id * 7 + x * 3 + length(note)), 0) FROM t); COMMIT"""


def change(generator):
    key, other = generator.randint(1, KEYS), generator.randint(1, KEYS)
    kind = generator.random()
    note = f"repeat('{generator.randint(0, 9)}', {generator.choice([1, 10, 3000])})"
    if kind < 0.35:
        return f"INSERT INTO t VALUES ({key}, {other}, {other * 0.5}, {note}) ON DUPLICATE KEY UPDATE x = {other}, y = {other * 0.5}"
    if kind < 0.5:
        return f"UPDATE t SET x = {other}, y = {other * 0.5} WHERE id BETWEEN {key} AND {key + 5}"
    if kind < 0.6:
        return f"REPLACE INTO t VALUES ({key}, {other}, {other * 0.5}, 'again')"
    if kind < 0.7:
        return f"UPDATE t SET note = {note} WHERE id = {key}"
    if kind < 0.8:
        return f"DELETE FROM t WHERE id BETWEEN {key} AND {key + 3}"
    if kind < 0.93:
        return f"UPDATE IGNORE t SET id = {other} WHERE id = {key}"
    if kind < 0.98:
        return f"SAVEPOINT s; DELETE FROM t WHERE id > {key}; ROLLBACK TO s"
    return f"INSERT IGNORE INTO t SELECT seq, seq, seq * 0.5, 'bulk' FROM seq_1_to_{KEYS}"


def write(database, seed, ended):
    generator = random.Random(seed)
    client = Client(database)
    while not ended.is_set():
        statements = [change(generator) for _ in range(generator.choice([1, 1, 2, 5]))]
        sql = "BEGIN; SELECT 1 FROM state FOR UPDATE; " + "; ".join(statements) + "; " + END
        if generator.random() < 0.01:
            sql = "TRUNCATE TABLE t"
        if client.run(sql) is None:
            client.close()
            time.sleep(0.1)
            client = Client(database)
    client.close()


@pytest.fixture(scope="module")
def server():
    one = Server(sync_binlog="1", innodb_flush_log_at_trx_commit="1")
    yield one
    one.close()


def test_kills_of_everything_lose_nothing(tmp_path, server, duck):
    seconds = SECONDS * 0.6  # its server takes long to come back
    database = Database(server, "killed")
    database.run(TABLES)
    proxy = Proxy(server.port)
    url = database.url.replace(str(server.port), str(proxy.port))
    text = HUB + f"sources:\n  clinic: {{type: mysql, url: \"{url}\", heartbeat: 500ms}}\n"
    place = Place(tmp_path, text + DATASETS.format(schema=database.name))
    ended = threading.Event()
    clients = [threading.Thread(target=write, args=(database, SEED + number, ended)) for number in range(CLIENTS - 1)]
    for client in clients:
        client.start()
    try:
        kills = disturb(place, server, proxy, random.Random(SEED), seconds)
    finally:
        ended.set()
        for client in clients:
            client.join(30)
    assert kills >= seconds / 3
    report = place.json("sync")
    assert report["errors"] == []
    assert_same(place, database, "t")
    assert_same(place, database, "state")
    numbers = check_snapshots(place, duck, may_be_empty=True)
    assert len(set(numbers)) >= 5
    assert all(line["exact"] for line in place.json("verify"))
    assert int(database.text("SELECT number FROM state")) == numbers[-1]
    proxy.close()
