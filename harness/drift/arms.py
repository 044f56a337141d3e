"""The exam's runs, made from the seed: for each arm a drift run and its control twin, and one recovery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.random import Generator

from harness.drift.changes import Change, choose
from harness.drift.settings import Kind, Settings
from harness.errors import ChallengeError

Condition = Literal["row by row", "in batches", "in a burst", "slowly", "among malformed requests"]
CONDITIONS: tuple[Condition, ...] = get_args(Condition)
Value = float | str | None
Rows = list[list[Value]]
"""Rows as they are sent: numbers, texts, and None where a value is missing."""


@dataclass(frozen=True)
class Run:
    """The rows that one fresh service gets, and how."""

    name: str
    """Says nothing of the arm: a service may find out what it is called."""
    columns: list[str]
    rows: Rows
    condition: Condition


@dataclass(frozen=True)
class Arm:
    """A drift run and its control twin, which differ in nothing but the rows after the onset."""

    kind: Kind
    change: Change
    drift: Run
    control: Run


@dataclass(frozen=True)
class Exam:
    """All runs of one seed."""

    arms: tuple[Arm, ...]
    recovery: Run | None
    """Drifted rows first, then clean ones."""
    recovers_from: str
    runs: tuple[Run, ...]
    """Every run, in an order that tells nothing."""


def build(
    settings: Settings, sample: Callable[[int, Generator], pd.DataFrame], reference: pd.DataFrame, seed: int
) -> Exam:
    """Make the exam of one seed.

    `sample(rows, rng)` gives fresh independent rows of the population that `reference` was drawn from, so that no row
    of the exam is drawn twice. The seed decides order, features, sizes, conditions and rows.

    Raises:
        ChallengeError: the settings do not fit the data.
    """
    rng, pool = np.random.default_rng(seed).spawn(2)
    kinds = [settings.arms[i] for i in rng.permutation(len(settings.arms))]
    conditions = cycle([CONDITIONS[i] for i in rng.permutation(len(CONDITIONS))])
    names = iter([f"run-{number + 1:02d}" for number in rng.permutation(2 * len(kinds) + 1)])

    def source(rows: int) -> pd.DataFrame:
        return sample(rows, pool)

    def run(parts: Sequence[pd.DataFrame], condition: Condition) -> Run:
        frame = pd.concat(parts, ignore_index=True)
        return Run(next(names), list(frame.columns), as_sent(frame), condition)

    arms = []
    for kind, condition in zip(kinds, conditions, strict=False):
        change = choose(kind, settings, reference, rng)
        drifted = change.draw(settings.drifted_rows, source)
        drift = run([source(settings.onset), drifted], condition)
        control = run([source(settings.rows)], condition)
        arms.append(Arm(kind, change, drift, control))
    recovery, recovers_from = None, ""
    if settings.recovery:
        shift = choose("sudden", settings, reference, rng)
        recovery = run([shift.draw(settings.clean_rows, source), source(settings.drifted_rows)], "in batches")
        recovers_from = shift.text
    runs = [one for arm in arms for one in (arm.drift, arm.control)] + ([recovery] if recovery else [])
    runs.sort(key=lambda one: one.name)
    return Exam(tuple(arms), recovery, recovers_from, tuple(runs))


def as_sent(frame: pd.DataFrame) -> Rows:
    """The frame's rows with None for every missing value."""
    rows: Rows = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    return rows


def read_reference(model: Path, settings: Settings) -> pd.DataFrame:
    """The reference sample that a model's folder brings.

    Raises:
        ChallengeError: it brings none, or it lacks a feature that the settings name.
    """
    path = model / settings.reference
    try:
        # Only an empty cell is missing: "NA" is a country.
        frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise ChallengeError(f"stage drift: the reference sample {path} cannot be read: {error}") from error
    named = {*settings.numeric, *settings.categorical, *settings.nullable, *settings.segments}
    if absent := sorted(named - set(frame.columns)):
        raise ChallengeError(f"stage drift: the reference sample has no column {', '.join(absent)}")
    return frame
