"""DuckDB and `lockstep export`, `lockstep diff` agree about every snapshot of a random history."""

import json
import random

import pytest

from conftest import COLUMNS, Place, inserts, text_of, visit, visits

LAYERS = ["raw", "clean", "train", "rejected"]
SEED = 20261123
LINED = 500  # rows of a commit that stay in the catalog; more go to Parquet


class History:
    """Random files over a few hundred keys, so that rows come, change, go, and come again."""

    def __init__(self, place, generator):
        self.place = place
        self.generator = generator
        self.alive = {}

    def some(self, count):
        return self.generator.sample(sorted(self.alive), min(count, len(self.alive)))

    def insert(self, count, start=1):
        new = [number for number in range(start, start + 4 * count) if number not in self.alive][:count]
        return [("I", visit(number, self.generator)) for number in new]

    def update(self, count):
        return [("U", visit(number, self.generator)) for number in self.some(count)]

    def delete(self, count):
        return [("D", {"id": number}) for number in self.some(count)]

    def commit(self, changes):
        for operation, row in changes:
            if operation == "D":
                self.alive.pop(row["id"], None)
            else:
                self.alive[row["id"]] = row
        self.place.drop(changes)
        return self.place.json("sync")

    def small(self):
        kind = self.generator.choice(["insert", "insert", "update", "update", "delete"])
        count = self.generator.randint(1, 30)
        changes = getattr(self, kind)(count)
        if self.generator.random() < 0.4 and kind != "delete":
            changes += self.delete(self.generator.randint(1, 5)) if kind == "insert" else self.insert(3, start=20_000)
        return changes


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("lake"))
    history = History(place, random.Random(SEED))
    history.commit(history.insert(80))
    for _ in range(6):
        history.commit(history.small())
    history.commit(history.insert(LINED + 400, start=5_000))
    for _ in range(6):
        history.commit(history.small())
    history.commit(history.update(LINED + 100))
    history.commit(history.small())
    place.json("revert", "-1")
    history.commit(history.insert(40, start=30_000))
    history.commit(history.delete(LINED + 60))
    place.json("revert", "-1", "--overwrite")
    header = "_op,id,age,ward,weight,sbp,seen\n"
    place.drop_text(header + "I,x,1,a,2,3,2026-01-01\nI,40001,50,a,70,120,2026-02-30\n", "bad.csv")
    place.json("sync")
    for _ in range(4):
        history.commit(history.small())
    place.json("recalibrate", "bp")
    return place


@pytest.fixture(scope="module")
def newest(lake):
    return lake.json("status")["snapshot"]


def table(layer, snapshot):
    return f"lake.{layer}.visits AT (VERSION => {snapshot})"


def tables_at(lake, duck, newest):
    """{snapshot: layers that there are}: the first snapshots have no tables yet."""
    questions = [
        "SELECT s.schema_name, t.begin_snapshot FROM __ducklake_metadata_lake.ducklake_table t "
        "JOIN __ducklake_metadata_lake.ducklake_schema s USING (schema_id) WHERE t.end_snapshot IS NULL"]
    (rows,) = duck.ask(lake.catalog, questions)
    begins = {eval(name): int(begin) for name, begin in rows}  # cells are reprs of plain texts and numbers
    return {snapshot: [layer for layer in LAYERS if begins[layer] <= snapshot] for snapshot in range(newest + 1)}


