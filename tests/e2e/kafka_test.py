"""Topics of a real Kafka broker, followed: what the hub has is what the messages say, after each of the hard cases."""

import csv
import http.server
import io
import json
import re
import struct
import threading
import time

import pytest

from conftest import Place, stop, wait_until

HUB = 'hub: {catalog: "sqlite:hub/catalog.sqlite", data: hub/data}\n'
COLUMNS = "{id: int, hr: int, note: text}"


@pytest.fixture
def broker(kafka_broker):
    return kafka_broker


@pytest.fixture
def topic(request):
    return re.sub(r"\W", "_", request.node.name.lower())[:60]


def configuration(broker, topics, more="", columns=COLUMNS):
    """A dataset for each topic, of its name."""
    text = HUB + f'sources:\n  feed: {{type: kafka, brokers: "{broker.address}", topics: {json.dumps(topics)}{more}}}\ndatasets:\n'
    for topic in topics:
        text += f"  {topic}:\n    from: [feed.{topic}]\n    key: [id]\n    columns: {columns}\n"
    return text


def follow(tmp_path, broker, topic, more=""):
    return Place(tmp_path, configuration(broker, [topic], more))


def rows(place, dataset, layer="raw"):
    text = place.run("export", dataset, "--layer", layer).out
    return list(csv.DictReader(io.StringIO(text, newline="")))


def hub_rows(place, dataset):
    """{id: (hr, note)}"""
    return {int(row["id"]): (row["hr"], row["note"]) for row in rows(place, dataset)}


def message(number, hr, note="", partition=0):
    return {"id": number}, {"id": number, "hr": hr, "note": note}, partition


def synced(place):
    report = place.json("sync")
    assert report["errors"] == [], report
    return report


def failed(place, *words):
    """The one error of a sync."""
    report = place.json(*(words or ("sync",)), codes=(1, 3))
    [error] = report["errors"]
    return error["message"] + " " + error["hint"]


def position(place):
    """Empty before there is a hub."""
    done = place.run("status", "--json", codes=(0, 10))
    return done.json["sources"][0]["position"] if done.code == 0 else ""


def test_messages_of_several_partitions_and_then_each_change(tmp_path, broker, topic):
    broker.make_topic(topic, 3)
    broker.send(topic, [message(i, i, f"n{i}", i % 3) for i in range(300)])
    place = follow(tmp_path, broker, topic)
    checked = json.dumps(place.json("check"))
    assert "3 partitions, about 300 messages" in checked and "fail" not in checked
    assert synced(place)["changes"] == {"inserted": 300, "updated": 0, "deleted": 0}
    assert hub_rows(place, topic) == {i: (str(i), f"n{i}") for i in range(300)}
    assert synced(place)["commits"] == 0
    broker.send(topic, [message(i, i + 1, "later", i % 3) for i in range(10)] + [message(1000, 0, "é", 2)])
    assert synced(place)["changes"] == {"inserted": 1, "updated": 10, "deleted": 0}
    assert hub_rows(place, topic)[1000] == ("0", "é")
    # A message that a producer sends again says nothing new.
    broker.send(topic, [message(1000, 0, "é", 2)])
    assert synced(place)["changes"] == {"inserted": 0, "updated": 0, "deleted": 0}
    assert position(place) == f"{topic} at 104, 103, 105"


def test_messages_without_a_value_delete(tmp_path, broker, topic):
    broker.make_topic(topic, 1)
    broker.send(topic, [message(i, i) for i in range(5)] + [({"id": 3}, None), (b"4", None), ({"id": 77}, None)])
    place = follow(tmp_path, broker, topic)
    assert synced(place)["rejected"] == 0
    assert sorted(hub_rows(place, topic)) == [0, 1, 2]
    broker.send(topic, [({"id": 0}, None), message(0, 9), ({"id": 1}, None)])
    synced(place)
    assert sorted(hub_rows(place, topic)) == [0, 2]
    broker.send(topic, [(None, None), (b"what?", None)])
    report = synced(place)
    assert report["rejected"] == 2
    reasons = [row["reason"] for row in place.json("rejected", topic)]
    assert "no key" in reasons[0] and "message_key: text" in reasons[1]


