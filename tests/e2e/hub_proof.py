"""DuckDB as the judge of random histories: usage: hub_proof.py [--seed N] [--count N] [--steps N] [--minutes N] [--shared]

Each history goes to a real hub, driven in a process of its own, while DuckDB stays attached and reads. What DuckDB finds in
every snapshot of every layer must be what plain dictionaries say (hub_model.py). A failure names the command that repeats it.
"""

import argparse
import collections
import importlib
import os
import shutil
import sys
import tempfile
import time

import duckdb
from hub_driver import HubDriver
from hub_model import History, exact, exact_row, for_driver, from_driver
from hub_questions import aggregates, expected_aggregates, literal, plain, quoted, same_value, some_condition


class Disagreement(AssertionError):
    pass


def expect(true, *what):
    if not true:
        raise Disagreement(" | ".join(str(part)[:2000] for part in what))


def connect(folder):
    connection = duckdb.connect(config={
        "extension_directory": folder + "/ext", "autoinstall_known_extensions": False, "threads": 1, "memory_limit": "1GB"})
    for name in ("ducklake", "sqlite_scanner"):
        package = importlib.import_module("duckdb_extension_" + name).__path__[0]
        connection.execute(f"INSTALL '{package}/extensions/v1.5.5/{name}.duckdb_extension'")
        connection.execute(f"LOAD {name}")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def columns_of(table):
    return ", ".join(plain(quoted(name), kind) for name, kind in table.columns)


def difference(found, expected):
    found, expected = collections.Counter(found), collections.Counter(expected)
    return f"too much {list((found - expected).elements())[:5]}, missing {list((expected - found).elements())[:5]}"


class Judge:
    """One attached hub, and what it must hold."""

    def __init__(self, connection, history, folder, questions, read_only=True):
        self.connection = connection
        self.history = history
        self.folder = folder
        self.random = history.random
        self.questions = questions  # of each table at each snapshot, about
        self.attaches = True
        self.attach("lake", "(READ_ONLY)" if read_only else "")

    def attach(self, name, options):
        self.ask(f"ATTACH 'ducklake:sqlite:{self.folder}/catalog.sqlite' AS {name} {options}")
        self.at = name

    def detach(self, name):
        self.ask(f"DETACH {name}")
        self.at = "lake"

    def ask(self, sql):
        try:
            return self.connection.execute(sql).fetchall()
        except duckdb.Error as error:
            raise Disagreement(f"{type(error).__name__}: {error} in {sql}") from error

    def source(self, name, snapshot=None):
        return f"{self.at}.{quoted(name[0])}.{quoted(name[1])}" + ("" if snapshot is None else f" AT (VERSION => {snapshot})")

    def rows(self, name, snapshot, source):
        """A table as a whole. A row keeps its id from its first snapshot to its last."""
        table, rows = self.history.states[snapshot][name]
        found = self.ask(f"SELECT rowid, {columns_of(table)} FROM {source}")
        expect(sorted(exact_row(row[1:]) for row in found) == sorted(map(exact_row, rows.values())), snapshot, source,
               difference([exact_row(row[1:]) for row in found], map(exact_row, rows.values())))
        expect(len({row[0] for row in found}) == len(found), snapshot, source, "a row id stands twice", found)

    def question(self, name, snapshot, source):
        """The rows under a condition, or all, and what they add up to."""
        table, rows = self.history.states[snapshot][name]
        condition = some_condition(self.random, table.columns, list(rows.values())) if self.random.random() < 0.8 else None
        where = f"WHERE {condition.text}" if condition else ""
        answers = self.ask(f"SELECT {', '.join(aggregates(table.columns))} FROM {source} {where}")[0]
        wanted = expected_aggregates(table.columns, [row for row in rows.values() if not condition or condition.test(row)])
        expect(all(map(same_value, answers, wanted)), snapshot, source, where, answers, wanted)

    def feed(self, table, first, last):
        """The changes, insertions and deletions of a range of snapshots."""
        events = [
            (snapshot, kind, exact_row(row))
            for snapshot, changes in table.events.items() if first <= snapshot <= last for kind, row in changes
        ]
        call = f"('lake', '{table.name[0]}', '{table.name[1].replace(chr(39), chr(39) * 2)}', {first}, {last})"
        where = (table.name, first, last)
        columns = columns_of(table)
        found = self.ask(f"SELECT snapshot_id, change_type, {columns} FROM ducklake_table_changes{call}")
        found = [(row[0], row[1], exact_row(row[2:])) for row in found]
        expect(sorted(found) == sorted(events), *where, "changes", difference(found, events))
        function, kinds = self.random.choice(
            [("insertions", ("insert", "update_postimage")), ("deletions", ("delete", "update_preimage"))])
        found = self.ask(f"SELECT {columns} FROM ducklake_table_{function}{call}")
        found = sorted(map(exact_row, found))
        wanted = sorted(row for _, kind, row in events if kind in kinds)
        expect(found == wanted, *where, function, difference(found, wanted))

    def newest(self):
        """As a client that stays attached sees it; one look at one table."""
        snapshot = max(self.history.states)
        name = self.random.choice(list(self.history.tables))
        look = self.random.choice([self.rows, self.question])
        look(name, snapshot, self.source(name))

    def some_old_state(self, snapshots):
        snapshot = self.random.choice(snapshots)
        name = self.random.choice(list(self.history.states[snapshot]))
        look = self.random.choice([self.rows, self.question])
        look(name, snapshot, self.source(name, snapshot))

    def states(self):
        for snapshot in self.history.states:
            self.whole_snapshot(snapshot)

    def whole_snapshot(self, snapshot):
        """By AT, or attached at the snapshot: DuckDB goes different ways for the two."""
        attached = self.random.random() < 0.1 and self.attaches
        if attached:
            self.attach("old", f"(READ_ONLY, SNAPSHOT_VERSION {snapshot})")
        for name in self.history.states[snapshot]:
            source = self.source(name, None if attached else snapshot)
            self.rows(name, snapshot, source)
            for _ in range(self.random.randint(0, max(0, 2 * self.questions - 1))):
                self.question(name, snapshot, source)
        if attached:
            self.detach("old")

    def feeds(self):
        last = max(self.history.states)
        for table in self.history.tables.values():
            first = max(table.created, self.history.feeds_from)
            if first > last:
                continue
            self.feed(table, first, last)
            for _ in range(self.questions - 1):
                self.feed(table, *sorted((self.random.randint(first, last), self.random.randint(first, last))))


