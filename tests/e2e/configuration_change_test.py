"""lockstep.yaml changes over a hub that is there: models and datasets come, go, change and return."""

import pytest

from conftest import CONFIGURATION, Place, inserts, visits

NO_MODEL = CONFIGURATION[:CONFIGURATION.index("models:")]
SECOND = CONFIGURATION + """  second:
    dataset: visits
    features: [age]
    targets: [weight]
    learner: {type: ridge, l2: 1}
    calibrate_after: 50 rows
"""
OTHER_DATASET = """
sources:
  more: {type: files, path: "other/*.csv"}
datasets:
  other: {from: [more]}
"""


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    made.rows = visits(100)
    made.drop(inserts(made.rows))
    made.json("sync")
    return made


def change(place, pressure, count=20):
    place.drop([("U", dict(row, sbp=pressure)) for row in place.rows[:count]])
    return place.json("sync")


def check_in_lockstep(place):
    status = place.json("status")
    newest = {version["model"]: version for version in reversed(place.json("models"))}
    data = [line["snapshot"] for line in place.json("log") if line["kind"] in ("changes", "revert")][0]
    assert status["in_lockstep"] is True, status["reason"]
    for model in status["models"]:
        assert newest[model["name"]]["snapshot"] >= data, f"{model['name']} has not seen snapshot {data}"
    assert all(line["exact"] for line in place.json("verify"))


def test_a_model_that_was_away_learns_what_it_missed(place):
    place.configure(NO_MODEL)
    change(place, "150")
    place.configure(CONFIGURATION)
    report = place.json("sync")
    assert [(version["model"], version["version"]) for version in report["versions"]] == [("bp", 2)]
    check_in_lockstep(place)
    assert place.json("sync")["versions"] == []
    change(place, "151")
    check_in_lockstep(place)


def test_a_new_model_is_made_of_the_rows_that_are_there(place):
    place.configure(SECOND)
    report = place.json("sync")
    assert [version["model"] for version in report["versions"]] == ["second"]
    check_in_lockstep(place)


def test_a_changed_model_is_recalibrated_when_told_to(place):
    place.configure(SECOND)
    place.json("sync")
    place.configure(SECOND.replace("features: [age]", "features: [age, sbp]"))
    assert "recalibrate model second" in place.run("check").out
    assert "--apply" in place.run("sync", codes=(1,)).err
    place.json("sync", "--apply")
    check_in_lockstep(place)
    report = place.json("diff", "second@1", "second")
    assert report["same_definition"] is False
    for version in (1, 2):
        assert all(line["exact"] for line in place.json("verify", f"second@{version}"))


def test_a_dataset_that_goes_is_there_in_the_snapshots_from_before(place):
    before = place.json("status")["snapshot"]
    rows = place.run("export", "visits").out
    place.configure(OTHER_DATASET)
    assert "drop dataset visits" in place.run("sync", codes=(1,)).err
    place.json("sync", "--apply")
    assert place.run("export", "visits", "--at", before).out == rows
    assert "visits" in place.run("export", "visits", codes=(1,)).err
    report = place.json("diff", before, "latest", "--rows", 0)
    removed = {line["table"]: line["removed"] for line in report["tables"]}
    assert removed["clean.visits"] == len(rows.splitlines()) - 1 and removed["raw.visits"] == 100
    place.run("diff", before, "latest", "--exit-code", codes=(4,))
    assert all(line["exact"] for line in place.json("verify"))
    place.configure(CONFIGURATION)
    place.json("sync", "--apply")
    assert place.run("export", "visits").out == rows
    check_in_lockstep(place)


def test_a_trigger_that_waits_shows_how_far_the_model_is_behind(place):
    place.configure(CONFIGURATION.replace("    gate: off\n", "    gate: off\n    trigger: {changes: 100}\n"))
    change(place, "150")
    model = place.json("status")["models"][0]
    assert model["behind_commits"] == 1 and model["pending_changes"] > 0
    assert place.json("status")["in_lockstep"] is False
    for pressure in range(151, 155):
        change(place, str(pressure))
    assert place.json("models")[0]["version"] == 2
    place.configure(CONFIGURATION)
    place.json("sync")
    check_in_lockstep(place)


def test_a_model_is_made_when_its_time_has_come_without_another_change(tmp_path):
    import conftest
    place = Place(tmp_path, CONFIGURATION.replace("    gate: off\n", "    gate: off\n    trigger: {every: 2s}\n"))
    rows = visits(100)
    place.drop(inserts(rows))
    daemon = place.start("run")
    try:
        conftest.wait_until(lambda: place.run("models", "--json", codes=(0, 10)).code == 0 and place.json("models"),
                            what="the first version")
        place.drop([("U", dict(row, sbp="150")) for row in rows[:20]])
        conftest.wait_until(lambda: len(place.json("models")) == 2, what="the version of the trigger")
    finally:
        code, _, err = conftest.stop(daemon)
    assert code == 0, err
    check_in_lockstep(place)


def test_no_rows_and_all_rows_again_give_the_bits_again(place):
    first = place.json("models")[0]
    place.drop([("D", {"id": row["id"]}) for row in place.rows])
    report = place.json("sync")
    assert report["versions"][0]["status"] == "unsolved"
    assert place.json("status")["models"][0]["champion"] == 1
    assert all(line["exact"] for line in place.json("verify"))
    place.drop(inserts(place.rows))
    place.json("sync")
    again = place.json("models")[0]
    assert (again["fingerprint"], again["weights_sha256"]) == (first["fingerprint"], first["weights_sha256"])
    check_in_lockstep(place)
