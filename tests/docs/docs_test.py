"""The documentation is run: every shell block that begins with `# tested`, every link, every command that is named.

The blocks of one page run in order in one new folder, which holds vitals.csv, with `lockstep` on the PATH.
The program: LOCKSTEP, else build/release/lockstep, else build/main/lockstep.
"""

import os
import pathlib
import random
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
SECONDS_MAX = 60
ROW_COUNT = 600


def page_name(page):
    return str(page.relative_to(ROOT))


def blocks_to_run(page):
    blocks = [body for _, body in FENCE.findall(page.read_text(encoding="utf-8"))]
    return [body for body in blocks if body.startswith("# tested\n")]


def program():
    given = os.environ.get("LOCKSTEP")
    places = [pathlib.Path(given)] if given else [ROOT / "build" / name / "lockstep" for name in ("release", "main")]
    for place in places:
        if place.is_file():
            return place.resolve()
    pytest.fail(f"there is no lockstep at {' or '.join(map(str, places))}: run make program")


def write_vitals(path):
    generator = random.Random(1)
    with open(path, "w", encoding="utf-8") as file:
        file.write("patient,age,sex,weight,hr,sbp\n")
        for patient in range(1, ROW_COUNT + 1):
            age = generator.randint(18, 90)
            weight = generator.gauss(80, 15)
            heart_rate = "" if patient % 20 == 0 else f"{generator.gauss(75, 10):.0f}"
            sbp = 95 + 0.5 * age + 0.2 * weight + generator.gauss(0, 8)
            file.write(f"{patient},{age},{'fm'[patient % 2]},{weight:.1f},{heart_rate},{sbp:.0f}\n")


@pytest.fixture(name="world")
def fixture_world(tmp_path):
    """A working folder, and the environment in which blocks run."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "lockstep").symlink_to(program())
    work = tmp_path / "work"
    work.mkdir()
    write_vitals(work / "vitals.csv")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCKSTEP")}
    environment["PATH"] = f"{programs}:{os.environ['PATH']}"
    return work, environment


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_to_run(page)], ids=page_name)
def test_blocks_of_a_page_run_to_their_end(page, world):
    work, environment = world
    script = "set -euo pipefail\n" + "\n".join(blocks_to_run(page))
    done = subprocess.run(["bash", "-c", script], cwd=work, env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS_MAX, check=False)
    assert done.returncode == 0, f"{page_name(page)} ended with {done.returncode}:\n{done.stdout}"


def test_the_pages_for_newcomers_are_tested():
    for name in ("README.md", "README.zh-CN.md", "docs/quickstart.md"):
        assert blocks_to_run(ROOT / name), f"{name} has no block that begins with `# tested`"


def test_both_readmes_show_the_same_commands():
    english, chinese = (blocks_to_run(ROOT / name) for name in ("README.md", "README.zh-CN.md"))
    assert english == chinese


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_to_files_that_are_there(page):
    missing = []
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            continue
        if not (page.parent / target.split("#")[0]).exists():
            missing.append(target)
    assert not missing, f"{page_name(page)} links to what is not there: {missing}"


def test_commands_in_the_pages_are_commands_of_the_program():
    lockstep = shutil.which("lockstep", path=str(program().parent))
    manual = subprocess.run([lockstep, "manual"], stdout=subprocess.PIPE, text=True, check=True).stdout
    known = {line.split()[2] for line in manual.splitlines() if line.startswith("## lockstep ")}
    assert "sync" in known
    unknown = []
    for page in PAGES:
        for kind, body in FENCE.findall(page.read_text(encoding="utf-8")):
            if kind not in ("sh", "console"):
                continue
            for verb in re.findall(r"^(?:\$ )?lockstep ([a-z]+)", body, re.MULTILINE):
                if verb not in known:
                    unknown.append(f"{page_name(page)}: lockstep {verb}")
    assert not unknown
