"""DuckDB judges random histories of a hub, and its own maintenance changes nothing that a snapshot holds.

Run as: LOCKSTEP_TEST_HUB=build/<name>/test_hub pytest tests/e2e/hub_proof_test.py
A failure names its seed and the command that repeats it. `make soak` goes on for as long as it is told.
"""

import argparse
import os
import shutil

import pytest

if not os.environ.get("CI"):
    pytest.importorskip("duckdb")
import hub_proof

OPTIONS = argparse.Namespace(steps=8, questions=1, shared=False)
HISTORIES = int(os.environ.get("LOCKSTEP_HISTORIES") or (300 if os.environ.get("CI") else 60))


def require_binary():
    if os.access(hub_proof.hub_binary(), os.X_OK):
        return
    if os.environ.get("CI"):
        pytest.fail("LOCKSTEP_TEST_HUB does not name the hub's test binary")
    pytest.skip("LOCKSTEP_TEST_HUB does not name the hub's test binary")


def test_duckdb_agrees_with_random_histories():
    require_binary()
    histories, snapshots = hub_proof.prove(range(1, HISTORIES + 1), OPTIONS)
    assert histories == HISTORIES
    assert snapshots >= 8 * HISTORIES


def test_histories_that_duckdb_and_the_hub_write_in_turn():
    require_binary()
    count = max(1, HISTORIES // 10)
    shared = argparse.Namespace(steps=8, questions=1, shared=True)
    histories, snapshots = hub_proof.prove(range(2001, 2001 + count), shared)
    assert histories == count
    assert snapshots >= 6 * count


@pytest.fixture
def judged(tmp_path):
    """Driver and connection, for histories one after another."""
    require_binary()
    driver, connection = hub_proof.HubDriver(hub_proof.hub_binary()), hub_proof.connect(str(tmp_path))
    yield driver, connection
    connection.close()
    driver.close()


def expire(connection, history):
    """The older half of the history goes, but never the newest snapshot."""
    numbers = sorted(history.states)
    gone = numbers[: len(numbers) // 2]
    listed = ", ".join(map(str, gone))
    connection.execute(f"CALL ducklake_expire_snapshots('lake', versions => [{listed}])")
    connection.execute("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)")
    for number in gone:
        del history.states[number]


@pytest.mark.parametrize("seed", range(1001, 1007))
def test_maintenance_by_duckdb_leaves_a_hub_equal(judged, tmp_path, seed):
    driver, connection = judged
    with hub_proof.Run(driver, connection, seed, OPTIONS) as run:
        run.write()
        driver.ask("close")
        copy = str(tmp_path / "copy")
        shutil.copytree(run.folder, copy)
        driver.ask("open", folder=copy)  # a copy tells DuckDB where its files lie now
        driver.ask("close")
        judge = hub_proof.Judge(connection, run.history, copy, questions=1, read_only=False)
        for calls in [*hub_proof.MAINTENANCE, hub_proof.MAINTENANCE[1]]:
            for call in calls:
                connection.execute(call)
            if "rewrite" in calls[-1]:
                # It narrows the table's statistics to the rows of the newest snapshot, and DuckDB then answers
                # `x IS NULL` at older ones by them: from here on those are read whole, without conditions.
                # And whoever attaches at a snapshot from before a column was widened fails on its new bounds.
                judge.questions = 0
                judge.attaches = False
            judge.states()
        judge.newest()
        expire(connection, run.history)
        judge.states()
        driver.ask("open", folder=copy, read_only=True)
        hub_proof.hub_reads(driver, run.history)
        # The hub that was copied knows nothing of all this.
        driver.ask("open", folder=run.folder, read_only=True)
        hub_proof.hub_reads(driver, run.history)
