"""What the end-to-end tests share: the built program, folders for hubs, and DuckDB as a second reader.

The program is named by the environment variable LOCKSTEP; without it, build/release or build/main has it.
"""

import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BOUND_S = 120  # no command of these tests may take longer

CONFIGURATION = """
hub: {catalog: "sqlite:hub/catalog.sqlite", data: hub/data}
sources:
  drop: {type: files, path: "incoming/*.csv", mode: upsert, operation: _op}
datasets:
  visits:
    from: [drop]
    key: [id]
    columns: {id: int, age: int, ward: text, weight: float, sbp: float, seen: date}
    clean:
      - filter: "age >= 18"
      - range: {columns: [sbp], min: 40, max: 300, otherwise: reject}
    train:
      - split: {by: id, test: 0.2}
models:
  bp:
    dataset: visits
    features: [age, weight, ward]
    targets: [sbp]
    expand:
      - one_hot: [ward]
      - impute: {with: mean}
      - standardize
    learner: {type: ridge, l2: auto}
    calibrate_after: 60 rows
    gate: off
"""
COLUMNS = ["id", "age", "ward", "weight", "sbp", "seen"]


def program():
    named = os.environ.get("LOCKSTEP")
    places = [named] if named else [f"{ROOT}/build/release/lockstep", f"{ROOT}/build/main/lockstep"]
    for place in places:
        if os.access(place, os.X_OK):
            return os.path.abspath(place)
    if os.environ.get("CI"):
        pytest.fail(f"the program is not built: {places}")
    pytest.skip(f"the program is not built: {places}")


class Done:
    """How a command ended."""

    def __init__(self, process):
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit code {self.code}\n--- out\n{self.out[-3000:]}\n--- err\n{self.err[-3000:]}"


