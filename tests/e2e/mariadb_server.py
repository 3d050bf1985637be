"""A real MariaDB server for tests: on the loopback, on a free port, in a folder of its own, ended by its process."""

import getpass
import os
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from postgres_server import free_port

START_S = 60


def program(name):
    """Its path. Where CI is set, a missing one is a failure."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if found:
        return found
    if os.environ.get("CI"):
        pytest.fail(f"{name} is not installed")
    pytest.skip(f"{name} is not installed")


class Server:
    """`settings` with underscores, as the server's variables are written; None leaves one of the usual out."""

    def __init__(self, **settings):
        self.server = program("mariadbd")
        self.client = program("mariadb")
        parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.mkdtemp(prefix="lockstep-mariadb-", dir=parent)
        self.data = os.path.join(self.folder, "data")
        self.socket = os.path.join(self.folder, "socket")
        self.log = os.path.join(self.folder, "log")
        self.user = getpass.getuser()
        self.port = free_port()
        self.settings = {
            "log_bin": "binlog", "server_id": "1", "binlog_format": "ROW", "binlog_row_metadata": "FULL", "gtid_strict_mode": "ON",
            "sync_binlog": "0", "innodb_flush_log_at_trx_commit": "2", "innodb_buffer_pool_size": "32M", "innodb_log_file_size": "32M",
            "character_set_server": "utf8mb4", "performance_schema": "OFF",
        } | settings
        self.process = None
        done = subprocess.run(
            [program("mariadb-install-db"), "--no-defaults", f"--user={self.user}", f"--datadir={self.data}",
             "--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"],
            capture_output=True, text=True, timeout=START_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        self.start()

    def start(self):
        words = [self.server, "--no-defaults", f"--user={self.user}", f"--datadir={self.data}", f"--socket={self.socket}",
                 f"--port={self.port}", "--bind-address=127.0.0.1", f"--pid-file={os.path.join(self.folder, 'pid')}"]
        words += [f"--{name}={value}" for name, value in self.settings.items() if value is not None]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(words, cwd=self.folder, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + START_S
        while self.sql("SELECT 1", fails=True).returncode != 0:
            assert self.process.poll() is None, open(self.log, encoding="utf-8", errors="replace").read()
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.05)

    def stop(self, at_once=False):
        """`at_once`: as a crash does."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL if at_once else signal.SIGTERM)
            self.process.wait(START_S)

    def close(self):
        self.stop(at_once=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database="", user="root"):
        return f"mysql://{user}@127.0.0.1:{self.port}/{database}"

    def words(self, database="", user="root"):
        return [self.client, "--no-defaults", "-h127.0.0.1", f"-P{self.port}", f"-u{user}", "-N", "-B", "--default-character-set=utf8mb4",
                *([database] if database else [])]

    def sql(self, sql, database="", fails=False, user="root", password=""):
        words = self.words(database, user) + ([f"-p{password}"] if password else [])
        done = subprocess.run(words, input=sql, capture_output=True, text=True, timeout=600, check=False)
        assert fails or done.returncode == 0, f"{sql[:500]}: {done.stderr}"
        return done


def unescaped(cell):
    if cell == "NULL":
        return ""
    return cell.replace("\\\\", "\0").replace("\\n", "\n").replace("\\t", "\t").replace("\\0", "\0").replace("\0", "\\")


class Database:
    """A database of its own for a test."""

    def __init__(self, server, name):
        self.server = server
        self.name = name
        server.sql(f"DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}")

    @property
    def url(self):
        return self.server.url(self.name)

    def run(self, sql, **options):
        return self.server.sql(sql, self.name, **options)

    def text(self, sql):
        return self.run(sql).stdout.strip()

    def rows(self, sql):
        """Each row as a map of texts; null is an empty text, as in an export."""
        names = [line.split("\t")[0] for line in self.run(f"DESCRIBE {sql.split()[-1]}").stdout.splitlines()]
        if not sql.startswith("SELECT *"):
            names = [name.strip() for name in sql[len("SELECT ") : sql.index(" FROM ")].split(",")]
        lines = self.run(sql).stdout.split("\n")[:-1]
        return [dict(zip(names, map(unescaped, line.split("\t")), strict=True)) for line in lines]

    def close(self):
        self.server.sql(f"DROP DATABASE IF EXISTS {self.name}")


class Client:
    """A connection that stays: statements one after another, each with its answer."""

    def __init__(self, database):
        self.process = subprocess.Popen(
            [*database.server.words(database.name), "--unbuffered", "--force"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)

    def run(self, sql):
        """Its answer; None: the connection is gone."""
        try:
            self.process.stdin.write(sql + ";\nSELECT '@@end';\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        lines = []
        for line in self.process.stdout:
            if line == "@@end\n":
                return "".join(lines)
            if "ERROR 2" in line:  # the connection's own, not a statement's
                return None
            lines.append(line)
        return None

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(20)
