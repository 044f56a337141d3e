"""What monitors in process have in common: a window of rows, the reference, and a report."""

from __future__ import annotations

import copy
import threading
from collections import deque
from collections.abc import Mapping

import numpy as np
import pandas as pd

from harness.drift.arms import Rows, as_sent
from harness.drift.monitor import Feature, Report
from harness.drift.traffic import Spoilt

Column = np.ndarray
"""Floats with NaN, or objects with None."""
Scores = Mapping[str, tuple[float, float]]
"""By feature: the score, and the threshold above which it has drifted."""


class KnownMonitor:
    """Keeps the last `window` rows; a subclass says what they score against the reference."""

    window: int | None = 1000
    minimum = 500

    def __init__(self, reference: pd.DataFrame, seed: int = 0) -> None:
        self.reference = columns_of(list(reference.columns), as_sent(reference))
        self.reference_rows = len(reference)
        self.rng = np.random.default_rng(seed)
        self.known = {name: self.learn(column) for name, column in self.reference.items()}

    def fresh(self) -> KnownMonitor:
        """The same monitor, freshly started: what it learned of the reference is kept."""
        new = copy.copy(self)
        new.seen, new.rows, new.verdict, new.lock = 0, deque(maxlen=self.window), None, threading.Lock()
        return new

    def send(self, columns: list[str], rows: Rows) -> None:
        with self.lock:
            self.rows.extend(rows)
            self.seen += len(rows)
            self.verdict = None

    def provoke(self, columns: list[str], rows: Rows, how: Spoilt) -> None:
        pass

    def predictions(self) -> float:
        return self.seen

    def poll(self) -> Report:
        with self.lock:
            self.verdict = self.verdict or self.judge()
            return self.verdict

    def judge(self) -> Report:
        if len(self.rows) < self.minimum:
            return self.report({}, drift=False, status="insufficient_data")
        current = columns_of(list(self.reference), list(self.rows))
        scores = {name: self.score(name, column) for name, column in current.items()}
        return self.report(scores, drift=self.detected([score > limit for score, limit in scores.values()]))

    def detected(self, drifted: list[bool]) -> bool:
        return any(drifted)

    def learn(self, reference: Column) -> object:
        """What `score` needs to know of a reference column."""

    def score(self, name: str, current: Column) -> tuple[float, float]:
        raise NotImplementedError

    def report(self, scores: Scores, *, drift: bool, status: str = "ok") -> Report:
        features = {
            name: Feature(drifted=bool(score > limit), score=float(score), threshold=limit, method=type(self).__name__)
            for name, (score, limit) in scores.items()
        }
        return Report(
            status=status, drift_detected=bool(drift), n_observed=self.seen, window_size=len(self.rows),
            reference_size=self.reference_rows, features=features,
        )  # fmt: skip


def columns_of(names: list[str], rows: Rows) -> dict[str, Column]:
    columns = np.array(rows, dtype=object).T
    texts = [any(isinstance(value, str) for value in column) for column in columns]
    return {n: c if text else c.astype(float) for n, c, text in zip(names, columns, texts, strict=True)}


def null(column: Column) -> Column:
    return np.isnan(column) if column.dtype == float else np.equal(column, None)
