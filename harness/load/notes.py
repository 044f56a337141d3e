"""What each request of an order did: noted by the generator, written to one file."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Note(NamedTuple):
    """One request; times in monotonic seconds."""

    window: int
    number: int
    """In its pool, counted on beyond the pool's end."""
    intended: float
    sent: float
    done: float
    status: int
    scored: bool
    """False in a lead-in."""


KINDS = ("u2", "u4", "f8", "f8", "f8", "i2", "?")


class Notes:
    """Notes of all requests, their answers, and the probes of a health route."""

    def __init__(self) -> None:
        self._notes: list[Note] = []
        self._bodies: list[bytes] = []
        self._encodings: list[str] = []
        self._probes: list[tuple[int, float, float, int]] = []

    def add(self, note: Note, body: bytes = b"", encoding: str = "") -> None:
        """Note a request with the body of its answer, and how that is encoded."""
        self._notes.append(note)
        self._bodies.append(body)
        self._encodings.append(encoding)

    def add_probe(self, window: int, sent: float, done: float, status: int) -> None:
        """Note a probe."""
        self._probes.append((window, sent, done, status))

    def write(self, path: str) -> None:
        """Write everything as npz."""
        columns = zip(*self._notes, strict=True) if self._notes else ((),) * len(KINDS)
        table = {n: np.array(c, dtype=k) for n, c, k in zip(Note._fields, columns, KINDS, strict=True)}
        np.savez(
            path,
            allow_pickle=False,
            lengths=np.array([len(body) for body in self._bodies], dtype="u4"),
            bodies=np.frombuffer(b"".join(self._bodies), dtype="u1"),
            encodings=np.array(self._encodings, dtype="U8"),
            probes=np.array(self._probes, dtype="f8").reshape(-1, 4),
            **table,
        )
