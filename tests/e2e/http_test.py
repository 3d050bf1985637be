"""Pushes, predictions and what else a daemon answers over HTTP: by the program that ships, and a real client."""

import concurrent.futures
import csv
import datetime
import io
import json
import socket
import time

import pyarrow
import pyarrow.ipc
import pyarrow.parquet
import pytest

from conftest import COLUMNS, Place, csv_rows, text_of, visits, wait_until
from http_place import PUSHED, Served, typed


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    place = Served(tmp_path_factory.mktemp("served"))
    yield place
    code, _, err = place.end()
    assert code == 0, err


def raw_rows(place):
    """raw.visits of the source inbox, by id."""
    done = place.run("export", "visits", "--layer", "raw")
    return {int(row["id"]): row for row in csv_rows(done.out) if row["_source"] == "inbox"}


def fresh(count, start, seed=7):
    return [dict(row, age=40, sbp="120.50") for row in visits(count, seed=seed, start=start)]


# ---- pushes

def test_a_push_is_answered_with_the_versions_that_learned_it(served):
    answer = served.push(fresh(3, 10_000))
    assert answer.status == 200, answer
    told = answer.json
    assert told["rows"] == 3 and told["rejected"] == 0
    status = served.json("status")
    assert told["snapshot"] == status["snapshot"] and told["commit"] == status["commit"]
    assert told["models"]["bp"]["version"] == status["models"][0]["champion"]
    assert told["models"]["bp"]["data_version"] == told["snapshot"]
    assert set(raw_rows(served)) >= {10_000, 10_001, 10_002}


def csv_of(rows):
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def arrow_of(rows):
    columns = {name: [typed(row)[name] for row in rows] for name in COLUMNS}
    columns["seen"] = [datetime.date.fromisoformat(day) for day in columns["seen"]]
    return pyarrow.table(columns)


def stream_of(rows):
    table, out = arrow_of(rows), io.BytesIO()
    with pyarrow.ipc.new_stream(out, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=4):
            writer.write_batch(batch)
    return out.getvalue()


def parquet_of(rows):
    out = io.BytesIO()
    pyarrow.parquet.write_table(arrow_of(rows), out, row_group_size=4)
    return out.getvalue()


BODIES = {
    "application/json": lambda rows: json.dumps([typed(row) for row in rows], indent=1),
    "application/x-ndjson": lambda rows: "".join(json.dumps(typed(row)) + "\n" for row in rows),
    "text/csv; charset=utf-8": csv_of,
    "application/vnd.apache.arrow.stream": stream_of,
    "application/vnd.apache.parquet": parquet_of,
}


@pytest.mark.parametrize("kind", BODIES)
def test_every_format_brings_the_same_rows(served, kind):
    start = 20_000 + 100 * list(BODIES).index(kind)
    rows = fresh(9, start)
    answer = served.push(BODIES[kind](rows), kind=kind)
    assert answer.status == 200 and answer.json["rows"] == 9, answer
    there = raw_rows(served)
    for row in rows:
        got = there[row["id"]]
        assert [got["age"], got["ward"], got["seen"]] == [str(row["age"]), row["ward"], row["seen"]]
        assert float(got["sbp"]) == float(row["sbp"])


def test_one_object_is_a_push_of_one_row(served):
    answer = served.push(json.dumps(typed(fresh(1, 21_000)[0])))
    assert answer.status == 200 and answer.json["rows"] == 1, answer


def test_operations_insert_update_and_delete(served):
    (row,) = fresh(1, 22_000)
    assert served.push([row], query="operation=insert").json["rejected"] == 0
    again = served.push([dict(row, sbp="99")], query="operation=insert").json
    assert again["rejected"] == 1 and "there already" in again["first_rejected"][0]["reason"]
    assert served.push([dict(row, sbp="101")], query="operation=upsert").json["rejected"] == 0
    assert float(raw_rows(served)[22_000]["sbp"]) == 101
    assert served.push(json.dumps([{"id": 22_000}]), query="operation=delete").json["rejected"] == 0
    assert 22_000 not in raw_rows(served)
    missing = served.push(json.dumps([{"id": 22_000}]), query="operation=delete").json
    assert missing["rejected"] == 1 and "not there" in missing["first_rejected"][0]["reason"]


