"""A real PostgreSQL server for tests: on the loopback, on a free port, in a folder of its own, ended by its process."""

import contextlib
import csv
import glob
import io
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest

START_S = 60


def programs():
    """The folder of the newest server on this machine. Where CI is set, a missing one is a failure."""
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
    if folders:
        return folders[-1]
    if found := shutil.which("postgres"):
        return os.path.dirname(found)
    if os.environ.get("CI"):
        pytest.fail("postgresql is not installed")
    pytest.skip("postgresql is not installed")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server:
    """PostgreSQL refuses to run as root: then it runs as the user postgres."""

    def __init__(self, **settings):
        self.programs = programs()
        parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.mkdtemp(prefix="lockstep-postgres-", dir=parent)
        self.user = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            self.user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self.port = free_port()
        self.settings = {"wal_level": "logical", "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder,
                         "max_replication_slots": 20, "max_wal_senders": 20, "shared_buffers": "64MB",
                         "autovacuum": "off"} | settings
        self.process = None
        self.log = os.path.join(self.folder, "log")
        self.data = os.path.join(self.folder, "data")
        self.execute("initdb", "-D", self.data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync")
        self.start()

    def execute(self, name, *words):
        done = subprocess.run(
            [os.path.join(self.programs, name), *words], cwd=self.folder, capture_output=True, text=True,
            timeout=START_S, check=False, **self.user)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"

    def start(self):
        words = [os.path.join(self.programs, "postgres"), "-D", self.data, "-p", str(self.port)]
        for name, value in self.settings.items():
            words += ["-c", f"{name}={value}"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(words, cwd=self.folder, stdout=log, stderr=log, start_new_session=True, **self.user)
        end = time.monotonic() + START_S
        while self.psql("SELECT 1", fails=True).returncode != 0:
            assert self.process.poll() is None, open(self.log, encoding="utf-8").read()
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.05)

    def stop(self, at_once=False):
        """`at_once`: as a crash does, without a checkpoint."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
            self.process.wait(START_S)

    def close(self):
        self.stop(at_once=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database, user="postgres"):
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def psql(self, sql, database="postgres", fails=False, user="postgres", *words):
        done = subprocess.run(
            ["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", *words, self.url(database, user)], input=sql, capture_output=True,
            text=True, timeout=600, check=False)
        assert fails or done.returncode == 0, f"{sql[:500]}: {done.stderr}"
        return done


class Database:
    """A database of its own for a test."""

    def __init__(self, server, name):
        self.server = server
        self.name = name
        server.psql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        server.psql(f"CREATE DATABASE {name}")

    @property
    def url(self):
        return self.server.url(self.name)

    def run(self, sql, **options):
        return self.server.psql(sql, self.name, **options)

    def text(self, sql):
        return self.run(sql).stdout.strip()

    def rows(self, sql):
        """Each row as a map of texts; null is an empty text, as in an export."""
        done = self.run(f"COPY ({sql}) TO STDOUT (FORMAT csv, HEADER)")
        return list(csv.DictReader(io.StringIO(done.stdout, newline="")))

    def close(self):
        self.server.psql(
            f"SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = '{self.name}' AND active")
        self.server.psql(
            f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '{self.name}' AND NOT active",
            fails=True)


class Client:
    """A connection that stays: statements one after another, each with its answer."""

    def __init__(self, database):
        self.process = subprocess.Popen(
            ["psql", "-qAtX", database.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, sql):
        """Its answer; None: the connection is gone."""
        try:
            self.process.stdin.write(sql + "\n\\echo @@end\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        lines = []
        for line in self.process.stdout:
            if line == "@@end\n":
                return "".join(lines)
            lines.append(line)
        return None

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(20)


class Proxy:
    """Stands between a client and the server: cuts connections at any byte, closes one half of them, holds bytes back."""

    def __init__(self, port):
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pairs = []
        self.gate = threading.Event()  # set: bytes pass
        self.gate.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                if self.listener.fileno() < 0:
                    return
                client.close()  # the server is away
                continue
            self.pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source, sink):
        try:
            while data := source.recv(1 << 12):
                self.gate.wait(5)
                sink.sendall(data)
        except OSError:
            pass
        for one in (source, sink):
            one.close()

    def cut(self):
        for client, server in self.pairs:
            for one in (client, server):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
        self.pairs.clear()

    def half_close(self):
        """The client hears no more, and may go on talking."""
        for client, _ in self.pairs:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_WR)

    def hold(self, seconds):
        self.gate.clear()
        time.sleep(seconds)
        self.gate.set()

    def close(self):
        self.listener.close()
        self.cut()
