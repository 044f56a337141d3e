"""Slow and concurrent clients."""

from __future__ import annotations

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness.client import Client, NoAnswer
from harness.errors import SubmissionError
from harness.payloads import INVOCATIONS, split

if TYPE_CHECKING:
    import pandas as pd

PIECES = 20
CONNECT_SECONDS = 5.0
ENOUGH = 5
"""Requests of others that must be answered while one is still arriving."""


@dataclass
class Drip:
    """A request whose body arrives a piece at a time."""

    url: str
    body: bytes
    seconds: float

    def __post_init__(self) -> None:
        self.begun = threading.Event()
        self.over = threading.Event()
        """The last piece is on its way, or the service closed the connection."""
        self.reply = b""
        """The start of the answer, once the block is left."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self) -> Drip:
        self._thread.start()
        self.begun.wait(CONNECT_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _send(self) -> None:
        place = urlsplit(self.url)
        head = (
            f"POST {INVOCATIONS} HTTP/1.1\r\nhost: {place.netloc}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(self.body)}\r\n\r\n"
        )
        size = len(self.body) // PIECES + 1
        address = (place.hostname or "", place.port or 80)
        with suppress(OSError), socket.create_connection(address, timeout=CONNECT_SECONDS) as connection:
            connection.sendall(head.encode())
            for start in range(0, len(self.body), size):
                if start + size >= len(self.body):
                    # Before the last piece, not after it: a service that waited for it may answer others at once.
                    self.over.set()
                connection.sendall(self.body[start : start + size])
                self.begun.set()
                # Once it has served its purpose the rest follows at once: a body that breaks off is another matter.
                self._stop.wait(self.seconds / PIECES)
            self.reply = connection.recv(4096)
        self.over.set()
        self.begun.set()


def answered_meanwhile(url: str, frame: pd.DataFrame, seconds: float) -> int:
    """How many requests are answered, one after another, while another one takes `seconds` to arrive; five at most."""
    answered = 0
    with Drip(url, json.dumps(split(frame)).encode(), seconds) as drip:
        while answered < ENOUGH and not drip.over.is_set():
            # Each on a connection of its own, as those of other callers are: an open one might already have its worker.
            with Client(url) as client:
                try:
                    client.post(INVOCATIONS, split(frame), seconds=seconds)
                except NoAnswer:
                    break
            # Only the order of events counts, not how long anything takes on a busy machine.
            answered += not drip.over.is_set()
    return answered


def mixed_up(client: Client, frame: pd.DataFrame, callers: int) -> str:
    """Send each row alone, then all of them again from several callers at once; says what differed, if anything."""
    rows = [frame.iloc[[n]] for n in range(len(frame))]

    def ask(row: pd.DataFrame) -> Any:
        return answer(client, row)

    try:
        alone = [ask(row) for row in rows]
        with ThreadPoolExecutor(callers) as pool:
            together = list(pool.map(ask, rows))
    except SubmissionError as error:
        return str(error)
    wrong = [n for n, pair in enumerate(zip(alone, together, strict=True)) if not same(*pair)]
    if not wrong:
        return ""
    got, expected = together[wrong[0]], alone[wrong[0]]
    return f"{len(wrong)} of {len(rows)} answers differ from those to the same row alone, e.g. {got} for {expected}"


def answer(client: Client, frame: pd.DataFrame, seconds: float | None = None) -> Any:
    """What a service answers to valid rows: its predictions, or the whole of it if it calls them otherwise.

    Whether they are right, and well named, the functional stage judges; here they only must not change.

    Raises:
        SubmissionError: it is not 200, or not JSON.
    """
    reply = client.post(INVOCATIONS, split(frame), seconds=seconds)
    if reply.status != 200:
        raise SubmissionError(f"a valid request is answered {reply.status}: {reply.text[:200]!r}")
    value = reply.json()
    return value.get("predictions", value) if isinstance(value, dict) else value


def same(one: Any, other: Any, tolerance: float = 1e-6) -> bool:
    """Whether two answers are equal, numbers within a tolerance."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b, tolerance) for a, b in zip(one, other, strict=True))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= tolerance * (1 + abs(one))
    return bool(one == other)
