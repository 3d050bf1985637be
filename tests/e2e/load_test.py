"""A file of many rows is one snapshot: killed at any moment nothing of it shows, the next sync goes on with it, and
DuckDB reads what came of it."""

import glob
import os
import random
import re
import shutil
import subprocess
import time

import pytest

from conftest import BOUND_S, CONFIGURATION, Place, csv_rows, inserts, visit, visits

BATCH = 150
ROWS = 6_000
SEED = int(os.environ.get("LOCKSTEP_TEST_SEED", "6"))
LAYERS = ["raw", "clean", "train", "rejected"]


def configuration(load="one snapshot"):
    return re.sub(r"hub: \{", f"hub: {{commit_rows_max: {BATCH}, load: {load}, ", CONFIGURATION)


def changes(generator, count, keys):
    """Rows whose keys come again and leave within the file."""
    out = []
    alive = set()
    for _ in range(count):
        number = generator.randint(1, keys)
        if number in alive and generator.random() < 0.2:
            alive.discard(number)
            out.append(("D", {"id": number}))
        else:
            alive.add(number)
            out.append(("U", visit(number, generator)))
    return out


def state_of(place):
    newest = place.json("models", "bp", "--number", 1)[0]
    rows = {layer: place.run("export", "visits", "--layer", layer).out for layer in LAYERS}
    return rows | {key: newest[key] for key in ("fingerprint", "weights_sha256", "definition", "folded", "tested")}


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A hub with some rows, and a large file waiting."""
    place = Place(tmp_path_factory.mktemp("start"), configuration())
    place.drop(inserts(visits(100, seed=3)))
    place.json("sync")
    place.drop(changes(random.Random(SEED), ROWS, 4_000))
    return place


def data_snapshots(place):
    """Those with changes, the newest first; rows that are moved make others."""
    return [line["snapshot"] for line in place.json("log", "--number", 1_000) if line["snapshot"] is not None]


def copy_of(place, folder, load="one snapshot"):
    shutil.copytree(place.folder, folder)
    return Place(folder, configuration(load))


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    place = copy_of(start, tmp_path_factory.mktemp("whole") / "hub")
    report = place.json("sync")
    assert report["commits"] == 1
    return place


def test_a_load_gives_the_bits_of_the_same_batches_one_by_one(start, whole, tmp_path):
    place = copy_of(start, tmp_path / "hub", "by batch")
    assert place.json("sync", "--apply")["commits"] > ROWS // BATCH // 2
    state, expected = state_of(place), state_of(whole)
    for part in ("clean", "train", "rejected", "fingerprint", "weights_sha256", "definition", "folded", "tested"):
        assert state[part] == expected[part], part


def test_a_load_that_is_killed_shows_nothing_and_is_gone_on_with(start, whole, tmp_path):
    place = copy_of(start, tmp_path / "hub")
    expected = state_of(whole)
    before = data_snapshots(place)
    generator = random.Random(SEED)
    kept = set()
    went_on = 0
    for _ in range(200):
        process = place.start("sync", "--json")
        end = time.monotonic() + generator.uniform(0.05, 0.6)
        # However fast the load is, it is killed with something written: at the latest with its third new piece.
        while process.poll() is None and time.monotonic() < end and len(pieces_of(place) - kept) < 3:
            time.sleep(0.002)
        if process.poll() is not None:
            process.communicate()
            break
        process.kill()
        process.communicate()
        if data_snapshots(place) != before:
            break  # it was killed behind its commit
        pieces = pieces_of(place)
        went_on += len(kept & pieces) > 0
        kept = pieces
    place.json("sync")
    assert went_on > 0, "no killed load was gone on with"
    assert data_snapshots(place)[1:] == before
    assert state_of(place) == expected | {"raw": state_of(place)["raw"]}
    assert without_system(state_of(place)["raw"]) == without_system(expected["raw"])
    assert all(line["exact"] for line in place.json("verify"))
    assert not os.path.exists(place.path("hub", "data", "_load.journal"))


def pieces_of(place):
    return set(glob.glob(place.path("hub", "data", "*", "visits", "*.parquet")))


def without_system(text):
    return [{key: cell for key, cell in row.items() if not key.startswith("_")} for row in csv_rows(text)]


def test_duckdb_reads_every_snapshot_around_loads(whole, duck, tmp_path):
    generator = random.Random(SEED + 1)
    for count in (20, 700, 40, 900, 10):
        whole.drop(changes(generator, count, 4_000))
        whole.json("sync")
    snapshots = data_snapshots(whole)[:7]
    questions = []
    places = [(snapshot, layer) for snapshot in snapshots for layer in LAYERS]
    for snapshot, layer in places:
        output = tmp_path / f"{layer}-{snapshot}.parquet"
        whole.json("export", "visits", "--layer", layer, "--at", snapshot, "--output", output)
        questions.append(f"SELECT * FROM lake.{layer}.visits AT (VERSION => {snapshot})")
        questions.append(f"SELECT * FROM read_parquet('{output}')")
    answers = duck.ask(whole.catalog, questions)
    for (snapshot, layer), attached, exported in zip(places, answers[0::2], answers[1::2]):
        assert sorted(attached) == sorted(exported), (layer, snapshot)
    log = {line["snapshot"]: line for line in whole.json("log", "--number", 1_000)}
    feeds = duck.ask(whole.catalog, [
        f"SELECT change_type, count(*) FROM ducklake_table_changes('lake', 'raw', 'visits', {snapshot}, {snapshot}) "
        "GROUP BY 1" for snapshot in snapshots])
    for snapshot, feed in zip(snapshots, feeds):
        counts = {eval(kind): int(count) for kind, count in feed}  # reprs of plain texts and numbers
        line = log[snapshot]
        assert counts.get("insert", 0) == line["inserted"], snapshot
        assert counts.get("delete", 0) == line["deleted"], snapshot
        assert counts.get("update_postimage", 0) == line["updated"], snapshot
    questions = []
    for column, value in (("id", 77), ("age", 30), ("ward", "'west'")):
        condition = f"{column} >= {value} and id < 2000"
        output = tmp_path / f"{column}.parquet"
        report = whole.json("export", "visits", "--where", condition, "--output", output)
        assert report["files_read"] + report["files_skipped"] > 0
        questions.append(f"SELECT * FROM lake.clean.visits WHERE {condition}")
        questions.append(f"SELECT * FROM read_parquet('{output}')")
    answers = duck.ask(whole.catalog, questions)
    for attached, exported in zip(answers[0::2], answers[1::2]):
        assert sorted(attached) == sorted(exported)
        assert attached


def test_the_memory_of_a_load_does_not_grow_with_it(tmp_path):
    peaks = []
    for count in (4, 16):
        place = Place(tmp_path / str(count), re.sub("150", "20000", configuration()))
        generator = random.Random(1)
        lines = ["_op,id,age,ward,weight,sbp,seen"]
        rows = [",".join(str(cell) for cell in visit(0, generator).values()) for _ in range(1_000)]
        lines += [f"I,{number}" + rows[number % 1_000][1:] for number in range(count * 20_000)]
        place.drop_text("\n".join(lines) + "\n", "load.csv")
        script = ("import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
                  "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
        done = subprocess.run(["python3", "-c", script, *place.command("sync")], cwd=place.folder, timeout=BOUND_S,
                              env=place.environment, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout) / 1024)
    # The key index of 240,000 rows in three layers more, and nothing else.
    assert peaks[1] - peaks[0] < 160, peaks
    assert peaks[0] < 300, peaks
