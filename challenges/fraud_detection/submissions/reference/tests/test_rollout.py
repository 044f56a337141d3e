from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pandas as pd
import pytest
from httpx import Client

from service.settings import Alias, Settings
from tests.conftest import pickled, split, until, variant, wait_ready
from tests.serving import serve
from tests.tracking import ALIAS, DAMAGED, NAME, Tracking


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracking]:
    server = Tracking(tmp_path_factory.mktemp("tracking"))
    server.start()
    server.register(tmp_path_factory.mktemp("models"))
    yield server
    server.stop()


@pytest.fixture
def client(tracking: Tracking) -> Iterator[Client]:
    """A service that follows the alias, which names version 1 as yet."""
    tracking.promote("1")
    with serve(following(tracking)) as client:
        wait_ready(client)
        yield client


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, rows: pd.DataFrame, pipeline: Any) -> dict[str, np.ndarray]:
    """For each version, its answers to the first 50 rows."""
    other = pickled(variant(tmp_path_factory.mktemp("two") / "2", "2"))
    return {"1": pipeline.predict_proba(rows.head(50)), "2": other.predict_proba(rows.head(50))}


def following(tracking: Tracking) -> Settings:
    return Settings(model=Alias(tracking.url, NAME, ALIAS), poll_seconds=0.1)


def version(client: Client) -> str:
    return client.get("/version").json()["version"]


def test_promotion_and_rollback_under_traffic(
    client: Client, tracking: Tracking, rows: pd.DataFrame, expected: dict[str, np.ndarray]
) -> None:
    """No answer fails, and each is right for the version that it names."""
    done, body = Event(), split(rows.head(50))

    def call() -> list[tuple[str, np.ndarray]]:
        seen = []
        while not done.is_set():
            answer = client.post("/invocations", json=body)
            assert answer.status_code == 200, answer.text
            seen.append((answer.headers["X-Model-Version"], np.array(answer.json()["predictions"])))
        return seen

    with ThreadPoolExecutor(4) as callers:
        calls = [callers.submit(call) for _ in range(4)]
        try:
            for wanted in ("2", "1", "2"):
                tracking.promote(wanted)
                until(lambda wanted=wanted: version(client) == wanted)
        finally:
            done.set()
        seen = [answer for call in calls for answer in call.result()]
    assert {name for name, _ in seen} == {"1", "2"}
    for name, answer in seen:
        np.testing.assert_allclose(answer, expected[name], rtol=0, atol=1e-9)


def test_a_new_version_starts_the_monitor_anew_and_counts_on(
    client: Client, tracking: Tracking, rows: pd.DataFrame
) -> None:
    client.post("/invocations", json=split(rows.head(600).assign(country="XX")))
    assert client.get("/monitoring/drift").json()["drift_detected"]
    assert 'model_info{name="fraud_detection",version="1"} 1.0' in client.get("/metrics").text
    tracking.promote("2")
    until(lambda: version(client) == "2")
    report, metrics = client.get("/monitoring/drift").json(), client.get("/metrics").text
    assert (report["n_observed"], report["drift_detected"]) == (0, False)
    assert "model_predictions_total 600.0" in metrics
    assert [line for line in metrics.splitlines() if line.startswith("model_info")] == [
        'model_info{name="fraud_detection",version="2"} 1.0'
    ]


def test_a_version_that_cannot_be_loaded_changes_nothing(
    client: Client, tracking: Tracking, caplog: pytest.LogCaptureFixture
) -> None:
    tracking.promote(DAMAGED)
    until(lambda: f"version {DAMAGED} cannot be served" in caplog.text)
    assert (version(client), client.get("/readyz").status_code) == ("1", 200)
    tracking.promote("2")
    until(lambda: version(client) == "2")
    assert caplog.text.count("cannot be served") == 1


def test_a_registry_that_is_away_changes_nothing(
    client: Client, tracking: Tracking, rows: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    tracking.stop()
    until(lambda: "cannot be had" in caplog.text)
    answer = client.post("/invocations", json=split(rows.head(5)))
    assert (answer.status_code, answer.headers["X-Model-Version"], version(client)) == (200, "1", "1")
    tracking.start()
    tracking.promote("2")
    until(lambda: version(client) == "2")


def test_it_waits_for_a_registry_that_is_not_there_yet(tracking: Tracking) -> None:
    tracking.promote("2")
    tracking.stop()
    with serve(following(tracking)) as client:
        until(lambda: "Connection refused" in client.get("/readyz").json()["detail"])
        assert client.get("/livez").status_code == 200
        tracking.start()
        wait_ready(client)
        assert version(client) == "2"


def test_the_files_of_a_version_do_not_stay(
    tracking: Tracking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/tmp has 64 MB, for all versions that there will ever be."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with serve(following(tracking)) as client:
        wait_ready(client)
        until(lambda: not list(tmp_path.iterdir()))