def test_messages_that_are_no_rows_stop_nothing(tmp_path, broker, topic):
    broker.make_topic(topic, 4)
    broker.send(topic, [
        message(1, 1, partition=3), ({"id": 2}, b"{broken", 3), ({"id": 3}, {"id": 3, "hr": "many"}, 3), (None, {"hr": 4}, 3),
        (None, b"\xff\x00\xfe", 3), (None, [1], 3), message(5, 5, partition=3)])
    place = follow(tmp_path, broker, topic)
    report = synced(place)
    assert report["rejected"] == 5
    assert sorted(hub_rows(place, topic)) == [1, 5]
    refused = {row["record"]: row for row in place.json("rejected", topic)}
    assert any("partition 3, offset 3" in record and topic in record for record in refused), refused
    # A good row of a key clears what was refused of it.
    broker.send(topic, [message(2, 2, partition=3), message(3, 3, partition=3)])
    synced(place)
    assert len(place.json("rejected", topic)) == 3
    assert sorted(hub_rows(place, topic)) == [1, 2, 3, 5]


def test_the_operation_and_the_keys_columns(tmp_path, broker, topic):
    broker.make_topic(topic, 1)
    broker.send(topic, [
        (None, {"op": "I", "id": 1, "hr": 1}), (None, {"op": "U", "id": 1, "hr": 2}), (None, {"op": "I", "id": 2, "hr": 2}),
        (None, {"op": "D", "id": 2}), (None, {"op": "X", "id": 3}), (b"4", {"op": "U", "hr": 4}), ({"id": 5}, {"op": "I", "hr": 5})])
    place = follow(tmp_path, broker, topic, ", operation: op")
    assert synced(place)["rejected"] == 1
    assert {key: hr for key, (hr, _) in hub_rows(place, topic).items()} == {1: "2", 4: "4", 5: "5"}


def test_only_committed_messages_are_read(tmp_path, broker, topic):
    broker.make_topic(topic, 1)
    producer = broker.producer({"transactional.id": topic})
    producer.init_transactions()

    def transaction(numbers, ending):
        producer.begin_transaction()
        for number in numbers:
            producer.produce(topic, key=str(number), value=json.dumps({"id": number, "hr": number}))
        producer.flush()
        ending()

    place = follow(tmp_path, broker, topic)
    transaction(range(0, 50), producer.commit_transaction)
    transaction(range(50, 100), producer.abort_transaction)
    assert synced(place)["changes"]["inserted"] == 50
    transaction(range(100, 110), producer.commit_transaction)
    transaction(range(110, 120), producer.abort_transaction)
    assert synced(place)["changes"]["inserted"] == 10
    # One that is open holds back itself and what follows.
    producer.begin_transaction()
    producer.produce(topic, key="200", value=json.dumps({"id": 200, "hr": 1}))
    producer.flush()
    broker.send(topic, [message(201, 1)])
    assert synced(place)["changes"]["inserted"] == 0
    producer.commit_transaction()
    assert synced(place)["changes"]["inserted"] == 2
    assert sorted(hub_rows(place, topic)) == [*range(50), *range(100, 110), 200, 201]


def test_messages_that_were_removed_unread_are_told(tmp_path, broker, topic):
    broker.make_topic(topic, 2)
    broker.send(topic, [message(i, i, partition=i % 2) for i in range(10)])
    place = follow(tmp_path, broker, topic)
    synced(place)
    broker.trim(topic, 0, 5)
    broker.send(topic, [message(i, i, partition=0) for i in range(10, 20)])
    assert synced(place)["changes"]["inserted"] == 10  # what was removed had been read
    broker.send(topic, [message(i, i, partition=0) for i in range(20, 30)])
    broker.trim(topic, 0, 20)
    error = failed(place)
    assert "partition 0" in error and "next message is offset 15, and the topic's oldest is 20" in error
    assert "lockstep resync feed" in error
    broker.send(topic, [message(3, 333, partition=1)])
    assert "oldest is 20" in failed(place), "it does not skip them, nor go on beside them"
    place.json("resync", "feed")
    assert sorted(hub_rows(place, topic)) == [*range(20), *range(25, 30)]
    assert hub_rows(place, topic)[3] == ("333", "")
    assert synced(place)["commits"] == 0


