"""What is wrong with files, configuration, hub and disk: each has its message, and nothing crashes or is lost."""

import contextlib
import dataclasses
import gzip
import json
import os
import shutil
import subprocess

import pytest

from conftest import CONFIGURATION, COLUMNS, Place, inserts, text_of, visits

HEADER = ",".join(["_op"] + COLUMNS) + "\n"
GOOD = "I,501,50,east,70,120,2026-01-01\n"
GOOD_FILE = text_of(inserts(visits(40, seed=2, start=600)))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    made = Place(tmp_path_factory.mktemp("base"))
    made.drop(inserts(visits(100)))
    made.json("sync")
    return made


@pytest.fixture
def place(base, tmp_path):
    """A copy of a hub that works."""
    folder = str(tmp_path / "copy")
    shutil.copytree(base.folder, folder)
    made = Place(folder)
    made.count = base.count
    return made


def check_that_nothing_is_lost(place, before, rows_may_grow=0):
    """The rows from before are there, a good file still syncs, and the models are exact."""
    place.configure(CONFIGURATION)
    place.drop_text(GOOD_FILE, "zz-good.csv", order=10_000)
    report = place.run("sync", "--json", codes=(0, 1)).json
    assert report["changes"]["inserted"] >= 40, report
    rows = set(place.run("export", "visits", "--layer", "raw").out.splitlines())
    lost = [row for row in before if row not in rows]
    assert not lost, lost[:3]
    assert all(line["exact"] for line in place.json("verify"))
    assert place.json("status")["datasets"][0]["rows"] <= 140 + rows_may_grow


def raw_rows(place):
    return place.run("export", "visits", "--layer", "raw").out.splitlines()


@dataclasses.dataclass
class Bad:
    name: str
    data: object  # bytes or text of the file
    message: str  # what `rejected`, or standard error, says
    code: int = 0  # of sync
    rejected: int = 1
    rows: int = 0  # that are taken all the same
    file: str = "bad.csv"
    packed: bool = False  # by gzip: the file is whole, and cannot grow
    mode: str = "upsert"  # of the source


def cut_gzip():
    return gzip.compress(GOOD_FILE.encode() * 50)[:-300]


