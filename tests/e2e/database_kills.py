"""What the kill tests of followed databases share: who is killed, and what must be true afterwards.

Each transaction of a client ends with the sums of the table as it leaves it, in a table of one row. So every snapshot of
the hub tells itself whether it is one of the states that the database was in.
"""

import os
import time

import conftest

SECONDS = float(os.environ.get("LOCKSTEP_SOAK_S", "20"))
SEED = int(os.environ.get("LOCKSTEP_TEST_SEED", "11"))
CLIENTS = 4
KEYS = 300
SUMS = "count(*) AS row_count, coalesce(sum(id * 7 + x * 3 + length(note)), 0)::bigint AS total"
DATASETS = """datasets:
  t: {{from: [clinic.{schema}.t], key: [id], columns: {{id: int, x: int, y: float, note: text}}}}
  state: {{from: [clinic.{schema}.state], key: [one], columns: {{one: int, number: int, row_count: int, total: int}}}}
models:
  line:
    dataset: t
    features: [x]
    targets: [y]
    expand: [impute, standardize]
    calibrate_after: 50 rows
    gate: off
"""


def disturb(place, server, proxy, generator, seconds=SECONDS):
    """For a while: kills of the follower, of its connection at any byte, and crashes of the server."""
    kills = 0
    end = time.monotonic() + seconds
    process = place.start("run")
    while time.monotonic() < end:
        time.sleep(generator.uniform(0.2, 1.2))
        kind = generator.random()
        if kind < 0.5:
            process.kill()
            process.communicate()
            process = place.start("run")
        elif kind < 0.7:
            proxy.cut()
        elif kind < 0.8:
            proxy.half_close()
        elif kind < 0.87:
            proxy.hold(0.5)
        else:
            server.stop(at_once=True)
            server.start()
        kills += 1
    conftest.stop(process)
    return kills


def check_snapshots(place, duck, may_be_empty=False):
    """Every snapshot is a state that the database was in, and they come in its order. `may_be_empty`: a truncate is a
    transaction of its own, which tells no sums."""
    [[*snapshots]] = duck.ask(place.catalog, ["SELECT snapshot_id FROM lake.snapshots() ORDER BY 1"])
    questions = []
    for (snapshot,) in snapshots:
        at = f"AT (VERSION => {snapshot})"
        questions.append(f"SELECT number, row_count, total FROM lake.raw.state {at}")
        questions.append(f"SELECT {SUMS} FROM lake.raw.t {at}")
    copied = first_full(place)
    first = next(index for index, (snapshot,) in enumerate(snapshots) if int(snapshot) >= copied)
    answers = duck.ask(place.catalog, questions[2 * first :])
    numbers = []
    for stated, found in zip(answers[::2], answers[1::2], strict=True):
        number, row_count, total = (int(cell) for cell in stated[0])
        numbers.append(number)
        is_empty = may_be_empty and found[0][0] == "0"
        assert number == 0 or is_empty or (row_count, total) == tuple(int(cell) for cell in found[0]), f"at transaction {number}"
    assert numbers == sorted(numbers)
    return numbers


def first_full(place):
    """The snapshot of the copy: before it the tables are made, and have no rows."""
    log = place.json("log", "--number", 1_000_000)
    return min(line["snapshot"] for line in log if line["inserted"] > 0)
