"""Back-up beside a running daemon, restore and going on, the doctor and repair: by the program, as a user would."""

import json
import os
import shutil

import pytest

import conftest
from conftest import Place, inserts, visits


@pytest.fixture
def filled(tmp_path):
    place = Place(tmp_path / "here")
    place.drop(inserts(visits(700)))
    place.json("sync")
    place.drop(inserts(visits(20, seed=2, start=1_000)) + [("D", {"id": number}) for number in (5, 6)])
    place.json("sync")
    return place


def hub_of(place):
    """What the hub says of its data: commits and rows."""
    return place.json("log"), place.run("export", "visits").out, place.run("export", "visits", "--layer", "raw").out


def test_a_backup_beside_commits_comes_back_and_goes_on(filled, tmp_path):
    daemon = filled.start("run")
    try:
        conftest.wait_until(lambda: os.path.exists(filled.path("hub", "lockstep.sock")), what="the socket")
        taken = []
        for number in range(5):
            filled.drop(inserts(visits(10, seed=number, start=2_000 + 10 * number)))
            taken.append(filled.json("backup", str(tmp_path / f"backup-{number}")))
        conftest.wait_until(lambda: filled.json("status")["datasets"][0]["rows"] == 768, what="the commits")
    finally:
        code, _, err = conftest.stop(daemon)
    assert code == 0, err
    log, clean, raw = hub_of(filled)
    for number, report in enumerate(taken):
        other = Place(tmp_path / f"there-{number}")
        shutil.copytree(filled.path("incoming"), other.path("incoming"), dirs_exist_ok=True)
        put = other.json("restore", str(tmp_path / f"backup-{number}"))
        assert (put["snapshot"], put["commit"]) == (report["snapshot"], report["commit"])
        assert other.json("log") == [line for line in log if line["commit"] <= report["commit"]]
        assert all(line["exact"] for line in other.json("verify"))
        if number not in (0, 4):
            continue
        assert other.json("doctor") and all(line["level"] == "ok" for line in other.json("doctor"))
        # The positions are in it: what the back-up lacks is read from the sources, and no more.
        missing = 768 - other.json("status")["datasets"][0]["rows"]
        assert other.json("sync")["changes"]["inserted"] == missing
        again = hub_of(other)
        assert (sorted(again[1].splitlines()), len(again[2].splitlines())) == (
            sorted(clean.splitlines()), len(raw.splitlines()))
        assert all(line["exact"] for line in other.json("verify"))


def test_restore_asks_before_it_replaces(filled, tmp_path):
    filled.run("backup", str(tmp_path / "backup"))
    before = hub_of(filled)
    filled.drop(inserts(visits(5, seed=3, start=3_000)))
    filled.json("sync")
    done = filled.run("restore", str(tmp_path / "backup"), codes=(1,))
    assert "--force" in done.err
    filled.run("restore", str(tmp_path / "backup"), "--force")
    assert hub_of(filled) == before
    assert filled.json("sync")["changes"]["inserted"] == 5


def test_restore_needs_no_configuration_with_a_place(filled, tmp_path, duck):
    filled.run("backup", str(tmp_path / "backup"))
    os.makedirs(tmp_path / "bare")
    place = Place(tmp_path / "bare")
    os.remove(place.path("lockstep.yaml"))
    put = place.json("restore", str(tmp_path / "backup"), "--to", "hub")
    (answer,) = duck.ask(place.catalog, [f"SELECT count(*) FROM lake.raw.visits AT (VERSION => {put['snapshot']})"])
    assert answer == [(str(filled.json("status")["datasets"][0]["rows"]),)]


def test_a_backup_is_refused_over_another_and_a_broken_one_is_none(filled, tmp_path):
    filled.run("backup", str(tmp_path / "backup"))
    assert "not empty" in filled.run("backup", str(tmp_path / "backup"), codes=(1,)).err
    os.remove(tmp_path / "backup" / "manifest.json")
    assert "no back-up" in filled.run("restore", str(tmp_path / "backup"), "--force", codes=(1,)).err


def test_a_backup_that_is_killed_is_none_and_harms_nothing(filled, tmp_path):
    process = filled.start("backup", str(tmp_path / "backup"), LOCKSTEP_CRASH_AT="30")
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert not os.path.exists(tmp_path / "backup" / "manifest.json")
    assert all(line["level"] == "ok" for line in filled.json("doctor"))
    assert filled.json("sync")["errors"] == []


def test_the_doctor_finds_and_repair_mends_what_is_a_cache(filled):
    assert all(line["level"] == "ok" for line in filled.json("doctor"))
    with open(filled.path("hub", "data", "clean", "visits", "left-behind.parquet"), "w", encoding="utf-8") as file:
        file.write("half a file")
    found = filled.json("doctor", codes=(4,))
    assert [line["what"] for line in found if line["level"] == "warn"] == ["orphans"]
    text = filled.run("doctor", codes=(4,)).out
    assert "left-behind.parquet" in text and "lockstep repair" in text
    assert [line["what"] for line in filled.json("repair", "--dry-run")] == ["orphans"]
    assert [line["what"] for line in filled.json("repair")] == ["orphans"]
    assert all(line["level"] == "ok" for line in filled.json("doctor"))
    assert filled.json("repair") == []
    assert all(line["exact"] for line in filled.json("verify"))


