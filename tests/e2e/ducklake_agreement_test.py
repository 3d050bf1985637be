"""DuckDB reads what the hub wrote: every snapshot, every filter, every change, as the hub's own model has it.

Run as: LOCKSTEP_TEST_HUB=build/<name>/test_hub pytest tests/e2e/ducklake_agreement_test.py
The binary writes hubs and an expectation for each; DuckDB runs in this process, the hub in one of its own, since two
copies of SQLite in one process drop each other's locks.
"""

import importlib
import json
import math
import os
import subprocess
import time

import pytest

duckdb = pytest.importorskip("duckdb") if not os.environ.get("CI") else importlib.import_module("duckdb")

COLUMNS = ["id", "flag", "amount", "note", "day", "time"]
SELECT = "id, flag, amount, note, day::VARCHAR, epoch_us(time)"


def cell(value):
    if isinstance(value, float):
        return "nan" if math.isnan(value) else repr(value + 0.0 if value else value)
    return value


def row_of(cells):
    values = list(cells)
    if isinstance(values[2], str):
        values[2] = float(values[2])
    return tuple(cell(value) for value in values)


def sorted_rows(rows):
    return sorted((row_of(row) for row in rows), key=repr)


class Dump:
    def __init__(self, folder, expectation="expected.ndjson"):
        self.folder = str(folder)
        self.tables = {}
        with open(f"{folder}/{expectation}", encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                key = (record["schema"], record["table"])
                self.tables.setdefault(key, {})[record["snapshot"]] = record["rows"]

    def connect(self):
        connection = duckdb.connect(
            config={"extension_directory": self.folder + "/ext", "autoinstall_known_extensions": False}
        )
        for name in ("ducklake", "sqlite_scanner"):
            package = importlib.import_module("duckdb_extension_" + name).__path__[0]
            connection.execute(f"INSTALL '{package}/extensions/v1.5.5/{name}.duckdb_extension'")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH 'ducklake:sqlite:{self.folder}/catalog.sqlite' AS lake (READ_ONLY)")
        return connection


def quoted(key):
    return "lake." + ".".join('"' + part.replace('"', '""') + '"' for part in key)


def hub_binary():
    binary = os.environ.get("LOCKSTEP_TEST_HUB")
    if not binary:
        if os.environ.get("CI"):
            pytest.fail("LOCKSTEP_TEST_HUB does not name the hub's test binary")
        pytest.skip("LOCKSTEP_TEST_HUB does not name the hub's test binary")
    return binary


@pytest.fixture(scope="module")
def dumps(tmp_path_factory):
    binary = hub_binary()
    folder = tmp_path_factory.mktemp("hubs")
    environment = dict(os.environ, LOCKSTEP_HUB_DUMP=str(folder))
    subprocess.run(
        [binary, "--gtest_filter=HubHistory.IsWrittenOutForAnotherClient"],
        env=environment,
        check=True,
        capture_output=True,
        timeout=120,
    )
    found = [Dump(path) for path in sorted(folder.iterdir())]
    assert found
    return found


def each_state(dump):
    for key, snapshots in dump.tables.items():
        for snapshot, rows in snapshots.items():
            yield key, snapshot, rows


def test_every_snapshot_has_the_rows_of_the_model(dumps):
    for dump in dumps:
        connection = dump.connect()
        for key, snapshot, rows in each_state(dump):
            at = f"{quoted(key)} AT (VERSION => {snapshot})"
            read = connection.execute(f"SELECT {SELECT} FROM {at}").fetchall()
            assert sorted_rows(read) == sorted_rows(rows), (dump.folder, key, snapshot)
            count = connection.execute(f"SELECT count(*) FROM {at}").fetchone()[0]
            assert count == len(rows), (dump.folder, key, snapshot)


def literal(column, value):
    if column == "id":
        return str(value)
    if column == "flag":
        return str(value).lower()
    if column == "time":
        return f"make_timestamptz({value})"
    text = str(value).replace("'", "''")
    return f"'{text}'::" + {"amount": "DOUBLE", "note": "VARCHAR", "day": "DATE"}[column]


def test_filters_and_bounds_lose_no_row(dumps):
    for dump in dumps:
        connection = dump.connect()
        states = list(each_state(dump))
        for key, snapshot, rows in states[::15] + states[-1:]:
            at = f"{quoted(key)} AT (VERSION => {snapshot})"
            # The rows as they are, out of reach of any statistics.
            connection.execute(f"CREATE OR REPLACE TEMP TABLE plain AS SELECT * FROM {at}")
            for index, column in enumerate(COLUMNS):
                bounds = connection.execute(f"SELECT min({column}), max({column}) FROM {at}").fetchone()
                plain = connection.execute(f"SELECT min({column}), max({column}) FROM plain").fetchone()
                assert repr(bounds) == repr(plain), (dump.folder, key, snapshot, column)
                conditions = [f"{column} IS NULL", f"{column} IS NOT NULL"]
                for row in rows[:1] + rows[-1:]:
                    if row[index] is not None:
                        value = literal(column, row[index])
                        conditions += [f"{column} {operator} {value}" for operator in ("=", ">", "<=")]
                for condition in conditions:
                    question = f"SELECT id FROM {{}} WHERE {condition} ORDER BY id"
                    found = connection.execute(question.format(at)).fetchall()
                    expected = connection.execute(question.format("plain")).fetchall()
                    assert found == expected, (dump.folder, key, snapshot, condition)


def expected_changes(before, after):
    old = {row[0]: row_of(row) for row in before}
    new = {row[0]: row_of(row) for row in after}
    changes = []
    for key, row in old.items():
        if key not in new:
            changes.append(("delete",) + row)
    for key, row in new.items():
        if key not in old:
            changes.append(("insert",) + row)
    return sorted(changes, key=repr)


def test_the_change_feed_tells_each_snapshots_difference(dumps):
    for dump in dumps:
        connection = dump.connect()
        created = {
            row[0]
            for row in connection.execute(
                "SELECT begin_snapshot FROM __ducklake_metadata_lake.ducklake_table"
            ).fetchall()
        }
        for key, snapshots in dump.tables.items():
            numbers = sorted(snapshots)
            retained = {row[0] for row in connection.execute(
                "SELECT snapshot_id FROM __ducklake_metadata_lake.ducklake_snapshot").fetchall()}
            for before, after in zip(numbers, numbers[1:]):
                if any(before < number <= after for number in created):
                    continue  # the feed does not cross a table's replacement
                if not retained.issuperset(range(before + 1, after + 1)):
                    if current(connection, key, after):
                        replay(connection, key, (before, snapshots[before]), (after, snapshots[after]))
                    continue
                feed = connection.execute(
                    f"SELECT change_type, {SELECT} FROM ducklake_table_changes('lake', ?, ?, ?, ?)",
                    [key[0], key[1], before + 1, after],
                ).fetchall() if current(connection, key, after) else None
                if feed is None:
                    continue
                plain = [(kind,) + row_of(row) for kind, *row in feed]
                ends = sorted((row for row in plain if not row[0].startswith("update")), key=repr)
                assert ends == expected_changes(snapshots[before], snapshots[after]), (dump.folder, key, before, after)
                images = {}
                for kind, *row in plain:
                    if kind.startswith("update"):
                        images.setdefault(row[0], {})[kind] = tuple(row)
                new = {row[0]: row_of(row) for row in snapshots[after]}
                old = {row[0]: row_of(row) for row in snapshots[before]}
                differing = {key_ for key_ in old if key_ in new and old[key_] != new[key_]}
                assert differing <= set(images), (dump.folder, key, before, after)
                for key_, image in images.items():
                    assert image["update_preimage"] == old[key_]
                    assert image["update_postimage"] == new[key_]


def replay(connection, key, before, after):
    """Across snapshots that have expired, the feed still leads from one retained snapshot to the next."""
    feed = connection.execute(
        f"SELECT snapshot_id, change_type, {SELECT} FROM ducklake_table_changes('lake', ?, ?, ?, ?)",
        [key[0], key[1], before[0], after[0]],
    ).fetchall()
    rows = {row[0]: row_of(row) for row in before[1]}
    leaving_first = sorted(feed, key=lambda line: (line[0], line[1] in ("insert", "update_postimage")))
    for snapshot, kind, *cells in leaving_first:
        if snapshot <= before[0]:
            continue
        row = row_of(cells)
        if kind in ("insert", "update_postimage"):
            rows[row[0]] = row
        elif rows.get(row[0]) == row:
            del rows[row[0]]
    assert sorted(rows.values(), key=repr) == sorted_rows(after[1]), (key, before[0], after[0])


def current(connection, key, snapshot):
    """Whether the table that stands today is the one that stood at the snapshot."""
    rows = connection.execute(
        "SELECT t.begin_snapshot FROM __ducklake_metadata_lake.ducklake_table t "
        "JOIN __ducklake_metadata_lake.ducklake_schema s USING (schema_id) "
        "WHERE s.schema_name = ? AND t.table_name = ? AND t.end_snapshot IS NULL",
        list(key),
    ).fetchall()
    return bool(rows) and rows[0][0] < snapshot


def wait_for(path):
    for _ in range(3000):
        if os.path.exists(path):
            return
        time.sleep(0.01)
    pytest.fail(f"{path} did not appear")


def test_a_client_that_stays_attached_sees_each_commit(tmp_path):
    folder = tmp_path / "follow"
    writer = subprocess.Popen(
        [hub_binary(), "--gtest_filter=HubHistory.CommitsWhileAnotherClientStaysAttached"],
        env=dict(os.environ, LOCKSTEP_HUB_FOLLOW=str(folder)),
        stdout=subprocess.DEVNULL,
    )
    try:
        connection = None
        for step in range(12):
            wait_for(f"{folder}/expected.{step}")
            dump = Dump(folder, f"expected.{step}")
            connection = connection or dump.connect()
            for key, snapshots in dump.tables.items():
                rows = snapshots[max(snapshots)]
                read = connection.execute(f"SELECT {SELECT} FROM {quoted(key)}").fetchall()
                assert sorted_rows(read) == sorted_rows(rows), (step, key)
                for row in rows:
                    found = connection.execute(f"SELECT count(*) FROM {quoted(key)} WHERE id = {row[0]}").fetchone()
                    assert found == (1,), (step, key, row[0])
            (folder / f"go.{step}").touch()
        assert writer.wait(timeout=60) == 0
    finally:
        if writer.poll() is None:
            writer.kill()
