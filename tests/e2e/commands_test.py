"""Every command on a small hub: text in a pipe, JSON, exit codes, help, and what a mistake is answered."""

import json
import os
import random

import pytest

from conftest import Place, csv_rows, inserts, visits

COMMANDS = ["init", "check", "preview", "sync", "run", "status", "log", "show", "diff", "export", "rejected", "models",
            "predict", "verify", "alias set", "alias list", "alias history", "rollback", "accept", "recalibrate",
            "revert", "pause", "resume", "resync", "wait", "tag", "compact", "gc", "backup", "restore", "doctor", "repair",
            "version", "help", "manual", "completion"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A hub with a load, an update, a delete, and a model that has followed them."""
    made = Place(tmp_path_factory.mktemp("small"))
    rows = visits(120)
    made.drop(inserts(rows))
    made.json("sync")
    made.drop([("U", dict(row, sbp="133.5")) for row in rows[:5]])
    made.json("sync")
    made.drop([("D", {"id": row["id"]}) for row in rows[5:8]])
    made.json("sync")
    return made


def has(report, names):
    missing = [name for name in names.split() if name not in report]
    assert not missing, f"{missing} are not in {json.dumps(report)[:500]}"


# Command, the documented fields of its report, or of each of its lines.
READING = [
    ("check", "level what message hint"),
    ("preview", "dataset source raw clean train rejected model prediction"),
    ("status", "in_lockstep reason snapshot commit time hub datasets models sources writer"),
    ("log", "commit snapshot kind time inserted updated deleted rejected message versions"),
    ("show", "commit snapshot kind time inserted updated deleted rejected message versions tables"),
    ("diff", "from to tables rows"),
    ("diff bp@1 bp", "from to same_definition rows metrics weights"),
    ("models", "model version snapshot kind status reason folded tested refused unlabelled fingerprint "
               "weights_sha256 definition metrics aliases duration_ms"),
    ("rejected", "dataset source record stage reason row"),
    ("alias list", "id model alias version follow time who why"),
    ("alias history", "id model alias version follow time who why"),
    ("verify", "model version snapshot exact fingerprint weights_sha256 retrained_weights_sha256 differences rows"),
    ("version", "version"),
]


@pytest.mark.parametrize("line,fields", READING, ids=[line for line, _ in READING])
def test_a_reading_command_has_its_documented_fields(small, line, fields):
    report = small.json(*line.split())
    if isinstance(report, list):
        assert report, f"lockstep {line} --json is empty"
        for item in report:
            has(item, fields)
    else:
        has(report, fields)


@pytest.mark.parametrize("line", [line for line, _ in READING])
def test_a_pipe_gets_plain_text(small, line):
    done = small.run(*line.split())
    assert done.out.strip()
    assert "\x1b" not in done.out + done.err
    assert done.err == ""


def test_sync_reports_what_it_did(small):
    report = small.json("sync")
    has(report, "snapshot changes rejected commits versions duration_s errors")
    has(report["changes"], "inserted updated deleted")
    assert small.run("sync").out.startswith("snapshot ")


def test_log_counts_what_was_dropped(small):
    counts = [(line["inserted"], line["updated"], line["deleted"]) for line in small.json("log")
              if line["kind"] == "changes"]
    assert counts == [(0, 0, 3), (0, 5, 0), (120, 0, 0)]


def test_status_is_in_lockstep(small):
    status = small.json("status")
    assert status["in_lockstep"] is True
    has(status["datasets"][0], "name rows clean train rejected")
    has(status["models"][0], "name champion newest status latched why behind_commits metrics")
    has(status["sources"][0], "name type position")
    assert status["datasets"][0]["rows"] == 117
    small.run("status", "--exit-code")


def test_every_model_version_names_its_snapshot(small):
    versions = small.json("models")
    assert [version["version"] for version in versions] == [3, 2, 1]
    snapshots = [line["snapshot"] for line in small.json("log") if line["kind"] == "changes"]
    assert [version["snapshot"] for version in versions] == snapshots
    assert versions[0]["aliases"] == ["champion"]


def test_verify_is_exact_for_each_version(small):
    for version in (1, 2, 3):
        for flags in ([], ["--quick"]):
            (line,) = small.json("verify", f"bp@{version}", *flags)
            assert line["exact"] is True
            assert line["weights_sha256"] == line["retrained_weights_sha256"]


def test_export_writes_every_format_alike(small, tmp_path):
    text = small.run("export", "visits").out
    for ending in ("csv", "csv.gz", "csv.zst", "tsv", "ndjson", "parquet"):
        output = str(tmp_path / f"rows.{ending}")
        report = small.json("export", "visits", "--output", output)
        has(report, "dataset layer snapshot rows")
        assert report["rows"] == len(csv_rows(text))
        if ending == "csv":
            assert open(output, encoding="utf-8").read() == text


def test_predict_names_model_and_data(small, tmp_path):
    new = tmp_path / "new.csv"
    new.write_text("id,age,ward,weight\n901,50,east,80\n902,17,east,80\n", encoding="utf-8")
    rows = csv_rows(small.run("predict", "bp", new).out)
    assert [row["id"] for row in rows] == ["901", "902"]
    assert 60 < float(rows[0]["sbp"]) < 200
    assert float(rows[0]["sbp_low"]) < float(rows[0]["sbp"]) < float(rows[0]["sbp_high"])
    assert rows[0]["model_version"] == "3" and rows[0]["refused"] == ""
    assert rows[1]["sbp"] == "" and rows[1]["refused"] != ""
    output = str(tmp_path / "predictions.csv")
    report = small.json("predict", "bp@1", new, "--output", output, "--no-interval")
    has(report, "model version snapshot rows refused")
    assert (report["version"], report["rows"], report["refused"]) == (1, 2, 1)
    assert "sbp_low" not in open(output, encoding="utf-8").readline()


@pytest.fixture
def changing(tmp_path):
    made = Place(tmp_path)
    rows = visits(100)
    made.drop(inserts(rows))
    made.json("sync")
    made.drop([("U", dict(row, sbp="140")) for row in rows[:10]])
    made.json("sync")
    return made


def test_rollback_holds_and_latest_lets_go(changing):
    report = changing.json("rollback", "bp")
    assert report["version"] == 1
    status = changing.json("status")
    assert status["models"][0]["champion"] == 1 and status["in_lockstep"] is False
    changing.run("status", "--exit-code", codes=(4,))
    changing.json("alias", "set", "bp", "champion", "latest")
    assert changing.json("status")["models"][0]["champion"] == 2
    changing.json("alias", "set", "bp", "trusted", "1", "--why", "it held")
    assert changing.run("predict", "bp@trusted", changing.path("incoming", "000001-changes.csv")).out
    history = changing.json("alias", "history", "bp")
    assert any(event["alias"] == "trusted" and event["why"] == "it held" for event in history)


def test_revert_gives_the_bits_back(changing):
    before = next(line for line in changing.json("models") if line["version"] == 1)
    undone = changing.json("revert", "-1")
    has(undone, "snapshot changes versions")
    assert undone["changes"]["updated"] == 10
    after = changing.json("models")[0]
    assert after["kind"] == "revert"
    assert (after["fingerprint"], after["weights_sha256"]) == (before["fingerprint"], before["weights_sha256"])
    first = changing.run("export", "visits", "--layer", "train", "--at", before["snapshot"]).out
    assert changing.run("export", "visits", "--layer", "train").out == first
    changing.json("sync")
    assert changing.run("export", "visits", "--layer", "train").out == first


def test_recalibrate_makes_another_definition(changing):
    changing.drop(inserts(visits(200, seed=7, start=1000)))
    changing.json("sync")
    before = changing.json("models")[0]
    changing.json("recalibrate", "bp")
    after = changing.json("models")[0]
    assert after["version"] == before["version"] + 1 and after["kind"] == "recalibration"
    assert all(line["exact"] for line in changing.json("verify"))


def test_accept_answers(changing):
    done = changing.run("accept", "bp", codes=None)
    assert done.code in (0, 1), done


# Words, exit code, what standard error says.
MISTAKES = [
    ("snyc", 2, "sync"),
    ("stauts", 2, "status"),
    ("undo", 2, "revert"),
    ("alias", 2, "needs a verb"),
    ("alias sett bp champion 1", 2, "alias set"),
    ("sync --aply", 2, "--apply"),
    ("log -n zero", 2, "whole number"),
    ("log -n 0", 2, "at least 1"),
    ("export --layer cleen", 2, "clean"),
    ("predict bp", 2, "needs FILE"),
    ("predict bp nowhere.csv", 1, "nowhere.csv"),
    ("predict bq incoming/000001-changes.csv", 1, "bq"),
    ("predict bp@99 incoming/000001-changes.csv", 1, "99"),
    ("show 999", 1, "999"),
    ("show -99", 1, "snapshots with data"),
    ("diff 2 1", 2, "not before"),
    ("export visit", 1, "visits"),
    ("rollback pb", 1, "bp"),
    ("alias set bp champion first", 2, "neither a number nor 'latest'"),
    ("alias set bp champion 99", 1, "99"),
    ("revert 0", 1, "holds no changes"),
    ("revert soon", 2, "names no snapshot"),
    ("revert 1 --keep-later --overwrite", 2, "exclude each other"),
    ("verify bp@99", 1, "99"),
    ("help nothing", 2, "nothing"),
    ("completion cmd", 2, "bash"),
    ("status --config other.yaml", 1, "lockstep init"),
    ("init incoming/000001-changes.csv", 1, "--force"),
]


@pytest.mark.parametrize("line,code,text", MISTAKES, ids=[line for line, _, _ in MISTAKES])
def test_a_mistake_has_its_exit_code_and_a_next_step(small, line, code, text):
    done = small.run(*line.split(), codes=(code,))
    assert done.out == ""
    assert done.err.startswith("error: ") and text in done.err, done
    output = ["--output", "unwritten.csv"] if line.split()[0] in ("export", "predict") else []
    shown = small.run(*line.split(), "--json", *output, codes=(code,)).err.strip().splitlines()
    error = json.loads(shown[-1])["error"]
    has(error, "code message hint")
    assert text in error["message"] + error["hint"]


def test_json_and_rows_do_not_share_an_output(small):
    for line in ("export --json", "predict bp incoming/000001-changes.csv --json"):
        assert "--output" in json.loads(small.run(*line.split(), codes=(2,)).err)["error"]["hint"]


def test_exit_codes_that_need_their_own_hub(tmp_path):
    made = Place(tmp_path)
    for line in ("status", "log", "models", "export", "verify", "predict bp x.csv", "rejected"):
        assert "lockstep sync" in made.run(*line.split(), codes=(10,)).err
    made.drop(inserts(visits(30)))
    made.run("sync", "--strict", codes=(3,))
    made.run("diff", "0", "latest", "--exit-code", codes=(4,))
    made.run("diff", "latest", "latest", "--exit-code", codes=(0,))
    made.configure("datasets: {}\n")
    made.run("check", codes=(1,))


def test_a_second_writer_is_told_who_holds_the_hub(small):
    import conftest
    daemon = small.start("run")
    try:
        conftest.wait_until(lambda: os.path.exists(small.path("hub", "lockstep.sock")), what="the socket")
        small.run("sync", "--apply", codes=(11,))
    finally:
        code, _, err = conftest.stop(daemon)
    assert code == 0, err


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example_first(small, name):
    done = small.run(*name.split(), "--help")
    assert f"lockstep {name}" in done.out.splitlines()[0]
    assert f"Usage: lockstep {name}" in done.out and "Exit codes:" in done.out


def test_the_list_of_commands_is_whole(small):
    welcome = small.run().out
    for name in COMMANDS:
        if name not in ("manual", "help", "version", "completion"):
            assert f"\n  {name} " in welcome, name
    manual = small.run("manual").out
    listed = [line[len("## lockstep "):] for line in manual.splitlines() if line.startswith("## lockstep ")]
    assert set(listed) <= set(COMMANDS), "a command has no test here"
    for topic in ("exit-codes", "environment", "formats", "words"):
        assert small.run("help", topic).out
    json.loads(small.run("manual", "schema").out)
    for shell in ("bash", "zsh", "fish"):
        assert "lockstep" in small.run("completion", shell).out


def test_init_writes_a_configuration_that_works(tmp_path):
    made = Place(tmp_path)
    os.remove(made.path("lockstep.yaml"))
    generator = random.Random(3)
    lines = ["patient;visit;age;ward;dose;outcome"]
    for patient in range(300):
        for number in range(2):
            age = generator.randint(18, 90)
            dose = "NA" if generator.random() < 0.05 else f"{generator.random() * 10:.2f}".replace(".", ",")
            ward = generator.choice(["a", "b"])
            lines.append(f"{patient};{number};{age};{ward};{dose};{age / 2:.1f}".replace(".", ","))
    with open(made.path("trial.csv"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    report = made.json("init", "trial.csv")
    assert report["key"] == ["patient", "visit"] and report["targets"] == ["outcome"]
    assert all(line["level"] != "fail" for line in made.json("check"))
    assert made.json("preview")["prediction"]
    synced = made.json("sync")
    assert synced["changes"]["inserted"] == 600 and synced["rejected"] == 0 and synced["errors"] == []
    with open(made.path("new.csv"), "w", encoding="utf-8") as file:
        file.write("patient,visit,age,ward,dose\n900,0,40,a,1.5\n")
    (row,) = csv_rows(made.run("predict", report["model"], "new.csv").out)
    assert abs(float(row["outcome"]) - 20) < 2
    assert all(line["exact"] for line in made.json("verify"))
