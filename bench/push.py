"""Pushes over HTTP: from a row to its answer, which comes behind the commit and its model; and predictions.

The clients are Python, in processes of their own, over kept connections, and share the machine's cores with the daemon.
Beside the predictions, in the same run and by the same clients: a bare uvicorn app that parses the same JSON and multiplies
by the same number of weights with numpy.
"""

import json
import multiprocessing
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

FEATURES = 37
PUSHES = 500
SECONDS = 4
CLIENTS = 16
PEER = """
import json
import numpy
weights = numpy.linspace(0.1, 1, {features})
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    rows = json.loads(body)["rows"]
    x = numpy.array([[row[f"x{{i}}"] for i in range({features})] for row in rows])
    answer = json.dumps({{"predictions": [{{"y": y}} for y in (x @ weights).tolist()]}}).encode()
    await send({{"type": "http.response.start", "status": 200,
                 "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]}})
    await send({{"type": "http.response.body", "body": answer}})
"""
CONFIGURATION = f"""
hub: {{catalog: "sqlite:hub/catalog.sqlite", data: hub/data}}
serve: {{listen: "127.0.0.1:0"}}
sources:
  history: {{type: files, path: history.csv}}
  inbox: {{type: http}}
datasets:
  t: {{from: [history, inbox], key: [id]}}
models:
  m:
    dataset: t
    features: [{", ".join(f"x{i}" for i in range(FEATURES))}]
    targets: [y]
    expand: [{{impute: {{with: mean}}}}, standardize]
    learner: {{type: ridge, l2: 1}}
    calibrate_after: 500 rows
"""


def row_of(number):
    generator = random.Random(number)
    row = {"id": number} | {f"x{i}": round(generator.gauss(0, 1), 6) for i in range(FEATURES)}
    return row | {"y": round(sum(row[f"x{i}"] for i in range(5)) + generator.gauss(0, 1), 6)}


