"""From COMMIT in PostgreSQL to the model that learned the row and answers: Lockstep beside the usual script.

The server is one of its own in a temporary folder, and shares the machine's cores with the daemon and with the client that
asks. 100 commits a second, one after another, each of one row of 37 features (39 coefficients a target with the intercept's
and the target's share, as in bench/commits.py). Lockstep is asked over a kept connection for a prediction until the answer
names a data version that holds the row: a snapshot in which the dataset has as many rows. The script is asked for its counter
of learned rows over a pipe, which costs less than HTTP.

The usual script: psycopg waits for a NOTIFY that the writer sends in the same transaction, reads the rows behind its
watermark, `SGDRegressor.partial_fit` learns them, MLflow logs the error and the model to a folder, and the model is served
once it is loaded from there. MLflow's log of one model takes so long that several rows are learned by each round.
"""

import json
import multiprocessing
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "e2e"))
import postgres_server  # noqa: E402
from push import Client, address_of, wait_for  # noqa: E402

FEATURES = 37
HISTORY = 5_500
COMMITS = int(os.environ.get("LOCKSTEP_BENCH_COMMITS", "1000"))
SCRIPT_COMMITS = 200
RATE = 100
# Between two questions: a client that never pauses takes a core from the daemon and the server.
PAUSE_S = 0.0003
NAMES = [f"x{i}" for i in range(FEATURES)]
CONFIGURATION = f"""
hub: {{{{catalog: "sqlite:hub/catalog.sqlite", data: hub/data}}}}
serve: {{{{listen: "127.0.0.1:0"}}}}
sources:
  db: {{{{type: postgres, url: "{{url}}", slot: latency, publication: latency}}}}
datasets:
  t: {{{{from: [db.public.t], key: [id]}}}}
models:
  m:
    dataset: t
    features: [{", ".join(NAMES)}]
    targets: [y]
    expand: [{{{{impute: {{{{with: mean}}}}}}}}, standardize]
    learner: {{{{type: ridge, l2: 1}}}}
    calibrate_after: 500 rows
"""


def row_of(number):
    generator = random.Random(number)
    row = [round(generator.gauss(0, 1), 6) for _ in range(FEATURES)]
    return [*row, round(sum(row[:5]) + generator.gauss(0, 1), 6)]


def percentiles(times):
    times = sorted(times)
    return {"commits": len(times), "p50_ms": statistics.median(times) * 1e3, "p99_ms": times[int(len(times) * 0.99)] * 1e3,
            "max_ms": times[-1] * 1e3}


def insert(cursor, number):
    cursor.execute(f"INSERT INTO t VALUES ({', '.join(['%s'] * (FEATURES + 2))})", [number, *row_of(number)], prepare=True)


def commits(database, count, first, seen):
    """Latencies of `count` commits at RATE a second; `seen()` waits until the newest is learned."""
    import psycopg
    times = []
    with psycopg.connect(database.url) as connection:
        cursor = connection.cursor()
        began = time.perf_counter()
        for index in range(count):
            insert(cursor, first + index)
            cursor.execute("NOTIFY learned")
            time.sleep(max(0.0, began + index / RATE - time.perf_counter()))
            connection.commit()
            committed = time.perf_counter()
            seen()
            times.append(time.perf_counter() - committed)
    return times


