"""What a hub keeps: gc by hand, tags, expired versions, and DuckDB over what is left."""

import os

from conftest import CONFIGURATION, Place, inserts, visits

KEEP_FEW = CONFIGURATION.replace(
    'data: hub/data}', 'data: hub/data, gc_grace: 0s, keep: {for: 365d, snapshots: 3, then: none}}')


def parquet_files(place):
    return sorted(name for _, _, names in os.walk(place.path("hub", "data")) for name in names if name.endswith(".parquet"))


def data_snapshots(place):
    return [line["snapshot"] for line in place.json("log", "-n", "100") if line["kind"] == "changes" and line["snapshot"]]


def test_gc_keeps_the_newest_and_what_is_tagged_and_duckdb_reads_them_as_before(tmp_path, duck):
    place = Place(tmp_path, CONFIGURATION)
    place.drop(inserts(visits(700)))
    place.run("sync")
    for count in range(6):
        place.drop([("I", row) for row in visits(4, seed=count + 2, start=1 + 5 * count)] + [("D", {"id": 600 + count})])
        place.run("sync")
    snapshots = sorted(data_snapshots(place))
    tagged = snapshots[1]
    assert place.run("tag", "release-1", tagged).out == f"release-1 is snapshot {tagged}\n"
    assert [(line["tag"], line["snapshot"]) for line in place.json("tag", "--list")] == [("release-1", tagged)]
    kept = [tagged] + snapshots[-2:]
    questions = [f"SELECT * FROM lake.{layer}.visits AT (VERSION => {snapshot}) ORDER BY ALL"
                 for layer in ("raw", "clean", "train") for snapshot in kept]
    before = duck.ask(place.catalog, questions)
    place.configure(KEEP_FEW)
    plan = place.json("gc", "--dry-run")
    assert snapshots[2] in plan["snapshots"] and tagged not in plan["snapshots"]
    done = place.json("gc")
    assert done["snapshots"] >= 3
    assert place.run("export", "visits", "--at", "release-1").out == place.run("export", "visits", "--at", tagged).out
    assert duck.ask(place.catalog, questions) == before
    assert place.json("gc") == {"snapshots": 0, "files": 0, "deleted": 0}
    failed = place.run("export", "visits", "--at", snapshots[2], codes=None)
    assert failed.code == 1 and "has expired" in failed.err
    # Versions outlive their rows.
    versions = {line["version"]: line for line in place.json("models", "bp", "-n", "100")}
    expired = [line for line in versions.values() if line["snapshot"] == snapshots[2]][0]
    assert expired["verifiable"] is False and expired["weights_sha256"]
    assert "verifiable: no (expired)" in place.run("models", "bp", "-n", "100").out
    assert place.run("verify", f"bp@{expired['version']}", codes=(14,)).code == 14
    place.run("verify")
    # Without its tag the snapshot goes at the next round.
    place.run("tag", "--delete", "release-1")
    assert place.json("gc")["snapshots"] == 1
    assert place.run("tag", "-1", codes=None).code == 2


def test_compaction_and_gc_shrink_a_hub_of_many_small_commits(tmp_path, duck):
    place = Place(tmp_path, KEEP_FEW.replace("snapshots: 3", "snapshots: 5"))
    place.drop(inserts(visits(60)))
    place.run("sync")
    for count in range(12):
        place.drop([("I", row) for row in visits(40, seed=count, start=10)])
    place.run("sync")
    place.run("compact")
    place.run("gc")
    rows = duck.ask(place.catalog, ["SELECT count(*) FROM lake.raw.visits",
                                    "SELECT count(*) FROM ducklake_snapshots('lake')"])
    assert rows[0] == [("60",)]
    assert int(rows[1][0][0]) <= 8
    assert place.json("status")["hub"]["inlined_rows"] < 400
    place.run("verify")
