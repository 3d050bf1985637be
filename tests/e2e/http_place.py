"""A daemon that answers HTTP, and a client of it."""

import http.client
import json
import socket

from conftest import CONFIGURATION, Place, inserts, stop, visits, wait_until

PUSHED = CONFIGURATION.replace("sources:\n", 'serve: {listen: "127.0.0.1:0"}\nsources:\n  inbox: {type: http}\n').replace(
    "from: [drop]", "from: [drop, inbox]")


def typed(row):
    """A row of the generator with the types that JSON has."""
    numbers = {"id": int, "age": int, "weight": float, "sbp": float}
    return {name: (numbers.get(name, str)(value) if value != "" else None) for name, value in row.items()}


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.text = response.read().decode()

    @property
    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"{self.status} {self.text[:2000]}"


class Served(Place):
    """`lockstep run` in a folder; its address is read from status."""

    def __init__(self, folder, configuration=PUSHED, rows=120, token=None):
        super().__init__(folder, configuration)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.environment |= {"PUSH_TOKEN": token} if token else {}
        if rows:
            self.drop(inserts(visits(rows)))
            self.run("sync")
        self.process = None
        self.launch()

    def launch(self, **environment):
        self.process = self.start("run", **environment)
        self.address = wait_until(self.listens, what="the address")
        host, port = self.address.rsplit(":", 1)
        self.place = ("127.0.0.1" if host == "0.0.0.0" else host, int(port))
        self.ready()

    def listens(self):
        assert self.process.poll() is None, self.process.communicate()
        done = self.run("status", "--json", codes=(0, 10))
        return done.code == 0 and done.json["writer"].get("listen")

    def ready(self):
        wait_until(lambda: self.get("/-/ready").status == 200, what="ready")
        wait_until(lambda: self.push([], wait=True).status == 200, what="the source")

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def end(self):
        return stop(self.process)

    def call(self, method, path, body=None, headers=None, timeout=60):
        connection = http.client.HTTPConnection(*self.place, timeout=timeout)
        try:
            connection.request(method, path, body, self.headers | (headers or {}))
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def push(self, rows, kind="application/json", query="", key=None, wait=True, dataset="visits", **options):
        body = json.dumps([typed(row) for row in rows]) if isinstance(rows, list) else rows
        headers = {"Content-Type": kind} | ({"Idempotency-Key": key} if key else {}) | options.pop("headers", {})
        more = ([query] if query else []) + ([] if wait else ["wait=false"])
        path = f"/v1/datasets/{dataset}/changes" + ("?" + "&".join(more) if more else "")
        return self.call("POST", path, body, headers, **options)

    def predict(self, rows, model="bp"):
        body = json.dumps({"rows": [typed(row) for row in rows]})
        return self.call("POST", f"/v1/models/{model}/predict", body, {"Content-Type": "application/json"})

    def raw(self, data, timeout=10):
        """What comes back for bytes that are perhaps no request."""
        with socket.create_connection(self.place, timeout=timeout) as connection:
            connection.sendall(data)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
            return b"".join(parts)