def flipped_gzip():
    whole = bytearray(gzip.compress(GOOD_FILE.encode() * 50))
    whole[len(whole) // 2] ^= 0x55
    return bytes(whole)


FILES = [
    Bad("a gzip that ends early", cut_gzip(), "gz", file="bad.csv.gz"),
    Bad("a gzip with a flipped bit", flipped_gzip(), "bad.csv.gz", file="bad.csv.gz"),
    Bad("text that is called gzip", HEADER + GOOD, "gz", file="bad.csv.gz"),
    Bad("text that is called zstd", HEADER + GOOD, "zst", file="bad.csv.zst"),
    Bad("too few fields", HEADER + "I,500,50\n" + GOOD, "fields", rows=1),
    Bad("too many fields", HEADER + "I,500,50,east,70,120,2026-01-01,9\n" + GOOD, "fields", rows=1),
    Bad("NUL bytes in a number", HEADER + "I,500,5\0,east,70,120,2026-01-01\n" + GOOD, "age", rows=1),
    Bad("only NUL bytes", b"\0" * 5_000 + b"\n", "bad.csv"),
    Bad("a word for a number", HEADER + "I,500,fifty,east,70,120,2026-01-01\n" + GOOD, "age", rows=1),
    Bad("a fraction for a whole number", HEADER + "I,500,50.5,east,70,120,2026-01-01\n" + GOOD, "age", rows=1),
    Bad("a whole number out of range", HEADER + "I,99999999999999999999,50,east,70,120,2026-01-01\n" + GOOD, "id",
        rows=1),
    Bad("a date that is none", HEADER + "I,500,50,east,70,120,2026-02-30\n" + GOOD, "seen", rows=1),
    Bad("a key that is missing", HEADER + "I,,50,east,70,120,2026-01-01\n" + GOOD, "id", rows=1),
    Bad("an unknown operation", HEADER + "X,500,50,east,70,120,2026-01-01\n" + GOOD, "X", rows=1),
    Bad("a deletion of nothing", HEADER + "D,500,,,,,\n" + GOOD, "500", rows=1),
    Bad("a key that is inserted twice", HEADER + GOOD + GOOD.replace("120", "130"), "there already", rows=1,
        mode="append"),
    Bad("latin-1 that is called UTF-8", (HEADER + "I,500,50,").encode() + b"\xdcbersee,70,120,2026-01-01\n"
        + GOOD.encode(), "this is not utf-8 text"),
    Bad("UTF-16 that is called UTF-8", (HEADER + GOOD).encode("utf-16"), "bad.csv"),
    Bad("a column that is missing", "_op,id,age,ward,weight,sbp\nI,500,50,east,70,120\n", "seen"),
    Bad("no column that is known", "a,b\n1,2\n", "bad.csv"),
    Bad("two columns of one name", "_op,id,age,ward,weight,sbp,seen,age\nI,500,50,east,70,120,2026-01-01,51\n", "age"),
    Bad("an open quote", HEADER + 'I,500,50,"east,70,120,2026-01-01\n' + GOOD, "quote", file="bad.csv.gz", packed=True),
    Bad("a value beyond its limits", HEADER + "I,500,50,east,70,999,2026-01-01\n" + GOOD, "sbp", rows=2),
    Bad("not a Parquet file", HEADER + GOOD, "arquet", file="bad.parquet"),
]


@pytest.mark.parametrize("bad", FILES, ids=[bad.name for bad in FILES])
def test_a_bad_file_is_rejected_with_its_reason(place, bad):
    before = raw_rows(place)
    if bad.file.endswith(".gz") or not bad.file.endswith(".csv"):
        place.configure(CONFIGURATION.replace('"incoming/*.csv"', '["incoming/*.csv", "incoming/bad.*"]'))
    if bad.mode != "upsert":
        place.configure(CONFIGURATION.replace("mode: upsert", f"mode: {bad.mode}"))
    known = {json.dumps(line, sort_keys=True) for line in place.json("rejected")}
    place.drop_text(gzip.compress(bad.data.encode()) if bad.packed else bad.data, bad.file)
    done = place.run("sync", "--json", codes=(bad.code,))
    report = done.json
    new = [line for line in place.json("rejected") if json.dumps(line, sort_keys=True) not in known]
    assert len(new) == bad.rejected == report["rejected"], (new, report)
    assert report["changes"]["inserted"] == bad.rows, (new, report)
    told = done.err + json.dumps(new, ensure_ascii=False)
    assert bad.message in told, told
    assert place.json("sync")["rejected"] == 0, "what is rejected is counted once"
    check_that_nothing_is_lost(place, before, rows_may_grow=bad.rows)


TAKEN = [
    ("a key that is inserted again by an upserted file", HEADER + GOOD + GOOD.replace("120", "130"), 1),
    ("a byte order mark", "\ufeff" + HEADER + GOOD, 1),
    ("line ends of Windows", (HEADER + GOOD).replace("\n", "\r\n"), 1),
    ("a quoted newline", HEADER + 'I,500,50,"ea\nst",70,120,2026-01-01\n', 1),
    ("columns in another order, and one too many", "seen,extra,sbp,weight,ward,age,id,_op\n"
     "2026-01-01,x,120,70,east,50,500,I\n", 1),
    ("a header without rows", HEADER, 0),
    ("an empty file", "", 0),
    ("only an empty line", "\n", 0),
    ("a quoted field that may still grow", HEADER + 'I,500,50,"east,70,120,2026-01-01\n', 0),
    ("a last line that may still grow", HEADER + GOOD + "I,502,50,ea", 1),
    ("NaN and infinities", HEADER + "I,500,50,east,NaN,120,2026-01-01\nI,502,50,east,inf,120,2026-01-01\n"
     "I,503,50,east,-Infinity,120,2026-01-01\nI,504,50,east,70,NaN,2026-01-01\n", None),
]


@pytest.mark.parametrize("name,data,rows", TAKEN, ids=[name for name, _, _ in TAKEN])
def test_an_unusual_file_is_taken(place, name, data, rows):
    before = raw_rows(place)
    place.drop_text(data, "unusual.csv")
    report = place.json("sync")
    if rows is not None:
        assert report["changes"]["inserted"] == rows, (report, place.json("rejected"))
    assert all(line["exact"] for line in place.json("verify"))
    check_that_nothing_is_lost(place, before, rows_may_grow=4)


def test_the_later_of_two_rows_of_a_key_counts(place):
    place.drop_text(HEADER + GOOD + GOOD.replace("I,", "U,").replace("120", "130"), "twice.csv")
    assert place.json("sync")["changes"]["inserted"] == 1
    (row,) = [line for line in raw_rows(place) if ",501," in f",{line},"]
    assert "130" in row


# What replaces what in the configuration, the exit code of check and sync, what is said.
YAML = [
    ("no YAML", "hub: [", None, "lockstep.yaml"),
    ("a list", "- a\n- b\n", None, "is not a map"),
    ("nothing", "", None, "is not a map"),
    ("a tab", CONFIGURATION.replace("  drop:", "\tdrop:"), None, "lockstep.yaml"),
    ("an unknown section", CONFIGURATION + "modles: {}\n", None, "models"),
    ("a section twice", CONFIGURATION + "models: {}\n", None, "models"),
    ("no sources", CONFIGURATION.replace("sources:", "models:", 1), None, "models"),
    ("an unknown setting", "mode: upsert", "mod: upsert", "mode"),
    ("an unknown mode", "mode: upsert", "mode: insert", "upsert"),
    ("an unknown source type", "type: files", "type: file", "files"),
    ("a source without a type", "type: files, ", "", "type"),
    ("an unknown source", "from: [drop]", "from: [dorp]", "drop"),
    ("a source that feeds nothing", "datasets:", "  more: {type: files, path: x.csv}\ndatasets:", "feeds 0 datasets"),
    ("an unknown dataset", "dataset: visits", "dataset: visit", "visits"),
    ("an unknown column type", "age: int", "age: integr", "int"),
    ("a key that is no column", "key: [id]", "key: [ids]", "ids"),
    ("names that clash", "{id: int,", "{id: int, ID: int,", "ID"),
    ("a name that the hub needs", "{id: int,", "{id: int, _source: text,", "_source"),
    ("a type that the hub's rows do not fit", "weight: float,", "weight: int,", "cannot become int"),
    ("another key than the hub has", "key: [id]", "key: [age]", "another"),
    ("an unknown step", "- filter:", "- filtre:", "filter"),
    ("an expression that is none", "age >= 18", "age >=", "age"),
    ("an expression over an unknown column", "age >= 18", "aeg >= 18", "age"),
    ("an expression over a text", "age >= 18", "ward >= 18", "ward"),
    ("a range over an unknown column", "columns: [sbp], min", "columns: [spb], min", "sbp"),
    ("a range upside down", "min: 40, max: 300", "min: 300, max: 40", "min"),
    ("an unknown feature", "features: [age,", "features: [aeg,", "age"),
    ("a target that is a text", "targets: [sbp]", "targets: [ward]", "ward"),
    ("a target that is a feature", "targets: [sbp]", "targets: [age]", "age"),
    ("an unknown expansion", "- standardize", "- standardise", "standardize"),
    ("an unknown learner", "type: ridge", "type: rigde", "ridge"),
    ("a share beyond one", "test: 0.2", "test: 2", "test"),
    ("rows that are none", "60 rows", "sixty rows", "rows"),
    ("another catalog", "sqlite:hub", "postgresql:hub", "sqlite"),
    ("a variable that is not set", "data: hub/data", "data: \"${LOCKSTEP_TEST_UNSET}\"", "LOCKSTEP_TEST_UNSET"),
    ("a secret's file that is missing", "data: hub/data", "data: \"${file:nowhere}\"", "nowhere"),
]


@pytest.mark.parametrize("name,old,new,message", YAML, ids=[row[0] for row in YAML])
def test_a_mistake_in_the_configuration_is_explained(place, name, old, new, message):
    before = raw_rows(place)
    text = old if new is None else CONFIGURATION.replace(old, new)
    assert text != CONFIGURATION
    place.configure(text)
    for command in ("check", "sync"):
        done = place.run(command, codes=(1, 4) if command == "check" else (1,))
        assert message in done.out + done.err, done
        assert "error: " in done.err or "fail" in done.out, done
    check_that_nothing_is_lost(place, before)


def test_a_changed_configuration_asks_before_it_rebuilds(place):
    before = raw_rows(place)
    place.configure(CONFIGURATION.replace("max: 300", "max: 150"))
    done = place.run("sync", codes=(1,))
    assert "--apply" in done.err, done
    place.run("sync", "--apply")
    assert all(line["exact"] for line in place.json("verify"))
    place.configure(CONFIGURATION)
    place.run("sync", "--apply")
    assert raw_rows(place) == before


def test_clashing_columns_are_refused_by_init(place):
    for header in ("id,ID", "id,row_id", "a,a", "id,_source"):
        with open(place.path("clash.csv"), "w", encoding="utf-8") as file:
            file.write(header + ",x\n1,2,3\n2,3,4\n")
        done = place.run("init", "clash.csv", "--force", "--config", "other.yaml", codes=(0, 1))
        if done.code == 0:
            assert all(line["level"] != "fail" for line in place.json("check", "--config", "other.yaml")), header
        else:
            assert "error: " in done.err and not os.path.exists(place.path("other.yaml"))


def test_a_folder_called_as_a_file_is_no_file(place):
    before = raw_rows(place)
    os.makedirs(place.path("incoming", "folder.csv"))
    place.run("sync", codes=(0, 1))
    check_that_nothing_is_lost(place, before)


def test_a_file_that_may_not_be_read_is_named(place):
    """Root reads everything; so the program runs as nobody, who owns all but one file."""
    if os.geteuid() != 0:
        pytest.skip("only root can run the program as another user")
    before = raw_rows(place)
    secret = place.drop_text(HEADER + GOOD, "secret.csv")
    nobody = 65534
    for folder, _, files in os.walk(place.folder):
        os.chown(folder, nobody, nobody)
        for name in files:
            os.chown(os.path.join(folder, name), nobody, nobody)
    os.chown(secret, 0, 0)
    os.chmod(secret, 0o600)
    top = place.folder
    while top != "/":
        top = os.path.dirname(top)
        if os.stat(top).st_mode & 0o005 != 0o005:
            os.chmod(top, os.stat(top).st_mode | 0o005)
    if not subprocess.run([place.program, "version"], user=nobody, capture_output=True, check=False).returncode == 0:
        pytest.skip("another user may not run the program where it was built")
    done = subprocess.run(place.command("sync"), cwd=place.folder, user=nobody, group=nobody, extra_groups=[],
                          env=place.environment, capture_output=True, text=True, check=False, timeout=60)
    told = done.stderr + json.dumps(place.json("rejected"))
    assert done.returncode in (0, 1, 12) and "secret.csv" in told, (done, told)
    os.chmod(secret, 0o644)
    check_that_nothing_is_lost(place, before, rows_may_grow=1)


MIRROR = CONFIGURATION.replace("mode: upsert, operation: _op", "mode: mirror")


def test_an_emptied_mirror_is_held_back(tmp_path):
    place = Place(tmp_path, MIRROR)
    text = text_of(inserts(visits(100)))
    place.drop_text(text, "all.csv")
    place.json("sync")
    for data in (text.splitlines()[0] + "\n", "", None):
        if data is None:
            os.remove(place.path("incoming", "all.csv"))
        else:
            place.drop_text(data, "all.csv")
        done = place.run("sync", codes=(1,))
        assert "--accept-deletes" in done.err, done
        assert place.json("status")["datasets"][0]["rows"] == 100
    place.drop_text(text, "all.csv")
    assert place.json("sync")["errors"] == []
    place.drop_text("\n".join(text.splitlines()[:41]) + "\n", "all.csv")
    place.run("sync", codes=(1,))
    assert place.json("sync", "--accept-deletes")["changes"]["deleted"] == 60
    assert all(line["exact"] for line in place.json("verify"))


def test_changed_content_of_a_file_that_only_grows_is_refused(tmp_path):
    place = Place(tmp_path, CONFIGURATION.replace("mode: upsert", "mode: append"))
    text = text_of(inserts(visits(80)))
    place.drop_text(text, "all.csv")
    place.json("sync")
    before = raw_rows(place)
    place.drop_text(text.replace("east", "west"), "all.csv")
    place.drop_text(GOOD_FILE, "more.csv")
    done = place.run("sync", codes=(1,))
    assert "all.csv" in done.err and "try: " in done.err, done
    after = raw_rows(place)
    assert set(before) < set(after) and len(after) == len(before) + 40


def folder_for_catalog(place):
    os.rename(place.catalog, place.path("kept.sqlite"))
    os.makedirs(place.catalog)


def undo_folder_for_catalog(place):
    os.rmdir(place.catalog)
    os.rename(place.path("kept.sqlite"), place.catalog)


def other_text_for_catalog(place):
    shutil.copy(place.catalog, place.path("kept.sqlite"))
    with open(place.catalog, "wb") as file:
        file.write(b"this is no database\n" * 1000)


def undo_other_text(place):
    shutil.copy(place.path("kept.sqlite"), place.catalog)


def file_for_data(place):
    shutil.move(place.path("hub", "data"), place.path("kept"))
    with open(place.path("hub", "data"), "w", encoding="utf-8"):
        pass


def undo_file_for_data(place):
    os.remove(place.path("hub", "data"))
    shutil.move(place.path("kept"), place.path("hub", "data"))


@pytest.mark.parametrize("spoil,mend,message", [
    (folder_for_catalog, undo_folder_for_catalog, "catalog.sqlite"),
    (other_text_for_catalog, undo_other_text, "catalog.sqlite"),
    (file_for_data, undo_file_for_data, "hub/data"),
], ids=["a folder for the catalog", "text for the catalog", "a file for the data's folder"])
def test_a_spoilt_hub_is_named(place, spoil, mend, message):
    before = raw_rows(place)
    place.drop(inserts(visits(700, seed=8, start=10_000)))
    spoil(place)
    done = place.run("sync", codes=(1, 12))
    assert message in done.err, done
    place.run("status", codes=None)
    mend(place)
    assert place.json("sync")["changes"]["inserted"] == 700
    check_that_nothing_is_lost(place, before, rows_may_grow=700)


@contextlib.contextmanager
def mounted(*words):
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        if os.environ.get("CI"):
            pytest.fail(f"mount {words}: {done.stderr}")
        pytest.skip(f"mount is refused here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", words[-1]], check=True)


