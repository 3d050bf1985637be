"""The NHANES 2017-2018 survey as a stream of changes: who was measured, and when each reading came in."""

import csv
import glob
import os
import random
import sys

COLUMNS = ["person", "age", "sex", "ethnicity", "weight", "height", "waist", "pulse", "hdl", "cholesterol"]
READINGS = ["sbp1", "dbp1", "sbp2", "dbp2", "sbp3", "dbp3"]
HEADER = ["_op"] + COLUMNS + READINGS
SOURCE = {
    "person": "SEQN",
    "age": "AgeInYearsAtScreening",
    "sex": "Gender",
    "ethnicity": "RacehispanicOriginWNhAsian",
    "weight": "WeightKg",
    "height": "StandingHeightCm",
    "waist": "WaistCircumferenceCm",
    "pulse": "60SecPulse30SecPulse2",
    "hdl": "DirectHdlcholesterolMgdl",
    "cholesterol": "TotalCholesterolMgdl",
    "sbp1": "SystolicBloodPres1StRdgMmHg",
    "dbp1": "DiastolicBloodPres1StRdgMmHg",
    "sbp2": "SystolicBloodPres2NdRdgMmHg",
    "dbp2": "DiastolicBloodPres2NdRdgMmHg",
    "sbp3": "SystolicBloodPres3RdRdgMmHg",
    "dbp3": "DiastolicBloodPres3RdRdgMmHg",
}


def path():
    found = glob.glob(os.path.join(sys.prefix, "lib", "python3*", "site-packages", "nhanes", "combined_data",
                                   "2017-2018", "NHANES_data_2017-2018.tsv"))
    if not found:
        sys.exit("the package nhanes is not installed: run scripts/setup")
    return found[0]


def whole(text):
    """93705.0 -> 93705: the survey writes whole numbers as floats."""
    return text[:-2] if text.endswith(".0") else text


def people():
    """One dict a person, as the survey ends: every reading there is, empty text where there is none."""
    out = []
    with open(path(), newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            person = {name: row[column] for name, column in SOURCE.items()}
            person["person"] = whole(person["person"])
            person["age"] = whole(person["age"])
            if person["age"] not in ("", "nan") and "." in person["age"]:
                person["age"] = str(int(float(person["age"])))
            out.append({name: "" if value in ("nan", "NaN") else value for name, value in person.items()})
    return out


def readings_of(person):
    """The states of a person's row, one a reading that was taken: after the first, the second, the third."""
    states = []
    state = {name: person[name] for name in COLUMNS} | {name: "" for name in READINGS}
    for number in (1, 2, 3):
        if person[f"sbp{number}"] == "" and person[f"dbp{number}"] == "":
            continue
        state = dict(state)
        state[f"sbp{number}"] = person[f"sbp{number}"]
        state[f"dbp{number}"] = person[f"dbp{number}"]
        states.append(state)
    return states


def events(somebody, seed):
    """[(operation, row)] in the order of a clinic's day: people overlap, a person's readings keep their order."""
    generator = random.Random(seed)
    timed = []
    for place, person in enumerate(somebody):
        moment = place + generator.random()
        for number, state in enumerate(readings_of(person)):
            timed.append((moment, len(timed), "I" if number == 0 else "U", state))
            moment += 5 + 10 * generator.random()
    timed.sort(key=lambda event: event[:2])
    return [(operation, state) for _, _, operation, state in timed]


class Folder:
    """Writes change files that a files source reads in order: one file, one commit."""

    def __init__(self, directory):
        self.directory = directory
        self.count = 0
        os.makedirs(directory, exist_ok=True)

    def write(self, changes, name="changes"):
        self.count += 1
        final = os.path.join(self.directory, f"{self.count:06d}-{name}.csv")
        hidden = os.path.join(self.directory, f".{self.count:06d}.partial")
        with open(hidden, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, HEADER, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            for operation, row in changes:
                writer.writerow({"_op": operation} | row)
        moment = 1_700_000_000 + self.count
        os.utime(hidden, (moment, moment))
        os.rename(hidden, final)
        return final