def test_a_lost_file_is_told_with_the_way_out(filled, tmp_path):
    filled.run("backup", str(tmp_path / "backup"))
    before = hub_of(filled)
    folder = filled.path("hub", "data", "raw", "visits")
    os.remove(os.path.join(folder, sorted(os.listdir(folder))[0]))
    found = filled.json("doctor", codes=(4,))
    assert [line["what"] for line in found if line["level"] == "fail"] == ["files"]
    assert "lockstep restore" in filled.run("doctor", codes=(4,)).out
    assert filled.json("repair") == []
    filled.run("restore", str(tmp_path / "backup"), "--force")
    assert all(line["level"] == "ok" for line in filled.json("doctor"))
    assert hub_of(filled) == before


def test_care_of_a_hub_that_is_not_there(place, tmp_path):
    for line in ("doctor", "repair", f"backup {tmp_path / 'backup'}"):
        assert place.run(*line.split(), codes=(10,)).err.startswith("error: ")
    assert place.run("restore", str(tmp_path / "nowhere"), codes=(1,)).err.startswith("error: ")


def test_diff_streams_rows_in_key_order_with_a_summary(filled):
    filled.drop([("U", dict(row, sbp="133.5")) for row in visits(4)] + [("D", {"id": 600})])
    filled.json("sync")
    report = filled.json("diff", "-2", "-1", "--rows", "3")
    assert len(report["rows"]) == 3
    lines = [json.loads(line) for line in filled.run("diff", "-2", "-1", "--rows", "all", "--json").out.splitlines()]
    assert lines[-1]["tables"] == report["tables"] and lines[-1]["rows"] == []
    raw = [line for line in lines[:-1] if line["table"] == "raw.visits"]
    assert [line["after"]["id"] if line["after"] else line["before"]["id"] for line in raw] == [1, 2, 3, 4, 600]
    assert [line["change"] for line in raw] == ["changed"] * 4 + ["removed"]
    (table,) = [one for one in report["tables"] if one["table"] == "raw.visits"]
    assert (table["added"], table["removed"], table["changed"]) == (0, 1, 4)
    assert table["columns"]["sbp"] == 4 and table["numbers"]["sbp"]["mean_after"] == 133.5
    assert lines[:3] == report["rows"]
    text = filled.run("diff", "-2", "-1", "--rows", "all").out
    assert "sbp 4 (mean" in text and text.count("raw.visits") == 6
    filled.run("diff", "-2", "-1", "--exit-code", codes=(4,))
    filled.run("diff", "-1", "-1", "--exit-code")


def test_a_snapshot_has_a_number_a_time_and_a_place_from_the_newest(filled):
    log = [line for line in filled.json("log") if line["kind"] == "changes"]
    newest, older = log[0], log[1]
    for name in (str(older["snapshot"]), "-2", older["time"], older["time"].replace("Z", "+00:00")):
        assert filled.json("show", name)["snapshot"] == older["snapshot"], name
    for name in ("latest", "-1", "2999-01-01", "2999-01-01T08:00", str(newest["snapshot"])):
        assert filled.json("show", name)["snapshot"] == newest["snapshot"], name
        assert filled.run("export", "--at", name).out == filled.run("export").out
    assert "1999" in filled.run("show", "1999-01-01T00:00", codes=(1,)).err
    assert filled.json("diff", older["time"], newest["time"])["to"] == newest["snapshot"]
    assert filled.json("revert", newest["time"])["reverted"] == newest["snapshot"]


def test_models_are_compared_by_definition_too(filled):
    with open(filled.path("lockstep.yaml"), encoding="utf-8") as file:
        text = file.read()
    filled.configure(text.replace("features: [age, weight, ward]", "features: [age, weight]")
                     .replace("      - one_hot: [ward]\n", ""))
    filled.json("sync", "--apply")
    newest = filled.json("models")[0]["version"]
    report = filled.json("diff", f"bp@{newest - 1}", f"bp@{newest}")
    assert report["same_definition"] is False
    assert report["features"] == {"added": [], "removed": ["ward"]}
    changed = {line["path"]: (line["from"], line["to"]) for line in report["definition"]}
    assert changed["spec.features"] == (["age", "weight", "ward"], ["age", "weight"])
    assert "features removed: ward" in filled.run("diff", f"bp@{newest - 1}", f"bp@{newest}").out
    same = filled.json("diff", f"bp@{newest - 1}", f"bp@{newest - 1}")
    assert same["definition"] == [] and same["features"] == {"added": [], "removed": []}
