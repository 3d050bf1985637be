"""A dataset with a partition: its files, what DuckDB finds in them, and what becomes of it when lockstep.yaml changes."""

import glob
import os

import pytest

from conftest import CONFIGURATION, Place, inserts, visits

LAYOUT = "    partition: [ward, bucket(3, id), month(seen)]\n    sort: [seen]\n    clean:"


def in_spring(row):
    return dict(row, ward=row["ward"] or "north..east", seen=f"2026-{row['id'] % 3 + 3:02d}-{row['seen'][-2:]}")


def with_layout(layout):
    return CONFIGURATION.replace("    clean:", layout, 1)


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path, with_layout(LAYOUT))
    made.rows = [in_spring(row) for row in visits(700)]
    made.drop(inserts(made.rows))
    made.json("sync")
    return made


def folders(place, layer):
    root = place.path("hub", "data", layer, "visits")
    return {os.path.relpath(os.path.dirname(file), root) for file in glob.glob(f"{root}/**/*.parquet", recursive=True)}


def expect_rows(place, duck, rows):
    """By look-ups of single keys, where DuckDB passes over all other buckets, and by other conditions."""
    asked = rows[::37]
    questions = [f"SELECT ward, seen::VARCHAR FROM lake.raw.visits WHERE id = {row['id']}" for row in asked]
    questions += [
        "SELECT count(*), sum(age) FROM lake.raw.visits",
        "SELECT count(*) FROM lake.raw.visits WHERE ward = 'Übersee' AND seen >= '2026-03-01' AND seen < '2026-05-01'",
        "SELECT count(*) FROM lake.raw.visits WHERE id IN (1, 2, 3, 400)",
    ]
    answers = duck.ask(place.catalog, questions)
    for row, answer in zip(asked, answers):
        assert answer == [(repr(row["ward"]), repr(row["seen"]))], row
    assert answers[-3] == [(str(len(rows)), str(sum(row["age"] for row in rows)))]
    spring = [row for row in rows if row["ward"] == "Übersee" and "2026-03" <= row["seen"] < "2026-05"]
    assert answers[-2] == [(str(len(spring)),)]
    assert answers[-1] == [("4",)]


def test_each_value_has_its_files_in_every_layer_and_duckdb_reads_them(place, duck):
    found = folders(place, "raw")
    assert "ward=%C3%9Cbersee/bucket=1/month=3" in found
    assert len(found) == 4 * 3 * 3
    assert folders(place, "clean") <= found and folders(place, "train") <= found
    assert folders(place, "rejected") <= {"."}
    expect_rows(place, duck, place.rows)
    definitions = duck.ask(place.catalog, [
        "SELECT s.schema_name, c.partition_key_index, c.transform FROM __ducklake_metadata_lake.ducklake_partition_column c "
        "JOIN __ducklake_metadata_lake.ducklake_table t USING (table_id) "
        "JOIN __ducklake_metadata_lake.ducklake_schema s USING (schema_id) ORDER BY 1, 2"])[0]
    assert definitions == [
        (repr(layer), repr_index, repr(transform)) for layer in ("clean", "raw", "train")
        for repr_index, transform in (("0", "identity"), ("1", "bucket(3)"), ("2", "month"))]


def test_later_changes_and_compaction_stay_within_their_values(place, duck):
    for turn in range(4):
        for row in place.rows[turn::50]:
            row["ward"] = "east"
        place.drop([("U", row) for row in place.rows[turn::50]])
        place.json("sync")
    place.run("compact")
    expect_rows(place, duck, place.rows)
    assert folders(place, "raw") <= {
        f"ward={ward}/bucket={bucket}/month={month}" for ward in ("north..east", "east", "west", "%C3%9Cbersee")
        for bucket in range(3) for month in range(3, 6)}
    assert all(line["exact"] for line in place.json("verify"))
    assert [line for line in place.json("doctor") if line["level"] == "fail"] == []
    place.run("backup", place.path("kept"))
    place.run("restore", place.path("kept"), "--force")
    expect_rows(place, duck, place.rows)


def test_another_partition_takes_effect_for_new_files(place, duck):
    place.configure(with_layout("    partition: [year(seen)]\n    clean:"))
    plan = [line["message"] for line in place.json("check") if "lay out" in line["message"]]
    assert plan and "by year(seen)" in plan[0] and "new files" in plan[0], place.json("check")
    before = folders(place, "raw")
    place.json("sync")
    assert folders(place, "raw") == before
    more = [in_spring(row) for row in visits(700, seed=2, start=701)]
    place.drop(inserts(more))
    place.json("sync")
    assert folders(place, "raw") == before | {"year=2026"}
    expect_rows(place, duck, place.rows + more)


def test_buckets_come_to_rows_that_are_there_by_writing_them_anew(tmp_path, duck):
    place = Place(tmp_path)
    rows = visits(700)
    place.drop(inserts(rows))
    place.json("sync")
    place.configure(with_layout("    partition: [\"bucket(4, id)\"]\n    clean:"))
    refused = place.run("sync", codes=None)
    assert refused.code != 0 and "written anew" in refused.err + refused.out
    place.json("sync", "--apply")
    asked = duck.ask(place.catalog, [
        "SELECT count(*) FROM lake.raw.visits", *(f"SELECT count(*) FROM lake.raw.visits WHERE id = {n}" for n in range(1, 20))])
    assert asked == [[("700",)]] + [[("1",)]] * 19
    place.configure(CONFIGURATION)
    place.json("sync")
    assert all(line["exact"] for line in place.json("verify"))


@pytest.mark.parametrize("layout, why, way_out", [
    ("partition: [wards]", "there is no column 'wards'", "ward"),
    ("partition: [month(ward)]", "ward is text, which has no month", "bucket(16, ward)"),
    ("partition: [weight]", "weight is float", "bucket(16, weight)"),
    ("partition: [week(seen)]", "week", "bucket(16, column)"),
    ("partition: [bucket(id)]", "bucket", "bucket(16, column)"),
    ("sort: [when]", "there is no column 'when'", ""),
])
def test_check_refuses_what_cannot_be_with_the_way_out(tmp_path, layout, why, way_out):
    place = Place(tmp_path, with_layout(f"    {layout}\n    clean:"))
    done = place.run("check", codes=None)
    assert done.code != 0
    assert why in done.out + done.err, done
    assert way_out in done.out + done.err, done
