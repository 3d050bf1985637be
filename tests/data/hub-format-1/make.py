"""How this hub was made, by the program of format 1: python make.py PROGRAM FOLDER.

Rows in Parquet and inlined rows, updates and deletes of both, a rejected row, a model with versions, a revert, a
rollback and an alias set by hand. What that program said of it stands in expected.json, exports as their SHA-256.
"""

import gzip
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys

CONFIGURATION = """\
hub: {catalog: "sqlite:hub/catalog.sqlite", data: hub/data}
sources:
  drop: {type: files, path: "incoming/*.csv", mode: upsert, operation: _op}
datasets:
  visits:
    from: [drop]
    key: [id]
    columns: {id: int, age: int, ward: text, weight: float, sbp: float, seen: date}
    clean:
      - filter: "age >= 18"
      - range: {columns: [sbp], min: 40, max: 300, otherwise: reject}
    train:
      - split: {by: id, test: 0.2}
models:
  bp:
    dataset: visits
    features: [age, weight, ward]
    targets: [sbp]
    expand:
      - one_hot: [ward]
      - impute: {with: mean}
      - standardize
    learner: {type: ridge, l2: auto}
    calibrate_after: 60 rows
    gate: off
"""
COLUMNS = ["id", "age", "ward", "weight", "sbp", "seen"]


def visit(number, generator):
    age = generator.randint(12, 90)
    return {"id": number, "age": age, "ward": generator.choice(["", "east", "Übersee"]),
            "weight": "" if generator.random() < 0.1 else f"{generator.gauss(75, 12):.1f}",
            "sbp": f"{90 + age // 2 + generator.gauss(0, 8):.2f}", "seen": f"2026-0{generator.randint(1, 9)}-15"}


def main(program, folder):
    os.makedirs(f"{folder}/incoming")
    with open(f"{folder}/lockstep.yaml", "w", encoding="utf-8") as file:
        file.write(CONFIGURATION)

    def lockstep(*words):
        return subprocess.run([program, *words], cwd=folder, check=True, capture_output=True, text=True).stdout

    count = 0

    def drop(changes):
        nonlocal count
        count += 1
        path = f"{folder}/incoming/{count:02d}.csv"
        with open(path, "w", encoding="utf-8") as file:
            file.write(",".join(["_op"] + COLUMNS) + "\n")
            for operation, row in changes:
                file.write(",".join([operation] + [str(row.get(name, "")) for name in COLUMNS]) + "\n")
        os.utime(path, (1_700_000_000 + count, 1_700_000_000 + count))
        lockstep("sync")

    generator = random.Random(4)
    rows = [visit(number, generator) for number in range(1, 621)]
    drop([("I", row) for row in rows])  # more than 500: a Parquet file
    drop([("I", visit(number, generator)) for number in range(700, 720)])  # inlined
    drop([("U", dict(row, sbp="133.25")) for row in rows[:5]] + [("D", {"id": 710}), ("D", {"id": 20})])
    drop([("U", dict(rows[9], sbp="999")), ("I", dict(rows[0], id=800, ward="north, upper", sbp="nan"))])
    lockstep("revert", "-2", "--keep-later")
    lockstep("rollback", "bp", "--to", "2")
    lockstep("alias", "set", "bp", "challenger", "3")
    expected = {line: json.loads(lockstep(*line.split(), "--json")) for line in
                ("status", "log", "models", "alias history", "rejected", "verify", "diff 6 latest")}
    expected |= {line: hashlib.sha256(lockstep(*line.split()).encode()).hexdigest() for line in
                 [f"export visits --layer {layer} --at {at}" for layer in ("raw", "clean", "train")
                  for at in (3, 4, 5, "latest")]}
    with open(f"{folder}/expected.json", "w", encoding="utf-8") as file:
        json.dump(expected, file, indent=1, ensure_ascii=False, sort_keys=True)
        file.write("\n")
    with open(f"{folder}/hub/catalog.sqlite", "rb") as file:
        packed = gzip.compress(file.read(), 9, mtime=0)
    with open(f"{folder}/hub/catalog.sqlite.gz", "wb") as file:
        file.write(packed)
    for name in ("catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm", "catalog.sqlite.lock", "catalog.sqlite.writer"):
        if os.path.exists(f"{folder}/hub/{name}"):
            os.remove(f"{folder}/hub/{name}")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), sys.argv[2])
