"""The program is killed at each change that compaction and retention make to the disk: no snapshot that is kept changes."""

import re
import shutil
import signal
import subprocess

import pytest

from conftest import BOUND_S, CONFIGURATION, Place, inserts, visits

KEEP_FEW = CONFIGURATION.replace(
    "data: hub/data}", "data: hub/data, snapshot_per: transaction, gc_grace: 0s, keep: {for: 365d, snapshots: 4, then: none}}")
LAYERS = ["raw", "clean", "train"]
KILLS = 12  # of each command, spread over its changes to the disk


@pytest.fixture(scope="module")
def aged(fast_folder):
    """Inlined rows of which more than a hundred are dead, files, and snapshots that may go."""
    place = Place(f"{fast_folder}/aged", KEEP_FEW)
    place.drop(inserts(visits(650)))
    place.drop(inserts(visits(300, seed=2, start=1_000)))
    place.drop([("U", row) for row in visits(150, seed=3, start=1_000)])
    place.drop([("D", {"id": number}) for number in range(1, 30)])
    place.json("sync")
    for count in range(3):
        place.drop([("U", row) for row in visits(4, seed=4 + count, start=20 + 5 * count)])
        place.json("sync")
    # Kept, however many snapshots of maintenance there are.
    for snapshot in newest_snapshots(place):
        place.run("tag", f"kept-{snapshot}", snapshot)
    return place


def copy_of(place, folder):
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(place.folder, folder)
    return Place(folder, KEEP_FEW)


def commits_of(place):
    return {line["commit"]: (line["kind"], line["snapshot"]) for line in place.json("log", "--number", 1_000)}


def rows_of(place, snapshots):
    return {(layer, at): place.run("export", "visits", "--layer", layer, "--at", at).out
            for layer in LAYERS for at in snapshots}


def newest_snapshots(place):
    return sorted(snapshot for _, snapshot in commits_of(place).values() if snapshot)[-3:]


def questions(snapshots):
    asked = [f"SELECT * FROM lake.{layer}.visits AT (VERSION => {at}) ORDER BY ALL" for layer in LAYERS for at in snapshots]
    return asked + [f"SELECT * FROM ducklake_table_changes('lake', '{layer}', 'visits', {snapshots[0] + 1}, "
                    f"{snapshots[-1]}) ORDER BY ALL" for layer in LAYERS]


def changes_to_the_disk(place, command):
    done = place.run(command, LOCKSTEP_CRASH_AT="0")
    return int(re.search(r"disk changes: (\d+)", done.err).group(1))


@pytest.mark.parametrize("command", ["compact", "gc"])
def test_a_kill_at_each_change_to_the_disk_changes_no_snapshot(aged, fast_folder, duck, command):
    snapshots = newest_snapshots(aged)
    rows, commits = rows_of(aged, snapshots), commits_of(aged)
    answers = duck.ask(aged.catalog, questions(snapshots))
    total = changes_to_the_disk(copy_of(aged, f"{fast_folder}/{command}-counted"), command)
    assert total > 30, "the changes are not seen"
    for count, number in enumerate(range(1, total + 1, total // KILLS)):
        what = f"{command}, killed at change {number} of {total}"
        place = copy_of(aged, f"{fast_folder}/{command}-{number}")
        process = subprocess.run(
            place.command(command), cwd=place.folder, capture_output=True, timeout=BOUND_S, check=False,
            env=place.environment | {"LOCKSTEP_CRASH_AT": str(number)})
        # Temporary names differ between runs, and so may the count, by a few at the very end.
        assert process.returncode == -signal.SIGKILL or number > total - 5, what
        now = commits_of(place)
        assert {commit: now.get(commit) for commit in commits} == commits, what
        assert rows_of(place, snapshots) == rows, what
        if count % 4 == 1:
            assert duck.ask(place.catalog, questions(snapshots)) == answers, what
        # It goes on where it was, and the rows change like any other.
        place.json(command)
        place.drop([("D", {"id": 1_000}), ("U", visits(1, seed=9, start=1_001)[0])])
        place.json("sync")
        assert rows_of(place, snapshots) == rows, what
        assert all(line["exact"] for line in place.json("verify")), what
        # Files that a killed program left are found, and nothing else is wrong.
        found = place.run("doctor", codes=(0, 4)).out.splitlines()
        assert {line.split("\t")[1] for line in found if not line.startswith("ok")} <= {"orphans"}, what
        shutil.rmtree(place.folder)
