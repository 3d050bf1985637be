"""The program is killed at random moments and at each change it makes to the disk, and nothing is lost or doubled."""

import os
import random
import re
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import BOUND_S, CONFIGURATION, Done, Place, csv_rows, inserts, visit, visits

FILES = 30
KILLS = 200
SEED = int(os.environ.get("LOCKSTEP_TEST_SEED", "4"))
CALIBRATED_AFTER = 60
# A snapshot for each file, so that every run makes the same ones; many of them are durable together.
EACH_FILE = CONFIGURATION.replace("data: hub/data}", "data: hub/data, snapshot_per: transaction}")


def workload(place, files, generator):
    """Files of 1 to 50 rows; returns the rows that raw ends with, by id."""
    expected = {}
    place.drop(inserts(first := visits(CALIBRATED_AFTER + 20, seed=5)))
    expected.update({row["id"]: row for row in first})
    for _ in range(files - 1):
        changes = []
        for number in generator.sample(range(1, 400), generator.randint(1, 50)):
            kind = generator.random()
            if number in expected and kind < 0.2:
                changes.append(("D", {"id": number}))
                del expected[number]
            else:
                changes.append(("U" if number in expected else "I", visit(number, generator)))
                expected[number] = changes[-1][1]
        place.drop(changes)
    return expected


