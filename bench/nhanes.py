"""Accuracy on real people, and what exactness costs: NHANES adults, five folds, beside scikit-learn on the same rows.

The model is made by `lockstep sync` and asked by `lockstep predict`, fold by fold (fold = SEQN % 5 is the test). The
peers are fitted in the same run on the same rows and the same columns.
"""

import csv
import json
import math
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "examples", "blood_pressure"))
import survey  # noqa: E402

NUMBERS = ["age", "weight", "height", "waist", "hdl", "cholesterol", "pulse"]
WORDS = ["sex", "ethnicity"]
CONFIGURATION = """
hub: {catalog: "sqlite:hub/catalog.sqlite", data: hub/data}
sources:
  people: {type: files, path: "people.csv"}
datasets:
  people:
    from: [people]
    key: [person]
    columns: {person: int, age: int, sex: text, ethnicity: text, weight: float, height: float, waist: float,
              pulse: float, hdl: float, cholesterol: float, sbp: float, dbp: float}
    train:
      - split: {where: "person % 5 == FOLD"}
models:
  bp:
    dataset: people
    features: [age, weight, height, waist, hdl, cholesterol, pulse, sex, ethnicity]
    targets: [sbp, dbp]
    expand: [one_hot: [sex, ethnicity], indicators, impute: {with: mean}, standardize, splines: 6,
             fourier: {features: 256, gamma: 0.02}]
    learner: {type: ridge, l2: auto}
"""


def number(text):
    return float(text) if text else math.nan


def mean(values):
    there = [value for value in values if not math.isnan(value)]
    return sum(there) / len(there) if there else math.nan


def adults():
    """Those of 18 and more; diastolic below 20 is no measurement; the mean of readings two and three, else the first."""
    out = []
    for person in survey.people():
        if not person["age"] or int(person["age"]) < 18:
            continue
        systolic = [number(person[f"sbp{reading}"]) for reading in (1, 2, 3)]
        diastolic = [number(person[f"dbp{reading}"]) for reading in (1, 2, 3)]
        diastolic = [value if value >= 20 else math.nan for value in diastolic]
        row = {name: person[name] for name in survey.COLUMNS}
        for target, readings in (("sbp", systolic), ("dbp", diastolic)):
            later = mean(readings[1:])
            row[target] = readings[0] if math.isnan(later) else later
        if not math.isnan(row["sbp"]) and not math.isnan(row["dbp"]):
            out.append(row)
    return out


def lockstep_fold(lockstep, people, fold):
    with tempfile.TemporaryDirectory(prefix="lockstep-bench-") as folder:
        with open(os.path.join(folder, "lockstep.yaml"), "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.replace("FOLD", str(fold)))
        with open(os.path.join(folder, "people.csv"), "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(people[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(people)
        subprocess.run([lockstep, "sync", "-q"], cwd=folder, check=True)
        done = subprocess.run([lockstep, "predict", "bp", "people.csv", "--no-interval"], cwd=folder, check=True,
                              stdout=subprocess.PIPE, text=True)
        rows = {row["person"]: row for row in csv.DictReader(done.stdout.splitlines())}
    return np.array([[float(rows[p["person"]][target]) for target in ("sbp", "dbp")]
                     for p in people if int(p["person"]) % 5 == fold])


def peers():
    numbers = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    columns = make_column_transformer((numbers, slice(0, len(NUMBERS))),
                                      (OneHotEncoder(handle_unknown="ignore"), slice(len(NUMBERS), None)))
    return {
        "scikit-learn ridge": lambda: make_pipeline(columns, Ridge(alpha=5)),
        "scikit-learn boosted trees": lambda: make_pipeline(
            make_column_transformer(("passthrough", slice(0, len(NUMBERS))),
                                    (OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                                     slice(len(NUMBERS), None))),
            HistGradientBoostingRegressor(learning_rate=0.05, max_iter=150, max_leaf_nodes=15, random_state=0)),
    }


def peer_fold(make, people, fold):
    table = np.array([[number(p[name]) for name in NUMBERS] + [p[name] for name in WORDS] for p in people], dtype=object)
    test = np.array([int(p["person"]) % 5 == fold for p in people])
    out = []
    for target in ("sbp", "dbp"):
        values = np.array([p[target] for p in people])
        model = make().fit(table[~test], values[~test])
        out.append(model.predict(table[test]))
    return np.array(out).T


def measure(predict, people):
    started = time.monotonic()
    errors = []
    for fold in range(5):
        truth = np.array([[p["sbp"], p["dbp"]] for p in people if int(p["person"]) % 5 == fold])
        errors.append(predict(people, fold) - truth)
    errors = np.concatenate(errors)
    return {"mae": np.abs(errors).mean(axis=0).tolist(), "rmse": np.sqrt((errors**2).mean(axis=0)).tolist(),
            "seconds": time.monotonic() - started}


def run(lockstep):
    people = adults()
    results = {"people": len(people), "models": {}}
    results["models"]["lockstep ridge, splines and Fourier features"] = measure(
        lambda rows, fold: lockstep_fold(lockstep, rows, fold), people)
    for name, make in peers().items():
        results["models"][name] = measure(lambda rows, fold, make=make: peer_fold(make, rows, fold), people)
    return results


def table(results):
    lines = [f"NHANES 2017-2018, {results['people']} adults, five folds (fold = SEQN % 5)",
             f"{'model':<46}{'MAE s/d':>16}{'RMSE s/d':>16}{'seconds':>9}"]
    for name, figures in results["models"].items():
        lines.append(f"{name:<46}{figures['mae'][0]:>9.2f} /{figures['mae'][1]:5.2f}"
                     f"{figures['rmse'][0]:>9.2f} /{figures['rmse'][1]:5.2f}{figures['seconds']:>9.1f}")
    return "\n".join(lines)


if __name__ == "__main__":
    measured = run(os.path.abspath(sys.argv[1]))
    print(table(measured))
    print(json.dumps(measured))