def test_an_operation_column_says_it_row_by_row(tmp_path):
    place = Served(tmp_path, PUSHED.replace("{type: http}", "{type: http, operation: op}"), rows=0)
    try:
        rows = fresh(2, 1)
        body = [dict(typed(rows[0]), op="I"), dict(typed(rows[1]), op="U"), dict(typed(rows[0]), op="X")]
        told = place.push(json.dumps(body)).json
        assert told["rows"] == 3 and told["rejected"] == 1 and "not an operation" in told["first_rejected"][0]["reason"]
        assert place.push(json.dumps([{"id": 1, "op": "D"}])).json["rejected"] == 0
        assert set(raw_rows(place)) == {2}
    finally:
        place.end()


def test_bad_rows_are_rejected_and_counted(served):
    rows = [typed(row) for row in fresh(4, 23_000)]
    rows[1]["age"] = "forty"
    rows[2]["id"] = None
    rows[3]["sbp"] = 1000  # cleaning rejects it
    told = served.push(json.dumps(rows)).json
    assert told["rows"] == 4 and told["rejected"] == 3, told
    stages = sorted(rejected["stage"] for rejected in told["first_rejected"])
    assert stages == ["clean[1] range", "decode", "key"], told
    kept = served.json("rejected")
    assert any("forty" in json.dumps(row) for row in kept)


def test_a_strict_push_with_a_bad_row_changes_nothing(served):
    rows = [typed(row) for row in fresh(2, 24_000)]
    rows[1]["age"] = "forty"
    answer = served.push(json.dumps(rows), query="strict=true")
    assert answer.status == 422 and "forty" in answer.json["error"]["message"], answer
    assert 24_000 not in raw_rows(served)


# ---- keys and tokens

def test_a_repeated_key_is_answered_as_before_and_applied_once(served):
    rows = fresh(2, 30_000)
    first = served.push(rows, key="night-1")
    assert "idempotency-replayed" not in first.headers
    served.push([dict(rows[0], sbp="77")])
    again = served.push(rows, key="night-1")
    assert again.status == 200 and again.json == first.json and again.headers["idempotency-replayed"] == "true"
    assert float(raw_rows(served)[30_000]["sbp"]) == 77
    other = served.push(fresh(2, 30_100), key="night-1")
    assert other.status == 422 and "night-1" in other.json["error"]["message"], other
    assert 30_100 not in raw_rows(served)


def test_a_token_is_waited_for(served):
    answer = served.push(fresh(1, 31_000), wait=False)
    assert answer.status == 202, answer
    token = answer.json["token"]
    told = served.get(f"/v1/wait/{token}?timeout=10s")
    assert told.status == 200 and told.json["rows"] == 1, told
    line = served.run("wait", token).out
    assert line.startswith(f"commit {told.json['commit']}, snapshot {told.json['snapshot']}: 1 row"), line
    assert served.json("wait", token) == told.json
    unknown = served.get("/v1/wait/0123456789abcdef")
    assert unknown.status == 404 and unknown.json["error"]["code"] == "not_found"
    assert "is known" in served.run("wait", "0123456789abcdef", codes=(1,)).err


def test_what_was_acknowledged_outlives_a_kill_and_is_there_once(tmp_path):
    place = Served(tmp_path)
    try:
        sent = {}
        for number in range(25):
            rows = fresh(2, 1_000 + 2 * number)
            answer = place.push(rows, key=f"push-{number}", wait=number % 3 != 0)
            sent[f"push-{number}"] = (rows, answer)
        place.kill()
        without = {key: place.run("wait", answer.json["token"], codes=(0, 1)).code
                   for key, (_, answer) in sent.items() if answer.status == 202}
        place.launch()
        for key, (rows, answer) in sent.items():
            if answer.status == 200:
                assert set(raw_rows(place)) >= {row["id"] for row in rows}
                break
        commits = place.json("status")["commit"]
        known = {key: place.get(f"/v1/wait/{answer.json['token']}").status == 200
                 for key, (_, answer) in sent.items() if answer.status == 202}
        assert {key: code == 0 for key, code in without.items()} == known
        for key, (rows, answer) in sent.items():
            again = place.push(rows, key=key)
            assert again.status == 200, again
            if answer.status == 200:
                assert again.json == answer.json
            if answer.status == 200 or known[key]:
                assert again.headers["idempotency-replayed"] == "true"
        lost = sum(not there for there in known.values())
        assert place.json("status")["commit"] <= commits + lost
        assert len(raw_rows(place)) == 50
    finally:
        place.kill()


