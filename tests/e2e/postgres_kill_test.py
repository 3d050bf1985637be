"""Lockstep, the server and the connection are killed while clients write: nothing is lost, doubled, or torn apart."""

import random
import threading
import time

import pytest

from conftest import Place
from database_kills import CLIENTS, DATASETS, KEYS, SECONDS, SEED, SUMS, check_snapshots, disturb
from postgres_server import Client, Database, Proxy, Server
from postgres_test import HUB, assert_same

TABLES = f"""
CREATE TABLE t(id int PRIMARY KEY, x int, y float8, note text);
ALTER TABLE t ALTER note SET STORAGE EXTERNAL;
CREATE TABLE state(one int PRIMARY KEY, number int, row_count int, total bigint);
INSERT INTO t SELECT i, i, i * 0.5, 'n' FROM generate_series(1, {KEYS}) i;
INSERT INTO state VALUES (1, 0, 0, 0);
"""
END = f"UPDATE state SET number = number + 1, row_count = s.row_count, total = s.total FROM (SELECT {SUMS} FROM t) s; COMMIT;"


def change(generator):
    key, other = generator.randint(1, KEYS), generator.randint(1, KEYS)
    kind = generator.random()
    note = f"repeat('{generator.randint(0, 9)}', {generator.choice([1, 10, 3000])})"
    if kind < 0.35:
        return f"INSERT INTO t VALUES ({key}, {other}, {other * 0.5}, {note}) ON CONFLICT (id) DO UPDATE SET x = excluded.x, y = excluded.y"
    if kind < 0.6:
        return f"UPDATE t SET x = {other}, y = {other * 0.5} WHERE id BETWEEN {key} AND {key + 5}"
    if kind < 0.7:
        return f"UPDATE t SET note = {note} WHERE id = {key}"
    if kind < 0.8:
        return f"DELETE FROM t WHERE id BETWEEN {key} AND {key + 3}"
    if kind < 0.93:
        return f"UPDATE t SET id = {other} WHERE id = {key} AND NOT EXISTS (SELECT 1 FROM t WHERE id = {other})"
    if kind < 0.98:
        return f"SAVEPOINT s; DELETE FROM t WHERE id > {key}; ROLLBACK TO s"
    if kind < 0.99:
        return "TRUNCATE t"
    return f"INSERT INTO t SELECT i, i, i * 0.5, 'bulk' FROM generate_series(1, {KEYS}) i ON CONFLICT DO NOTHING"


def write(database, seed, ended):
    generator = random.Random(seed)
    client = Client(database)
    while not ended.is_set():
        statements = [change(generator) for _ in range(generator.choice([1, 1, 2, 5]))]
        sql = "BEGIN; SELECT 1 FROM state FOR UPDATE; " + "; ".join(statements) + "; " + END
        if client.run(sql) is None:
            client.close()
            time.sleep(0.1)
            client = Client(database)
    client.close()


@pytest.fixture(scope="module")
def server():
    one = Server(fsync="on")
    yield one
    one.close()


def test_kills_of_everything_lose_nothing(tmp_path, server, duck):
    database = Database(server, "killed")
    database.run(TABLES)
    proxy = Proxy(server.port)
    url = database.url.replace(str(server.port), str(proxy.port))
    text = HUB + f"sources:\n  clinic: {{type: postgres, url: \"{url}\", heartbeat: 500ms}}\n"
    place = Place(tmp_path, text + DATASETS.format(schema="public"))
    ended = threading.Event()
    clients = [threading.Thread(target=write, args=(database, SEED + number, ended)) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        kills = disturb(place, server, proxy, random.Random(SEED))
    finally:
        ended.set()
        for client in clients:
            client.join(30)
    assert kills >= SECONDS / 2
    report = place.json("sync")
    assert report["errors"] == []
    assert_same(place, database, "t")
    assert_same(place, database, "state")
    numbers = check_snapshots(place, duck)
    assert len(set(numbers)) >= 5
    assert all(line["exact"] for line in place.json("verify"))
    assert int(database.text("SELECT number FROM state")) == numbers[-1]
    proxy.close()