def test_a_topic_that_was_made_anew_is_told(tmp_path, broker, topic):
    broker.make_topic(topic, 1)
    broker.send(topic, [message(i, i) for i in range(10)])
    place = follow(tmp_path, broker, topic)
    synced(place)
    broker.remove_topic(topic)
    assert f"no topic '{topic}'" in failed(place)
    broker.make_topic(topic, 1)
    broker.send(topic, [message(i, i) for i in range(100, 105)])
    assert "the topic ends at 5" in failed(place)
    broker.send(topic, [message(i, i) for i in range(105, 120)])
    assert "offset 9 has another message" in failed(place)
    place.json("resync", "feed")
    assert set(range(100, 120)) <= set(hub_rows(place, topic))


def test_a_compacted_topic_read_anew_is_the_whole_table(tmp_path, broker, topic):
    broker.make_topic(topic, 2, cleanup_policy="compact")
    broker.send(topic, [message(i, i, partition=i % 2) for i in range(2000)])
    place = follow(tmp_path, broker, topic)
    synced(place)
    broker.remove_topic(topic)
    broker.make_topic(topic, 2, cleanup_policy="compact")
    broker.send(topic, [message(i, i if i % 3 else -i, partition=i % 2) for i in range(0, 2000, 2)] + [({"id": 4}, None)])
    assert "lockstep resync feed" in failed(place)
    report = place.json("resync", "feed")
    assert report["commits"] == 1 and report["changes"] == {"inserted": 0, "updated": 333, "deleted": 1001}, report
    assert len(hub_rows(place, topic)) == 999
    broker.send(topic, [message(1, 1, partition=1)])
    assert synced(place)["changes"] == {"inserted": 1, "updated": 0, "deleted": 0}


def test_new_partitions_are_found_while_it_runs(tmp_path, broker, topic):
    broker.make_topic(topic, 1)
    broker.send(topic, [message(1, 1)])
    place = follow(tmp_path, broker, topic, ", heartbeat: 300ms")
    run = place.start("run")
    wait_until(lambda: position(place) == f"{topic} at 1", what="the first message")
    broker.set_partitions(topic, 3)
    broker.send(topic, [message(2, 2, partition=1), message(3, 3, partition=2), message(4, 4, partition=0)])
    wait_until(lambda: position(place) == f"{topic} at 2, 1, 1", what="all partitions")
    [source] = place.json("status")["sources"]
    assert source["lag"]["messages"] == 0, source
    stop(run)
    assert sorted(hub_rows(place, topic)) == [1, 2, 3, 4]
    # A partition that is new to the hub, whose first messages are gone, is a loss.
    broker.set_partitions(topic, 4)
    broker.send(topic, [message(i, i, partition=3) for i in range(5, 9)])
    broker.trim(topic, 3, 2)
    assert "partition 3: it is new" in failed(place)


def test_an_idle_partition_outlives_its_messages(tmp_path, broker, topic):
    """Its end is a mark that no message stands for: were the position before it, the removed mark would look like a loss."""
    broker.make_topic(topic, 1)
    producer = broker.producer({"transactional.id": topic})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(topic, key="1", value=json.dumps({"id": 1, "hr": 1}))
    producer.commit_transaction()
    place = follow(tmp_path, broker, topic, ", heartbeat: 200ms")
    run = place.start("run")
    wait_until(lambda: position(place) == f"{topic} at 2", what="the position behind the mark")
    stop(run)
    broker.trim(topic, 0, 2)
    broker.send(topic, [message(2, 2)])
    synced(place)
    assert sorted(hub_rows(place, topic)) == [1, 2]


def test_from_the_newest_message_on(tmp_path, broker, topic):
    broker.make_topic(topic, 2)
    broker.send(topic, [message(i, i, partition=i % 2) for i in range(10)])
    place = follow(tmp_path, broker, topic, ", start: newest")
    assert synced(place)["changes"]["inserted"] == 0
    broker.send(topic, [message(10, 10), message(11, 11, partition=1)])
    assert synced(place)["changes"]["inserted"] == 2


def test_several_topics_feed_a_dataset_each_or_one(tmp_path, broker, topic):
    names = [f"{topic}_{letter}" for letter in "ab"]
    for name in names:
        broker.make_topic(name, 2)
        broker.send(name, [message(i, i, name[-1], i % 2) for i in range(20)])
    place = Place(tmp_path / "each", configuration(broker, names))
    synced(place)
    assert [hub_rows(place, name)[7] for name in names] == [("7", "a"), ("7", "b")]
    together = HUB + f'sources:\n  feed: {{type: kafka, brokers: "{broker.address}", topics: {json.dumps(names)}}}\n' \
        f"datasets:\n  all:\n    from: feed\n    key: [id, note]\n    columns: {COLUMNS}\n"
    place = Place(tmp_path / "one", together)
    assert synced(place)["changes"]["inserted"] == 40
    assert {row["_origin"] for row in rows(place, "all")} == set(names)


