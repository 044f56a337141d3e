"""What an answer of the reference usually costs on this machine: a result beside a reference that is off is void."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

KEPT = 9
NEEDED = 3
"""Earlier values without which nothing is said."""
TOLERANCE = 0.10


class Baseline:
    """Cpu seconds per answer of earlier runs, in a file of the cache. Deleting the file starts anew."""

    def __init__(self, path: Path, key: str) -> None:
        """`key` names what the values depend on: the reference's image, the processor, the kernel."""
        self._path, self._key = path, key

    def off(self, value: float | None) -> str:
        """Why `value` is not to be believed, or an empty string; None is not known."""
        earlier = self._all().get(self._key, [])
        if value is None or len(earlier) < NEEDED:
            return ""
        usual = statistics.median(earlier)
        if abs(value / usual - 1) <= TOLERANCE:
            return ""
        return (
            f"an answer of the reference cost {value * 1e3:.2f} ms of cpu, where {usual * 1e3:.2f} ms is usual on this "
            f"machine (delete {self._path} if the machine has changed)"
        )

    def add(self, value: float | None) -> None:
        """Keep a value, one that is off too: where a machine has changed, the usual value follows within a few runs."""
        if value is None:
            return
        values = self._all()
        values[self._key] = [*values.get(self._key, []), value][-KEPT:]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(".new")
        unfinished.write_text(json.dumps(values, indent=1))
        unfinished.replace(self._path)

    def _all(self) -> dict[str, list[float]]:
        try:
            raw = json.loads(self._path.read_text())
            return {str(key): [float(value) for value in values] for key, values in raw.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}
