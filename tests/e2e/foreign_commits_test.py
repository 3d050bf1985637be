"""Commits of another program, DuckDB, to a hub: refused, or adopted like the rows of a source."""

import random

import pytest

from conftest import CONFIGURATION, Place, inserts, stop, visits, wait_until

ADOPT = CONFIGURATION.replace("hub: {", "hub: {foreign: adopt, ")
COLUMNS = "id, age, ward, weight, sbp, seen"


@pytest.fixture
def hub(tmp_path):
    """One that adopts, with a model."""
    place = Place(tmp_path, ADOPT)
    place.drop(inserts(visits(120)))
    place.run("sync")
    return place


def whole(duck, place, layer, columns=COLUMNS):
    return sorted(duck.ask(place.catalog, [f"SELECT {columns} FROM lake.{layer}.visits"])[0])


def expect_exact(place):
    """What follows from raw is what is stored, down to the weights."""
    assert all(line["exact"] for line in place.json("verify"))


def test_the_default_is_to_refuse_and_to_say_so(duck, place):
    place.drop(inserts(visits(10)))
    place.run("sync")
    duck.write(place.catalog, ["DELETE FROM lake.raw.visits WHERE id = 3"])
    place.drop(inserts(visits(2, start=50)))
    refused = place.run("sync", codes=(1,))
    assert "is a foreign commit" in refused.err
    assert "foreign: adopt" in refused.err
    place.configure(ADOPT)
    place.run("sync")
    assert len(whole(duck, place, "raw")) == 11


def test_rows_go_through_the_steps_and_models_learn_them(duck, hub):
    before = hub.json("log")[0]["snapshot"]
    rejected = len(duck.ask(hub.catalog, ["SELECT 1 FROM lake.rejected.visits"])[0])
    clean = len(whole(duck, hub, "clean"))
    duck.write(hub.catalog, [
        f"INSERT INTO lake.raw.visits ({COLUMNS}) VALUES (1001, 40, 'east', 70.5, 130, DATE '2026-01-02'), "
        "(1002, 12, 'west', 30, 100, DATE '2026-01-03'), (1003, 50, 'west', NULL, 999, DATE '2026-01-03')",
    ])
    duck.write(hub.catalog, ["UPDATE lake.raw.visits SET sbp = 111.25 WHERE id IN (1001, 7)"])
    duck.write(hub.catalog, ["DELETE FROM lake.raw.visits WHERE id = 9"])
    report = hub.json("sync")
    assert report["adopted"] == [before + 1, before + 2, before + 3]
    assert report["changes"] == {"inserted": 3, "updated": 1, "deleted": 1}
    assert report["rejected"] == 1
    assert [version["model"] for version in report["versions"]] == ["bp"]
    log = {line["snapshot"]: line for line in hub.json("log")}
    assert [log[before + step]["kind"] for step in (1, 2, 3, 4)] == ["foreign"] * 4
    assert (log[before + 1]["inserted"], log[before + 2]["updated"], log[before + 3]["deleted"]) == (3, 2, 1)
    assert log[before + 4]["versions"], "the commit that adopts owns the model version"
    assert len(duck.ask(hub.catalog, ["SELECT 1 FROM lake.rejected.visits"])[0]) == rejected + 1
    raw = duck.ask(hub.catalog, ["SELECT _source, _origin, _sequence IS NULL, sbp FROM lake.raw.visits WHERE id = 1001"])
    assert raw == [[("'drop'", f"'snapshot {before + 3}'", "False", "111.25")]]
    assert abs(len(whole(duck, hub, "clean")) - clean) <= 1
    expect_exact(hub)
    # The source goes on, and its next word about a key counts.
    hub.drop([("U", dict(visits(1, seed=5)[0], id=1001, age=41))])
    assert hub.json("sync")["changes"]["updated"] == 1
    assert hub.json("sync")["adopted"] == []
    expect_exact(hub)