def test_a_hub_that_may_only_be_read_is_read(place):
    before = raw_rows(place)
    place.drop(inserts(visits(10, seed=8, start=10_000)))
    hub = place.path("hub")
    with mounted("--bind", hub, hub):
        done = subprocess.run(["mount", "-o", "remount,bind,ro", hub], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"remount is refused here: {done.stderr.strip()}")
        done = place.run("sync", codes=(1, 12))
        assert "hub" in done.err and "error: " in done.err
        for line in ("status", "log", "verify", "export"):
            place.run(*line.split())
    check_that_nothing_is_lost(place, before, rows_may_grow=10)


def test_a_full_disk_loses_nothing(place, tmp_path):
    before = raw_rows(place)
    small = tmp_path / "small"
    small.mkdir()
    with mounted("-t", "tmpfs", "-o", "size=6m", "tmpfs", str(small)):
        folder = str(small / "place")
        shutil.copytree(place.folder, folder)
        full = Place(folder)
        full.count = place.count
        filler = os.path.join(small, "filler")
        told = []
        full.drop_text(text_of(inserts(visits(400, seed=8, start=10_000))), "b-lined.csv", order=50)
        full.drop_text(text_of(inserts(visits(3_000, seed=9, start=20_000))), "c-bulk.csv", order=51)
        for left in (4_096, 32_768, 65_536, 131_072, 196_608, 262_144):
            free = os.statvfs(small).f_bavail * os.statvfs(small).f_frsize
            with open(filler, "wb") as file:
                file.write(b"x" * (free - left))
            done = full.run("sync", codes=(0, 1))
            told.append(done.err)
            os.remove(filler)
            rows = set(full.run("export", "visits", "--layer", "raw").out.splitlines())
            assert set(before) <= rows
        assert "error: " in told[0] and any("space" in text or "full" in text for text in told), told
        assert full.json("sync")["errors"] == []
        assert full.json("status")["datasets"][0]["rows"] == 3_500
        assert all(line["exact"] for line in full.json("verify"))


