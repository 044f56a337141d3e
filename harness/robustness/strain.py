"""Slow and concurrent clients."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness.client import Client
from harness.errors import SubmissionError
from harness.payloads import INVOCATIONS, predictions, split

if TYPE_CHECKING:
    import pandas as pd


def drip(url: str, body: bytes, seconds: float, stop: threading.Event) -> None:
    """Send a request whose body takes `seconds` to arrive, a piece at a time; any answer or refusal is fine."""
    place = urlsplit(url)
    head = (
        f"POST {INVOCATIONS} HTTP/1.1\r\nhost: {place.netloc}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    pieces = 20
    size = len(body) // pieces + 1
    with suppress(OSError), socket.create_connection((place.hostname or "", place.port or 80), timeout=5) as connection:
        connection.sendall(head.encode())
        for start in range(0, len(body), size):
            connection.sendall(body[start : start + size])
            if stop.wait(seconds / pieces):
                return
        connection.recv(65536)


def answered_while_dripping(client: Client, frame: pd.DataFrame, *, clients: int, seconds: float) -> list[float]:
    """Seconds that each of five valid requests took while slow clients were still sending theirs.

    Raises:
        SubmissionError: one of them was not answered as it should be.
    """
    body = json.dumps(split(frame)).encode()
    stop = threading.Event()
    slow = [threading.Thread(target=drip, args=(client.url, body, seconds, stop)) for _ in range(clients)]
    for thread in slow:
        thread.start()
    try:
        time.sleep(seconds / 10)
        taken = []
        for _ in range(5):
            start = time.monotonic()
            predictions(client.post(INVOCATIONS, split(frame), seconds=seconds), len(frame))
            taken.append(time.monotonic() - start)
        return taken
    finally:
        stop.set()
        for thread in slow:
            thread.join()


def mixed_up(client: Client, frame: pd.DataFrame, *, callers: int) -> tuple[Any, Any] | None:
    """Send each row alone, then all of them again from several callers at once.

    Returns what was expected and observed for the first row whose answer changed, or None.

    Raises:
        SubmissionError: a valid request was not answered as it should be.
    """
    rows = [frame.iloc[[n]] for n in range(len(frame))]

    def ask(row: pd.DataFrame) -> Any:
        return predictions(client.post(INVOCATIONS, split(row)), 1)[0]

    alone = [ask(row) for row in rows]
    with ThreadPoolExecutor(callers) as pool:
        together = list(pool.map(ask, rows))
    return next(((a, b) for a, b in zip(alone, together, strict=True) if not same(a, b)), None)


def same(one: Any, other: Any, tolerance: float = 1e-6) -> bool:
    """Whether two predictions are equal, numbers within a tolerance."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b, tolerance) for a, b in zip(one, other, strict=True))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= tolerance * (1 + abs(one))
    return bool(one == other)


def counters(client: Client, metric: str, drift_path: str) -> dict[str, float]:
    """What the service says that it has scored, from each place that says so."""
    found = {}
    with suppress(SubmissionError):
        lines = client.get("/metrics").text.splitlines()
        values = [line.rsplit(" ", 1)[1] for line in lines if line.startswith((metric + " ", metric + "{"))]
        with suppress(ValueError):
            if values:
                found[metric] = sum(map(float, values))
    with suppress(SubmissionError):
        report = client.get(drift_path).json()
        if isinstance(report, dict) and isinstance(report.get("n_observed"), int):
            found["n_observed"] = float(report["n_observed"])
    return found