def hub_reads(driver, history):
    """The hub's own readers, against the same dictionaries."""
    for snapshot, state in history.states.items():
        for name, (table, rows) in state.items():
            answer = driver.ask("read", layer=name[0], dataset=name[1], at=snapshot)
            found = [exact_row(from_driver(*cell) for cell in zip(row[1:], table.types)) for row in answer["rows"]]
            expect(sorted(found) == sorted(map(exact_row, rows.values())), "hub", name, snapshot,
                   difference(found, map(exact_row, rows.values())))
            expect(answer["count"] == len(rows), "hub", name, snapshot, "count")


def hub_finds(driver, history):
    """Each current row by its key, through the writer's index."""
    for name, table in history.tables.items():
        rows = list(table.rows.values())
        asked = [[1] + [for_driver(*cell) for cell in zip(row, table.types)] for row in rows]
        answer = driver.ask("lookup", layer=name[0], dataset=name[1], rows=asked)
        found = [
            None if row is None else exact_row(from_driver(*cell) for cell in zip(row[1:], table.types))
            for row in answer["rows"]
        ]
        expect(found == [exact_row(row) for row in rows], "hub", name, "look-up")


class Run:
    """One history from its seed."""

    def __init__(self, driver, connection, seed, options, shared=False):
        self.shared = shared  # with DuckDB, which commits too
        self.driver = driver
        self.connection = connection
        self.steps = options.steps
        self.questions = options.questions
        self.history = History(seed)
        # In memory where the machine has room there: durability is not what is asked.
        parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.mkdtemp(prefix="lockstep-proof-", dir=parent)

    def open(self):
        self.driver.ask(
            "open", folder=self.folder, inline_rows_max=self.history.inline_rows_max,
            inlined_deletes_max=3, adopt=self.shared)

    def __enter__(self):
        self.driver.ask("create", folder=self.folder)
        self.open()
        return self

    def __exit__(self, *error):
        self.connection.execute("USE memory")
        for name in ("lake", "old"):
            self.connection.execute(f"DETACH DATABASE IF EXISTS {name}")
        self.driver.ask("close")
        shutil.rmtree(self.folder)

    def write(self):
        """The history without a judge."""
        self.history.committed(self.driver.ask("commits", commits=[self.history.first()])["snapshots"])
        for _ in range(self.steps - 1):
            self.history.committed(self.driver.ask("commits", commits=self.history.take())["snapshots"])

    def play(self):
        history, driver = self.history, self.driver
        history.committed(driver.ask("commits", commits=[history.first()])["snapshots"])
        judge = Judge(self.connection, history, self.folder, self.questions)
        for _ in range(self.steps - 1):
            if history.random.random() < 0.1:
                self.open()
            if history.random.random() < 0.3:
                history.maintained(driver.ask("compact", **history.compaction())["snapshots"])
            if history.random.random() < 0.1:
                self.collect()
            known = list(history.states)
            driver.send("commits", commits=history.take(), group=history.random.random() < 0.5)
            try:
                judge.some_old_state(known)  # while the commits go on
            finally:
                history.committed(driver.receive()["snapshots"])
            judge.newest()
        judge.states()
        judge.feeds()
        hub_finds(driver, history)
        driver.ask("open", folder=self.folder, read_only=True)
        hub_reads(driver, history)
        return judge

    def collect(self):
        """A round of retention, for which no compaction may be underway."""
        history, driver = self.history, self.driver
        history.maintained(driver.ask("compact", **{**history.compaction(), "background": False})["snapshots"])
        asked = history.collection()
        driver.ask("collect", **asked)
        history.collected(asked["keep"])


