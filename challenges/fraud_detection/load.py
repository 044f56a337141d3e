"""What one request of the load stage is, and which answer to it is right. How requests are driven is not said here: all
challenges are driven alike, or their results would not compare.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness import kit

NEAR_DUPLICATES = 0.05
"""Share of the rows that repeat another but for one feature: a cache that leaves out a feature gets them wrong."""
TOLERANCE = 1e-6
"""Of a probability."""


class Traffic:
    """Single transactions to score, as card terminals send them."""

    path = "/invocations"

    def __init__(self, model: Path, sample: Callable[[int, np.random.Generator], pd.DataFrame]) -> None:
        """`model` is the folder of the model that is served; `sample(rows, rng)` draws transactions."""
        self._model, self._sample = kit.Model(model), sample

    def requests(self, count: int, seed: int, rows: int = 1) -> list[tuple[bytes, Any]]:
        """That many different bodies of `rows` rows each, with the predictions expected of them."""
        rng = np.random.default_rng(seed)
        frame = self._with_near_duplicates(self._sample(count * rows, rng), rng)
        predictions = self._model.predict(frame)
        whole = kit.split(frame)["dataframe_split"]
        cut = [slice(start, start + rows) for start in range(0, count * rows, rows)]
        return [(self._body(whole["columns"], whole["data"][part]), predictions[part]) for part in cut]

    def is_right(self, answer: bytes, expected: Any) -> bool:
        """Whether an answer gives the expected predictions, one a row, in order."""
        given = json.loads(answer)["predictions"]
        # By hand: a hundred times as fast as numpy for two numbers, and every answer under load is judged.
        return len(given) == len(expected) and all(
            len(row) == len(wanted) and all(abs(x - y) <= TOLERANCE for x, y in zip(row, wanted, strict=True))
            for row, wanted in zip(given, expected, strict=True)
        )

    @staticmethod
    def _body(columns: list[str], data: list[list[Any]]) -> bytes:
        return json.dumps({"dataframe_split": {"columns": columns, "data": data}}).encode()

    @staticmethod
    def _with_near_duplicates(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        """Some rows become a copy of the row before them in which one feature is that of another row."""
        places = 1 + np.flatnonzero(rng.random(len(frame) - 1) < NEAR_DUPLICATES)
        features = rng.integers(frame.shape[1], size=len(places))
        donors = rng.integers(len(frame), size=len(places))
        columns = {}
        for number, name in enumerate(frame.columns):
            values = frame[name].to_numpy()
            sources = np.arange(len(frame))
            sources[places] = np.where(features == number, donors, places - 1)
            columns[name] = values[sources]
        return pd.DataFrame(columns)
