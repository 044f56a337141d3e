"""Predictions one at a time, in the order in which they came."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from service.protocol import Refused

T = TypeVar("T")


class Turns:
    """A prediction holds the interpreter's lock: a second one at a time would only slow the first and the probes."""

    def __init__(self, waiting: int) -> None:
        """`waiting` callers may wait; one more is refused, so that a queue never outlives a burst."""
        # A thread of its own, not a lock: that would go to whoever asks first once it is free, however late it came.
        self._thread = ThreadPoolExecutor(1, "predict")
        self._most = waiting + 1
        self._inside = 0
        self._lock = threading.Lock()

    def take(self, work: Callable[[], T]) -> T:
        """Do some work when its turn comes. Raises `Refused` (503) if too many wait, and whatever the work raises."""
        with self._lock:
            if self._inside >= self._most:
                raise Refused("too many requests are waiting", 503)
            self._inside += 1
        try:
            return self._thread.submit(work).result()
        finally:
            with self._lock:
                self._inside -= 1
