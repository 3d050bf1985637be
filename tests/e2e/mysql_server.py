"""A server that speaks MySQL 8's protocol as far as a replica hears it: one table, its rows and its binary log.

Debian has no MySQL. This one is written from the documented layouts of the handshake, of text results, of COM_BINLOG_DUMP_GTID
and of the log's events; it says nothing of a real server beyond that.
"""

import json
import re
import socket
import struct
import threading
import zlib

import pyarrow
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
COLUMNS = [("id", "bigint", "bigint", ""), ("hr", "double", "double", ""), ("note", "varchar", "varchar(100)", "utf8mb4"),
           ("doc", "json", "json", "")]  # fmt: skip
BINARY = 63
PACKET_MAX = 0xFFFFFF
SCRAMBLE = b"abcdefghijklmnopqrst"
# CLIENT_LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH
CAPABILITIES = 1 | 8 | 512 | 8192 | 32768 | 1 << 19


def counted(number):
    if number < 251:
        return struct.pack("<B", number)
    if number < 1 << 16:
        return b"\xfc" + struct.pack("<H", number)
    if number < 1 << 24:
        return b"\xfd" + struct.pack("<I", number)[:3]
    return b"\xfe" + struct.pack("<Q", number)


def text(value):
    return b"\xfb" if value is None else counted(len(value.encode())) + value.encode()


def uuid_bytes(uuid):
    return bytes.fromhex(uuid.replace("-", ""))


def set_bytes(gtids):
    """{uuid: last}: all from 1 on."""
    parts = [uuid_bytes(uuid) + struct.pack("<QQQ", 1, 1, last + 1) for uuid, last in sorted(gtids.items()) if last]
    return struct.pack("<Q", len(parts)) + b"".join(parts)


def set_text(gtids):
    return ",\n".join(f"{uuid}:1-{last}" if last > 1 else f"{uuid}:{last}" for uuid, last in sorted(gtids.items()) if last)


def parsed_set(data):
    """The last number of each uuid."""
    (count,), at, gtids = struct.unpack_from("<Q", data), 8, {}
    for _ in range(count):
        uuid = data[at : at + 16].hex()
        uuid = "-".join([uuid[:8], uuid[8:12], uuid[12:16], uuid[16:20], uuid[20:]])
        (ranges,) = struct.unpack_from("<Q", data, at + 16)
        gtids[uuid] = struct.unpack_from("<Q", data, at + 24 + ranges * 16 - 8)[0] - 1
        at += 24 + ranges * 16
    assert at == len(data)
    return gtids