def test_many_rows_deleted_and_updated_in_files_by_duckdb(duck, hub):
    generator = random.Random(3)
    alive = set(range(1, 121))
    for start in (1001, 2001, 3001, 4001):
        some = generator.sample(sorted(alive), 20)
        duck.write(hub.catalog, [
            f"DELETE FROM lake.raw.visits WHERE id IN ({', '.join(map(str, some[:10]))})",
            f"UPDATE lake.raw.visits SET sbp = sbp + 1 WHERE id IN ({', '.join(map(str, some[10:]))})",
            f"INSERT INTO lake.raw.visits ({COLUMNS}) SELECT i, 44, 'east', 60, 120 + i % 7, DATE '2026-02-02' "
            f"FROM range({start}, {start + 60}) t(i)",
        ])
        alive = alive.difference(some[:10]) | set(range(start, start + 60))
        hub.run("sync")
        # Ours in between: rows of files and of the catalog that DuckDB wrote.
        ours = generator.sample(sorted(alive), 15)
        hub.drop([("D", {"id": number}) for number in ours[:8]] + [("U", dict(visits(1)[0], id=number)) for number in ours[8:]])
        hub.run("sync")
        alive = alive.difference(ours[:8])
        assert sorted(int(row[0]) for row in whole(duck, hub, "raw", "id")) == sorted(alive)
        for snapshot in [line["snapshot"] for line in hub.json("log")[:6] if line["snapshot"]]:
            exported = hub.run("export", "visits", "--layer", "raw", "--at", snapshot).out
            found = duck.ask(hub.catalog, [f"SELECT count(*) FROM lake.raw.visits AT (VERSION => {snapshot})"])
            assert found == [[(str(len(exported.splitlines()) - 1),)]], snapshot
    expect_exact(hub)


