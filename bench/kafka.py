"""Kafka's messages: how fast they become rows and committed versions, beside librdkafka alone, which throws them away.

The broker is one of its own in a temporary folder, and shares the machine's cores. Messages are plain JSON of about 200
bytes with seven columns, in one partition. The latency is from the producer's acknowledgement to the snapshot in the catalog.
"""

import json
import os
import resource
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "e2e"))
import kafka_server  # noqa: E402

MESSAGES = int(os.environ.get("LOCKSTEP_BENCH_MESSAGES", "1000000"))
SINGLE = 300
CONFIGURATION = """
hub: {{catalog: "sqlite:hub/catalog.sqlite", data: hub/data}}
sources:
  feed: {{type: kafka, brokers: "{brokers}", topics: [bench]}}
datasets:
  t: {{from: feed, key: [id], columns: {{id: int, hr: int, sbp: float, ward: text, seen: timestamp, note: text, ok: bool}}}}
"""


def value(number):
    return (f'{{"id":{number},"hr":{60 + number % 60},"sbp":{100 + number % 70}.25,"ward":"intensive care {number % 9}",'
            f'"seen":"2026-01-31T08:{number % 60:02d}:00Z","note":"measured at the bedside, patient at rest, cuff on the left arm, '
            'second of three","ok":true}')


def fill(broker):
    producer = broker.producer({"linger.ms": 20, "batch.num.messages": 10_000, "queue.buffering.max.messages": 100_000})
    for number in range(MESSAGES):
        while True:
            try:
                producer.produce("bench", value=value(number))
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1000 == 0:
            producer.poll(0)
    producer.flush()


def program(lockstep, mode, *words):
    """The best of three runs."""
    command = [os.path.join(os.path.dirname(lockstep), "bench_kafka"), mode, str(MESSAGES), *words]
    runs = [json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(3)]
    return min(runs, key=lambda one: one["cpu_s"])


def synced(lockstep, folder):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run([lockstep, "sync"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"messages": MESSAGES, "wall_s": wall, "cpu_s": cpu}


def latencies(lockstep, folder, broker):
    """Of single messages, at about 80 a second."""
    process = subprocess.Popen([lockstep, "run"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    catalog = sqlite3.connect(f"file:{folder}/hub/catalog.sqlite?mode=ro", uri=True)
    newest = lambda: catalog.execute("SELECT max(snapshot_id) FROM ducklake_snapshot").fetchone()[0]  # noqa: E731
    producer = broker.producer()
    times = []
    try:
        time.sleep(3)
        for number in range(SINGLE):
            before = newest()
            producer.produce("bench", value=value(-1 - number))
            producer.flush()
            started = time.perf_counter()
            while newest() == before:
                if time.perf_counter() - started > 20:
                    raise TimeoutError("no snapshot within 20 s")
                time.sleep(0.0001)
            times.append(time.perf_counter() - started)
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    times.sort()
    return {"p50_ms": statistics.median(times) * 1e3, "p99_ms": times[int(len(times) * 0.99)] * 1e3}


def run(lockstep):
    lockstep = os.path.abspath(lockstep)
    broker = kafka_server.Broker()
    results = {}
    try:
        broker.make_topic("bench", 1)
        fill(broker)
        results["memory"] = program(lockstep, "memory")
        results["poll"] = program(lockstep, "poll", broker.address, "bench")
        results["source"] = program(lockstep, "source", broker.address, "bench")
        with tempfile.TemporaryDirectory(prefix="lockstep-bench-", dir=os.getcwd()) as folder:
            with open(os.path.join(folder, "lockstep.yaml"), "w", encoding="utf-8") as file:
                file.write(CONFIGURATION.format(brokers=broker.address))
            results["committed"] = synced(lockstep, folder)
            results["latency"] = latencies(lockstep, folder, broker)
    finally:
        broker.close()
    return results


def table(results):
    text = f"{'Kafka, messages of 200 bytes':44}{'messages/s':>12}{'a core':>12}"
    for name, what in (("memory", "decoded, from memory"), ("poll", "librdkafka alone"), ("source", "librdkafka and decoded"),
                       ("committed", "committed (lockstep sync)")):
        one = results[name]
        text += f"\n{what:44}{one['messages'] / one['wall_s']:>12,.0f}{one['messages'] / one['cpu_s']:>12,.0f}"
    latency = results["latency"]
    return text + f"\n{'acknowledged to snapshot, p50, p99':44}{latency['p50_ms']:>9.1f} ms{latency['p99_ms']:>9.1f} ms"


if __name__ == "__main__":
    figures = run(sys.argv[1])
    print(table(figures))
    print(json.dumps(figures))
