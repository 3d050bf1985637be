"""A real Kafka broker for tests: on the loopback, on a free port, in a folder of its own, ended by its process."""

import base64
import glob
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid

import pytest

from conftest import ROOT
from postgres_server import free_port

START_S = 120
TOPIC_S = 20


def libraries():
    """The broker's jars. Where CI is set, missing ones are a failure."""
    folders = sorted(glob.glob(f"{ROOT}/.venv/kafka/*"))
    if folders and shutil.which("java"):
        return folders[-1] + "/*"
    if os.environ.get("CI"):
        pytest.fail("the Kafka broker is missing: run scripts/setup")
    pytest.skip("the Kafka broker is missing: run scripts/setup")


def confluent():
    if not os.environ.get("CI"):
        pytest.importorskip("confluent_kafka")
    import confluent_kafka
    import confluent_kafka.admin
    return confluent_kafka


def cluster_id():
    return "L" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]


class Security:
    """Ports of a broker with passwords, with certificates of an authority made here, and with both; and rights."""

    USERS = {"lockstep": "correct-horse-battery", "stranger": "no-rights-at-all"}
    NAMES = ("SASL_PLAINTEXT", "SSL", "SASL_SSL")

    def __init__(self, folder):
        self.folder = folder
        self.ports = {name: free_port() for name in self.NAMES}
        self.authority = self.make_authority("authority")
        self.make_certificate()

    def openssl(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True, text=True, timeout=START_S, check=False)
        assert done.returncode == 0, done.stderr

    def make_authority(self, name):
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-subj", f"/CN={name}", "-keyout", name + ".key", "-out", name + ".pem")
        return os.path.join(self.folder, name + ".pem")

    def make_certificate(self):
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=broker",
                     "-keyout", "broker.key", "-out", "broker.csr")
        with open(os.path.join(self.folder, "names"), "w", encoding="utf-8") as file:
            file.write("subjectAltName=IP:127.0.0.1\n")
        self.openssl("x509", "-req", "-in", "broker.csr", "-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial",
                     "-days", "2", "-extfile", "names", "-out", "broker.crt")
        with open(os.path.join(self.folder, "broker.pem"), "wb") as out:
            for name in ("broker.key", "broker.crt"):
                with open(os.path.join(self.folder, name), "rb") as part:
                    out.write(part.read())

    def properties(self):
        modules = "org.apache.kafka.common.security"
        users = " ".join(f'user_{name}="{password}"' for name, password in self.USERS.items())
        out = {"ssl.keystore.type": "PEM", "ssl.keystore.location": os.path.join(self.folder, "broker.pem"),
               "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512", "super.users": "User:ANONYMOUS",
               "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer"}
        for name in ("sasl_plaintext", "sasl_ssl"):
            out[f"listener.name.{name}.plain.sasl.jaas.config"] = f"{modules}.plain.PlainLoginModule required {users};"
            out[f"listener.name.{name}.scram-sha-512.sasl.jaas.config"] = f"{modules}.scram.ScramLoginModule required;"
        return out

    def listeners(self):
        return "".join(f",{name}://127.0.0.1:{port}" for name, port in self.ports.items())

    def address(self, name):
        return f"127.0.0.1:{self.ports[name]}"


class Broker:
    """One node that is broker and controller. `more`: lines of server.properties."""

    def __init__(self, **more):
        self.libraries = libraries()
        self.kafka = confluent()
        parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.mkdtemp(prefix="lockstep-kafka-", dir=parent)
        self.port = free_port()
        self.controller = free_port()
        self.process = None
        self.log = os.path.join(self.folder, "log")
        self.properties = os.path.join(self.folder, "server.properties")
        self.security = Security(self.folder)
        settings = self.security.properties() | {
            "process.roles": "broker,controller", "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller}" + self.security.listeners(),
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}" + self.security.listeners(),
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT" + "".join(
                f",{name}:{name}" for name in Security.NAMES),
            "controller.listener.names": "CONTROLLER", "log.dirs": os.path.join(self.folder, "data"),
            "offsets.topic.replication.factor": "1", "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1", "transaction.state.log.num.partitions": "2",
            "offsets.topic.num.partitions": "2", "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": "0", "log.retention.check.interval.ms": "500",
            "log.segment.delete.delay.ms": "100", "file.delete.delay.ms": "100",
        } | {name.replace("_", "."): value for name, value in more.items()}
        with open(self.properties, "w", encoding="utf-8") as file:
            file.write("".join(f"{name}={value}\n" for name, value in settings.items()))
        # What kafka.tools.StorageTool would write, without another JVM.
        os.makedirs(settings["log.dirs"])
        with open(os.path.join(settings["log.dirs"], "meta.properties"), "w", encoding="utf-8") as file:
            file.write(f"version=1\ncluster.id={cluster_id()}\nnode.id=1\n")
        self.administrator = None
        self.start()

    def words(self, *words):
        quiet = ["-Xmx400m", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
        return ["java", *quiet, "-cp", self.libraries, *words]

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.words("kafka.Kafka", self.properties), cwd=self.folder, stdout=log, stderr=log, start_new_session=True)
        self.wait_until_ready()

    def wait_until_ready(self):
        end = time.monotonic() + START_S
        while True:
            assert self.process.poll() is None, open(self.log, encoding="utf-8", errors="replace").read()[-5000:]
            assert time.monotonic() < end, "the broker does not start"
            try:
                self.admin().list_topics(timeout=1)
                return
            except self.kafka.KafkaException:
                time.sleep(0.05)

    def stop(self, at_once=False):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL if at_once else signal.SIGTERM)
            self.process.wait(START_S)

    def close(self):
        self.stop(at_once=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def client(self, more=None):
        return {"bootstrap.servers": self.address, "log_level": 0, "error_cb": lambda _: None} | (more or {})

    def admin(self):
        if self.administrator is None:
            self.administrator = self.kafka.admin.AdminClient(self.client())
        return self.administrator

    def done(self, futures):
        for future in futures.values():
            future.result(TOPIC_S)

    def make_topic(self, name, partitions=1, **settings):
        topic = self.kafka.admin.NewTopic(
            name, partitions, 1, config={key.replace("_", "."): str(value) for key, value in settings.items()})
        self.done(self.admin().create_topics([topic]))

    def remove_topic(self, name):
        self.done(self.admin().delete_topics([name]))
        end = time.monotonic() + TOPIC_S
        while name in self.admin().list_topics(timeout=TOPIC_S).topics:
            assert time.monotonic() < end, f"topic {name} stays"
            time.sleep(0.05)

    def set_partitions(self, name, count):
        self.done(self.admin().create_partitions([self.kafka.admin.NewPartitions(name, count)]))

    def trim(self, name, partition, offset):
        """Removes the messages before `offset`."""
        self.done(self.admin().delete_records([self.kafka.TopicPartition(name, partition, offset)]))

    def producer(self, more=None):
        return self.kafka.Producer(self.client({"linger.ms": "0"} | (more or {})))

    def send(self, topic, messages):
        """[(key, value, partition)], each as bytes, text, None, or what becomes JSON; durable afterwards."""
        producer = self.producer()
        for key, value, *partition in messages:
            producer.produce(topic, key=bytes_of(key), value=bytes_of(value), partition=partition[0] if partition else 0)
        assert producer.flush(TOPIC_S) == 0


def bytes_of(value):
    if value is None or isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()