def test_a_push_whose_answer_was_lost_is_repeated_and_applied_once(tmp_path):
    """The daemon dies in the middle of pushes, at any moment; every sender repeats until it is answered."""
    place = Served(tmp_path)
    try:
        def send(number):
            for _ in range(60):
                try:
                    answer = place.push(fresh(1, 5_000 + number), key=f"k{number}", query="operation=insert", timeout=10)
                except OSError:
                    time.sleep(0.1)
                    continue
                if answer.status == 200:
                    return answer.json
                assert answer.status in (409, 429, 503), answer
                time.sleep(0.1)
            raise AssertionError(f"push {number} was never answered")

        with concurrent.futures.ThreadPoolExecutor(6) as senders:
            futures = [senders.submit(send, number) for number in range(90)]
            for _ in range(3):
                time.sleep(0.15)
                place.kill()
                place.launch()
            answers = [future.result() for future in futures]
        # An insert that came twice would be rejected.
        assert all(answer["rejected"] == 0 and answer["rows"] == 1 for answer in answers)
        assert len(raw_rows(place)) == 90
        assert place.run("verify").code == 0
    finally:
        place.kill()


# ---- predictions

def test_predictions_are_those_of_the_command_line(served):
    rows = [row for row in visits(40, seed=3, start=50_000)]
    answer = served.predict(rows)
    assert answer.status == 200, answer
    told = answer.json
    path = served.path("new.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(text_of([("I", row) for row in rows]).splitlines()).replace("_op,", "").replace("\nI,", "\n") + "\n")
    expected = csv_rows(served.run("predict", f"bp@{told['model_version']}", path, "--no-interval").out)
    assert len(expected) == len(told["predictions"]) == 40
    assert {row["data_version"] for row in expected} == {str(told["data_version"])}
    for row, prediction in zip(expected, told["predictions"], strict=True):
        if row["refused"]:
            assert prediction["refused"] == row["refused"] and prediction["sbp"] is None
        else:
            assert prediction == {"sbp": float(row["sbp"])}


def test_a_push_is_seen_by_the_next_prediction(served):
    question = fresh(1, 60_000)
    for number in range(20):
        told = served.push([dict(row, sbp=str(150 + number)) for row in fresh(2, 61_000 + 2 * number)]).json
        prediction = served.predict(question).json
        assert prediction["model_version"] >= told["models"]["bp"]["version"]
        assert prediction["data_version"] >= told["snapshot"]


def test_bad_questions_are_told(served):
    post = lambda body: served.call("POST", "/v1/models/bp/predict", body)
    assert post("{").status == 400
    assert post("[]").status == 400
    assert post('{"rows": [3]}').status == 400
    assert post('{"rows": [{"age": NaN}]}').status == 400
    wrong = post('{"rows": [{"age": 50}, {"age": "old"}]}')
    assert wrong.status == 400 and "row 2" in wrong.json["error"]["message"], wrong
    assert post('{"rows": []}').json["predictions"] == []
    near = served.predict([], model="bq")
    assert near.status == 404 and "did you mean bp?" in near.json["error"]["hint"]


# ---- what else is asked

def test_status_metrics_and_probes(served):
    assert served.get("/-/healthy").status == 200
    assert served.get("/-/ready").text == "ready\n"
    status = served.get("/v1/status").json
    assert status["in_lockstep"] is True and status["writer"]["listen"] == served.address
    assert f"http://{served.address}" in served.run("status").out
    served.push(fresh(1, 70_000))
    metrics = served.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    values = dict(line.rsplit(" ", 1) for line in metrics.text.splitlines() if not line.startswith("#"))
    assert float(values["lockstep_commits_total"]) >= 1
    assert float(values['lockstep_rows_total{source="inbox",change="inserted"}']) >= 1
    assert float(values['lockstep_model_freshness_seconds{model="bp"}']) == 0
    assert values["lockstep_push_queue_bytes"] == "0"
    pushes = 'lockstep_http_requests_total{route="/v1/datasets/{name}/changes",code="200"}'
    assert float(values[pushes]) >= 1


def test_unknown_paths_names_and_methods_are_told(served):
    nowhere = served.get("/v1/statsu")
    assert nowhere.status == 404 and "/v1/status" in nowhere.json["error"]["hint"], nowhere
    assert served.push([], dataset="visit").json["error"]["hint"] == "did you mean visits?"
    wrong = served.call("PUT", "/v1/status")
    assert wrong.status == 405 and wrong.headers["allow"] == "GET"
    media = served.push("x", kind="application/xml")
    assert media.status == 415 and "text/csv" in media.json["error"]["hint"]
    assert served.push([], query="opration=insert").status == 400
    assert served.push([], query="operation=merge").status == 400
    assert served.push([], key="two words").status == 400


def test_a_paused_source_takes_nothing(served):
    served.run("pause", "inbox")
    answer = served.push(fresh(1, 80_000))
    assert answer.status == 503 and "paused" in answer.json["error"]["message"] and int(answer.headers["retry-after"]) > 0
    served.run("resume", "inbox")
    wait_until(lambda: served.push(fresh(1, 80_000)).status == 200, what="the resumed source")


# ---- hostile callers

HOSTILE = {
    "no JSON": ("application/json", "{", 400),
    "an early end": ("application/json", '[{"id": 1}', 400),
    "a trailing comma": ("application/json", '[{"id": 1},]', 400),
    "two documents": ("application/json", "{} {}", 400),
    "a number": ("application/json", "17", 400),
    "a slip in a name": ("application/json", '[{"id": 1, "agee": 3}]', 400),
    "no key column": ("application/json", '[{"age": 3}]', 400),
    "a missing column": ("text/csv", "id,age\n1,2\n", 400),
    "a wrong header": ("text/csv", "\x00\x01", 400),
    "no Arrow": ("application/vnd.apache.arrow.stream", "\xff\xff\xff\xff\x10", 400),
    "no Parquet": ("application/vnd.apache.parquet", "PAR1nothingPAR1", 400),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_body_that_cannot_be_read_is_refused_as_a_whole(served, name):
    kind, body, status = HOSTILE[name]
    before = served.json("status")["commit"]
    answer = served.push(body, kind=kind)
    assert answer.status == status and answer.json["error"]["code"] == "invalid", answer
    assert served.json("status")["commit"] == before


def test_values_that_json_does_not_have_are_bad_rows(served):
    body = '[{"id": 90001, "age": NaN}, {"id": 90002, "age": 3e400}, {"id": 90003, "age": 1e30}, 5]'
    told = served.push(body).json
    assert told["rows"] == 4 and told["rejected"] == 4, told


def test_what_is_no_http_is_refused(served):
    assert b" 400 " in served.raw(b"\x16\x03\x01garbage\r\n\r\n")
    assert b" 400 " in served.raw(b"GET nowhere HTTP/1.1\r\n\r\n")
    assert b" 431 " in served.raw(b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n")
    assert served.get("/-/healthy").status == 200


def test_a_body_that_is_too_long_is_refused_before_it_is_read(served):
    head = b"POST /v1/datasets/visits/changes HTTP/1.1\r\nContent-Type: text/csv\r\nContent-Length: 99999999999\r\n\r\n"
    assert b" 413 " in served.raw(head)
    chunked = (b"POST /v1/datasets/visits/changes HTTP/1.1\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n"
               b"Connection: close\r\n\r\n")
    row = b",".join([b"1"] * 6) + b"\n"
    assert b" 413 " in served.raw(chunked + b"1000000\r\n" + row * (0x1000000 // len(row) + 1))
    (row,) = fresh(1, 91_000)
    text = json.dumps(typed(row)).encode()
    chunked = chunked.replace(b"text/csv", b"application/json")
    answer = served.raw(chunked + b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text))
    assert b" 200 " in answer and b'"rows":1' in answer


def test_too_many_connections_are_told_so_and_free_again(tmp_path):
    place = Served(tmp_path, PUSHED.replace(':0"}', ':0", connections_max: 4}'), rows=0)
    try:
        held = [socket.create_connection(place.place) for _ in range(4)]
        wait_until(lambda: place.get("/-/healthy").status == 503, what="the limit")
        for connection in held:
            connection.close()
        wait_until(lambda: place.get("/-/healthy").status == 200, what="room")
    finally:
        place.end()


def test_more_than_may_wait_is_answered_429(tmp_path):
    place = Served(tmp_path, PUSHED.replace(':0"}', ':0", body_max: 4KB, queue_max: 5KB}'), rows=0)
    try:
        def hold():
            """A push whose body never ends holds its bytes."""
            connection = socket.create_connection(place.place)
            connection.sendall(b"POST /v1/datasets/visits/changes HTTP/1.1\r\nContent-Type: text/csv\r\n"
                               b"Content-Length: 3000\r\n\r\nid,")
            return connection

        held = hold()
        rows = "id,age,ward,weight,sbp,seen\n" + "".join(f"{i},40,,,,\n" for i in range(250))
        answer = wait_until(lambda: (a := place.push(rows, kind="text/csv")).status == 429 and a, what="429")
        assert int(answer.headers["retry-after"]) >= 1
        held.close()
        wait_until(lambda: place.push(rows, kind="text/csv").status == 200, what="room")
    finally:
        place.end()


def test_a_token_is_asked_for_where_one_is_set(tmp_path):
    secret = "0123456789abcdef0123"
    configuration = PUSHED.replace('{listen: "127.0.0.1:0"}', '{listen: "0.0.0.0:0", token: "${PUSH_TOKEN}"}')
    refused = Place(tmp_path / "open", PUSHED.replace("127.0.0.1", "0.0.0.0")).run("check", codes=(1,))
    assert "nothing asks callers who they are" in refused.err
    plain = Place(tmp_path / "plain", configuration.replace("${PUSH_TOKEN}", secret)).run("check", codes=(1,))
    assert "${LOCKSTEP_TOKEN}" in plain.err and secret not in plain.err
    place = Served(tmp_path / "served", configuration, rows=0, token=secret)
    try:
        assert place.push([]).status == 200
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {secret}"}):
            place.headers = headers
            assert place.push([]).status == 401
        assert place.get("/metrics").status == 401 and place.get("/nowhere").status == 401
        assert place.get("/-/ready").status == 200
    finally:
        _, _, err = place.end()
    assert secret not in err
    with open(place.catalog, "rb") as file:
        assert secret.encode() not in file.read()


def test_a_stop_answers_what_is_under_way_and_takes_no_more(tmp_path):
    place = Served(tmp_path)
    statuses = []
    with concurrent.futures.ThreadPoolExecutor(4) as senders:
        def send(number):
            for count in range(200):
                try:
                    answer = place.push(fresh(1, 1_000 * (number + 1) + count), timeout=10)
                except OSError:
                    return
                statuses.append(answer.status)

        futures = [senders.submit(send, number) for number in range(4)]
        wait_until(lambda: len(statuses) > 20, what="some pushes")
        code, _, err = place.end()
        for future in futures:
            future.result()
    assert code == 0, err
    assert set(statuses) <= {200, 503}
    assert len(raw_rows(place)) == statuses.count(200)


def test_a_stand_by_takes_the_address_over(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    place = Served(tmp_path, PUSHED.replace("127.0.0.1:0", f"127.0.0.1:{port}"))
    second = place.start("run")
    try:
        assert place.push(fresh(1, 1_000)).status == 200
        time.sleep(0.3)
        assert second.poll() is None
        place.end()
        place.process = second
        wait_until(lambda: port_answers(place), what="the second daemon")
        wait_until(lambda: place.push(fresh(1, 1_001)).status == 200, what="its source")
        assert set(raw_rows(place)) == {1_000, 1_001}
    finally:
        code, _, err = place.end()
    assert code == 0 and "standing by" in err and "listening at" in err, err


def port_answers(place):
    try:
        return place.get("/-/ready").status == 200
    except OSError:
        return False