def json_text(value):
    """As a SELECT shows it: the shorter key first."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return "{" + ", ".join(f"{json.dumps(key, ensure_ascii=False)}: {json_text(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(json_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def json_value(value):
    """(type, bytes, whether it stands in place of its offset) of a small document."""
    if value is None or isinstance(value, bool):
        return 4, struct.pack("<H", {None: 0, True: 1, False: 2}[value]), True
    if isinstance(value, int):
        return (5, struct.pack("<h", value), True) if -(1 << 15) <= value < 1 << 15 else (9, struct.pack("<q", value), False)
    if isinstance(value, float):
        return 11, struct.pack("<d", value), False
    if isinstance(value, str):
        size = len(value.encode())
        return 12, (bytes([size]) if size < 128 else bytes([size % 128 + 128, size // 128])) + value.encode(), False
    keys = [] if isinstance(value, list) else sorted(value, key=lambda key: (len(key.encode()), key.encode()))
    values = [json_value(one) for one in (value if isinstance(value, list) else [value[key] for key in keys])]
    at, entries, behind = 4 + 4 * len(keys) + 3 * len(values), b"", b""
    for piece in keys:
        entries += struct.pack("<HH", at + len(behind), len(piece.encode()))
        behind += piece.encode()
    for kind, data, is_inline in values:
        entries += bytes([kind]) + (data if is_inline else struct.pack("<H", at + len(behind)))
        behind += b"" if is_inline else data
    return (0 if keys or value == {} else 2), struct.pack("<HH", len(values), at + len(behind)) + entries + behind, False


def image(row):
    nulls, cells = 0, b""
    for index, value in enumerate(row):
        if value is None:
            nulls |= 1 << index
        elif index == 0:
            cells += struct.pack("<q", value)
        elif index == 1:
            cells += struct.pack("<d", value)
        elif index == 2:
            cells += struct.pack("<H", len(value.encode())) + value.encode()
        else:
            kind, data, _ = json_value(value)
            cells += struct.pack("<I", len(data) + 1) + bytes([kind]) + data
    return bytes([nulls]) + cells


def event(kind, body, end=0, checksum=True):
    size = 19 + len(body) + (4 if checksum else 0)
    data = struct.pack("<IBIIIH", 1_700_000_000, kind, 1, size, end, 0) + body
    return data + struct.pack("<I", zlib.crc32(data)) if checksum else data


def table_map(checksum):
    types, metadata = bytes([8, 5, 15, 245]), bytes([8]) + struct.pack("<H", 400) + bytes([4])
    names = b"".join(counted(len(name)) + name.encode() for name, *_ in COLUMNS)
    optional = b"\x01" + counted(1) + b"\x00" + b"\x04" + counted(len(names)) + names
    body = struct.pack("<IHH", 77, 0, 1) + b"\x04shop\0\x06visits\0" + counted(4) + types + counted(len(metadata)) + metadata + b"\x0f"
    return event(19, body + optional, checksum=checksum)


def rows(kind, images, checksum):
    """`kind`: 30 insert, 31 update, 32 delete."""
    bits = b"\x0f" * (2 if kind == 31 else 1)
    return event(kind, struct.pack("<IHHH", 77, 0, 1, 2) + counted(4) + bits + b"".join(images), checksum=checksum)


def query(statement, checksum):
    return event(2, struct.pack("<IIBHH", 1, 0, 4, 0, 0) + b"shop\0" + statement.encode(), checksum=checksum)


class MysqlServer:
    """`password_is_cached`: else the client must send it, encrypted by the server's key, which it gives if it `has_key`."""

    def __init__(self, uuid=UUID, version="8.4.3", password_is_cached=True, has_key=True):
        self.uuid, self.version, self.password_is_cached = uuid, version, password_is_cached
        self.key = None if password_is_cached or not has_key else rsa.generate_private_key(65537, 2048)
        self.variables = {
            "log_bin": "ON", "server_id": "1", "server_uuid": uuid, "binlog_format": "ROW", "binlog_row_image": "FULL",
            "binlog_row_metadata": "FULL", "gtid_mode": "ON", "enforce_gtid_consistency": "ON",
        }  # fmt: skip
        self.table, self.log = {}, []  # rows by key; transactions: (uuid, number, events)
        self.executed, self.purged, self.dumps, self.statements = {}, {}, [], []
        self.changed, self.is_open = threading.Condition(), True
        self.writing = threading.Lock()  # held by who writes, and by who holds FLUSH TABLES WITH READ LOCK
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        return f"mysql://reader:secret@127.0.0.1:{self.port}/shop"

    def close(self):
        with self.changed:
            self.is_open = False
            self.changed.notify_all()
        self.listener.close()
        self.cut()

    def cut(self):
        """All connections end."""
        for one in self.sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.sockets.clear()

    # What happens in the database.

    def write(self, kind, images, is_compressed=False):
        """One transaction; of many images several events."""
        checksum = not is_compressed
        each = 1_000 if kind != 31 else 2_000
        inside = [query("BEGIN", checksum)]
        for at in range(0, len(images), each):
            inside += [table_map(checksum), rows(kind, images[at : at + each], checksum)]
        self.commit([*inside, event(16, struct.pack("<Q", 7), 900, checksum)], is_compressed)

    def commit(self, events, is_compressed=False):
        with self.changed:
            number = self.executed.get(self.uuid, 0) + 1
            if is_compressed:
                plain = b"".join(events)
                packed = pyarrow.compress(plain, codec="zstd", asbytes=True)
                head = b"\x02\x01\x00\x03\x09\xfe" + struct.pack("<Q", len(plain)) + b"\x01\x09\xfe" + struct.pack("<Q", len(packed))
                events = [event(40, head + b"\0" + packed, 900)]
            begin = event(33, b"\0" + uuid_bytes(self.uuid) + struct.pack("<Q", number) + b"\x02" + b"\0" * 16)
            self.log.append((self.uuid, number, [begin, *events]))
            self.executed[self.uuid] = number
            self.changed.notify_all()

    def insert(self, new, **options):
        with self.writing:
            self.table |= {row[0]: row for row in new}
            self.write(30, [image(row) for row in new], **options)

    def update(self, new, **options):
        with self.writing:
            pairs = [one for row in new for one in (image(self.table[row[0]]), image(row))]
            self.table |= {row[0]: row for row in new}
            self.write(31, pairs, **options)

    def delete(self, keys, **options):
        with self.writing:
            self.write(32, [image(self.table.pop(key)) for key in keys], **options)

    def rows(self):
        """As an export of the dataset has them."""
        return [{name: "" if cell is None else json_text(cell) if name == "doc" else str(cell).removesuffix(".0") if name == "hr" else str(cell)
                 for (name, *_), cell in zip(COLUMNS, row, strict=True)} for row in self.table.values()]  # fmt: skip

    # What is said.

    def accept(self):
        while True:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.append(one)
            threading.Thread(target=Connection(self, one).serve, daemon=True).start()

    def answer(self, sql, snapshot=()):
        """None: OK; a text: an error; else rows. `snapshot`: the table's rows as the transaction sees them."""
        self.statements.append(sql)
        known = {
            "SELECT VERSION()": [[self.version]], "SELECT CURRENT_USER()": [["reader@%"]], "SHOW GRANTS": [["GRANT ALL PRIVILEGES ON *.* TO x"]],
            "SHOW GLOBAL VARIABLES": [list(one) for one in self.variables.items()], "@@global.gtid_executed": [[set_text(self.executed)]],
            "@@global.gtid_purged": [[set_text(self.purged)]], "@@global.server_uuid": [[self.uuid]], "SHOW BINARY LOGS": [["binlog.000001", "900"]],
            "SHOW BINARY LOG STATUS": [["binlog.000001", "900", "", "", set_text(self.executed)]],
            "SHOW BINLOG EVENTS": [["binlog.000001", "900", "Rotate", "1", "950", ""]],
            "REFERENTIAL_CONSTRAINTS": [], "SELECT TABLE_SCHEMA, TABLE_NAME": [["shop", "visits"]],
            "information_schema.TABLES": [["shop", "visits", "BASE TABLE", "InnoDB", "YES", str(len(self.table))]],
            "information_schema.COLUMNS": [[name, kind, full, charset, "20", "0", "1" if name == "id" else "0"] for name, kind, full, charset in COLUMNS],
            "SELECT 1 FROM": [],
        }  # fmt: skip
        found = next((rows for words, rows in known.items() if words in sql), None)
        if found is None and "FROM `shop`.`visits`" in sql:
            return [[None if cell is None else json_text(cell) if isinstance(cell, dict | list) else str(cell) for cell in row] for row in snapshot]
        if found is None and not re.match("SET |START |FLUSH |UNLOCK |COMMIT", sql):
            return f"You have an error in your SQL syntax near '{sql}'"
        return found