FLUSH = "CALL ducklake_flush_inlined_data('lake')"
# DuckDB 1.5.5 can't rewrite files of a table with inlined floats in a SQLite catalog, its own neither: isnan(VARCHAR).
MAINTENANCE = [
    [FLUSH],
    ["CALL ducklake_merge_adjacent_files('lake')"],
    [FLUSH, "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)"],
]


class SharedRun(Run):
    """A hub to which DuckDB commits in turn with Lockstep, which adopts what came."""

    def __init__(self, driver, connection, seed, options):
        super().__init__(driver, connection, seed, options, shared=True)

    def play(self):
        history, driver, random = self.history, self.driver, self.history.random
        history.committed(driver.ask("commits", commits=[history.first()])["snapshots"])
        # Only raw takes the rows of others.
        raw = history.new_table(("raw", "shared"))
        history.committed(driver.ask("commits", commits=[history.plan([], [raw], [history.some_rows(raw)])])["snapshots"])
        judge = Judge(self.connection, history, self.folder, self.questions, read_only=False)
        kept = True
        for _ in range(self.steps):
            dice = random.random()
            if dice < 0.5 and history.tables.get(raw.name) is raw:
                self.commit_by_duckdb(judge, raw)
            elif dice < 0.6:
                for call in random.choice(MAINTENANCE):
                    judge.ask(call)
                kept = False
                driver.ask("adopt")
            else:
                history.committed(driver.ask("commits", commits=history.take())["snapshots"])
            if random.random() < 0.1:
                self.open()
            if random.random() < 0.2:
                history.maintained(driver.ask("compact", **history.compaction())["snapshots"])
            judge.newest()
        judge.states()
        if kept:
            judge.feeds()
        hub_finds(driver, history)
        driver.ask("open", folder=self.folder, read_only=True)
        hub_reads(driver, history)

    def commit_by_duckdb(self, judge, table):
        change = self.history.foreign(table)
        judge.ask("BEGIN")
        for before, after in change.pairs.values():
            judge.ask(statement_of(table, before, after))
        judge.ask("COMMIT")
        self.history.committed(self.driver.ask("adopt")["snapshots"])


def statement_of(table, before, after):
    """What turns one row of a table into another."""
    source = f"lake.{quoted(table.name[0])}.{quoted(table.name[1])}"
    cells = [(quoted(name), literal(value, kind)) for (name, kind), value in zip(table.columns, after or before)]
    key = " AND ".join(f"{name} = {value}" for name, value in cells if name in map(quoted, table.key))
    if before is None:
        return f"INSERT INTO {source} VALUES ({', '.join(value for _, value in cells)})"
    if after is None:
        return f"DELETE FROM {source} WHERE {key}"
    changes = ", ".join(f"{name} = {value}" for name, value in cells if name not in map(quoted, table.key))
    return f"UPDATE {source} SET {changes} WHERE {key}"


def check(driver, connection, seed, options):
    try:
        with (SharedRun if options.shared else Run)(driver, connection, seed, options) as run:
            run.play()
            return len(run.history.states)
    except Exception as error:
        raise Disagreement(
            f"seed {seed}: {error}\nrepeat: LOCKSTEP_TEST_HUB={hub_binary()} {sys.executable} {__file__} "
            f"--seed {seed} --steps {options.steps} --questions {options.questions}"
            + (" --shared" if options.shared else "")) from error


def hub_binary():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.environ.get("LOCKSTEP_TEST_HUB") or f"{root}/build/release/test_hub"


def prove(seeds, options, until=None):
    """Returns how many histories and snapshots agreed."""
    histories = snapshots = 0
    with tempfile.TemporaryDirectory() as folder:
        driver, connection = HubDriver(hub_binary()), connect(folder)
        try:
            for seed in seeds:
                if until is not None and time.monotonic() > until:
                    break
                snapshots += check(driver, connection, seed, options)
                histories += 1
        finally:
            connection.close()
            driver.close()
    return histories, snapshots


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--questions", type=int, default=1)
    parser.add_argument("--shared", action="store_true", help="DuckDB commits too, and Lockstep adopts")
    parser.add_argument("--minutes", type=float)
    options = parser.parse_args()
    started = time.monotonic()
    until = started + 60 * options.minutes if options.minutes else None
    count = 10**9 if until else options.count
    histories, snapshots = prove(range(options.seed, options.seed + count), options, until)
    print(f"{histories} histories, {snapshots} snapshots agree ({time.monotonic() - started:.1f} s)")


if __name__ == "__main__":
    main()
