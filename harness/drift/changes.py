"""The seven changes: what each does to rows, and how large it must be to be asked for.

All take their measure from the reference sample that the monitor itself has. A shift is counted in plain standard
deviations of that sample. On a heavy-tailed feature the tail inflates them, so the bulk of the values moves further
than on a normal one: a statistic of the mean sees the same change there, one of the distribution a greater one.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.random import Generator
from scipy.stats import ks_2samp

from harness.drift.settings import Kind, NumericKind, Settings
from harness.errors import ChallengeError

T = TypeVar("T")
Source = Callable[[int], pd.DataFrame]
"""That many fresh, unchanged, independent rows."""
SHIFT = (1.5, 2.0)
"""Standard deviations."""
NULLS = 0.30
UNSEEN = 0.25
RAMP = 0.75
"""Share of the rows after the onset over which a gradual change grows to its full size."""
UPPER = 0.60
"""Share of its own reference values from which a feature is redrawn."""
SEGMENT = (0.02, 0.50)
"""Share of all rows that a segment may be: with less the pool is drawn for ever, with more too little changes."""
LEAST_SHIFT = 0.75
"""Standard deviations. Below it the choice of statistic decides, not the engineering."""
LEAST_SHIFT_IN_RANGE = 0.55
"""The upper 60 % of a normal feature lie 0.64 deviations above its mean, of a skewed one far less: only a test of the
distribution would find that, and a monitor of means must have a chance."""
LEAST_DISTANCE = 0.30
"""Kolmogorov-Smirnov distance: that of a normal feature moved by `LEAST_SHIFT`, but fit for any shape."""
UNITS: dict[str, Callable[[pd.Series], pd.Series]] = {
    "x 1.8 + 32": lambda x: x * 1.8 + 32,
    "x 1000": lambda x: x * 1000,
}


@dataclass(frozen=True)
class Change:
    """A change of one feature, or of the population."""

    kind: Kind
    feature: str
    """The column that changes; of a sub-population, the column that defines it."""
    text: str
    """What changes and by how much, for a reader of the report."""
    draw: Callable[[int, Source], pd.DataFrame]
    """That many changed rows, made from fresh ones."""


def choose(kind: Kind, settings: Settings, reference: pd.DataFrame, rng: Generator) -> Change:
    """Draw the feature and the size of one change.

    Raises:
        ChallengeError: no feature that the settings allow would change enough.
    """
    if kind == "missing":
        return _missing(_one(settings.nullable, rng), rng)
    if kind == "new_category":
        return _new_category(_one(settings.categorical, rng), reference, rng)
    if kind == "subpopulation":
        segments = [(column, value) for column, values in settings.segments.items() for value in values]
        return _subpopulation(*_one(segments, rng), reference)
    able = list(_numeric(kind, settings, reference, rng))
    if not able:
        raise ChallengeError(f"stage drift: no feature allowed for '{kind}' changes enough to be asked for")
    return _one(able, rng)


def _numeric(kind: NumericKind, settings: Settings, reference: pd.DataFrame, rng: Generator) -> Iterator[Change]:
    """Every change of one kind that the settings allow and that is large enough."""
    deviations = round(float(rng.uniform(*SHIFT)), 2)
    for feature, kinds in settings.numeric.items():
        values = reference[feature].dropna()
        if kind in kinds and kind in ("sudden", "gradual"):
            yield _shift(kind, feature, values, deviations)
        elif kind in kinds and kind == "in_range":
            yield from _in_range(feature, values, rng)
        elif kind in kinds:
            yield from (
                _mapped("unit", feature, f"{feature} {text}", convert)
                for text, convert in UNITS.items()
                if _large(values, convert(values), LEAST_SHIFT)
            )


def _shift(kind: Kind, feature: str, values: pd.Series, deviations: float) -> Change:
    size = deviations * float(values.std())
    if kind == "sudden":
        return _mapped(kind, feature, f"{feature} + {deviations} SD", lambda x: x + size)
    return _mapped(kind, feature, f"{feature} + 0 to {deviations} SD", lambda x: x + size * ramp(len(x)))


def _in_range(feature: str, values: pd.Series, rng: Generator) -> Iterator[Change]:
    top = np.sort(values.to_numpy())[-int(UPPER * len(values)) :]
    if _large(values, pd.Series(top), LEAST_SHIFT_IN_RANGE):
        # Nulls stay where they are: this change is to be seen in the values.
        text = f"{feature} redrawn from its upper {UPPER:.0%}"
        yield _mapped("in_range", feature, text, lambda x: x.where(x.isna(), rng.choice(top, len(x))))


def ramp(rows: int) -> np.ndarray:
    """Share of the full change at each row: grows linearly from 0 to 1 over the first `RAMP` of them."""
    return np.minimum(1.0, np.arange(rows) / (RAMP * rows))


def _large(before: pd.Series, after: pd.Series, least_shift: float) -> bool:
    moved = abs(after.mean() - before.mean()) / before.std()
    return bool(moved >= least_shift and ks_2samp(before, after).statistic >= LEAST_DISTANCE)


def _mapped(kind: Kind, feature: str, text: str, change: Callable[[pd.Series], pd.Series]) -> Change:
    def draw(rows: int, source: Source) -> pd.DataFrame:
        frame = source(rows)
        return frame.assign(**{feature: change(frame[feature])})

    return Change(kind, feature, text, draw)


def _missing(feature: str, rng: Generator) -> Change:
    def lose(values: pd.Series) -> pd.Series:
        return values.mask(rng.random(len(values)) < NULLS)

    return _mapped("missing", feature, f"{NULLS:.0%} of {feature} missing", lose)


def _new_category(feature: str, reference: pd.DataFrame, rng: Generator) -> Change:
    known = set(reference[feature].dropna())
    words = ("".join(rng.choice(list(string.ascii_lowercase), 6)) for _ in range(100))
    unseen = next(word for word in words if word not in known)

    def rename(values: pd.Series) -> pd.Series:
        return values.mask(rng.random(len(values)) < UNSEEN, unseen)

    return _mapped("new_category", feature, f"{UNSEEN:.0%} of {feature} is '{unseen}'", rename)


def _subpopulation(column: str, value: str, reference: pd.DataFrame) -> Change:
    share = float((reference[column] == value).mean())
    if not SEGMENT[0] <= share <= SEGMENT[1]:
        raise ChallengeError(
            f"stage drift: the segment {column} = {value!r} is {share:.1%} of the reference",
            f"Choose one of {SEGMENT[0]:.0%} to {SEGMENT[1]:.0%}.",
        )

    def draw(rows: int, source: Source) -> pd.DataFrame:
        found: list[pd.DataFrame] = []
        for _ in range(20):
            short = rows - sum(len(part) for part in found)
            if short <= 0:
                return pd.concat(found, ignore_index=True).head(rows)
            pool = source(int(1.1 * short / share) + 100)
            found.append(pool[pool[column] == value])
        raise ChallengeError(f"stage drift: data.py draws hardly any row with {column} = {value!r}")

    return Change("subpopulation", column, f"only rows with {column} = {value}", draw)


def _one(choices: Sequence[T], rng: Generator) -> T:
    return choices[int(rng.integers(len(choices)))]
