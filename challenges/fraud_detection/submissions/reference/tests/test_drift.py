from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from service.drift import MINIMUM, WINDOW, Monitor
from service.model import Model
from service.protocol import Table
from tests.conftest import MODEL


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(MODEL)


@pytest.fixture
def monitor(model: Model) -> Monitor:
    return Monitor(model.reference, model.signature)


def draw(rng: np.random.Generator, rows: pd.DataFrame, count: int) -> pd.DataFrame:
    return rows.sample(count, random_state=rng, ignore_index=True)


def observe(monitor: Monitor, frame: pd.DataFrame, size: int = 50) -> None:
    for start in range(0, len(frame), size):
        part = frame.iloc[start : start + size]
        monitor.observe(Table(len(part), {name: part[name].to_numpy() for name in part.columns}))


CHANGES = {
    "a shift": ("amount", lambda rows: rows.assign(amount=rows["amount"] + 1.5 * rows["amount"].std())),
    "another unit": ("distance_km", lambda rows: rows.assign(distance_km=rows["distance_km"] * 1000)),
    "missing values": (
        "merchant_risk",
        lambda rows: rows.assign(merchant_risk=rows["merchant_risk"].mask(rows.index % 10 < 3)),
    ),
    "a new category": ("channel", lambda rows: rows.assign(channel=rows["channel"].mask(rows.index % 4 == 0, "phone"))),
    "a segment alone": ("country", lambda rows: rows[rows["country"] == "FR"]),
    "values from the usual range": (
        "hour",
        lambda rows: rows.assign(hour=rows["hour"].clip(lower=rows["hour"].quantile(0.4))),
    ),
    "nothing but nulls": ("amount", lambda rows: rows.assign(amount=np.nan)),
}


@pytest.mark.parametrize(("feature", "change"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_noticed_and_forgotten(monitor: Monitor, rows: pd.DataFrame, feature: str, change) -> None:
    rng = np.random.default_rng(1)
    observe(monitor, draw(rng, rows, WINDOW))
    assert not monitor.verdict().drift_detected
    observe(monitor, draw(rng, change(rows), WINDOW))
    assert monitor.verdict().features[feature].drifted
    observe(monitor, draw(rng, rows, WINDOW))
    assert not monitor.verdict().drift_detected


def test_false_alarms_are_as_rare_as_promised(model: Model) -> None:
    """Windows drawn from the reference itself: two alarms in 200 are a one in 50 chance at the promised rate."""
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(model.reference.columns)
    alarms = 0
    for _ in range(200):
        monitor = Monitor(model.reference, model.signature)
        observe(monitor, draw(rng, frame, WINDOW), size=WINDOW)
        alarms += monitor.verdict().drift_detected
    assert alarms <= 1


@pytest.mark.parametrize("size", [1, 7, 499, 2500])
def test_the_window_holds_the_last_rows_whatever_the_batches(monitor: Monitor, rows: pd.DataFrame, size: int) -> None:
    observe(monitor, rows.assign(country="XX").head(1500), size)
    observe(monitor, rows.head(WINDOW), size)
    verdict = monitor.verdict()
    assert (verdict.n_observed, verdict.window_size) == (2500, WINDOW)
    assert not verdict.drift_detected


def test_too_few_rows_are_no_verdict(monitor: Monitor, rows: pd.DataFrame) -> None:
    observe(monitor, rows.assign(country="XX").head(MINIMUM - 1))
    verdict = monitor.verdict()
    assert (verdict.status, verdict.drift_detected, verdict.features) == ("insufficient_data", False, {})
    assert (verdict.n_observed, verdict.window_size, verdict.reference_size) == (MINIMUM - 1, MINIMUM - 1, 6000)
    observe(monitor, rows.assign(country="XX").head(1))
    assert (monitor.verdict().status, monitor.verdict().drift_detected) == ("ok", True)


def test_asking_changes_nothing(monitor: Monitor, rows: pd.DataFrame) -> None:
    observe(monitor, rows.head(800))
    assert len({str(monitor.verdict()) for _ in range(5)}) == 1
