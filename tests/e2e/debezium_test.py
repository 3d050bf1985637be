"""Debezium itself, unchanged: a PostgreSQL table by its connector in Kafka Connect into a topic, and from there into the hub."""

import csv
import glob
import io
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import ROOT, Place, stop, wait_until
from kafka_server import Broker
from postgres_server import Database, Server, free_port

JVM = ["java", "-Xmx300m", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
FOLLOW_S = 60
GUIDE = f"{ROOT}/docs/howto/follow-a-kafka-topic.md"
# Over what the guide says.
OWN = """name={name}
database.hostname=127.0.0.1
database.port={port}
database.user=postgres
database.password=
database.dbname=shop
topic.prefix={name}
slot.name={name}
publication.name={name}
"""
WITHOUT_SCHEMAS = """key.converter.schemas.enable=false
value.converter.schemas.enable=false
"""
TABLE = """
CREATE TABLE readings(
  id int, part text, amount numeric(12, 2), free numeric, x double precision, good boolean, n bigint,
  born date, at timestamp, seen timestamptz, who uuid, doc jsonb, kind varchar(20), long text, PRIMARY KEY (id, part));
ALTER TABLE readings ALTER COLUMN long SET STORAGE EXTERNAL;
INSERT INTO readings SELECT
  i, 'a', i * 1.25, i / 7.0, i * 0.1, i % 2 = 0, i * 1000000007::bigint, date '2024-01-01' + i,
  timestamp '2024-01-01 10:00:00.123456' + i * interval '1 hour', timestamptz '2024-06-01 10:00:00.5+02' + i * interval '1 day',
  gen_random_uuid(), jsonb_build_object('i', i), 'k' || i, repeat('x', 3000) || i FROM generate_series(1, 40) i;
"""
COLUMNS = """{id: int, part: text, amount: float, free: float, x: float, good: bool, n: int, born: date, at: timestamp,
      seen: timestamp, who: text, doc: text, kind: text, long: text}"""
CONFIGURATION = """hub: {{catalog: "sqlite:hub/catalog.sqlite", data: hub/data}}
sources:
  shop: {{type: kafka, brokers: "{address}", topics: [{name}.public.readings], format: debezium}}
datasets:
  readings:
    from: shop
    key: [id, part]
    columns: {columns}
"""
CHANGES = [
    "UPDATE readings SET x = x + 1 WHERE id <= 10",  # `long` is not sent
    "DELETE FROM readings WHERE id BETWEEN 11 AND 15",
    "UPDATE readings SET id = id + 100, long = 'short' WHERE id BETWEEN 16 AND 18",
    "INSERT INTO readings(id, part, amount, x, free) VALUES (50, 'nan', 0.01, 'NaN', 1e-30), "
    "(51, 'é', -0.05, '-Infinity', 123456789012345678901234567890.5), (52, '', 9999999999.99, '-0', -1000)",
    "INSERT INTO readings(id, part, born, at, seen, long) VALUES "
    "(60, 'far', '9999-12-31', '9999-12-31 23:59:59.999999', '9999-12-31 23:59:59.999999+00', ''), "
    "(61, 'old', '0001-01-01', '0001-01-01 00:00:00.000001', '0001-01-01 00:00:00.000001+00', E'\\t\"\\n')",
    "UPDATE readings SET long = NULL, doc = '{\"a\": [1, null]}' WHERE id = 20; UPDATE readings SET good = NOT good WHERE id = 20",
    "BEGIN; DELETE FROM readings WHERE id = 21; INSERT INTO readings(id, part, kind) VALUES (21, 'a', 'again'); COMMIT",
    "BEGIN; UPDATE readings SET id = 0, long = 'a' WHERE id = 22; UPDATE readings SET id = 22, long = 'b' WHERE id = 23; "
    "UPDATE readings SET id = 23 WHERE id = 0; COMMIT",
    "UPDATE readings SET id = id + 200 WHERE id BETWEEN 32 AND 34",  # whose `long` is not sent
    "BEGIN; UPDATE readings SET id = 0 WHERE id = 35; UPDATE readings SET id = 35 WHERE id = 36; UPDATE readings SET id = 36 "
    "WHERE id = 0; COMMIT",
    "ALTER TABLE readings REPLICA IDENTITY FULL; UPDATE readings SET id = id + 100 WHERE id BETWEEN 24 AND 26",
    "UPDATE readings SET x = -x WHERE id BETWEEN 27 AND 30; DELETE FROM readings WHERE id = 31",
    "ALTER TABLE readings REPLICA IDENTITY DEFAULT; UPDATE readings SET n = -n WHERE id > 31",
]
FAR = """INSERT INTO readings(id, part, born, at, seen) VALUES
  (80, 'bc', '0044-03-15 BC', '0044-03-15 12:00:00 BC', '0044-03-15 12:00:00 BC'),
  (81, 'far', '12024-03-15', '12024-03-15 12:00:00', '12024-03-15 12:00:00+00')"""
INFINITE = """INSERT INTO readings(id, part, born) VALUES (90, 'day', 'infinity'), (91, 'day', '-infinity');
INSERT INTO readings(id, part, at) VALUES (92, 'at', 'infinity'), (93, 'at', '-infinity');
INSERT INTO readings(id, part, seen) VALUES (94, 'seen', 'infinity')"""
# A table's row as the hub exports it.
SELECT = """SELECT id, part, amount::float8 AS amount, free::float8 AS free, x, good::text AS good, n,
  born, at AT TIME ZONE 'UTC' AS at, seen, who, doc, kind, long FROM readings"""


def connectors(port):
    """As the guide has them: with schemas, and without."""
    with open(GUIDE, encoding="utf-8") as file:
        [connector, bare] = [block for block in re.findall(r"```properties\n(.*?)```", file.read(), re.S) if "mongodb" not in block]
    assert "PostgresConnector" in connector and "isostring" in bare
    return {"shop": connector + OWN.format(name="shop", port=port),
            "bare": connector + OWN.format(name="bare", port=port) + WITHOUT_SCHEMAS + bare}


def connect_libraries():
    folders = sorted(glob.glob(f"{ROOT}/.venv/debezium/*"))
    if folders and shutil.which("java"):
        return folders[-1] + "/*"
    if os.environ.get("CI"):
        pytest.fail("Debezium is missing: run scripts/setup")
    pytest.skip("Debezium is missing: run scripts/setup")


class Connect:
    """Kafka Connect, standalone, with connectors. Its offsets are in a file, as a worker of one machine has them."""

    def __init__(self, folder, broker, connectors):
        self.folder = folder
        self.libraries = connect_libraries()
        self.process = None
        worker = os.path.join(folder, "worker.properties")
        self.files = [worker]
        self.write(worker, f"""bootstrap.servers={broker.address}
offset.storage.file.filename={folder}/offsets
offset.flush.interval.ms=500
plugin.discovery=service_load
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
listeners=http://127.0.0.1:{free_port()}
""")
        for name, text in connectors.items():
            self.files.append(os.path.join(folder, name + ".properties"))
            self.write(self.files[-1], text)
        self.start()

    def write(self, path, text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def told(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as log:
            return log.read()[-5000:]

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [*JVM, "-cp", self.libraries, "org.apache.kafka.connect.cli.ConnectStandalone", *self.files],
                cwd=self.folder, stdout=log, stderr=log)

    def written_up_to(self, lsn):
        """Whether each connector's offset is there, and behind this place in the server's log: earlier changes are not told again."""
        with open(os.path.join(self.folder, "offsets"), "rb") as file:
            offsets = [int(number) for number in re.findall(rb'"lsn":(\d+)', file.read())]
        return len(offsets) == len(self.files) - 1 and min(offsets) >= lsn

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)


class Shop:
    """A database, a broker, and between them Debezium with a connector that writes schemas and one that does not."""

    def __init__(self, folder):
        self.server = Server()
        self.broker = None
        self.connect = None
        try:
            self.broker = Broker()
            self.database = Database(self.server, "shop")
            self.database.run("ALTER DATABASE shop SET timezone = 'UTC'")
            self.database.run(TABLE)
            self.connect = Connect(folder, self.broker, connectors(self.server.port))
            wait_until(self.has_begun, FOLLOW_S, "the connectors' initial snapshots")
        except BaseException:
            self.close()
            raise

    def has_begun(self):
        assert self.connect.process.poll() is None, self.connect.told()
        topics = self.broker.admin().list_topics(timeout=5).topics
        return {"shop.public.readings", "bare.public.readings"} <= set(topics)

    def close(self):
        if self.connect:
            self.connect.kill()
        if self.broker:
            self.broker.close()
        self.server.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    one = Shop(str(tmp_path_factory.mktemp("connect")))
    yield one
    one.close()


def follow(folder, shop, name):
    return Place(folder, CONFIGURATION.format(address=shop.broker.address, name=name, columns=COLUMNS))


def comparable(rows):
    """{key: row}, each float by its value: nan is "nan", whoever writes it."""
    out = {}
    for row in rows:
        cells = {name: cell for name, cell in row.items() if not name.startswith("_")}
        for name in ("amount", "free", "x"):
            cells[name] = cells[name] and repr(float(cells[name]))
        for name in ("born", "at", "seen"):
            cells[name] = re.sub(r"^(\S+)(.*) BC$", r"\1 (BC)\2", cells[name])
        out[row["id"], row["part"]] = cells
    return out


def hub_rows(place):
    done = place.run("export", "readings", "--layer", "raw", codes=(0, 1, 10))
    return comparable(csv.DictReader(io.StringIO(done.out, newline="")))


def table_rows(shop):
    return comparable(shop.database.rows(SELECT))


def assert_follows(place, shop, what):
    """The hub comes to hold what the table does."""
    wanted = table_rows(shop)
    end = time.monotonic() + FOLLOW_S
    while (there := hub_rows(place)) != wanted and time.monotonic() < end:
        time.sleep(0.2)  # the machine has other things to do
    assert there == wanted, what


def test_a_table_by_debezium_is_the_same_table(tmp_path, shop):
    place = follow(tmp_path, shop, "shop")
    run = place.start("run")
    assert_follows(place, shop, "the initial snapshot")
    for change in CHANGES:
        shop.database.run(change)
    assert_follows(place, shop, "the changes")
    assert place.json("rejected", "readings") == []
    # Connect dies, and tells some of what it told once more; but not the key changes above: what they did not send is gone.
    [[lsn]] = [row.values() for row in shop.database.rows("SELECT pg_current_wal_lsn() - '0/0' AS lsn")]
    shop.database.run("UPDATE readings SET x = 6 WHERE id = 40")
    wait_until(lambda: shop.connect.written_up_to(int(lsn)), FOLLOW_S, "the connectors' offsets")
    shop.database.run("UPDATE readings SET x = 7 WHERE id = 40")
    shop.connect.kill()
    shop.database.run("UPDATE readings SET x = 8 WHERE id IN (39, 40); DELETE FROM readings WHERE id = 38")
    shop.connect.start()
    shop.database.run(FAR)
    assert_follows(place, shop, "what happened while Connect was dead")
    shop.database.run(INFINITE)
    wait_until(lambda: len(place.json("rejected", "readings")) == 5, FOLLOW_S, "the rows that cannot be")
    reasons = sorted(row["reason"] for row in place.json("rejected", "readings"))
    assert reasons == [
        "column 'at': a timestamp cannot be -infinity", "column 'at': a timestamp cannot be infinity",
        "column 'born': a date cannot be -infinity", "column 'born': a date cannot be infinity",
        "column 'seen': 'infinity' is not a timestamp"]
    shop.database.run("TRUNCATE readings; INSERT INTO readings(id, part) VALUES (1, 'after')")
    assert_follows(place, shop, "the truncate")
    assert stop(run)[0] == 0


def test_debezium_without_schemas(tmp_path, shop):
    place = follow(tmp_path, shop, "bare")
    place.json("sync")
    rejected = place.json("rejected", "readings")
    shop.database.run(
        "INSERT INTO readings VALUES (200, 'bare', 1.5, 'NaN', 'Infinity', true, -1, '2024-02-29', '2024-02-29 23:59:59.999999', "
        "'2024-03-31 01:30:00+01', gen_random_uuid(), '[]', NULL, repeat('y', 3000)); "
        "INSERT INTO readings(id, part) VALUES (201, 'bare'), (202, 'bare')")
    shop.database.run("UPDATE readings SET x = 2 WHERE id = 200; DELETE FROM readings WHERE id = 201; UPDATE readings SET id = 1 "
                      "WHERE id = 202")
    shop.database.run(FAR)
    run = place.start("run")
    assert_follows(place, shop, "the changes")
    assert stop(run)[0] == 0
    assert place.json("rejected", "readings") == rejected
