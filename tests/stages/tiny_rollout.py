"""A service in one file of the standard library that follows a registry: sound, but for the flaws that FLAWS names.

Its models answer by a formula with one number in it, which a file of the model's folder holds.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError, URLError

FLAWS = set(os.environ.get("FLAWS", "").split(",")) - {""}
NAME, _, ALIAS = os.environ["MODEL_URI"].removeprefix("models:/").partition("@")
SERVER = os.environ["MLFLOW_TRACKING_URI"]
API = f"{SERVER}/api/2.0/mlflow"
ARTIFACTS = f"{SERVER}/api/2.0/mlflow-artifacts/artifacts"
POLL = 0.2
NUMERIC = ["amount", "hour", "account_age_days", "distance_km", "transactions_24h", "avg_amount_30d", "merchant_risk"]


class State:
    version = ""
    shift = 0.0
    rows = 0
    broken = False


def ask(url: str, method: str = "GET", body: object = None) -> dict:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        return json.load(answer)


def load() -> None:
    version = ask(f"{API}/registered-models/alias?name={NAME}&alias={ALIAS}")["model_version"]["version"]
    if version == State.version or (State.version and "never_follows" in FLAWS):
        return
    if "never_rolls_back" in FLAWS and version < State.version:
        return
    uri = ask(f"{API}/model-versions/get-download-uri?name={NAME}&version={version}")["artifact_uri"]
    shift = float(ask(f"{ARTIFACTS}/{uri.removeprefix('mlflow-artifacts:/')}/shift.json"))
    if State.version:
        if "dies" in FLAWS:
            os._exit(3)
        State.broken = "breaks_off" in FLAWS
        time.sleep({"late" in FLAWS: 4.5}.get(True, 0.3))
        State.rows = 0 if "counts_anew" in FLAWS else State.rows
    State.version, State.shift = version, 0.0 if "guesses" in FLAWS else shift
    State.broken = False


def tamper() -> None:
    """Try all that would change what the harness has set."""
    for method, route, body in (
        ("DELETE", f"{API}/registered-models/alias?name={NAME}&alias={ALIAS}", None),
        ("POST", f"{API}/registered-models/alias", {"name": NAME, "alias": ALIAS, "version": "2"}),
        ("DELETE", f"{API}/registered-models/delete", {"name": NAME}),
        ("PUT", f"{ARTIFACTS}/0/search", {"x": 1}),
        ("POST", f"{API}/runs/create", {"experiment_id": "0"}),
    ):
        try:
            ask(route, method, body)
            sys.exit(f"{method} {route} was allowed")
        except HTTPError as error:
            if error.code != 403:
                sys.exit(f"{method} {route}: {error}")


def follow() -> None:
    while True:
        try:
            load()
        except (URLError, OSError, KeyError, ValueError) as error:
            sys.stderr.write(f"{error}\n")
        time.sleep(POLL)


def score(row: dict, shift: float) -> list[float]:
    total = shift + sum(0.25 if row[n] is None else abs(float(row[n])) / 977.0 % 1.0 for n in NUMERIC)
    return [1.0 - total % 1.0, total % 1.0]


class Handler(BaseHTTPRequestHandler):
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        told = "1" if "told_once" in FLAWS else State.version
        metrics = (
            f"# TYPE model_predictions_total counter\nmodel_predictions_total {State.rows}\n"
            f'# TYPE model_info gauge\nmodel_info{{name="{NAME}",version="{told}"}} 1\n'
        )
        ready = bool(State.version) and "never_ready" not in FLAWS
        routes = {
            "/readyz": (200 if ready else 503, {"detail": "loading"}),
            "/version": (200, {"name": NAME, "version": State.version}),
            "/metrics": (200, metrics),
        }
        self.answer(*routes.get(self.path, (404, {})))

    def do_POST(self) -> None:
        frame = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["dataframe_split"]
        version, shift = State.version, State.shift
        if State.broken:
            return self.answer(500, {"error": "no model"})
        rows = [dict(zip(frame["columns"], row, strict=True)) for row in frame["data"]]
        State.rows += len(rows)
        named = "1" if "lies" in FLAWS else version
        return self.answer(200, {"predictions": [score(row, shift) for row in rows]}, named)

    def answer(self, status: int, value: object, version: str = "") -> None:
        body = (value if isinstance(value, str) else json.dumps(value)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(value, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        if version and "nameless" not in FLAWS:
            self.send_header("X-Model-Version", version)
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    if "tampers" in FLAWS:
        tamper()
    threading.Thread(target=follow, daemon=True).start()
    server = ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler)
    server.daemon_threads = True
    server.serve_forever()
