"""Sources that are paused by command, and sources that fail: the others go on."""

from conftest import CONFIGURATION, Place, inserts, stop, visits, wait_until

TWO = CONFIGURATION.replace("datasets:", '  second: {type: files, path: "second/*.csv", mode: upsert, operation: _op}\ndatasets:').replace(
    "from: [drop]", "from: [drop, second]")


def raw_rows(place):
    return place.json("status")["datasets"][0]["rows"]


def test_a_paused_source_is_not_read_until_it_is_resumed(tmp_path):
    place = Place(tmp_path, TWO)
    place.drop(inserts(visits(20)))
    place.run("sync")
    assert place.run("pause", "drop").out == "source drop is paused\n"
    assert place.run("pause", "drop").out == "source drop was already paused\n"
    place.drop(inserts(visits(5, start=100)))
    done = place.run("sync")
    assert "source drop is paused; lockstep resume drop goes on with it\n" in done.out
    assert place.json("sync")["paused"] == ["drop"]
    assert raw_rows(place) == 20
    assert place.run("resume", "drop").out == "source drop is running\n"
    assert place.json("sync")["paused"] == []
    assert raw_rows(place) == 25


def test_a_pause_outlives_the_daemon_and_status_tells_of_it(tmp_path):
    place = Place(tmp_path, TWO)
    place.drop(inserts(visits(20)))
    place.run("sync")
    states = lambda: {source["name"]: source["state"] for source in place.json("status")["sources"]}
    assert states() == {"drop": None, "second": None}
    for _ in range(2):
        daemon = place.start("run")
        try:
            wait_until(lambda: place.json("status")["writer"]["running"], what="the daemon")
            place.run("pause", "second")
            assert states() == {"drop": "running", "second": "paused"}
            rows = raw_rows(place)
            place.drop(inserts(visits(3, start=1000 + 10 * rows)))
            wait_until(lambda: raw_rows(place) == rows + 3, what="the other source's rows")
        finally:
            stop(daemon)


def test_an_unknown_source_is_told_with_the_nearest_name(tmp_path):
    place = Place(tmp_path, TWO)
    place.drop(inserts(visits(20)))
    place.run("sync")
    refused = place.run("pause", "dorp", codes=(1,))
    assert "there is no source 'dorp'" in refused.err and "did you mean drop?" in refused.err
