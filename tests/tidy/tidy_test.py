"""Applies the rules of form to this tree. What is over a limit today stands in ratchet.json, which may only shrink."""

import json
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import rules  # noqa: E402

ROOT = HERE.parents[1]
RATCHET = HERE / "ratchet.json"


def read_tree():
    """Every text file that is in the repository or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    files = {}
    for path in listed.split("\0"):
        full = ROOT / path
        if not path or not full.is_file():
            continue
        try:
            files[path] = full.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # not a text: pictures and data have no form to check
    return files


@pytest.fixture(scope="module")
def files():
    return read_tree()


def ratchet():
    return json.loads(RATCHET.read_text(encoding="utf-8"))


def compare(name, found, allowed):
    """What is new or worse, and what got better without the ratchet knowing."""
    wrong = [message for place, (measure, message) in sorted(found.items()) if measure > allowed.get(place, 0)]
    for place, limit in sorted(allowed.items()):
        measure = found.get(place, (0, ""))[0]
        if measure < limit:
            wrong.append(f"{place} got better at {name} ({limit} -> {measure}): run "
                         "`.venv/bin/python tests/tidy/tidy_test.py --shrink` to keep it so")  # fmt: skip
    return wrong


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps(rule, files):
    wrong = compare(rule.__name__, rule(files), ratchet().get(rule.__name__, {}))
    assert not wrong, "\n" + "\n".join(wrong)


def test_the_ratchet_names_only_rules_that_exist():
    assert set(ratchet()) <= {rule.__name__ for rule in rules.RULES}


def shrink(old, files):
    """The ratchet with what got better lowered. Never a new entry, never a higher one."""
    new = {}
    for rule in rules.RULES:
        found = rule(files)
        kept = {place: min(limit, found[place][0]) for place, limit in old.get(rule.__name__, {}).items() if place in found}
        if kept:
            new[rule.__name__] = kept
    return new


if __name__ == "__main__":
    if sys.argv[1:] != ["--shrink"]:
        sys.exit("usage: tidy_test.py --shrink; the tests are run by pytest")
    RATCHET.write_text(json.dumps(shrink(ratchet(), read_tree()), indent=2, sort_keys=True) + "\n", encoding="utf-8")