class Place:
    """A folder with a lockstep.yaml, its hub, and what is dropped into incoming/."""

    def __init__(self, folder, configuration=CONFIGURATION):
        self.folder = str(folder)
        self.program = program()
        self.count = 0
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("LOCKSTEP")}
        os.makedirs(self.path("incoming"), exist_ok=True)
        self.configure(configuration)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    @property
    def catalog(self):
        return self.path("hub", "catalog.sqlite")

    def configure(self, text):
        with open(self.path("lockstep.yaml"), "w", encoding="utf-8") as file:
            file.write(text)

    def command(self, *words):
        return [self.program, *map(str, words)]

    def run(self, *words, codes=(0,), **environment):
        """A command; fails the test when it ends otherwise than with one of `codes` (None: any but a crash)."""
        process = subprocess.run(
            self.command(*words), cwd=self.folder, env=self.environment | environment, timeout=BOUND_S,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
        done = Done(process)
        assert done.code >= 0, f"lockstep {words} was ended by signal {-done.code}: {done}"
        assert codes is None or done.code in codes, f"lockstep {words}: {done}"
        return done

    def json(self, *words, codes=(0,)):
        return self.run(*words, "--json", codes=codes).json

    def start(self, *words, **environment):
        """A command that goes on; the caller ends it by its pid."""
        return subprocess.Popen(
            self.command(*words), cwd=self.folder, env=self.environment | environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def drop(self, changes, name="changes"):
        """[(operation, row)] as the next file; a file is seen whole or not at all."""
        self.count += 1
        return self.drop_text(text_of(changes), f"{self.count:06d}-{name}.csv", self.count)

    def drop_text(self, data, name, order=None):
        if order is None:
            self.count += 1
            order = self.count
        hidden = self.path("incoming", "." + name + ".partial")
        with open(hidden, "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        moment = 1_700_000_000 + order
        os.utime(hidden, (moment, moment))
        os.rename(hidden, self.path("incoming", name))
        return self.path("incoming", name)


def text_of(changes):
    lines = [",".join(["_op"] + COLUMNS)]
    for operation, row in changes:
        lines.append(",".join([operation] + [str(row.get(name, "")) for name in COLUMNS]))
    return "\n".join(lines) + "\n"


def visit(number, generator):
    """A row of the dataset `visits`; about one in fifteen is too young, or rejected."""
    age = generator.randint(10, 90) if generator.random() < 0.05 else generator.randint(18, 90)
    sbp = 90 + age // 2 + generator.gauss(0, 8)
    if generator.random() < 0.04:
        sbp = generator.choice([20, 400])
    weight = "" if generator.random() < 0.1 else f"{generator.gauss(75, 12):.1f}"
    return {"id": number, "age": age, "ward": generator.choice(["", "east", "west", "Übersee"]), "weight": weight,
            "sbp": f"{sbp:.2f}", "seen": f"2026-{generator.randint(1, 12):02d}-{generator.randint(1, 28):02d}"}


def visits(count, seed=1, start=1):
    generator = random.Random(seed)
    return [visit(number, generator) for number in range(start, start + count)]


def inserts(rows):
    return [("I", row) for row in rows]


DUCKDB = """
import duckdb, importlib, json, sys
con = duckdb.connect(config={"extension_directory": sys.argv[2], "autoinstall_known_extensions": False})
con.execute("SET enable_progress_bar = false")  # on a slow machine it writes among the answers
for name in ("ducklake", "sqlite_scanner"):
    folder = importlib.import_module("duckdb_extension_" + name).__path__[0]
    con.execute(f"INSTALL '{folder}/extensions/v1.5.5/{name}.duckdb_extension'")
con.execute("SET TimeZone = 'UTC'")
con.execute(f"ATTACH 'ducklake:sqlite:{sys.argv[1]}' AS lake {sys.argv[3]}")
for question in json.load(sys.stdin):
    try:
        rows = [[repr(cell) for cell in row] for row in con.execute(question).fetchall()]
        print(json.dumps({"rows": rows}))
    except Exception as error:
        print(json.dumps({"error": str(error)}))
"""


class Duck:
    """DuckDB over a hub, in a process of its own. Cells come back as Python's repr of them."""

    def __init__(self, extensions):
        self.extensions = str(extensions)

    def write(self, catalog, statements):
        """As another program that commits to the hub, or makes a lake of its own."""
        return self.ask(catalog, statements, "")

    def ask(self, catalog, questions, options="(READ_ONLY)"):
        done = subprocess.run(
            [sys.executable, "-c", DUCKDB, catalog, self.extensions, options], input=json.dumps(questions),
            capture_output=True, text=True, timeout=BOUND_S, check=False)
        assert done.returncode == 0, done.stderr
        answers = []
        for question, line in zip(questions, done.stdout.splitlines(), strict=True):
            answer = json.loads(line)
            assert "error" not in answer, f"{question}: {answer.get('error')}"
            answers.append([tuple(row) for row in answer["rows"]])
        return answers


@pytest.fixture(scope="session")
def duck(tmp_path_factory):
    if not os.environ.get("CI"):
        pytest.importorskip("duckdb")
        pytest.importorskip("duckdb_extension_ducklake")
    return Duck(tmp_path_factory.mktemp("extensions"))


@pytest.fixture(scope="session")
def fast_folder():
    """A folder in memory where the machine has one: durability is not what is asked there."""
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = tempfile.mkdtemp(prefix="lockstep-e2e-", dir=parent)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka_broker():
    """One for all tests that kill none: it takes seconds to start."""
    import kafka_server  # which needs what stands here
    one = kafka_server.Broker()
    yield one
    one.close()


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def wait_until(condition, seconds=20, what="the condition"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    pytest.fail(f"{what} did not come true within {seconds} s")


def stop(process, signal_number=signal.SIGTERM, seconds=20):
    """Ends a process that this test started; (exit code, standard output, standard error)."""
    if process.poll() is None:
        process.send_signal(signal_number)
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        pytest.fail(f"the process did not end within {seconds} s\n{out}\n{err}")
    return process.returncode, out, err


def peak_kb(process):
    """The most memory that a process which this test started had resident, once it has ended."""
    peak = 0
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/status", encoding="utf-8") as file:
                found = re.search(r"VmHWM:\s+(\d+)", file.read())
            peak = max(peak, int(found.group(1)) if found else 0)
        except FileNotFoundError:
            break
        time.sleep(0.02)
    return peak


def csv_rows(text):
    return list(csv.DictReader(text.splitlines()))