REFUSED = {
    "another layer": (
        ["DELETE FROM lake.clean.visits"], "clean.visits changed, which follows from raw",
        ["INSERT INTO lake.clean.visits SELECT * FROM lake.clean.visits AT (VERSION => {before})"]),
    "a key twice": (
        ["INSERT INTO lake.raw.visits SELECT * FROM lake.raw.visits WHERE id = 5"], "more than one row with",
        ["DELETE FROM lake.raw.visits WHERE rowid = (SELECT max(rowid) FROM lake.raw.visits WHERE id = 5)"]),
    "a key that the source gave": (
        ["INSERT INTO lake.raw.visits (id, age) VALUES (6, 30)"], "id=6 is there already",
        ["DELETE FROM lake.raw.visits WHERE id = 6 AND _source IS NULL"]),
    "no key": (
        ["INSERT INTO lake.raw.visits (age) VALUES (30)"], "has no value in its key",
        ["DELETE FROM lake.raw.visits WHERE id IS NULL"]),
    "an unknown source": (
        ["INSERT INTO lake.raw.visits (_source, id) VALUES ('who', 3000)"], "has the _source 'who'; it is one of drop",
        ["DELETE FROM lake.raw.visits WHERE id = 3000"]),
    "a value beyond ours": (
        ["INSERT INTO lake.raw.visits (id, seen) VALUES (3001, DATE 'infinity')"], "infinity",
        ["DELETE FROM lake.raw.visits WHERE id = 3001"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_adopted_is_refused_until_it_is_undone(duck, hub, case):
    statements, reason, undo = REFUSED[case]
    before = hub.json("log")[0]["snapshot"]
    rows = whole(duck, hub, "raw")
    duck.write(hub.catalog, statements)
    hub.drop(inserts(visits(1, seed=9, start=500)))
    refused = hub.run("sync", codes=(1,))
    assert reason in refused.err
    assert hub.json("log")[0]["snapshot"] == before, "nothing was committed"
    duck.write(hub.catalog, [statement.format(before=before) for statement in undo])
    hub.run("sync")
    assert len(whole(duck, hub, "raw")) == len(rows) + 1
    expect_exact(hub)


@pytest.mark.parametrize("statement, reason", [
    ("DROP TABLE lake.train.visits", "train.visits was dropped or renamed"),
    ("ALTER TABLE lake.raw.visits RENAME COLUMN ward TO room", "raw.visits got other columns"),
])
def test_a_change_of_tables_is_refused_for_good(duck, hub, statement, reason):
    duck.write(hub.catalog, [statement])
    refused = hub.run("sync", codes=(1,))
    assert reason in refused.err
    assert "restore" in refused.err


def test_maintenance_and_tables_of_others_are_taken_as_they_are(duck, hub):
    for number in range(3):
        hub.drop([("U", row) for row in visits(5, seed=number)] + [("D", {"id": 60 + number})])
        hub.run("sync")
    layers = {layer: whole(duck, hub, layer) for layer in ("raw", "clean")}
    before = hub.json("log")[0]["snapshot"]
    asked = [f"SELECT count(*) FROM lake.raw.visits AT (VERSION => {before - 2}) WHERE {name} IS NOT NULL"
             for name in ("id", "weight", "ward")]
    answers = duck.ask(hub.catalog, asked)
    duck.write(hub.catalog, [
        "CALL ducklake_flush_inlined_data('lake')",
        "CALL ducklake_rewrite_data_files('lake', delete_threshold => 0)",
        "CALL ducklake_merge_adjacent_files('lake')",
        "CREATE SCHEMA lake.mine",
        "CREATE TABLE lake.mine.notes (a INTEGER, b DECIMAL(10, 2), c STRUCT(d VARCHAR))",
        "INSERT INTO lake.mine.notes VALUES (1, 2.5, {'d': 'x'})",
    ])
    report = hub.json("sync")
    assert report["adopted"][0] == before + 1
    assert report["versions"] == []
    assert {layer: whole(duck, hub, layer) for layer in ("raw", "clean")} == layers
    # The log shows the commit that adopts; maintenance is of no interest there.
    assert [line["kind"] for line in hub.json("log")][:2] == ["foreign", "changes"]
    hub.drop([("U", row) for row in visits(5, seed=77)])
    hub.run("sync")
    expect_exact(hub)
    # Nothing is answered by statistics that the rewrite narrowed.
    assert duck.ask(hub.catalog, asked) == answers
    assert duck.ask(hub.catalog, ["SELECT b FROM lake.mine.notes"]) == [[("Decimal('2.50')",)]]


TWO = """
hub: {foreign: adopt, catalog: "sqlite:hub/catalog.sqlite", data: hub/data}
sources:
  east: {type: files, path: "east/*.csv", mode: upsert}
  west: {type: files, path: "west/*.csv", mode: upsert}
datasets:
  visits: {from: [east, west], key: [id], columns: {id: int, sbp: float}}
"""


def test_with_several_sources_the_winner_is_that_of_raw_as_it_stands(duck, tmp_path):
    place = Place(tmp_path, TWO)
    for source, text in (("east", "id,sbp\n1,10\n2,20\n3,30\n"), ("west", "id,sbp\n2,21\n3,31\n4,41\n")):
        (tmp_path / source).mkdir()
        (tmp_path / source / "a.csv").write_text(text)
        place.run("sync")
    duck.write(place.catalog, [
        "DELETE FROM lake.raw.visits WHERE _source = 'west' AND id = 2",
        "UPDATE lake.raw.visits SET sbp = 99 WHERE _source = 'east' AND id = 3",
        "INSERT INTO lake.raw.visits (_source, id, sbp) VALUES ('east', 4, 40), ('east', 5, 50)",
    ])
    place.run("sync")
    clean = duck.ask(place.catalog, ["SELECT id, sbp FROM lake.clean.visits ORDER BY id"])[0]
    # The delete brings east's 2 back; 3 stays west's, the later one; the new rows are the newest.
    assert clean == [("1", "10.0"), ("2", "20.0"), ("3", "31.0"), ("4", "40.0"), ("5", "50.0")]


def test_a_daemon_adopts_what_comes_while_it_runs(duck, hub):
    daemon = hub.start("run")
    try:
        wait_until(lambda: hub.json("status")["writer"]["running"], what="the daemon")
        duck.write(hub.catalog, [f"INSERT INTO lake.raw.visits ({COLUMNS}) VALUES (2001, 40, 'east', 70, 130, NULL)"])
        wait_until(lambda: hub.json("log")[0]["kind"] == "foreign", what="the adoption")
        hub.drop(inserts(visits(3, seed=8, start=700)))
        wait_until(lambda: len(whole(duck, hub, "raw", "id")) == 124, what="the next commit")
    finally:
        stop(daemon)
    expect_exact(hub)