def test_every_snapshot_of_every_layer_is_what_export_writes(lake, duck, newest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports")
    places = [(snapshot, layer) for snapshot, layers in tables_at(lake, duck, newest).items() for layer in layers]
    assert len(places) > 80
    questions = []
    for snapshot, layer in places:
        output = f"{folder}/{layer}-{snapshot}.parquet"
        report = lake.json("export", "visits", "--layer", layer, "--at", snapshot, "--output", output)
        questions.append(f"SELECT * FROM {table(layer, snapshot)}")
        questions.append(f"SELECT * FROM read_parquet('{output}')")
        questions.append(f"SELECT count(*) FROM {table(layer, snapshot)} UNION ALL SELECT {report['rows']}")
    answers = duck.ask(lake.catalog, questions)
    seen = set()
    for (snapshot, layer), attached, exported, counts in zip(places, answers[0::3], answers[1::3], answers[2::3]):
        assert sorted(attached) == sorted(exported), (layer, snapshot)
        assert counts[0] == counts[1] == (str(len(exported)),), (layer, snapshot)
        seen.add((layer, tuple(sorted(exported))))
    assert len(seen) > len(places) // 3, "the history hardly changed anything"
    for layer in LAYERS:
        assert any(len(rows) > 0 for name, rows in seen if name == layer), f"{layer} was always empty"


def literal(cell):
    if cell.startswith("datetime.date("):
        year, month, day = (int(part) for part in cell[len("datetime.date("):-1].split(","))
        return f"DATE '{year}-{month:02d}-{day:02d}'"
    return cell


def test_filters_and_bounds_of_each_column_lose_no_row(lake, duck, newest):
    questions = []
    rng = random.Random(SEED)
    samples = {}
    for snapshot in sorted(rng.sample(range(2, newest + 1), 4)) + [newest]:
        (rows,) = duck.ask(lake.catalog, [f"SELECT {', '.join(COLUMNS)} FROM {table('raw', snapshot)}"])
        samples[snapshot] = rows
    for snapshot, rows in samples.items():
        at = table("raw", snapshot)
        plain = f"(SELECT * FROM {at} ORDER BY random())"  # out of reach of statistics and zone maps
        for index, column in enumerate(COLUMNS):
            values = {row[index] for row in rng.sample(rows, min(3, len(rows)))} - {"None"}
            conditions = [f"{column} IS NULL", f"{column} IS NOT NULL"]
            conditions += [f"{column} {sign} {literal(value)}" for value in sorted(values) for sign in ("=", "<", ">=")]
            for condition in conditions:
                for source in (at, plain):
                    questions.append(f"SELECT count(*), sum(id), min({column}), max({column}) FROM {source} "
                                     f"WHERE {condition}")
            for source in (at, plain):
                questions.append(f"SELECT min({column}), max({column}), count({column}), count(DISTINCT {column}) "
                                 f"FROM {source}")
    answers = duck.ask(lake.catalog, questions)
    for question, attached, plain in zip(questions[0::2], answers[0::2], answers[1::2]):
        assert attached == plain, question


def changes_of_feed(rows, key_columns):
    """{key: (before, after)} of ducklake_table_changes over ONE snapshot: an update is a pair of images."""
    changes = {}
    for kind, *cells in rows:
        key = tuple(cells[index] for index in key_columns)
        before, after = changes.get(key, (None, None))
        row = tuple(cells)
        if kind in ("'insert'", "'update_postimage'"):
            after = row
        else:
            before = row
        changes[key] = (before, after)
    return {key: pair for key, pair in changes.items() if pair[0] != pair[1]}


def test_the_change_feed_of_each_snapshot_is_lockstep_diff(lake, duck, newest):
    key_names = {"raw": ["_source", "id"], "clean": ["id"], "train": ["id"],
                 "rejected": ["_source", "_record", "_stage"]}
    there = tables_at(lake, duck, newest)
    places = [(snapshot, layer) for snapshot in range(1, newest + 1) for layer in there[snapshot - 1]]
    columns = {}
    described = duck.ask(lake.catalog, [f"DESCRIBE SELECT * FROM lake.{layer}.visits" for layer in LAYERS])
    for layer, answer in zip(LAYERS, described):
        columns[layer] = [eval(row[0]) for row in answer]  # reprs of column names
    questions = [
        f"SELECT change_type, {', '.join(columns[layer])} "
        f"FROM ducklake_table_changes('lake', '{layer}', 'visits', {snapshot}, {snapshot})"
        for snapshot, layer in places]
    feeds = duck.ask(lake.catalog, questions)
    some = 0
    reports = {}
    for (snapshot, layer), feed in zip(places, feeds):
        if snapshot not in reports:
            reports[snapshot] = lake.json("diff", snapshot - 1, snapshot, "--rows", 100_000)
        told = {}
        for line in reports[snapshot]["rows"]:
            if line["table"] == f"{layer}.visits":
                row = line["after"] or line["before"]
                told[tuple(str(row[name]) for name in key_names[layer])] = line
        indexes = [columns[layer].index(name) for name in key_names[layer]]
        found = {tuple(str(eval(cell)) for cell in key): pair  # keys are reprs of texts and numbers
                 for key, pair in changes_of_feed(feed, indexes).items()}
        assert set(found) == set(told), (layer, snapshot)
        for key, (before, after) in found.items():
            line = told[key]
            kind = "added" if before is None else "removed" if after is None else "changed"
            assert line["change"] == kind, (layer, snapshot, key)
            for cells, side in ((before, line["before"]), (after, line["after"])):
                assert (cells is None) == (side is None)
                for name, cell in zip(columns[layer], cells or []):
                    assert same(cell, side[name]), (layer, snapshot, key, name, cell, side[name])
            some += 1
    assert some > 2000


def same(cell, told):
    if cell == "None":
        return told is None
    if cell.startswith("datetime.date("):
        return literal(cell) == f"DATE '{told}'"
    if cell.startswith("datetime.datetime("):
        return told is not None
    return eval(cell) == told  # a repr of a text, a number or a bool


def test_a_span_of_snapshots_is_the_sum_of_its_changes(lake, duck, newest):
    for first, last in ((2, newest), (newest // 3, 2 * newest // 3)):
        report = lake.json("diff", first, last, "--rows", 0)
        counts = {line["table"]: (line["added"], line["removed"], line["changed"]) for line in report["tables"]}
        for layer in LAYERS:
            name = f"{layer}.visits"
            keys = {"raw": "_source, id", "rejected": "_source, _record, _stage"}.get(layer, "id")
            old, new = table(layer, first), table(layer, last)
            (answer,) = duck.ask(lake.catalog, [
                f"SELECT (SELECT count(*) FROM {new} ANTI JOIN {old} USING ({keys})), "
                f"(SELECT count(*) FROM {old} ANTI JOIN {new} USING ({keys})), "
                f"(SELECT count(*) FROM (SELECT * FROM {new} EXCEPT SELECT * FROM {old}) "
                f"SEMI JOIN {old} USING ({keys}))"])
            assert counts.get(name, (0, 0, 0)) == tuple(int(cell) for cell in answer[0]), (name, first, last)


def test_duckdb_reads_while_lockstep_writes(lake, duck, newest):
    lake.drop_text(text_of(inserts(visits(20, seed=9, start=70_000))), "while.csv")
    process = lake.start("sync", "--json")
    (before,) = duck.ask(lake.catalog, [f"SELECT count(*) FROM {table('raw', newest)}"])
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out)["changes"]["inserted"] == 20
    (after,) = duck.ask(lake.catalog, ["SELECT count(*) FROM lake.raw.visits"])
    assert int(after[0][0]) == int(before[0][0]) + 20
