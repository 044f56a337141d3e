"""Valid requests that are all different, drawn from the secret seed, and whether the answers to them are right."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.client import Client, Reply
from harness.errors import SubmissionError
from harness.payloads import INVOCATIONS, cells, predictions
from harness.robustness.strain import same

if TYPE_CHECKING:
    import pandas as pd

POOL = 4000
"""Rows that all requests are drawn from, with replacement: one row in each of thousands of requests."""
HEADERS = {"content-type": "application/json"}


@dataclass(frozen=True)
class Batch:
    """One request."""

    rows: int
    body: bytes = field(repr=False)
    expected: list[Any] = field(repr=False)
    """The model's predictions."""


class Batches:
    """Makes requests and judges answers. Safe to share between threads."""

    def __init__(self, model: Path, sample: Callable[[int, np.random.Generator], pd.DataFrame], seed: int) -> None:
        """`model` is the folder of the model that is served; loading it takes seconds where it is the first."""
        from harness.kit import Model

        self._rng = np.random.default_rng(seed)
        self._lock = threading.Lock()
        frame = sample(POOL, self._rng)
        self._columns = json.dumps(list(frame.columns))
        self._rows = [json.dumps(row) for row in cells(frame)]
        self._expected = Model(model).predict(frame)
        self.strict = True
        """Whether answers are held against the model's. If not, because even an undisturbed service gives others, that
        is the functional stage's to judge, and any answer with status 200 is right here."""

    def make(self, rows: int) -> Batch:
        """A request of that many rows."""
        with self._lock:
            chosen = self._rng.integers(POOL, size=rows).tolist()
        data = ",".join(self._rows[row] for row in chosen)
        body = f'{{"dataframe_split": {{"columns": {self._columns}, "data": [{data}]}}}}'.encode()
        return Batch(rows, body, [self._expected[row] for row in chosen])

    def wrong(self, reply: Reply, batch: Batch) -> str:
        """What is wrong with an answer, or an empty string."""
        if reply.status != 200:
            return f"it was answered {reply.status}: {reply.text[:200]!r}"
        if not self.strict:
            return ""
        try:
            given = predictions(reply, batch.rows)
        except SubmissionError as error:
            return str(error)
        return "" if same(given, batch.expected) else "its answer is not the model's"


def send(client: Client, batch: Batch, seconds: float) -> Reply:
    """Send a request. Raises `NoAnswer`."""
    return client.request("POST", INVOCATIONS, body=batch.body, headers=HEADERS, seconds=seconds)