class Client:
    """Requests over one connection that stays open."""

    def __init__(self, place):
        self.connection = socket.create_connection(place)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, path, body, method="POST"):
        head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.connection.sendall(head.encode() + body)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.more()
        head, _, rest = answer.partition(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        while len(rest) < length:
            rest += self.more()
        return int(head.split()[1]), rest

    def more(self):
        part = self.connection.recv(65536)
        if not part:
            raise ConnectionError("the server closed the connection")
        return part


def latencies(place):
    """Of single pushes, at 100 a second."""
    client = Client(place)
    times = []
    began = time.perf_counter()
    for number in range(PUSHES):
        body = json.dumps(row_of(1_000_000 + number)).encode()
        time.sleep(max(0.0, began + number / 100 - time.perf_counter()))
        started = time.perf_counter()
        status, answer = client.call("/v1/datasets/t/changes", body)
        times.append(time.perf_counter() - started)
        told = json.loads(answer)
        assert status == 200 and told["models"]["m"]["data_version"] == told["snapshot"], answer
    times.sort()
    return {"p50_ms": statistics.median(times) * 1e3, "p99_ms": times[int(len(times) * 0.99)] * 1e3}


def keep_asking(place, path, bodies, method, seconds, found):
    client = Client(place)
    end = time.perf_counter() + seconds
    count = refused = 0
    while time.perf_counter() < end:
        status, _ = client.call(path, bodies[count % len(bodies)], method)
        count += 1
        refused += status != 200
    found.put((count, refused))


def rate(place, path, bodies_of, method="POST"):
    """Requests a second of all clients together."""
    found = multiprocessing.Queue()
    clients = [multiprocessing.Process(target=keep_asking, args=(place, path, bodies_of(i), method, SECONDS, found))
               for i in range(CLIENTS)]
    for client in clients:
        client.start()
    counts = [found.get(timeout=60) for _ in clients]
    for client in clients:
        client.join()
    assert sum(refused for _, refused in counts) == 0, counts
    return sum(count for count, _ in counts) / SECONDS


def listens(place):
    try:
        socket.create_connection(place).close()
        return True
    except OSError:
        return False


def wait_for(condition):
    end = time.monotonic() + 60
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError("it did not begin within 60 s")
        time.sleep(0.05)
    return found


def peer_rate(bodies_of):
    with tempfile.TemporaryDirectory(prefix="lockstep-bench-") as folder:
        with open(os.path.join(folder, "peer.py"), "w", encoding="utf-8") as file:
            file.write(PEER.format(features=FEATURES))
        with socket.create_server(("127.0.0.1", 0)) as free:
            place = free.getsockname()
        process = subprocess.Popen([sys.executable, "-m", "uvicorn", "--no-access-log", "--log-level", "warning",
                                    "--port", str(place[1]), "peer:app"], cwd=folder)
        try:
            wait_for(lambda: listens(place))
            return rate(place, "/predict", bodies_of)
        finally:
            process.terminate()
            process.wait(30)


def address_of(lockstep, folder):
    status = subprocess.run([lockstep, "status", "--json"], cwd=folder, capture_output=True, text=True, check=False)
    address = status.returncode == 0 and json.loads(status.stdout)["writer"].get("listen")
    return address and (address.rsplit(":", 1)[0], int(address.rsplit(":", 1)[1]))


def run(lockstep):
    lockstep = os.path.abspath(lockstep)
    results = {"features": FEATURES, "clients": CLIENTS}
    questions = [json.dumps({"rows": [row_of(number)]}).encode() for number in range(100)]
    with tempfile.TemporaryDirectory(prefix="lockstep-bench-", dir=os.getcwd()) as folder:
        with open(os.path.join(folder, "lockstep.yaml"), "w", encoding="utf-8") as file:
            file.write(CONFIGURATION)
        rows = [row_of(number) for number in range(5_500)]
        with open(os.path.join(folder, "history.csv"), "w", encoding="utf-8") as file:
            file.write(",".join(rows[0]) + "\n" + "".join(",".join(map(str, row.values())) + "\n" for row in rows))
        subprocess.run([lockstep, "sync"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        process = subprocess.Popen([lockstep, "run"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            place = wait_for(lambda: address_of(lockstep, folder))
            empty = lambda: Client(place).call("/v1/datasets/t/changes", b"[]")[0] == 200  # noqa: E731
            wait_for(empty)
            results["push"] = latencies(place)
            results["pushes_per_s"] = rate(
                place, "/v1/datasets/t/changes",
                lambda i: [json.dumps(row_of(2_000_000 + 1_000 * i + k)).encode() for k in range(1_000)])
            results["predictions_per_s"] = rate(place, "/v1/models/m/predict", lambda i: questions)
            results["empty_answers_per_s"] = rate(place, "/-/healthy", lambda i: [b""], "GET")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    results["uvicorn_predictions_per_s"] = peer_rate(lambda i: questions)
    return results


def table(results):
    push = results["push"]
    text = f"{'HTTP, ' + str(results['features']) + ' features':40}{'Lockstep':>14}{'uvicorn, numpy':>18}"
    text += f"\n{'one row, 100/s: to the answer, p50, p99':40}{push['p50_ms']:>11.1f} ms{push['p99_ms']:>9.1f} ms"
    text += f"\n{str(results['clients']) + ' clients: pushes of one row/s':40}{results['pushes_per_s']:>14,.0f}"
    text += (f"\n{str(results['clients']) + ' clients: predictions of one row/s':40}{results['predictions_per_s']:>14,.0f}"
             f"{results['uvicorn_predictions_per_s']:>18,.0f}")
    return text + f"\n{str(results['clients']) + ' clients: empty answers/s':40}{results['empty_answers_per_s']:>14,.0f}"


if __name__ == "__main__":
    print(table(run(sys.argv[1] if len(sys.argv) > 1 else "build/release/lockstep")))
