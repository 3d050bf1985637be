"""A hub that an older release wrote: read as it is, proved exact, brought up by the first writer, and gone on with."""

import gzip
import hashlib
import json
import os
import re
import shutil
import sqlite3

import pytest

from conftest import ROOT, Place, inserts, visits

DATA = os.path.join(ROOT, "tests", "data")
OLD = sorted(name for name in os.listdir(DATA) if name.startswith("hub-format-"))
MOVING = {"status": ("hub", "writer")}  # sizes of files, and who writes now


@pytest.fixture(params=OLD)
def old(request, tmp_path):
    source = os.path.join(DATA, request.param)
    shutil.copytree(source, tmp_path, dirs_exist_ok=True)
    with gzip.open(tmp_path / "hub" / "catalog.sqlite.gz") as packed:
        (tmp_path / "hub" / "catalog.sqlite").write_bytes(packed.read())
    os.remove(tmp_path / "hub" / "catalog.sqlite.gz")
    with open(tmp_path / "lockstep.yaml", encoding="utf-8") as file:
        place = Place(tmp_path, file.read())
    incoming = sorted(os.listdir(tmp_path / "incoming"))
    place.count = len(incoming)
    for number, name in enumerate(incoming, start=1):  # a checkout does not keep when files were changed
        os.utime(tmp_path / "incoming" / name, (1_700_000_000 + number, 1_700_000_000 + number))
    place.expected = json.loads((tmp_path / "expected.json").read_text(encoding="utf-8"))
    place.format = int(request.param.rsplit("-", 1)[1])
    return place


def answers(place, lines):
    found = {}
    for line in lines:
        if line.startswith("export"):
            found[line] = hashlib.sha256(place.run(*line.split()).out.encode()).hexdigest()
        else:
            found[line] = place.json(*line.split())
    return found


def settled(line, answer):
    if line not in MOVING:
        return answer
    return {name: value for name, value in answer.items() if name not in MOVING[line]}


def meta(place, key="format"):
    with sqlite3.connect(place.catalog) as catalog:
        (found,) = catalog.execute("SELECT value FROM lockstep_meta WHERE key = ?", (key,)).fetchone()
    catalog.close()
    return found


def schema(place):
    """Without the indexes of tables of inlined rows: they come and go with the tables, and older ones may have more."""
    with sqlite3.connect(place.catalog) as catalog:
        rows = catalog.execute(
            "SELECT name, sql FROM sqlite_schema WHERE name LIKE '%lockstep%' AND tbl_name NOT LIKE 'ducklake_inlined%' "
            "ORDER BY name"
        ).fetchall()
    catalog.close()
    # Comments in a statement say what a column holds, and may come to say more.
    return [(name, re.sub(r"\s*--[^\n]*", "", sql or "")) for name, sql in rows]


def digest(place):
    with open(place.catalog, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def same(expected, found):
    """Fields are only ever added."""
    if isinstance(expected, dict):
        assert isinstance(found, dict)
        for name, value in expected.items():
            same(value, found[name])
    elif isinstance(expected, list):
        assert isinstance(found, list) and len(found) == len(expected)
        for one, other in zip(expected, found):
            same(one, other)
    else:
        assert found == expected


def test_there_is_a_hub_of_each_older_format():
    assert "hub-format-1" in OLD


def test_readers_say_what_its_own_program_said_and_change_nothing(old):
    before = digest(old)
    for line, answer in answers(old, old.expected).items():
        same(settled(line, old.expected[line]), settled(line, answer))
    assert digest(old) == before
    assert meta(old) == str(old.format)


def test_the_first_writer_brings_it_up_and_keeps_all_that_was(old, tmp_path_factory):
    assert old.json("sync")["commits"] == 0
    fresh = Place(tmp_path_factory.mktemp("fresh"))
    fresh.json("sync")
    assert meta(old) == meta(fresh) != str(old.format)
    assert schema(old) == schema(fresh)
    for line, answer in answers(old, old.expected).items():
        if line == "log":  # a newer program may write its view of the configuration down first
            answer = answer[-len(old.expected[line]):]
        if line == "status":
            answer |= {name: old.expected[line][name] for name in ("commit", "time")}
        same(settled(line, old.expected[line]), settled(line, answer))


def test_it_goes_on_where_it_was(old, duck):
    versions = old.json("models")
    assert all(line["exact"] for line in old.json("verify"))
    old.drop(inserts(visits(600, seed=5, start=2_000)))  # a Parquet file
    assert old.json("sync")["changes"]["inserted"] == 600
    old.drop([("D", {"id": number}) for number in (1, 2, 705, 2_000)] + inserts(visits(3, seed=6, start=9_000)))
    report = old.json("sync")
    assert report["errors"] == [] and report["commits"] == 1
    assert report["changes"]["inserted"] == 3 and report["changes"]["deleted"] == 4
    assert len(old.json("models")) == len(versions) + 2
    assert all(line["exact"] for version in range(1, len(versions) + 3) for line in old.json("verify", f"bp@{version}"))
    for line in [line for line in old.expected if line.startswith("export") and "latest" not in line]:
        assert answers(old, [line])[line] == old.expected[line]
    rows = old.json("status")["datasets"][0]["rows"]
    before = old.expected["status"]["datasets"][0]["rows"]
    newest = old.json("status")["snapshot"]
    (now,), (then,) = duck.ask(old.catalog, [
        f"SELECT count(*) FROM lake.raw.visits AT (VERSION => {newest})",
        f"SELECT count(*) FROM lake.raw.visits AT (VERSION => {old.expected['status']['snapshot']})"])
    assert now == (str(rows),) and then == (str(before),)
    undone = old.json("revert", "-1")
    assert undone["changes"]["inserted"] + undone["changes"]["updated"] + undone["changes"]["deleted"] == 7
    assert all(line["exact"] for line in old.json("verify"))


def test_a_newer_format_is_refused(old):
    with sqlite3.connect(old.catalog) as catalog:
        catalog.execute("UPDATE lockstep_meta SET value = '999' WHERE key = 'format'")
    catalog.close()
    before = digest(old)
    for line in ("status", "log", "verify", "sync", "revert -1"):
        done = old.run(*line.split(), codes=(13,))
        assert "format 999" in done.err and "try: use a newer Lockstep" in done.err
    assert digest(old) == before