def copy_of(place, folder):
    """The same sources, and the hub if there is one: it has the key of the fingerprints."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(place.folder, folder)
    return Place(folder, EACH_FILE)


def log_of(place):
    """{commit: what the log says of it}; nothing when there is no hub yet."""
    done = place.run("log", "--number", 1_000_000, "--json", codes=(0, 10))
    return {line["commit"]: line for line in done.json} if done.code == 0 else {}


def state_of(place):
    newest = place.json("models", "bp", "--number", 1)[0]
    return {
        "raw": place.run("export", "visits", "--layer", "raw").out,
        "fingerprint": newest["fingerprint"],
        "weights": newest["weights_sha256"],
        "definition": newest["definition"],
        "rows": newest["folded"] + newest["tested"],
    }


def check_state(place, expected, keys, what):
    """The state that was expected; and retraining from raw gives the fingerprint and the weights that are stored."""
    state = state_of(place)
    for key in keys:
        assert state[key] == expected[key], f"{what}: {key}"
    assert all(line["exact"] for line in place.json("verify")), what


def rows_of(state):
    """Raw without the columns of the system, as the workload writes them."""
    rows = {}
    for row in csv_rows(state["raw"]):
        assert row["id"] not in rows, f"{row['id']} is there twice"
        rows[row["id"]] = (row["age"], row["ward"], row["sbp"], row["seen"])
    return rows


def expected_rows(rows):
    return {str(row["id"]): (str(row["age"]), row["ward"], str(float(row["sbp"])).removesuffix(".0"), row["seen"])
            for row in rows.values()}


def rows_as_numbers(rows):
    return {key: (age, ward, float(sbp), seen) for key, (age, ward, sbp, seen) in rows.items()}


def check_versions(place):
    """After the calibration each snapshot with data has its version."""
    versions = {line["snapshot"] for line in place.json("models", "bp", "--number", 1_000_000)}
    calibrated = min(versions)
    for line in log_of(place).values():
        if line["kind"] == "changes" and line["snapshot"] is not None and line["snapshot"] >= calibrated:
            trained = [one for one in place.json("show", line["snapshot"])["tables"] if one["table"] == "train.visits"]
            assert line["snapshot"] in versions or not trained, f"snapshot {line['snapshot']} has no version"


def check_kept(place, acknowledged):
    """What the log once showed is there unchanged."""
    now = log_of(place)
    for commit, line in acknowledged.items():
        assert now.get(commit) == line, f"commit {commit} was shown, and is {now.get(commit)}"
    return now


@pytest.fixture(scope="module")
def whole(fast_folder):
    """The workload, and what an uninterrupted run makes of it."""
    start = Place(f"{fast_folder}/start", EACH_FILE)
    start.json("sync")  # makes the hub, with the key of its fingerprints
    rows = workload(start, FILES, random.Random(SEED))
    place = copy_of(start, f"{fast_folder}/whole")
    started = time.monotonic()
    place.json("sync")
    duration = time.monotonic() - started
    state = state_of(place)
    assert rows_as_numbers(rows_of(state)) == rows_as_numbers(expected_rows(rows))
    check_versions(place)
    return {"place": start, "state": state, "duration": duration, "snapshot": place.json("status")["snapshot"]}


def kill_after(place, delay, command):
    """Whether the kill met a running program."""
    process = subprocess.Popen(place.command(*command), cwd=place.folder, env=place.environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    return process.wait(timeout=BOUND_S) == -signal.SIGKILL


def finish(place, whole):
    """An undisturbed run ends with the state of the uninterrupted one."""
    place.json("sync")
    check_state(place, whole["state"], whole["state"], f"after the kills of seed {SEED}")
    check_versions(place)


@pytest.mark.parametrize("command,share", [("sync", 0.6), ("run", 0.4)])
def test_kills_at_random_moments_lose_nothing(whole, fast_folder, command, share):
    generator = random.Random(f"{SEED} {command}")
    kills = 0
    rounds = 0
    tries = 0
    place = copy_of(whole["place"], f"{fast_folder}/{command}-0")
    acknowledged = {}
    while kills < KILLS * share:
        tries += 1
        assert tries < 10 * KILLS, "the program is hardly ever met running"
        # A start with nothing left to do is short; kill that one too, now and then.
        delay = generator.random() * whole["duration"] * generator.choice([0.1, 0.3, 1.0])
        kills += kill_after(place, delay, [command])
        acknowledged = check_kept(place, acknowledged)
        if acknowledged and max(line["snapshot"] or 0 for line in acknowledged.values()) >= whole["snapshot"]:
            finish(place, whole)
            shutil.rmtree(place.folder)
            rounds += 1
            place = copy_of(whole["place"], f"{fast_folder}/{command}-{rounds}")
            acknowledged = {}
    finish(place, whole)
    print(f"{command}: {kills} kills in {tries} starts, {rounds} whole histories, seed {SEED}")


@pytest.fixture(scope="module")
def little(fast_folder):
    """Three files: inserts past the calibration, changes, and a bulk that goes to Parquet."""
    place = Place(f"{fast_folder}/little", EACH_FILE)
    first = visits(CALIBRATED_AFTER + 30, seed=5)
    place.drop(inserts(first))
    place.drop([("U", dict(row, sbp="121.5")) for row in first[:4]] + [("D", {"id": row["id"]}) for row in first[4:6]])
    place.drop(inserts(visits(600, seed=6, start=1_000)))
    empty = copy_of(place, f"{fast_folder}/counted")
    done = empty.run("sync", LOCKSTEP_CRASH_AT="0")
    total = int(re.search(r"disk changes: (\d+)", done.err).group(1))
    return {"place": place, "state": state_of(empty), "total": total, "snapshot": empty.json("status")["snapshot"]}


def crash_at(place, number):
    process = subprocess.run(place.command("sync"), cwd=place.folder, capture_output=True, text=True, timeout=BOUND_S,
                             env=place.environment | {"LOCKSTEP_CRASH_AT": str(number)}, check=False)
    assert process.returncode in (0, -signal.SIGKILL), Done(process)
    return process.returncode != 0


FRESH = ["raw", "weights", "definition", "rows"]  # every hub has its own key of fingerprints; verify compares those


def crash_and_go_on(little, folder, number):
    place = copy_of(little["place"], f"{folder}-{number}")
    what = f"after a crash at change {number} of {little['total']}"
    # Temporary names differ between runs, and so may the count, by a few at the very end.
    assert crash_at(place, number) or number > little["total"] - 5, f"{what}: it was not reached"
    acknowledged = log_of(place)
    place.json("sync")
    check_kept(place, acknowledged)
    check_state(place, little["state"], FRESH, what)
    if number % 10 == 0:
        check_versions(place)
    shutil.rmtree(place.folder)


def test_a_crash_before_each_change_to_the_disk_loses_nothing(little, fast_folder):
    assert little["total"] > 50, "the catalog's writes are not seen"
    with ThreadPoolExecutor(2) as threads:
        numbers = range(1, little["total"] + 1)
        list(threads.map(lambda number: crash_and_go_on(little, f"{fast_folder}/crashed", number), numbers))
    print(f"{little['total']} changes to the disk")


def test_a_crash_while_recovering_from_a_crash_loses_nothing(little, fast_folder):
    generator = random.Random(SEED)
    for _ in range(15):
        place = copy_of(little["place"], f"{fast_folder}/again")
        acknowledged = {}
        for _ in range(4):
            crash_at(place, generator.randint(1, little["total"] // 2))
            acknowledged = check_kept(place, acknowledged)
        place.json("sync")
        check_kept(place, acknowledged)
        check_state(place, little["state"], FRESH, f"seed {SEED}")


def test_a_crash_in_a_revert_undoes_all_or_nothing(little, fast_folder):
    made = copy_of(little["place"], f"{fast_folder}/reverting")
    made.json("sync")
    before = state_of(made)
    probe = f"{fast_folder}/revert-probe"
    shutil.copytree(made.folder, probe)
    done = Place(probe, EACH_FILE).run("revert", "-2", LOCKSTEP_CRASH_AT="0")
    total = int(re.search(r"disk changes: (\d+)", done.err).group(1))
    after = state_of(Place(probe, EACH_FILE))
    assert after["fingerprint"] != before["fingerprint"]
    for number in range(1, total + 1, 3):
        folder = f"{fast_folder}/revert-{number}"
        shutil.copytree(made.folder, folder)
        place = Place(folder, EACH_FILE)
        process = subprocess.run(place.command("revert", "-2"), cwd=folder, capture_output=True, timeout=BOUND_S,
                                 env=place.environment | {"LOCKSTEP_CRASH_AT": str(number)}, check=False)
        assert process.returncode in (0, -signal.SIGKILL)
        assert state_of(place) in (before, after), number
        place.json("sync")
        assert all(line["exact"] for line in place.json("verify")), number
        shutil.rmtree(folder)
