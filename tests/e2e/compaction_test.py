"""Small commits, compacted by hand and by the daemon, read by DuckDB before and after."""

import pytest
from conftest import inserts, stop, visits, wait_until

TABLES = ["raw.visits", "clean.visits", "train.visits"]


def questions(snapshots):
    asked = [f"SELECT * FROM lake.{table} AT (VERSION => {snapshot}) ORDER BY ALL"
             for table in TABLES for snapshot in snapshots]
    first = snapshots[0] + 1
    asked += ["SELECT * FROM ducklake_table_changes('lake', '{}', 'visits', {}, {}) ORDER BY ALL".format(
        table.split(".")[0], first, snapshots[-1]) for table in TABLES]
    return asked


def history(place, commits):
    rows = visits(120)
    place.drop(inserts(rows))
    place.run("sync")
    for count in range(commits):
        changed = visits(3, seed=count + 2, start=1 + 5 * count)
        place.drop([("I", row) for row in changed] + [("D", {"id": 100 + count})])
        place.run("sync")
    return [line["snapshot"] for line in place.json("log", "-n", "100") if line["snapshot"] and line["kind"] == "changes"]


def test_compaction_changes_nothing_that_duckdb_reads(place, duck):
    snapshots = sorted(history(place, 5))
    before = duck.ask(place.catalog, questions(snapshots))
    lying = place.json("compact", "--dry-run")
    assert {table["table"] for table in lying["tables"]} >= set(TABLES)
    done = place.json("compact")
    assert sum(table["rows"] for table in done["tables"]) > 0
    assert duck.ask(place.catalog, questions(snapshots)) == before
    newest = [f"SELECT count(*) FROM lake.{table}" for table in TABLES]
    assert duck.ask(place.catalog, newest) == duck.ask(
        place.catalog, [f"SELECT count(*) FROM lake.{table} AT (VERSION => {snapshots[-1]})" for table in TABLES])
    # Earlier versions of rows, left by the first since they cannot lie in one file with the later ones.
    for _ in range(5):
        left = place.json("compact")["tables"]
    assert left == []
    assert duck.ask(place.catalog, questions(snapshots)) == before
    assert [line["kind"] for line in place.json("log", "--all", "-n", "1")] == ["maintenance"]
    assert "maintenance" not in {line["kind"] for line in place.json("log", "-n", "100")}
    place.run("verify")
    # Rows that moved change like any other, and an update finds the old row.
    place.drop([("I", visits(1, seed=9, start=3)[0]), ("D", {"id": 5})])
    place.run("sync")
    place.run("verify")


@pytest.mark.parametrize("rows", [1300])
def test_a_daemon_compacts_beside_its_commits(place, duck, rows):
    place.drop(inserts(visits(60)))
    daemon = place.start("run")
    try:
        wait_until(lambda: place.run("status", codes=None).code == 0, what="the hub")
        for start in range(100, 100 + rows, 260):
            place.drop(inserts(visits(260, seed=start, start=start)))
            wait_until(lambda end=start + 259: duck.ask(
                place.catalog, [f"SELECT count(*) FROM lake.raw.visits WHERE id = {end}"]) == [[("1",)]], what="the rows")
        wait_until(lambda: "maintenance" in {line["kind"] for line in place.json("log", "--all", "-n", "100")},
                   what="compaction")
        assert duck.ask(place.catalog, ["SELECT count(DISTINCT id), count(*) FROM lake.raw.visits"]) == [
            [(str(60 + rows), str(60 + rows))]]
    finally:
        code, _, err = stop(daemon)
    assert code == 0, err
    place.run("verify")
