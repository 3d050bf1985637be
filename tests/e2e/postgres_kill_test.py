"""Lockstep, the server and the connection are killed while clients write: nothing is lost, doubled, or torn apart.

Each transaction of a client ends with the sums of the table as it leaves it, in a table of one row. So every snapshot of
the hub tells itself whether it is one of the states that the database was in.
"""

import os
import random
import threading
import time

import pytest

import conftest
from conftest import Place
from postgres_server import Client, Database, Proxy, Server
from postgres_test import HUB, assert_same

SECONDS = float(os.environ.get("LOCKSTEP_SOAK_S", "20"))
SEED = int(os.environ.get("LOCKSTEP_TEST_SEED", "11"))
CLIENTS = 4
KEYS = 300

TABLES = f"""
CREATE TABLE t(id int PRIMARY KEY, x int, y float8, note text);
ALTER TABLE t ALTER note SET STORAGE EXTERNAL;
CREATE TABLE state(one int PRIMARY KEY, number int, row_count int, total bigint);
INSERT INTO t SELECT i, i, i * 0.5, 'n' FROM generate_series(1, {KEYS}) i;
INSERT INTO state VALUES (1, 0, 0, 0);
"""
SUMS = "count(*) AS row_count, coalesce(sum(id * 7 + x * 3 + length(note)), 0)::bigint AS total"
END = f"UPDATE state SET number = number + 1, row_count = s.row_count, total = s.total FROM (SELECT {SUMS} FROM t) s; COMMIT;"
MODEL = """
models:
  line:
    dataset: t
    features: [x]
    targets: [y]
    expand: [impute, standardize]
    calibrate_after: 50 rows
    gate: off
"""


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


def disturb(place, server, proxy, generator):
    """For a while: kills of the follower, of its connection at any byte, and crashes of the server."""
    kills = 0
    end = time.monotonic() + SECONDS
    process = place.start("run")
    while time.monotonic() < end:
        time.sleep(generator.uniform(0.2, 1.2))
        kind = generator.random()
        if kind < 0.5:
            process.kill()
            process.communicate()
            process = place.start("run")
        elif kind < 0.7:
            proxy.cut()
        elif kind < 0.8:
            proxy.half_close()
        elif kind < 0.87:
            proxy.hold(0.5)
        else:
            server.stop(at_once=True)
            server.start()
        kills += 1
    conftest.stop(process)
    return kills


def check_snapshots(place, duck):
    """Every snapshot is a state that the database was in, and they come in its order."""
    [[*snapshots]] = duck.ask(place.catalog, ["SELECT snapshot_id FROM lake.snapshots() ORDER BY 1"])
    questions = []
    for (snapshot,) in snapshots:
        at = f"AT (VERSION => {snapshot})"
        questions.append(f"SELECT number, row_count, total FROM lake.raw.state {at}")
        questions.append(f"SELECT {SUMS} FROM lake.raw.t {at}")
    copied = first_full(place)
    first = next(index for index, (snapshot,) in enumerate(snapshots) if int(snapshot) >= copied)
    answers = duck.ask(place.catalog, questions[2 * first :])
    numbers = []
    for stated, found in zip(answers[::2], answers[1::2], strict=True):
        number, row_count, total = (int(cell) for cell in stated[0])
        numbers.append(number)
        assert number == 0 or (row_count, total) == tuple(int(cell) for cell in found[0]), f"at transaction {number}"
    assert numbers == sorted(numbers)
    return numbers


def first_full(place):
    """The snapshot of the copy: before it the tables are made, and have no rows."""
    log = place.json("log", "--number", 1_000_000)
    return min(line["snapshot"] for line in log if line["inserted"] > 0)


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
    text = HUB + f"sources:\n  clinic: {{type: postgres, url: \"{url}\", heartbeat: 500ms}}\ndatasets:\n" + (
        "  t: {from: [clinic.public.t], key: [id], columns: {id: int, x: int, y: float, note: text}}\n"
        "  state: {from: [clinic.public.state], key: [one], columns: {one: int, number: int, row_count: int, total: int}}\n")
    place = Place(tmp_path, text + MODEL)
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
