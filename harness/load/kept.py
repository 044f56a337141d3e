"""What requests did, kept beside the evidence so that every number can be computed again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.load.driven import Driven

CAP = 400_000
"""Requests; a phase that no longer fits is left out whole, and named in `left_out`."""


class Kept:
    """Collects windows by phase and writes them as one npz."""

    def __init__(self) -> None:
        self._phases: list[tuple[str, list[Driven]]] = []

    def add(self, phase: str, windows: list[Driven]) -> None:
        """Keep what a phase drove."""
        self._phases.append((phase, windows))

    def write(self, path: Path) -> None:
        """Write one row a request: phase, target, window, times in seconds from the window's start, status, good."""
        columns: dict[str, list[np.ndarray]] = {
            name: [] for name in ("phase", "target", "window", *TIMES, "status", "good")
        }
        left_out, total, number = [], 0, 0
        for phase, windows in self._phases:
            size = sum(len(window.status) for window in windows)
            if total + size > CAP:
                left_out.append(phase)
                continue
            total += size
            for window in windows:
                rows = len(window.status)
                columns["phase"].append(np.full(rows, phase, dtype="U24"))
                columns["target"].append(np.full(rows, window.target, dtype="U9"))
                columns["window"].append(np.full(rows, number, dtype="u4"))
                for name in TIMES:
                    columns[name].append((getattr(window, name) - window.seen.before.at).astype("f4"))
                columns["status"].append(window.status)
                columns["good"].append(window.good)
                number += 1
        table = {name: np.concatenate(parts) if parts else np.empty(0) for name, parts in columns.items()}
        np.savez_compressed(path, allow_pickle=False, left_out=np.array(left_out, dtype="U24"), **table)


TIMES = ("intended", "sent", "done")
