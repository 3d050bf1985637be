"""`lockstep run`: follows the sources, takes commands over its socket, and ends when it is told to."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import conftest
from conftest import Place, inserts, visits


@pytest.fixture
def daemon(tmp_path):
    place = Place(tmp_path)
    rows = visits(100)
    place.drop(inserts(rows))
    process = place.start("run")
    place.rows = rows
    place.process = process
    conftest.wait_until(lambda: os.path.exists(place.path("hub", "lockstep.sock")), what="the socket")
    conftest.wait_until(lambda: raw_rows(place) == 100, what="the first commit")
    yield place
    if process.poll() is None:
        conftest.stop(process, signal.SIGKILL)


def raw_rows(place):
    done = place.run("status", "--json", codes=(0, 10))
    return done.json["datasets"][0]["rows"] if done.code == 0 else 0


def test_a_dropped_file_is_committed_within_moments(daemon):
    for number in range(5):
        started = time.monotonic()
        daemon.drop(inserts(visits(3, seed=number, start=1_000 + 10 * number)))
        conftest.wait_until(lambda: raw_rows(daemon) == 100 + 3 * (number + 1), what="the commit")
        assert time.monotonic() - started < 5
    versions = daemon.json("models")
    assert [version["version"] for version in versions] == list(range(len(versions), 0, -1))
    assert len(versions) >= 5


def test_commands_reach_the_hub_through_its_socket(daemon):
    before = daemon.json("models")[0]
    daemon.drop([("U", dict(row, sbp="150")) for row in daemon.rows[:20]])
    conftest.wait_until(lambda: len(daemon.json("models")) == 2, what="the second version")
    undone = daemon.json("revert", "-1")
    assert undone["changes"]["updated"] == 20
    after = daemon.json("models")[0]
    assert after["version"] == 3 and after["weights_sha256"] == before["weights_sha256"]
    assert daemon.json("rollback", "bp", "--to", "2")["version"] == 2
    assert daemon.json("status")["models"][0]["champion"] == 2
    daemon.json("alias", "set", "bp", "champion", "latest")
    assert daemon.json("status")["models"][0]["champion"] == 3
    assert daemon.json("sync")["errors"] == []
    daemon.json("recalibrate", "bp")
    refused = daemon.run("rollback", "bp", "--to", "99", codes=(1,))
    assert refused.err.startswith("error: ")
    assert "there is no model" in daemon.run("rollback", "bq", codes=(1,)).err
    assert daemon.process.poll() is None


def test_reading_commands_work_beside_it(daemon, duck):
    for line in ("status", "log", "show", "diff", "models", "rejected", "alias list", "verify", "export", "check",
                 "preview"):
        assert daemon.run(*line.split()).out, line
    status = daemon.json("status")
    assert status["writer"]["running"] is True and status["writer"]["pid"] == daemon.process.pid
    (answer,) = duck.ask(daemon.catalog, ["SELECT count(*) FROM lake.raw.visits"])
    assert answer == [("100",)]


def test_other_writers_are_told_to_wait(daemon):
    done = daemon.run("sync", "--apply", codes=(11,))
    assert done.err.startswith("error: ") and str(daemon.process.pid) in done.err, done
    assert daemon.process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(daemon, number):
    started = time.monotonic()
    code, out, err = conftest.stop(daemon.process, number)
    assert code == 0, err
    assert time.monotonic() - started < 5
    assert out == "" and "stopped" in err
    assert daemon.json("status")["writer"]["running"] is False
    assert daemon.json("sync")["errors"] == []
    assert all(line["exact"] for line in daemon.json("verify"))


def test_a_signal_amid_commits_finishes_the_one_in_hand(daemon):
    for number in range(20):
        daemon.drop(inserts(visits(5, seed=number, start=2_000 + 10 * number)))
    time.sleep(0.1)
    code, _, err = conftest.stop(daemon.process)
    assert code == 0, err
    daemon.json("sync")
    assert raw_rows(daemon) == 200
    assert all(line["exact"] for line in daemon.json("verify"))


def test_what_a_killed_one_leaves_hinders_nobody(daemon):
    conftest.stop(daemon.process, signal.SIGKILL)
    daemon.drop(inserts(visits(5, seed=1, start=3_000)))
    assert daemon.json("sync")["changes"]["inserted"] == 5
    again = daemon.start("run")
    try:
        daemon.drop(inserts(visits(5, seed=2, start=4_000)))
        conftest.wait_until(lambda: raw_rows(daemon) == 110, what="the commit of the second daemon")
    finally:
        code, _, err = conftest.stop(again)
    assert code == 0, err


def test_a_bad_file_is_told_once_and_stops_nothing(daemon):
    daemon.drop_text("_op,id\nI,1\n", "short.csv")
    daemon.drop(inserts(visits(5, seed=1, start=3_000)))
    conftest.wait_until(lambda: raw_rows(daemon) == 105, what="the commit of the good file")
    time.sleep(1)
    code, _, err = conftest.stop(daemon.process)
    assert code == 0
    assert err.count("short.csv") <= 2, err


def test_nonsense_on_the_socket_ends_nothing(daemon):
    import socket
    for message in (b"no json\n", b"{}\n", b'{"command": 7}\n', b'{"command": "shutdown"}\n', b"[1]\n", b"", b"half"):
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(20)
            caller.connect(daemon.path("hub", "lockstep.sock"))
            caller.sendall(message)
            if message.endswith(b"\n"):
                assert b'"error"' in caller.recv(65_536), message
    assert daemon.json("sync")["errors"] == []
    assert daemon.process.poll() is None


def test_readers_amid_commits_see_whole_snapshots(daemon):
    stop_at = time.monotonic() + 4
    codes = []

    def read(line):
        while time.monotonic() < stop_at:
            done = daemon.run(*line.split(), codes=None)
            codes.append((line, done.code, done.err))

    with ThreadPoolExecutor(4) as threads:
        for line in ("status --json", "export --layer raw", "verify --quick", "models"):
            threads.submit(read, line)
        for number in range(30):
            daemon.drop(inserts(visits(5, seed=number, start=5_000 + 10 * number)))
            time.sleep(0.1)
    assert len(codes) > 20
    assert [line for line in codes if line[1] != 0] == []
    conftest.wait_until(lambda: raw_rows(daemon) == 250, what="the last commit")


def test_many_writers_at_once_do_the_work_once(tmp_path):
    place = Place(tmp_path)
    for number in range(10):
        place.drop(inserts(visits(20, seed=number, start=100 * number)))
    writers = [place.start("sync", "--json") for _ in range(6)]
    codes = [conftest.stop(writer, 0, seconds=60)[0] for writer in writers]
    assert set(codes) <= {0, 11} and 0 in codes, codes
    place.json("sync")
    assert raw_rows(place) == 200
    assert all(line["exact"] for line in place.json("verify"))
