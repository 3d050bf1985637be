"""The index from key to row is a cache: lost, damaged, old or cut off by a kill, every row stays right."""

import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from conftest import BOUND_S, csv_rows, inserts, visit, visits

ROWS = 20_000  # more than the index keeps in memory
SEED = int(os.environ.get("LOCKSTEP_TEST_SEED", "6"))


def index_of(place):
    return place.catalog + ".index"


def change(place, rows, generator):
    """Updates, deletes and inserts of rows, old and new ones."""
    changes = []
    for number in generator.sample(range(1, ROWS + 500), 400):
        if number in rows and generator.random() < 0.3:
            changes.append(("D", {"id": number}))
            del rows[number]
        else:
            changes.append(("U" if number in rows else "I", visit(number, generator)))
            rows[number] = changes[-1][1]
    place.drop(changes)


def check(place, rows):
    stored = {int(row["id"]): (int(row["age"]), row["ward"], row["seen"])
              for row in csv_rows(place.run("export", "visits", "--layer", "raw").out)}
    assert stored == {number: (row["age"], row["ward"], row["seen"]) for number, row in rows.items()}, f"seed {SEED}"
    assert all(line["exact"] for line in place.json("verify"))


def damage(folder, generator):
    names = sorted(os.listdir(folder))
    assert any(name.endswith(".run") for name in names), names
    for name in names:
        path = os.path.join(folder, name)
        with open(path, "r+b") as file:
            file.seek(generator.randrange(os.path.getsize(path)))
            file.write(b"\x5a\xa5")


def kill_amid(place, delay):
    process = subprocess.Popen(place.command("sync"), cwd=place.folder, env=place.environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=BOUND_S)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    from conftest import Place
    place = Place(tmp_path_factory.mktemp("index"))
    first = visits(ROWS, seed=SEED)
    place.drop(inserts(first))
    place.json("sync")
    return place, {row["id"]: row for row in first}


def test_rows_stay_right_whatever_becomes_of_the_index(loaded):
    place, rows = loaded
    generator = random.Random(SEED)
    folder = index_of(place)
    assert any(name.endswith(".run") for name in os.listdir(folder))
    old = folder + ".old"
    shutil.copytree(folder, old)

    change(place, rows, generator)
    place.json("sync")
    check(place, rows)

    shutil.rmtree(folder)
    change(place, rows, generator)
    place.json("sync")
    check(place, rows)

    damage(folder, generator)
    change(place, rows, generator)
    place.json("sync")
    check(place, rows)

    for delay in (0.02, 0.1, 0.3):
        change(place, rows, generator)
        kill_amid(place, delay)
    place.json("sync")
    check(place, rows)

    shutil.rmtree(folder)
    shutil.copytree(old, folder)
    change(place, rows, generator)
    place.json("sync")
    check(place, rows)
