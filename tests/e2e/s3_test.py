"""Files in a bucket of an S3 server: read, changed, removed, and the server away for a while."""

import time

import pytest
from conftest import Place, stop, wait_until
from s3_server import CREDENTIALS, S3Server

CONFIGURATION = """
hub: {{catalog: "sqlite:hub/catalog.sqlite", data: hub/data}}
sources:
  drop: {{type: files, path: "s3://bucket/in/**/*.csv", endpoint: "{endpoint}", mode: {mode}, poll: 200ms, max_delete: 100%}}
datasets:
  visits: {{from: drop, key: [id]}}
"""


@pytest.fixture(name="server")
def running_server():
    server = S3Server()
    server.start()
    yield server
    server.stop()


def place_of(folder, server, mode="upsert"):
    place = Place(folder, CONFIGURATION.format(endpoint=server.endpoint, mode=mode))
    place.environment |= CREDENTIALS
    return place


def test_objects_are_read_once_and_again_when_they_change(tmp_path, server):
    place = place_of(tmp_path, server)
    # All within one second, where the machine is fast enough: a store tells times by the second.
    time.sleep(1 - time.time() % 1)
    server.put("in/a.csv", "id,x\n1,10\n2,20\n")
    server.put("in/deep/b +ü.csv", "id,x\n3,30\n")
    server.put("other/c.csv", "id,x\n4,40\n")
    assert place.json("sync")["changes"]["inserted"] == 3
    assert "nothing new" in place.run("sync").out
    server.put("in/a.csv", "id,x\n1,11\n2,20\n")
    done = place.json("sync")["changes"]
    assert (done["inserted"], done["updated"], done["deleted"]) == (0, 1, 0)
    assert "2 files, in/a.csv at line 3" in place.run("status").out
    log = place.run("log").out
    assert "in/a.csv and 1 more" in log or "in/deep/b +ü.csv" in log, log  # they may be one commit or two


def test_a_removed_object_takes_its_mirrored_rows_along(tmp_path, server):
    place = place_of(tmp_path, server, mode="mirror")
    server.put("in/a.csv", "id,x\n1,10\n2,20\n")
    server.put("in/b.csv", "id,x\n3,30\n")
    place.run("sync")
    server.remove("in/b.csv")
    assert place.json("sync")["changes"]["deleted"] == 1


def test_a_daemon_follows_the_bucket_while_its_server_comes_and_goes(tmp_path, server):
    place = place_of(tmp_path, server)
    server.put("in/a.csv", "id,x\n1,10\n")
    place.run("sync")
    daemon = place.start("run")
    rows = lambda: place.json("status")["datasets"][0]["rows"]
    try:
        wait_until(lambda: place.json("status")["writer"]["running"], what="the daemon")
        assert rows() == 1
        server.stop()
        wait_until(lambda: place.json("status")["sources"][0]["state"] == "failing", what="the source's failure")
        server.start()
        server.put("in/a.csv", "id,x\n1,10\n")
        server.put("in/b.csv", "id,x\n2,20\n")
        wait_until(lambda: rows() == 2, what="the second object")
    finally:
        stop(daemon)


def test_what_is_wrong_is_said(tmp_path, server):
    place = place_of(tmp_path, server)
    place.configure(CONFIGURATION.format(endpoint=server.endpoint, mode="upsert").replace("s3://bucket", "s3://buckets"))
    done = place.run("sync", codes=None)
    assert done.code != 0 and "there is no bucket s3://buckets" in done.err and "check the bucket" in done.err