class Connection:
    def __init__(self, server, connection):
        self.server, self.socket, self.number = server, connection, 0
        self.snapshot, self.is_locking = [], False

    def receive(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise ConnectionError
            data += piece
        return data

    def packet(self):
        head = self.receive(4)
        self.number = head[3] + 1
        return self.receive(int.from_bytes(head[:3], "little"))

    def send(self, data):
        while True:
            piece = data[:PACKET_MAX]
            self.socket.sendall(struct.pack("<I", len(piece))[:3] + bytes([self.number % 256]) + piece)
            self.number += 1
            data = data[PACKET_MAX:]
            if len(piece) < PACKET_MAX:
                return

    def ok(self):
        self.send(b"\0\0\0\x02\0\0\0")

    def error(self, number, state, message):
        self.send(b"\xff" + struct.pack("<H", number) + b"#" + state.encode() + message.encode())

    def serve(self):
        try:
            with self.socket:
                if self.greet():
                    while self.command(self.packet()):
                        pass
        except OSError:
            pass
        finally:
            self.lock(False)

    def lock(self, is_wanted):
        """Nobody writes until it is given back."""
        if is_wanted and not self.is_locking:
            self.server.writing.acquire()
        if self.is_locking and not is_wanted:
            self.server.writing.release()
        self.is_locking = is_wanted

    def greet(self):
        self.send(b"\x0a" + self.server.version.encode() + b"\0" + struct.pack("<I", 1) + SCRAMBLE[:8] + b"\0"
                  + struct.pack("<HBHH", CAPABILITIES & 0xFFFF, 45, 2, CAPABILITIES >> 16) + b"\x15" + b"\0" * 10
                  + SCRAMBLE[8:] + b"\0caching_sha2_password\0")  # fmt: skip
        self.packet()
        if self.server.password_is_cached:
            self.send(b"\x01\x03")
            self.ok()
            return True
        self.send(b"\x01\x04")
        if self.packet() != b"\x02" or self.server.key is None:
            return False
        self.send(b"\x01" + self.server.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))  # fmt: skip
        oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
        mixed = self.server.key.decrypt(self.packet(), oaep)
        assert bytes(one ^ SCRAMBLE[at % len(SCRAMBLE)] for at, one in enumerate(mixed)) == b"secret\0"
        self.ok()
        return True

    def command(self, packet):
        kind, body = packet[0], packet[1:]
        if kind == 30:
            return self.dump(body)
        if kind == 3:
            sql = body.decode()
            if sql in ("FLUSH TABLES WITH READ LOCK", "UNLOCK TABLES"):
                self.lock(sql.startswith("FLUSH"))
            if sql.startswith("START TRANSACTION"):
                self.snapshot = list(self.server.table.values())
            answer = self.server.answer(sql, self.snapshot)
            if answer is None:
                self.ok()
            elif isinstance(answer, str):
                self.error(1064, "42000", answer)
            else:
                self.result(answer)
            return True
        return kind != 1 and self.ok() is None

    def result(self, lines):
        width = len(lines[0]) if lines else 1
        self.send(counted(width))
        for column in range(width):
            name = text(f"c{column}")
            self.send(text("def") + text("") * 3 + name + name + b"\x0c" + struct.pack("<HIBHB", 45, 1_000, 253, 0, 0) + b"\0\0")
        self.send(b"\xfe\0\0\x02\0")
        for line in lines:
            self.send(b"".join(map(text, line)))
        self.send(b"\xfe\0\0\x02\0")

    def dump(self, body):
        server = self.server
        _, client, name_size = struct.unpack_from("<HII", body)
        (set_size,) = struct.unpack_from("<I", body, 18 + name_size)
        after = parsed_set(body[22 + name_size :])
        assert set_size == len(body) - 22 - name_size
        server.dumps.append((client, after))
        if any(after.get(uuid, 0) < last for uuid, last in server.purged.items()):
            self.error(1236, "HY000", "Cannot replicate because the source purged required binary logs. The GTID set sent by the replica is "
                       "'', and the missing transactions are ''")  # fmt: skip
            return False
        names = bytes([56]) * 42
        self.send(b"\0" + event(4, struct.pack("<Q", 4) + b"binlog.000001"))
        self.send(b"\0" + event(15, struct.pack("<H", 4) + server.version.encode().ljust(50, b"\0") + b"\0" * 4 + b"\x13" + names + b"\x01"))
        self.send(b"\0" + event(35, set_bytes({})))
        sent = 0
        while True:
            with server.changed:
                if sent == len(server.log):
                    server.changed.wait(0.2)
                if not server.is_open:
                    return False
                waiting = server.log[sent:]
            for uuid, number, events in waiting:
                sent += 1
                for one in events if number > after.get(uuid, 0) else []:
                    self.send(b"\0" + one)
            if not waiting:
                self.send(b"\0" + event(27, b"binlog.000001", 900))
