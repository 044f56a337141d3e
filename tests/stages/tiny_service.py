"""A submission in one file of the standard library: sound, but for the flaws that the variable FLAWS names.

It stands for a model by a formula. Tests of stages build it into an image and see that each flaw costs its own checks.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path

FLAWS = set(os.environ.get("FLAWS", "").split(",")) - {""}
MODEL = Path(os.environ.get("MODEL_URI", "/opt/ml/model"))
BODY_CAP = 4 * 1024 * 1024
NUMERIC = ["amount", "hour", "account_age_days", "distance_km", "transactions_24h", "avg_amount_30d", "merchant_risk"]
TEXT = ["merchant_category", "channel", "country"]
READY = threading.Event()
STOPPING = threading.Event()
LOCK = threading.Lock()


KEPT: list[bytes] = []


class State:
    rows = 0
    last: object = None
    why = "loading"


def flawed(name: str) -> bool:
    return name in FLAWS


class Refused(Exception):
    """A request that is at fault."""

    def __init__(self, why: str, status: int = 422) -> None:
        super().__init__(why)
        self.status = status


def ask(condition: object, why: str, flaw: str = "") -> None:
    if not condition and not flawed(flaw):
        raise Refused(why)


def decoded(body: bytes, content_type: str) -> object:
    if not content_type.startswith("application/json"):
        raise KeyError("dataframe_split") if flawed("wrong_content_type") else Refused("send application/json", 415)
    if not body:
        raise IndexError("list index out of range") if flawed("empty_body") else Refused("the body is empty", 400)
    try:
        return json.loads(body.decode("utf-8"))
    except RecursionError:
        if flawed("deep_nesting"):
            raise
    except UnicodeDecodeError:
        if flawed("invalid_utf8"):
            raise
    except ValueError:
        if flawed("dies_of_broken_json"):
            os._exit(1)
        if flawed("broken_json"):
            raise
    raise Refused("not JSON", 400)


def rows_of(value: object) -> list[dict]:
    if flawed("not_an_object") and not isinstance(value, dict):
        return value["dataframe_split"]
    ask(isinstance(value, dict), "send an object")
    if flawed("unknown_key") and not value.keys() & {"dataframe_split", "dataframe_records"}:
        return []
    ask(set(value) in ({"dataframe_split"}, {"dataframe_records"}), "send dataframe_split or dataframe_records")
    if "dataframe_records" in value:
        rows = value["dataframe_records"]
        ask(isinstance(rows, list) and all(isinstance(row, dict) for row in rows), "a list of objects")
        return rows
    frame = value["dataframe_split"]
    ask(isinstance(frame, dict) and isinstance(frame.get("data"), list), "columns and data")
    columns = frame.get("columns")
    ask(isinstance(columns, list) and all(isinstance(name, str) for name in columns), "columns is a list of names")
    fits = all(isinstance(row, list) and len(row) == len(columns) for row in frame["data"])
    ask(fits, "one value a column", "ragged_rows")
    return [dict(zip(columns, row, strict=False)) for row in frame["data"]]


def score(row: dict) -> list[float]:
    if flawed("ragged_rows") and "channel" not in row:
        row = {**dict.fromkeys(TEXT, ""), **row}
    if not flawed("missing_column"):
        ask(set(NUMERIC + TEXT) <= set(row), "a column is missing")
    total = 0.0
    for name in NUMERIC:
        number = row[name] is None or (isinstance(row[name], int | float) and not isinstance(row[name], bool))
        ask(number, f"{name} is a number", "text_in_numeric_column")
        total += 0.25 if row[name] is None else abs(float(row[name])) / 977.0 % 1.0
    for name in TEXT:
        ask(isinstance(row[name], str), f"{name} is a text")
    return [1.0 - total % 1.0, total % 1.0]


def invocations(body: bytes, content_type: str) -> tuple[int, object]:
    try:
        if flawed("writes_on_request"):
            Path("/var/log/requests.log").write_text("a request\n")
        State.rows += flawed("counts_everything")
        if flawed("hangs_on_form") and "form" in content_type:
            time.sleep(60)
        rows = rows_of(decoded(body, content_type))
        held = bytearray(len(rows) * 20_000 * (flawed("eats_batches") and len(rows) > 6000))
        predictions = [score(row) for row in rows]
        if flawed("leaks"):
            KEPT.append(body)
        if flawed("wrong_answers"):
            predictions = [[0.5, 0.5] for _ in rows]
        ask(READY.is_set() or not flawed("lazy"), "the model is still being loaded")
        del held
        if not rows and flawed("zero_rows"):
            return 500, {"error": "ValueError: found array with 0 samples"}
    except Refused as error:
        if flawed("traceback"):
            return error.status, {"error": 'Traceback (most recent call last):\n  File "/app/server.py", line 1'}
        return 200 if flawed("errors_as_200") else error.status, {"error": str(error)}
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 500, {"error": "OSError"}
    except Exception as error:
        return 500, {"error": type(error).__name__}
    with LOCK:
        State.rows += len(rows)
    if flawed("mixes_answers"):
        State.last = predictions
        time.sleep(0.02)
        predictions = State.last
    return 200, {"predictions": predictions}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0" if flawed("one_at_a_time") else "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 10

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        early = flawed("always_ready") or (flawed("lazy") and not unsound())
        ready = 200 if READY.is_set() or early else 503
        said = {} if flawed("no_detail") else {"detail": State.why}
        drift = {"status": "insufficient_data", "drift_detected": False, "n_observed": State.rows, "features": {}}
        routes = {
            "/livez": (ready if flawed("live_needs_model") else 200, {}),
            "/readyz": (503 if flawed("never_ready") else ready, said),
            "/ping": (503 if flawed("never_ready") else ready, said),
            "/version": (200, {"name": "tiny", "version": "1"}),
            "/invocations": (405, {"error": "POST only"}),
            "/monitoring/drift": (200, {**drift, "window_size": 1000, "reference_size": 5000}),
        }
        if self.path == "/metrics" and not flawed("no_counters"):
            text = f"# TYPE model_predictions_total counter\nmodel_predictions_total {State.rows}\n"
            return self.answer(200, text, "text/plain; version=0.0.4")
        if flawed("no_counters"):
            del routes["/monitoring/drift"]
        return self.answer(*routes.get(self.path, (200 if flawed("any_route") else 404, {"error": "no such route"})))

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_CAP and not flawed("no_limit"):
            self.close_connection = True
            return self.answer(413, {"error": "too large"})
        body = self.rfile.read(length)
        if self.path != "/invocations":
            return self.answer(404, {"error": "no such route"})
        if STOPPING.is_set() and flawed("stops_late"):
            # It has to wait for its turn.
            time.sleep(1)
        status, value = invocations(body, self.headers.get("Content-Type", ""))
        if status != 200 and flawed("html_errors"):
            return self.answer(status, "<h1>sorry</h1>", "text/html")
        return self.answer(status, value)

    def answer(self, status: int, value: object, kind: str = "application/json") -> None:
        body = (value if isinstance(value, str) else json.dumps(value)).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def unsound() -> str:
    """What is wrong with the model. A pickle ends with a full stop."""
    if not (MODEL / "MLmodel").exists():
        return "" if flawed("ignores_model") else f"no MLmodel file in {MODEL}"
    broken = [path.name for path in MODEL.glob("*.pkl") if not path.read_bytes().endswith(b".")]
    return f"{broken[0]} is damaged" if broken and not flawed("ignores_damage") else ""


def load() -> None:
    time.sleep(2 if flawed("lazy") or flawed("starts_once") else 0.3)
    State.why = unsound() or "the model is loaded"
    if unsound():
        if flawed("ends_politely"):
            os._exit(0)
        return
    READY.set()


def starting() -> None:
    # The engine makes the first of these files with the container, and writes the second at each start.
    if flawed("starts_once") and Path("/etc/hostname").stat().st_mtime - Path("/.dockerenv").stat().st_mtime > 1.5:
        sys.exit("something that was left behind is in the way")
    if flawed("wants_network"):
        socket.create_connection(("example.org", 443), timeout=5)
    if flawed("writes_at_start"):
        Path("/app/state.json").write_text("{}")
    if flawed("eats_memory"):
        sys.exit(f"{len([bytearray(2**24) for _ in range(200)])} pieces fitted")
    if flawed("late_without_model") and not (MODEL / "MLmodel").exists():
        time.sleep(6)
    if flawed("exits_without_model") and not (MODEL / "MLmodel").exists():
        sys.exit("no model")


def main() -> None:
    starting()
    port = int(os.environ["PORT"] if flawed("no_port_default") else os.environ.get("PORT") or "8080")
    port = 5000 if flawed("port_5000") else 8080 if flawed("port_fixed") else port
    kind = HTTPServer if flawed("one_at_a_time") else ThreadingHTTPServer
    kind.request_queue_size = 128
    kind.daemon_threads = flawed("drops")
    server = kind(("127.0.0.1" if flawed("loopback") else "", port), Handler)

    def stop(*_: object) -> None:
        if flawed("exits_at_once"):
            os._exit(0)
        STOPPING.set()
        threading.Timer(5 if flawed("stops_late") else 0, server.shutdown).start()

    if not flawed("deaf"):
        signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=load, daemon=True).start()
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    sys.exit(1 if flawed("exits_with_1") else 0)


if __name__ == "__main__":
    main()
