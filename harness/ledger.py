"""Where the wall time of a stage went.

Stages overlap work (two services may be measured while a third starts), so spans are collected from any thread and a
moment counts once, for the first of measuring, serving, building that covers it; what nothing covers is our own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Literal

from grading.evidence import LedgerLine

Kind = Literal["measuring", "serving", "building"]
PRECEDENCE: tuple[Kind, ...] = ("measuring", "serving", "building")
Span = tuple[Kind, float, float]


class Ledger:
    """Collects spans of time between its making and `close`."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._spans: list[Span] = []

    @contextmanager
    def span(self, kind: Kind) -> Iterator[None]:
        """Count the time inside the `with` block as `kind`."""
        start = time.monotonic()
        try:
            yield
        finally:
            self._spans.append((kind, start, time.monotonic()))

    def close(self) -> LedgerLine:
        """The line of everything until now, in seconds."""
        return split(self._spans, self._started, time.monotonic())


def split(spans: list[Span], start: float, end: float) -> LedgerLine:
    """Split the time from `start` to `end` by what covered it."""
    edges = sorted({start, end, *(edge for _, a, b in spans for edge in (a, b) if start < edge < end)})
    seconds: dict[str, float] = dict.fromkeys((*PRECEDENCE, "own"), 0.0)
    for left, right in pairwise(edges):
        covering = {kind for kind, a, b in spans if a <= left and b >= right}
        seconds[next((kind for kind in PRECEDENCE if kind in covering), "own")] += right - left
    return LedgerLine(wall=round(end - start, 2), **{kind: round(value, 2) for kind, value in seconds.items()})
