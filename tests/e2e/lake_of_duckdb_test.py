"""A lake that DuckDB made and filled becomes a hub, and both go on with it."""

import subprocess
import sys

import pytest

from conftest import CONFIGURATION, Place, inserts, visits


class Lake:
    """A place whose hub is a lake that DuckDB makes first."""

    def __init__(self, duck, folder):
        self.duck = duck
        self.place = Place(folder, CONFIGURATION.replace(
            'hub: {catalog: "sqlite:hub/catalog.sqlite", data: hub/data}',
            'hub: {foreign: adopt, catalog: "sqlite:lake.sqlite", data: files}'))
        self.catalog = self.place.path("lake.sqlite")

    def make(self, *statements, options=""):
        first = [statement for statement in statements if statement.startswith("SET")]
        self.duck.ask(self.catalog, [
            *first,
            "CREATE TABLE lake.notes (a INTEGER, b DECIMAL(10, 2), c STRUCT(d VARCHAR, e INTEGER[]))",
            "INSERT INTO lake.notes SELECT i, i / 2, {'d': 'x' || i, 'e': [i]} FROM range(40) t(i)",
            "INSERT INTO lake.notes VALUES (1000, 1, NULL)",
            "DELETE FROM lake.notes WHERE a < 5",
            *statements,
        ], f"(DATA_PATH '{self.place.path('files')}/'{options})")

    def ask(self, *questions):
        return self.duck.ask(self.catalog, list(questions))

    def write(self, *statements):
        self.duck.write(self.catalog, list(statements))


@pytest.fixture
def lake(duck, tmp_path):
    return Lake(duck, tmp_path)


NOTES = "SELECT count(*), sum(a), sum(b), max(c.d) FROM lake.notes"


def test_what_was_there_stays_and_both_go_on(lake):
    lake.make("CREATE SCHEMA lake.raw", "CREATE TABLE lake.raw.mine (x INTEGER)", "CREATE VIEW lake.v AS SELECT 1 AS one")
    notes, newest = lake.ask(NOTES, "SELECT max(snapshot_id) FROM lake.snapshots()")
    newest = int(newest[0][0])
    assert lake.place.run("status", codes=(10,)).err
    lake.place.drop(inserts(visits(120)))
    lake.place.run("sync")
    assert lake.ask(NOTES, f"{NOTES} AT (VERSION => {newest})", "SELECT * FROM lake.v") == [notes, notes, [("1",)]]
    assert lake.ask("SELECT count(*) FROM lake.raw.visits") == [[("120",)]]
    assert lake.place.json("log")[-1]["kind"] == "init"
    # DuckDB goes on with its tables and with ours, we go on with ours.
    lake.write("INSERT INTO lake.notes VALUES (2000, 2, NULL)", "CREATE TABLE lake.train.theirs AS SELECT 7 AS seven",
               "UPDATE lake.raw.visits SET sbp = 120 WHERE id = 3")
    report = lake.place.json("sync")
    assert len(report["adopted"]) == 3
    assert report["changes"]["updated"] == 1
    lake.place.drop([("D", {"id": number}) for number in range(1, 11)])
    lake.place.run("sync")
    count, notes_now, seven = lake.ask(
        "SELECT count(*) FROM lake.raw.visits", NOTES, "SELECT seven FROM lake.train.theirs")
    assert count == [("110",)]
    assert int(notes_now[0][0]) == int(notes[0][0]) + 1
    assert seven == [("7",)]
    assert all(line["exact"] for line in lake.place.json("verify"))


def test_names_that_are_taken_are_refused(lake):
    lake.make("CREATE SCHEMA lake.clean", 'CREATE TABLE lake.clean."VISITS" (x INTEGER)')
    lake.place.drop(inserts(visits(5)))
    refused = lake.place.run("sync", codes=(1,))
    assert "clean.VISITS is there already, and another program made it" in refused.err
    lake.write('DROP TABLE lake.clean."VISITS"')
    lake.place.run("sync")
    assert lake.ask("SELECT count(*) FROM lake.clean.visits") != [[("0",)]]


def test_files_elsewhere_are_refused_with_the_right_folder(lake):
    lake.make()
    lake.place.configure(open(lake.place.path("lockstep.yaml")).read().replace("data: files", "data: elsewhere"))
    refused = lake.place.run("sync", codes=(1,))
    assert f"set data: {lake.place.path('files')}/ under hub" in refused.err


def test_encrypted_files_are_refused(lake):
    lake.make("SET force_mbedtls_unsafe = 'true'", options=", ENCRYPTED")
    refused = lake.place.run("sync", codes=(1,))
    assert "encrypted" in refused.err


def test_another_version_of_the_form_is_refused(lake):
    lake.make()
    update = "UPDATE ducklake_metadata SET value = '1.1' WHERE key = 'version'"
    # In a process of its own, as everything that opens the catalog.
    subprocess.run(
        [sys.executable, "-c", f"import sqlite3; c = sqlite3.connect({lake.catalog!r}); c.execute({update!r}); c.commit()"],
        check=True, timeout=60)
    refused = lake.place.run("sync", codes=(13,))
    assert "a DuckLake of version 1.1" in refused.err
