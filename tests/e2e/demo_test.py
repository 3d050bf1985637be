"""The example runs as a user runs it, and the gate catches what it promises to."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
import time

import pytest

from conftest import ROOT, Place, program

EXAMPLE = os.path.join(ROOT, "examples", "blood_pressure")
sys.path.insert(0, EXAMPLE)
DEMO_BOUND_S = 120


@pytest.fixture(scope="module")
def survey():
    import survey as module
    try:
        module.path()
    except SystemExit as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    return module


@pytest.fixture(scope="module")
def shown(survey, tmp_path_factory):
    """What the example prints, and its folder."""
    folder = tmp_path_factory.mktemp("demo")
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, os.path.join(EXAMPLE, "run.py"), "--lockstep", program(), "--directory", str(folder)],
        capture_output=True, text=True, timeout=DEMO_BOUND_S, check=False)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    print(f"{time.monotonic() - started:.1f} s")
    return done.stdout, str(folder)


@pytest.mark.parametrize("pattern", [
    r"load of the first half\s+1\s+\+\d{4} .* v1\s+\d+\.\d\d / \d+\.\d\d\s+first fit",
    r"stream: readings of the other half\s+\d{3} ",
    r"25 weights corrected\s+1\s+\+0 ~2\d -0",
    r"20 people withdraw\s+1\s+\+0 ~0 -20",
    r"poisoned batch: systolic and diastolic swapped, 200 rows.* BLOCKED: \S+",
    r"poisoned batch: kPa for mmHg, 200 rows.* BLOCKED: \S+",
    r"lockstep revert \d+ .* the champion follows again",
    r"lockstep rollback bp --to 1\s+v1 ",
    r"lockstep verify: bp@\d+ retrained from \d{4} rows: identical, bit for bit",
    r"lake\.train\.readings AT \(VERSION => \d+\): \d{4} rows, mean sbp 1\d\d\.",
    r"Done in \d+\.\d s",
])
def test_the_demo_shows(shown, pattern):
    assert re.search(pattern, shown[0]), f"no line like {pattern} in\n{shown[0]}"


def test_the_demo_is_as_accurate_as_promised(shown):
    """Mean absolute errors on the test rows: a constant has 15.1/10.2, boosted trees 12.63/8.51."""
    errors = re.findall(r"(\d+\.\d\d) / (\d+\.\d\d)", shown[0])
    assert len(errors) >= 4
    for systolic, diastolic in errors[1:3]:
        assert float(systolic) < 13.2 and float(diastolic) < 8.9, errors


def test_honest_commits_of_the_stream_pass_the_gate(shown):
    blocked, made = map(int, re.search(r"(\d+) of (\d+) versions blocked", shown[0]).groups())
    assert made > 100
    assert blocked <= made / 200, f"{blocked} of {made} honest commits were blocked"


@pytest.fixture(scope="module")
def loaded(survey, tmp_path_factory):
    """The example's hub after a load and a stream; people whose rows are in it."""
    folder = tmp_path_factory.mktemp("gate")
    with open(os.path.join(EXAMPLE, "lockstep.yaml"), encoding="utf-8") as file:
        configuration = file.read()
    place = Place(folder, configuration)
    people = survey.people()
    random.Random(1).shuffle(people)
    incoming = survey.Folder(place.path("incoming"))
    incoming.write([("I", survey.readings_of(person)[-1]) for person in people[:5_000] if survey.readings_of(person)])
    rest = [("I", survey.readings_of(person)[-1]) for person in people[5_000:6_000] if survey.readings_of(person)]
    for start in range(0, len(rest), 25):
        incoming.write(rest[start:start + 25])
    report = place.json("sync")
    assert report["errors"] == []
    assert report["versions"][0]["blocked"] == 0, report["versions"]
    adults = [person for person in people[:6_000]
              if person["age"] and int(person["age"]) >= 18 and survey.readings_of(person)]
    return place, incoming.count, adults


def poisons():
    from run import in_kilopascal, swapped
    return {"swapped": swapped, "kPa": in_kilopascal}


@pytest.mark.parametrize("count", [50, 200, 1_000])
@pytest.mark.parametrize("kind", ["swapped", "kPa"])
def test_a_poisoned_batch_is_blocked(survey, loaded, tmp_path, kind, count):
    source, files, adults = loaded
    folder = str(tmp_path / "copy")
    shutil.copytree(source.folder, folder)
    with open(os.path.join(folder, "lockstep.yaml"), encoding="utf-8") as file:
        place = Place(folder, file.read())
    champion = place.json("status")["models"][0]["champion"]
    incoming = survey.Folder(place.path("incoming"))
    incoming.count = files
    change = poisons()[kind]
    victims = random.Random(count).sample(adults, count)
    incoming.write([("U", change(survey.readings_of(person)[-1])) for person in victims], "poison")
    report = place.json("sync")
    assert report["versions"][0]["status"] == "blocked", json.dumps(report["versions"])
    status = place.json("status")["models"][0]
    assert status["champion"] == champion and status["latched"] is True
    place.json("revert", str(report["snapshot"]))
    status = place.json("status")
    assert status["models"][0]["latched"] is False and status["in_lockstep"] is True
