"""DuckDB reads a table whose columns came, went, widened and were renamed: every snapshot, filter and change.

Run as: LOCKSTEP_TEST_HUB=build/<name>/test_hub pytest tests/e2e/ducklake_alter_test.py
The hub's test binary writes the hubs, and what each snapshot must hold: columns with their ids, and rows.
"""

import json
import os
import random
import subprocess

import pytest

from ducklake_agreement_test import Dump, duckdb, hub_binary

assert duckdb is not None


class Altered(Dump):
    def __init__(self, folder):
        self.folder = str(folder)
        self.snapshots = {}
        with open(f"{folder}/expected.ndjson", encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                self.snapshots[record["snapshot"]] = record


@pytest.fixture(scope="module")
def dumps(tmp_path_factory):
    binary = hub_binary()
    folder = tmp_path_factory.mktemp("altered")
    subprocess.run([binary, "--gtest_filter=Alter.IsWrittenOutForAnotherClient"],
                   env=dict(os.environ, LOCKSTEP_HUB_DUMP=str(folder)), check=True, capture_output=True, timeout=120)
    found = [Altered(path) for path in sorted(folder.iterdir())]
    assert found
    return found


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def selected(columns):
    shown = {"date": "{}::VARCHAR", "timestamp": "epoch_us({})"}
    return ", ".join(shown.get(kind, "{}").format(quoted(name)) for _, name, kind in columns)


def as_columns(record, columns):
    """The rows of a snapshot in the columns of a later one."""
    place = {column[0]: index for index, column in enumerate(record["columns"])}
    rows = []
    for row in record["rows"]:
        cells = []
        for identity, _, kind in columns:
            cell = row[place[identity]] if identity in place else None
            cells.append(float(cell) if kind == "float" and cell is not None else cell)
        rows.append(tuple(cells))
    return rows


def in_order(rows):
    return sorted(rows, key=repr)


def literal(value, kind):
    if kind == "timestamp":
        return f"make_timestamptz({value})"
    text = str(value).replace("'", "''")
    return f"'{text}'::" + {"bool": "BOOLEAN", "int": "BIGINT", "float": "DOUBLE", "text": "VARCHAR", "date": "DATE"}[
        kind]


def test_every_snapshot_has_its_own_columns_and_rows(dumps):
    for dump in dumps:
        connection = dump.connect()
        for number, record in dump.snapshots.items():
            at = f"lake.raw.changing AT (VERSION => {number})"
            names = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {at}").fetchall()]
            assert names == [name for _, name, _ in record["columns"]], (dump.folder, number)
            read = connection.execute(f"SELECT {selected(record['columns'])} FROM {at}").fetchall()
            assert in_order(read) == in_order(as_columns(record, record["columns"])), (dump.folder, number)
            count = connection.execute(f"SELECT count(*) FROM {at}").fetchone()[0]
            assert count == len(record["rows"]), (dump.folder, number)


def test_filters_and_bounds_lose_no_row(dumps):
    for dump in dumps:
        connection = dump.connect()
        for number, record in list(dump.snapshots.items())[::6]:
            at = f"lake.raw.changing AT (VERSION => {number})"
            # The rows as they are, out of reach of any statistics.
            connection.execute(f"CREATE OR REPLACE TEMP TABLE plain AS SELECT * FROM {at}")
            key = quoted(record["columns"][0][1])
            for index, (_, name, kind) in enumerate(record["columns"]):
                column = quoted(name)
                bounds = "SELECT min({0}), max({0}), count({0}) FROM {1}"
                assert repr(connection.execute(bounds.format(column, at)).fetchall()) == repr(
                    connection.execute(bounds.format(column, "plain")).fetchall()), (dump.folder, number, name)
                conditions = [f"{column} IS NULL", f"{column} IS NOT NULL"]
                if kind in ("int", "float"):
                    conditions += [f"{column} = 15.5", f"{column} > 20.5", f"{column} + 1 <= 30"]
                values = [row[index] for row in record["rows"][:1] + record["rows"][-1:] if row[index] is not None]
                conditions += [f"{column} {operator} {literal(value, kind)}"
                               for value in values for operator in ("=", ">", "<=")]
                for condition in conditions:
                    question = f"SELECT {key} FROM {{}} WHERE {condition} ORDER BY 1"
                    found = connection.execute(question.format(at)).fetchall()
                    expected = connection.execute(question.format("plain")).fetchall()
                    assert found == expected, (dump.folder, number, condition)


def replayed(before, feed):
    """The rows after a change feed: what leaves in a snapshot, then what enters in it."""
    rows = {row[0]: row for row in before}
    for snapshot in sorted({line[0] for line in feed}):
        of_snapshot = [line for line in feed if line[0] == snapshot]
        for _, kind, *cells in of_snapshot:
            if kind in ("delete", "update_preimage"):
                assert rows.pop(cells[0]) == tuple(cells)
        for _, kind, *cells in of_snapshot:
            if kind in ("insert", "update_postimage"):
                assert cells[0] not in rows
                rows[cells[0]] = tuple(cells)
    return rows.values()


def test_the_change_feed_over_any_range_leads_from_one_snapshot_to_the_other(dumps):
    for seed, dump in enumerate(dumps):
        connection = dump.connect()
        numbers = sorted(dump.snapshots)
        generator = random.Random(seed)
        ranges = list(zip(numbers, numbers[1:]))
        ranges += [tuple(sorted(generator.sample(numbers, 2))) for _ in range(6)]
        for before, after in ranges:
            columns = dump.snapshots[after]["columns"]
            feed = connection.execute(
                f"SELECT snapshot_id, change_type, {selected(columns)} FROM "
                "ducklake_table_changes('lake', 'raw', 'changing', ?, ?)", [before + 1, after]).fetchall()
            start = as_columns(dump.snapshots[before], columns)
            end = as_columns(dump.snapshots[after], columns)
            assert in_order(replayed(start, feed)) == in_order(end), (dump.folder, before, after)
