"""Values of every type of a real MariaDB server: the copy and the log give the same, and what no cell holds is told."""

import json

import pytest

from mariadb_server import Database, Server
from mariadb_test import assert_same, configuration, failure, follow, synced
from postgres_test import hub_rows, in_order


@pytest.fixture(scope="module")
def server():
    one = Server()
    yield one
    one.close()


@pytest.fixture
def database(server, request):
    one = Database(server, "d_" + str(abs(hash(request.node.name)) % 1_000_000))
    yield one
    one.close()


KINDS = """
CREATE TABLE t(id bigint PRIMARY KEY, i1 tinyint, u1 tinyint unsigned, i2 smallint, u2 smallint unsigned, i3 mediumint,
    u3 mediumint unsigned, i4 int, u4 int unsigned, i8 bigint, u8 bigint unsigned, y year, b1 bit(1), b33 bit(33),
    f float, g double, g2 double(10, 2), d2 decimal(12, 2), d6 decimal(20, 6), d0 decimal(18, 0), d65 decimal(65, 30), d1 decimal(1, 1),
    dt date, t0 time, t3 time(3), t6 time(6), dt0 datetime, dt6 datetime(6), ts0 timestamp NULL, ts2 timestamp(2) NULL,
    c char(5), c3 char(200) CHARACTER SET utf8mb3, v varchar(20) CHARACTER SET latin1, v9 varchar(9000), x text, lt longtext,
    w varchar(10) CHARACTER SET utf16, w2 varchar(10) CHARACTER SET ucs2, wl varchar(10) CHARACTER SET utf16le,
    w4 varchar(10) CHARACTER SET utf32, a varchar(10) CHARACTER SET ascii,
    e enum('a', 'b''c', 'é') CHARACTER SET latin1, s set('x', 'y', 'z'), big set({sixty}), u uuid, i6 inet6, j json,
    twice bigint AS (i4 * 2) VIRTUAL, thrice bigint AS (i4 * 3) STORED);
SET sql_mode = '';
INSERT INTO t VALUES
 (1, -128, 255, -32768, 65535, -8388608, 16777215, -2147483648, 4294967295, -9223372036854775808, 9223372036854775807, 2024, b'1',
  b'100000000000000000000000000000001', 1.1, 0.1, 1234.56, -1234.56, 99.000001, 999999999999999999,
  -12345678901234567890123456789012345.123456789012345678901234567890, 0.5, '2024-02-29', '-838:59:59', '-00:00:00.500',
  '23:59:59.999999', '2024-02-29 23:59:59', '9999-12-31 23:59:59.999999', '2024-03-31 01:30:00', '2037-12-31 23:59:59.99', 'ab',
  'ünï', 'é€Ÿ', REPEAT('ß', 4000), 'tab\\t nl\\n back\\\\ "q"', REPEAT('long ', 20000), 'a😀é', 'aé', 'a😀', 'a😀', 'ascii', 'b''c', 'x,z',
  'v0,v59', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2001:db8::1', '{"a": [1, "é"]}', DEFAULT, DEFAULT),
 (2, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, b'0', b'0', 0, 0, 0, 0, 0, 0, 0, 0, '1000-01-01', '00:00:00', '838:59:59.999', '-12:34:56.000001',
  '1000-01-01 00:00:00', '2024-01-01', '1970-01-01 00:00:01', '2024-01-01 00:00:00.5', '', '', '', '', '', '', '', '', '', '', '', '', '', '',
  '11112222-3333-7444-9555-666677770000', '::', '1', DEFAULT, DEFAULT),
 (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1901, NULL, NULL, 16777217, 1e300, -0.01, -0.01, -0.000001, -1, 0.000000000000000000000000000001,
  -0.9, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'v58',
  'ffffffff-ffff-ffff-ffff-ffffffffffff', '::ffff:1.2.3.4', NULL, DEFAULT, DEFAULT),
 (4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2155, NULL, NULL, 3.4e38, 4.9e-324, 1, 1000000000, 12345678.123456, 5, 99999, 0, NULL, NULL, '00:00:01', '00:00:00.1', NULL,
  NULL, NULL, NULL, 'trail', 'x', 'y', 'z', 'z', 'z', 'z', 'z', 'z', 'z', 'z', 'a', 'y', '', '11112222-3333-1444-8555-666677778888', '::1.2.3.4', '[]', DEFAULT, DEFAULT),
 (5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2000, NULL, NULL, 123456.789, 123456.789, 1, 1, 1, 5, 1, 0, NULL, NULL, NULL, NULL, NULL,
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '00000000-0000-0000-0000-000000000000', '1:2:3:4:5:6:7:8', '[]', DEFAULT, DEFAULT)
""".replace("{sixty}", ", ".join(f"'v{i}'" for i in range(60)))


