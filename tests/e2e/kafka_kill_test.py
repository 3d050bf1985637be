"""Lockstep and the broker are killed while a program writes to a topic: nothing is lost, and nothing is taken twice.

Each row carries its number within its partition. So what a snapshot brought tells whether the one before had it already.
"""

import json
import os
import random
import threading
import time

from conftest import Place
from kafka_server import TOPIC_S, Broker
from kafka_test import HUB, hub_rows

SECONDS = float(os.environ.get("LOCKSTEP_SOAK_S", "10"))
SEED = int(os.environ.get("LOCKSTEP_TEST_SEED", "11"))
PARTITIONS = 4
KEYS = 200

MODEL = """
models:
  line:
    dataset: t
    features: [hr]
    targets: [y]
    expand: [impute, standardize]
    calibrate_after: 50 rows
    gate: off
"""


class Writer(threading.Thread):
    """Puts and deletes rows; knows what the topic says in the end."""

    def __init__(self, broker):
        super().__init__()
        # A message waits for as long as the broker is away, in its place.
        self.producer = broker.producer({"enable.idempotence": True, "message.timeout.ms": 0, "linger.ms": 1})
        self.generator = random.Random(SEED)
        self.numbers = [0] * PARTITIONS
        self.rows = {}
        self.ended = threading.Event()

    def run(self):
        while not self.ended.is_set():
            for _ in range(self.generator.choice([1, 5, 50])):
                self.write()
            self.producer.poll(0)
            time.sleep(0.005)

    def write(self):
        key = self.generator.randrange(KEYS)
        partition = key % PARTITIONS
        self.numbers[partition] += 1
        row = {"id": key, "hr": self.generator.randrange(100), "note": f"{self.numbers[partition]}"}
        row["y"] = row["hr"] * 0.5
        value = json.dumps(row).encode()
        if self.generator.random() < 0.15:
            self.rows.pop(key, None)
            value = None
        elif self.generator.random() < 0.02:
            value = b"{" + value  # no row: it is rejected, and says nothing about the key
        else:
            self.rows[key] = (str(row["hr"]), row["note"])
        while not self.put(str(key).encode(), value, partition):
            self.producer.poll(0.1)

    def put(self, key, value, partition):
        """False: the producer's memory is full, as long as the broker is away."""
        try:
            self.producer.produce("t", key=key, value=value, partition=partition)
        except BufferError:
            return False
        return True

    def end(self):
        self.ended.set()
        self.join()
        assert self.producer.flush(3 * TOPIC_S) == 0


def disturb(place, broker):
    generator = random.Random(SEED + 1)
    end = time.monotonic() + SECONDS
    broker_dies = [end - 0.7 * SECONDS, end - 0.25 * SECONDS]
    kills = 0
    while time.monotonic() < end:
        run = place.start("run")
        time.sleep(generator.uniform(0.1, 1.5))
        if broker_dies and time.monotonic() > broker_dies[0]:
            del broker_dies[0]
            broker.stop(at_once=True)
            time.sleep(0.3)
            broker.start()
        run.kill()
        run.communicate()
        kills += 1
    return kills


def assert_in_order(place, duck, snapshot):
    """Each snapshot brings of a partition only rows that come after all those before it."""
    [changes] = duck.ask(place.catalog, [
        f"SELECT snapshot_id, id, note::INT FROM ducklake_table_changes('lake', 'raw', 't', 1, {snapshot}) "
        "WHERE change_type IN ('insert', 'update_postimage') ORDER BY snapshot_id"])
    before = [0] * PARTITIONS
    newest = [0] * PARTITIONS
    at = None
    for number, key, note in changes:
        partition = int(key) % PARTITIONS
        if number != at:
            before, at = list(newest), number
        assert int(note) > before[partition], f"snapshot {number} takes message {note} of partition {partition} again"
        newest[partition] = max(newest[partition], int(note))
    assert len(changes) > KEYS


def test_nothing_is_lost_or_taken_twice(tmp_path, duck):
    broker = Broker()
    try:
        broker.make_topic("t", PARTITIONS)
        place = Place(tmp_path, HUB + f'sources:\n  feed: {{type: kafka, brokers: "{broker.address}", topics: [t]}}\n'
                      "datasets:\n  t:\n    from: feed\n    key: [id]\n    columns: {id: int, hr: int, note: text, y: float}\n" + MODEL)
        writer = Writer(broker)
        writer.start()
        kills = disturb(place, broker)
        writer.end()
        assert kills > 3 and sum(writer.numbers) > 1000
        report = place.json("sync")
        assert report["errors"] == [], report
        assert hub_rows(place, "t") == writer.rows
        assert place.json("sync")["commits"] == 0
        assert_in_order(place, duck, report["snapshot"])
        assert all(line["exact"] for line in place.json("verify"))
    finally:
        broker.close()