def test_a_full_pipe_is_an_error(place):
    if not os.path.exists("/dev/full"):
        pytest.skip("this machine has no /dev/full")
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(place.command("export", "visits"), cwd=place.folder, env=place.environment, stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert done.returncode == 1 and "error: " in done.stderr


PREDICTED = [
    ("an empty file", "", None),
    ("a header without rows", "id,age,ward,weight\n", 0),
    ("a word for a number", "id,age,ward,weight\n1,old,east,70\n", None),
    ("no known column", "a,b\n1,2\n", None),
    ("an unknown ward", "id,age,ward,weight\n1,50,north,70\n", 0),
    ("missing features", "id,ward\n1,east\n", None),
    ("NaN and infinity", "id,age,ward,weight\n1,50,east,NaN\n2,50,east,inf\n", None),
    ("a huge number", "id,age,ward,weight\n1,50,east,1e300\n", None),
    ("only NUL bytes", "\0" * 1000, None),
]


@pytest.mark.parametrize("name,data,code", PREDICTED, ids=[row[0] for row in PREDICTED])
def test_predicting_from_bad_rows_answers_or_says_why(place, name, data, code):
    with open(place.path("new.csv"), "w", encoding="utf-8") as file:
        file.write(data)
    done = place.run("predict", "bp", "new.csv", codes=(0, 1) if code is None else (code,))
    if done.code == 0:
        for line in done.out.splitlines()[1:]:
            assert "nan" not in line.lower().split(",refused")[0] or line.split(",")[-1] != "", line
    else:
        assert done.err.startswith("error: ") and "new.csv" in done.err, done