def lockstep_latency(lockstep, database, folder):
    process = subprocess.Popen([lockstep, "run"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        client = Client(wait_for(lambda: address_of(lockstep, folder)))
        question = json.dumps({"rows": [dict(zip(NAMES, row_of(1)))]}).encode()
        answer = lambda: client.call("/v1/models/m/predict", question)  # noqa: E731
        wait_for(lambda: answer()[0] == 200)
        time.sleep(2)
        newest = json.loads(answer()[1])["data_version"]

        def seen():
            # Only this client commits: each commit is one snapshot more.
            nonlocal newest
            end = time.perf_counter() + 20
            while (version := json.loads(answer()[1])["data_version"]) == newest:
                if time.perf_counter() > end:
                    raise TimeoutError("the champion has not seen the commit within 20 s")
                time.sleep(PAUSE_S)
            newest = version

        commits(database, 50, 1_000_000, seen)  # until its statements are prepared and its pages are warm
        return percentiles(commits(database, COMMITS, 2_000_000, seen))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def script(url, folder, pipe):
    """The usual script, in a process of its own; it tells the newest row of the model that it serves."""
    os.chdir(folder)
    for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "MLFLOW_ALLOW_FILE_STORE"):
        os.environ[name] = "true"
    import logging
    logging.disable(logging.WARNING)
    import mlflow
    import mlflow.sklearn
    import numpy
    import psycopg
    from sklearn.linear_model import SGDRegressor
    mlflow.set_tracking_uri("file://" + os.path.join(folder, "mlruns"))
    model = SGDRegressor()
    watermark = -1
    with psycopg.connect(url, autocommit=True) as connection, mlflow.start_run():
        connection.execute("LISTEN learned")
        while True:
            rows = numpy.array(connection.execute("SELECT * FROM t WHERE id > %s ORDER BY id", [watermark]).fetchall())
            if len(rows) > 0:
                x, y = rows[:, 1:-1], rows[:, -1]
                error = float(numpy.mean((model.predict(x) - y) ** 2)) if watermark >= 0 else 0.0
                model.partial_fit(x, y)
                watermark = int(rows[-1, 0])
                mlflow.log_metric("mse", error, step=watermark)
                logged = mlflow.sklearn.log_model(model, name="model", serialization_format="cloudpickle", pip_requirements=[])
                served = mlflow.sklearn.load_model(logged.model_uri)
                served.predict(x[:1])
                pipe.send(watermark)
            else:
                for _ in connection.notifies(timeout=5, stop_after=1):
                    pass


def script_latency(database, folder):
    near, far = multiprocessing.Pipe()
    process = multiprocessing.Process(target=script, args=(database.url, folder, far))
    process.start()
    newest = -1

    def seen():
        nonlocal newest, wanted
        while newest < wanted:
            if not near.poll(60):
                raise TimeoutError("the script has not seen the commit within 60 s")
            newest = near.recv()
        wanted += 1

    try:
        if not near.poll(120):
            raise TimeoutError("the script does not begin")
        near.recv()
        wanted = 3_000_000
        commits(database, 5, wanted, seen)
        wanted = 4_000_000
        return percentiles(commits(database, SCRIPT_COMMITS, wanted, seen))
    finally:
        process.terminate()
        process.join(30)


def run(lockstep):
    lockstep = os.path.abspath(lockstep)
    server = postgres_server.Server()
    results = {"features": FEATURES, "rate_per_s": RATE}
    try:
        database = postgres_server.Database(server, "latency")
        database.run(f"CREATE TABLE t(id bigint PRIMARY KEY, {', '.join(f'{name} float8' for name in NAMES)}, y float8); "
                     "CREATE PUBLICATION latency FOR TABLE t")
        rows = "\n".join("\t".join(map(str, [number, *row_of(number)])) for number in range(HISTORY))
        database.run(f"COPY t FROM STDIN;\n{rows}\n\\.\n")
        with tempfile.TemporaryDirectory(prefix="lockstep-bench-", dir=os.getcwd()) as folder:
            with open(os.path.join(folder, "lockstep.yaml"), "w", encoding="utf-8") as file:
                file.write(CONFIGURATION.format(url=database.url))
            subprocess.run([lockstep, "sync"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            results["lockstep"] = lockstep_latency(lockstep, database, folder)
            results["script"] = script_latency(database, folder)
    finally:
        server.close()
    return results


def table(results):
    text = f"{'PostgreSQL COMMIT to the model answering':44}{'p50':>12}{'p99':>12}{'longest':>12}"
    for name, what in (("lockstep", f"Lockstep, {results['rate_per_s']} commits/s"),
                       ("script", "psycopg, partial_fit, MLflow")):
        one = results[name]
        text += f"\n{what:44}{one['p50_ms']:>9.2f} ms{one['p99_ms']:>9.2f} ms{one['max_ms']:>9.2f} ms"
    return text


if __name__ == "__main__":
    measured = run(sys.argv[1] if len(sys.argv) > 1 else "build/release/lockstep")
    print(table(measured))
    print(json.dumps(measured))