def test_without_a_key_a_rows_place_is_its_key(tmp_path, broker, topic):
    broker.make_topic(topic, 2)
    broker.send(topic, [(None, {"id": 1, "hr": i}, i % 2) for i in range(10)])
    place = Place(tmp_path, configuration(broker, [topic]).replace("    key: [id]\n", ""))
    assert synced(place)["changes"]["inserted"] == 10
    assert sorted(int(row["hr"]) for row in rows(place, topic)) == list(range(10))


def test_what_cannot_work_is_told_before(tmp_path, broker, topic):
    place = follow(tmp_path, broker, topic)
    assert f"there is no topic {topic}" in json.dumps(place.json("check", codes=(4,)))
    broker.make_topic(topic, 1)
    secret = "correct-horse"
    place.configure(configuration(broker, [topic], f", options: {{sasl.password: {secret}, security.protocol: NONE-SUCH}}"))
    done = place.run("check", codes=None)
    assert "security.protocol" in done.out + done.err and secret not in done.out + done.err
    place.configure(configuration(broker, [topic], ", options: {enable.auto.commit: true}"))
    assert "Lockstep's own" in place.run("check", codes=(4,)).out
    place.configure(configuration(broker, [topic], f", options: {{security.protocol: SASL_PLAINTEXT, sasl.mechanism: PLAIN, sasl.username: u, sasl.password: {secret}}}"))
    started = time.monotonic()
    done = place.run("check", codes=(4,))
    assert time.monotonic() - started < 15
    assert secret not in done.out + done.err
    place.configure(configuration(broker, [topic]).replace(broker.address, "127.0.0.1:1"))
    assert "127.0.0.1:1" in json.dumps(place.json("check", codes=(4,)))


class Registry(http.server.BaseHTTPRequestHandler):
    """Knows schema 7."""

    schema = json.dumps({"type": "record", "name": "row", "fields": [
        {"name": "id", "type": "long"}, {"name": "hr", "type": ["null", "int"]}, {"name": "note", "type": "string"}]})
    asked = []
    broken = False

    def do_GET(self):  # noqa: N802
        self.asked.append((self.path, self.headers.get("Authorization")))
        found = self.path == "/schemas/ids/7"
        self.send_response(500 if self.broken else 200 if found else 404)
        self.end_headers()
        self.wfile.write(json.dumps({"schema": self.schema}).encode() if found else b"{}")

    def log_message(self, *_):
        pass


@pytest.fixture
def registry():
    Registry.asked.clear()
    Registry.broken = False
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def avro_message(number, hr, note, schema=7):
    """The bytes of schema 7; numbers below 64."""
    return b"\0" + struct.pack(">I", schema) + bytes([number * 2, 2, hr * 2, len(note) * 2]) + note.encode()


def test_avro_by_a_registry(tmp_path, broker, topic, registry):
    broker.make_topic(topic, 1)
    broker.send(topic, [(None, avro_message(i, i, f"n{i}")) for i in range(20)])
    broker.send(topic, [(None, avro_message(1, 1, "x", schema=8)), (b'{"id": 3}', None)])
    place = follow(tmp_path, broker, topic, f', format: avro, message_key: json, registry: "http://u:hunter2@127.0.0.1:{registry}/"')
    Registry.broken = True
    error = failed(place)
    assert f"http://127.0.0.1:{registry} answers 500" in error and "hunter2" not in error
    Registry.broken = False
    report = synced(place)
    assert report["changes"]["inserted"] == 19 and report["rejected"] == 1, report
    assert hub_rows(place, topic)[7] == ("7", "n7")
    [refused] = place.json("rejected", topic)
    assert refused["reason"] == "there is no schema 8"
    paths = [path for path, _ in Registry.asked]
    assert paths[-2:] == ["/schemas/ids/7", "/schemas/ids/8"], "a schema is asked for once"
    assert Registry.asked[-1][1].startswith("Basic ")
