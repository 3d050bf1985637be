#!/usr/bin/env python3
"""The main job on real data: a load, a stream of changes, corrections, withdrawals, two poisoned batches, and proof."""

import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

import survey

HERE = os.path.dirname(os.path.abspath(__file__))


class Demo:
    def __init__(self, lockstep, directory):
        self.lockstep = os.path.abspath(lockstep)
        self.directory = directory
        self.folder = survey.Folder(os.path.join(directory, "incoming"))
        shutil.copy(os.path.join(HERE, "lockstep.yaml"), directory)

    def run(self, *arguments, allow=(0,)):
        """A lockstep command as a user would type it; its JSON. Talk and progress go to the terminal."""
        command = [self.lockstep, *arguments, "--json"]
        done = subprocess.run(command, cwd=self.directory, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode not in allow:
            sys.exit(f"failed with exit code {done.returncode}: lockstep {' '.join(arguments)}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def sync(self):
        started = time.monotonic()
        report = self.run("sync")
        report["seconds"] = time.monotonic() - started
        if report["errors"]:
            sys.exit(json.dumps(report["errors"], indent=2))
        return report

    def champion(self):
        return self.run("status")["models"][0]["champion"]

    def version(self, number):
        return next(line for line in self.run("models", "bp", "--number", "1000000") if line["version"] == number)


def errors_text(version):
    targets = (version["metrics"] or {}).get("test", {}).get("targets", {})
    if not targets:
        return "-"
    return " / ".join(f"{targets[name]['mae']:.2f}" for name in ("sbp", "dbp"))


class Table:
    """What happened, a line each; printed as it happens."""

    def __init__(self):
        self.line("step", "commits", "rows +new ~upd -del", "champion", "test MAE s/d", "")
        self.line("-" * 56, "-" * 7, "-" * 19, "-" * 8, "-" * 12, "")

    def line(self, *cells):
        step, commits, rows, champion, error, note = cells
        print(f"{step:<57}{commits:>8}  {rows:<21}{champion:<10}{error:<15}{note}".rstrip(), flush=True)

    def sync(self, step, report, champion, version, note=""):
        changes = report["changes"]
        rows = f"+{changes['inserted']} ~{changes['updated']} -{changes['deleted']}"
        self.line(step, report.get("commits", 1), rows, f"v{champion}", errors_text(version), note)


def stream(demo, people, generator):
    changes = survey.events(people, seed=2)
    files = 0
    while changes:
        count = generator.randint(1, 50)
        demo.folder.write(changes[:count])
        changes = changes[count:]
        files += 1
    return files


def swapped(row):
    row = dict(row)
    for number in (1, 2, 3):
        row[f"sbp{number}"], row[f"dbp{number}"] = row[f"dbp{number}"], row[f"sbp{number}"]
    return row


def in_kilopascal(row):
    row = dict(row)
    for name in survey.READINGS:
        if row[name]:
            row[name] = f"{float(row[name]) / 7.50062:.2f}"
    return row


def adults_with_readings(people):
    return [person for person in people
            if person["age"] and int(person["age"]) >= 18 and len(survey.readings_of(person)) > 0]


def poison(demo, table, name, victims, change):
    """Feeds a bad batch; the gate must block it while the champion stays; then the batch is undone."""
    before = demo.champion()
    demo.folder.write([("U", change(survey.readings_of(person)[-1])) for person in victims], "poison")
    report = demo.sync()
    made = report["versions"][0]
    if made["status"] != "blocked" or demo.champion() != before:
        sys.exit(f"the gate did not block {name}: {made}")
    table.sync(f"poisoned batch: {name}", report, before, made, f"v{made['version']} BLOCKED: {made['reason']}")
    undone = demo.run("revert", str(report["snapshot"]))
    now = demo.champion()
    table.sync(f"  lockstep revert {report['snapshot']}", undone, now, undone["versions"][0], "the champion follows again")


def predictions(demo, people):
    path = os.path.join(demo.directory, "new_people.csv")
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, survey.COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        for index, person in enumerate(people):
            writer.writerow(person | {"person": 900_000 + index})
    output = os.path.join(demo.directory, "predictions.csv")
    demo.run("predict", "bp", path, "--output", output)
    with open(output, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    print("\nlockstep predict bp new_people.csv")
    for row, person in zip(rows, people):
        print(f"  {person['sex']:<7} of {person['age']:>2}: "
              f"{float(row['sbp']):5.1f} ({float(row['sbp_low']):5.1f} to {float(row['sbp_high']):5.1f}) / "
              f"{float(row['dbp']):4.1f} ({float(row['dbp_low']):4.1f} to {float(row['dbp_high']):5.1f})   "
              f"model v{row['model_version']}, data {row['data_version']}")


DUCKDB = """
import duckdb, importlib, sys
con = duckdb.connect(config={"extension_directory": sys.argv[2], "autoinstall_known_extensions": False})
for name in ("ducklake", "sqlite_scanner"):
    folder = importlib.import_module("duckdb_extension_" + name).__path__[0]
    con.execute(f"INSTALL '{folder}/extensions/v1.5.5/{name}.duckdb_extension'")
con.execute(f"ATTACH 'ducklake:sqlite:{sys.argv[1]}' AS lake (READ_ONLY)")
newest = con.execute("SELECT max(snapshot_id) FROM lake.snapshots()").fetchone()[0]
for version in (int(sys.argv[3]), newest):
    rows, mean = con.execute(f"SELECT count(*), avg(sbp) FROM lake.train.readings AT (VERSION => {version})").fetchone()
    print(f"  lake.train.readings AT (VERSION => {version}): {rows} rows, mean sbp {mean:.2f}")
"""


def foreign_reader(demo, old_snapshot):
    catalog = os.path.join(demo.directory, "hub", "catalog.sqlite")
    print(f"\nDuckDB, a foreign client:  ATTACH 'ducklake:sqlite:{catalog}' AS lake (READ_ONLY)", flush=True)
    subprocess.run([sys.executable, "-c", DUCKDB, catalog, os.path.join(demo.directory, "ext"), str(old_snapshot)],
                   check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lockstep", required=True, help="the lockstep program")
    parser.add_argument("--directory", help="where to work (default: a new folder, kept)")
    options = parser.parse_args()
    directory = options.directory or tempfile.mkdtemp(prefix="lockstep-demo-")
    demo = Demo(options.lockstep, directory)
    generator = random.Random(1)
    people = survey.people()
    generator.shuffle(people)
    half = len(people) // 2
    first, second = people[:half], people[half:]
    started = time.monotonic()
    print(f"NHANES 2017-2018: {len(people)} people, {sum(len(survey.readings_of(p)) for p in people)} readings.\n"
          f"Predict systolic/diastolic pressure of adults. Working in {directory}\n")
    table = Table()

    demo.folder.write([("I", survey.readings_of(p)[-1]) for p in first if survey.readings_of(p)], "load")
    load = demo.sync()
    load_version = load["versions"][0]
    table.sync("load of the first half", load, demo.champion(), load_version, "first fit")

    files = stream(demo, second, generator)
    streamed = demo.sync()
    newest = streamed["versions"][0]
    per_commit = streamed["seconds"] / files
    table.sync("stream: readings of the other half", streamed, demo.champion(), newest,
               f"{newest['blocked']} of {newest['made']} versions blocked, {1000 * per_commit:.1f} ms a commit")

    adults = adults_with_readings(people)
    generator.shuffle(adults)
    fixed = [dict(survey.readings_of(p)[-1], weight=f"{float(p['weight'] or 80) + 1:.1f}") for p in adults[:25]]
    demo.folder.write([("U", row) for row in fixed], "corrections")
    report = demo.sync()
    table.sync("25 weights corrected", report, demo.champion(), report["versions"][0])

    demo.folder.write([("D", {"person": p["person"]}) for p in adults[25:45]], "withdrawals")
    report = demo.sync()
    table.sync("20 people withdraw", report, demo.champion(), report["versions"][0])

    left = adults[45:]
    poison(demo, table, "systolic and diastolic swapped, 200 rows", left[:200], swapped)
    poison(demo, table, "kPa for mmHg, 200 rows", left[200:400], in_kilopascal)

    head = demo.champion()
    back = demo.run("rollback", "bp", "--to", str(load_version["version"]))
    table.line("lockstep rollback bp --to 1", "", "", f"v{back['version']}", errors_text(demo.version(back["version"])), "")
    forward = demo.run("alias", "set", "bp", "champion", "latest")
    table.line("lockstep alias set bp champion latest", "", "", f"v{forward['version']}",
               errors_text(demo.version(forward["version"])), "")
    if forward["version"] != head:
        sys.exit(f"the champion is v{forward['version']}, not v{head}")

    before = time.monotonic()
    proof = demo.run("verify")
    retrain = time.monotonic() - before
    print()
    for line in proof:
        print(f"lockstep verify: {line['model']}@{line['version']} retrained from {line['rows']} rows: "
              f"{'identical, bit for bit' if line['exact'] else 'DIFFERENT'}\n"
              f"  weights {line['weights_sha256']}\n  retrain {line['retrained_weights_sha256']}")
    if not all(line["exact"] for line in proof):
        sys.exit("verify found a difference")
    print(f"\n{files} changes of data became {newest['made']} model versions in {streamed['seconds']:.1f} s. "
          f"A full retrain after each\n(measured: {retrain:.2f} s one) would have taken {files * retrain:.0f} s, "
          f"{files * retrain / streamed['seconds']:.0f} times as long.")

    predictions(demo, adults_with_readings(people)[400:405])
    foreign_reader(demo, load["snapshot"])
    print(f"\nDone in {time.monotonic() - started:.1f} s. Look further:\n  cd {directory}\n"
          f"  {demo.lockstep} status\n  {demo.lockstep} log\n  {demo.lockstep} diff bp@1 bp\n"
          f"  {demo.lockstep} show -1")


if __name__ == "__main__":
    main()