def test_values_of_every_kind(tmp_path, database):
    database.run("SET GLOBAL time_zone = 'SYSTEM'; SET time_zone = '+00:00';" + KINDS)
    place = follow(tmp_path, database, {"t": ("id", None)})
    assert place.json("sync")["errors"] == []
    copied = sorted(hub_rows(place), key=lambda row: int(row["id"]))
    assert len(copied) == 5 and place.json("rejected", "t") == []
    first, second, third, *_ = copied
    assert (first["i8"], first["u8"], first["u4"]) == ("-9223372036854775808", "9223372036854775807", "4294967295")
    assert (first["b33"], first["y"], second["y"], third["y"]) == ("4294967297", "2024", "0", "1901")
    assert (first["f"], first["g"], first["g2"], third["f"], second["g"]) == ("1.1", "0.1", "1234.56", "16777216", "0")
    assert (first["d2"], first["d0"], first["d6"]) == ("-1234.56", "999999999999999999", "99.000001")
    assert (first["t0"], first["t3"], first["t6"]) == ("-838:59:59", "-00:00:00.500", "23:59:59.999999")
    assert (first["dt0"], first["dt6"]) == ("2024-02-29 23:59:59+00", "9999-12-31 23:59:59.999999+00")
    assert first["ts0"] == "2024-03-31 01:30:00+00" and first["ts2"] == "2037-12-31 23:59:59.99+00"
    assert (first["c"], first["v"], first["w"], first["wl"], first["w4"]) == ("ab", "é€Ÿ", "a😀é", "a😀", "a😀")
    assert (first["e"], first["s"], first["big"]) == ("b'c", "x,z", "v0,v59")
    assert (first["u"], first["i6"]) == ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "2001:db8::1")
    assert first["x"] == 'tab\t nl\n back\\ "q"' and first["j"] == '{"a": [1, "é"]}'
    assert (second["twice"], second["thrice"]) == ("14", "21")
    # The log gives the same as the copy, whatever the session's and the server's settings are.
    database.run("SET GLOBAL time_zone = '+09:00'; SET time_zone = '-03:00'; SET NAMES latin1; UPDATE t SET id = id + 10 ORDER BY id DESC")
    assert place.json("sync")["errors"] == []
    streamed = [dict(row, id=str(int(row["id"]) - 10)) for row in hub_rows(place)]
    assert in_order(streamed) == in_order(copied)


def test_numbers_and_times_as_texts_have_every_digit(tmp_path, database):
    database.run("SET GLOBAL time_zone = 'SYSTEM'; SET time_zone = '+00:00';" + KINDS)
    wanted = "i4 u8 y f g d65 d1 dt dt6 ts2 b33".split()
    place = follow(tmp_path, database, {"t": ("id", "id: int, " + ", ".join(f"{name}: text" for name in wanted))})
    assert place.json("sync")["errors"] == []
    copied = sorted(hub_rows(place), key=lambda row: int(row["id"]))
    assert copied[0]["d65"] == "-12345678901234567890123456789012345.123456789012345678901234567890"
    assert (copied[0]["dt6"], copied[0]["ts2"]) == ("9999-12-31 23:59:59.999999", "2037-12-31 23:59:59.99")
    assert (copied[0]["f"], copied[1]["y"], copied[2]["d1"]) == ("1.1", "0000", "-0.9")
    database.run("UPDATE t SET id = id + 10 ORDER BY id DESC")
    assert place.json("sync")["errors"] == []
    assert in_order([dict(row, id=str(int(row["id"]) - 10)) for row in hub_rows(place)]) == in_order(copied)


def test_what_no_cell_can_hold_is_rejected_with_its_place(tmp_path, database):
    create = "CREATE TABLE t(id int PRIMARY KEY, u bigint unsigned, d date, at datetime, b tinyint, n decimal(5, 1))"
    rows = """SET sql_mode = ''; INSERT INTO t VALUES (1, 1, '2024-01-01', '2024-01-01', 1, 2.0), (2, 18446744073709551615, NULL, NULL, 1, 1),
        (3, 1, '0000-00-00', NULL, 0, 1), (4, 1, NULL, '0000-00-00 00:00:00', 0, 1), (5, 1, NULL, NULL, 2, 1), (6, 1, NULL, NULL, 1, 1.5),
        (7, 1, '2024-02-00', NULL, 1, 1)"""
    columns = {"t": ("id", "id: int, u: int, d: date, at: timestamp, b: bool, n: int")}
    database.run(f"{create}; {rows}")
    place = follow(tmp_path, database, columns)
    copied = place.json("sync")
    assert copied["errors"] == [] and copied["rejected"] == 6
    reasons = in_order([{"reason": line["reason"]} for line in place.json("rejected", "t")])
    database.run("TRUNCATE TABLE t; " + rows)
    assert place.json("sync")["errors"] == []
    assert [row["id"] for row in hub_rows(place)] == ["1"]
    again = place.json("rejected", "t")
    assert in_order([{"reason": line["reason"]} for line in again])[-6:] == reasons[-6:]
    assert "'0000-00-00' is no date" in json.dumps(again) and "2 is not a bool" in json.dumps(again)
    # Mended, they leave `rejected`.
    database.run("UPDATE t SET u = 1, d = NULL, at = NULL, b = 1, n = 1")
    assert place.json("sync")["errors"] == []
    assert len(hub_rows(place)) == 7 and place.json("rejected", "t") == []
    (tmp_path / "null").mkdir()
    database.run("DELETE FROM t WHERE id > 4; UPDATE t SET d = '0000-00-00', at = '0000-00-00'")
    place = follow(tmp_path / "null", database, columns, ", zero_dates: 'null'")
    assert place.json("sync")["rejected"] == 0
    database.run("UPDATE t SET id = id + 10")
    assert place.json("sync")["rejected"] == 0
    assert {row["d"] + row["at"] for row in hub_rows(place)} == {""}


def test_types_engines_and_keys_that_cannot_be_followed_are_told(tmp_path, database):
    database.run("""CREATE TABLE t(id int PRIMARY KEY, photo mediumblob, v varchar(9) CHARACTER SET greek); CREATE TABLE m(id int PRIMARY KEY) ENGINE=MyISAM;
        CREATE TABLE h(id int PRIMARY KEY) WITH SYSTEM VERSIONING; CREATE VIEW w AS SELECT id FROM t;
        CREATE TABLE c(id int PRIMARY KEY, FOREIGN KEY (id) REFERENCES t(id) ON UPDATE CASCADE)""")
    for table, said in (("m", "has the engine MyISAM"), ("h", "SYSTEM VERSIONED"), ("w", "VIEW"), ("c", "ON UPDATE CASCADE"),
                        ("nothing", "has no table")):
        (tmp_path / table).mkdir()
        place = follow(tmp_path / table, database, {table: ("id", "id: int")})
        assert said in json.dumps(place.json("check", codes=(4,))), table
        assert said in failure(place)["message"]
    place = follow(tmp_path, database, {"t": ("id", None)})
    assert "column 'photo' of table" in failure(place)["message"]
    place.configure(configuration(database, {"t": ("id", "id: int, v: text")}))
    assert "the character set greek" in failure(place)["message"]
    (tmp_path / "id").mkdir()
    place = follow(tmp_path / "id", database, {"t": ("id", "id: int")})
    database.run("INSERT INTO t VALUES (1, 'x', 'y')")
    synced(place, database, sql="SELECT id FROM t")
    database.run("INSERT INTO t VALUES (2, REPEAT('x', 70000), 'y')")
    synced(place, database, sql="SELECT id FROM t")


def test_partitions_composite_keys_and_compressed_logs(tmp_path, database):
    database.run("""CREATE TABLE t(patient varchar(20), hour int, hr int, PRIMARY KEY (hour, patient)) PARTITION BY HASH(hour) PARTITIONS 3;
        INSERT INTO t VALUES ('a', 1, 1), ('a,b', 1, 2), ('é "x"', 2, 3)""")
    place = follow(tmp_path, database, {"t": ("patient, hour", None)})
    synced(place, database)
    database.run("SET GLOBAL log_bin_compress = ON; SET GLOBAL log_bin_compress_min_len = 10")
    try:
        database.run("""UPDATE t SET patient = 'c' WHERE patient = 'a'; DELETE FROM t WHERE patient = 'a,b'; UPDATE t SET hour = 9 WHERE hour = 2;
            INSERT INTO t SELECT CONCAT('p', seq), seq, seq FROM seq_100_to_400; UPDATE t SET hr = hr + 1; DELETE FROM t WHERE hr % 2 = 0""")
        synced(place, database)
        database.run("TRUNCATE TABLE t; INSERT INTO t VALUES ('z', 1, 1)")
        synced(place, database)
    finally:
        database.run("SET GLOBAL log_bin_compress = OFF")
    assert_same(place, database)
