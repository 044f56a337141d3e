from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from httpx import Client

from service.settings import Settings
from tests.conftest import MODEL, pickled, records, split, variant, wait_ready
from tests.serving import serve


def predictions(client: Client, body: dict[str, Any]) -> np.ndarray:
    answer = client.post("/invocations", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Model-Version"] == client.get("/version").json()["version"]
    return np.array(answer.json()["predictions"])


@pytest.mark.parametrize("shape", [split, records])
def test_answers_are_those_of_the_pipeline(client: Client, rows: pd.DataFrame, pipeline: Any, shape: Any) -> None:
    rows = rows.head(2000)
    expected = pipeline.predict_proba(rows)
    np.testing.assert_allclose(predictions(client, shape(rows)), expected, rtol=0, atol=1e-9)


def test_a_row_gets_the_same_answer_alone_and_in_a_batch(client: Client, rows: pd.DataFrame) -> None:
    some = rows.head(20)
    alone = [predictions(client, split(some.iloc[[number]]))[0] for number in range(len(some))]
    np.testing.assert_allclose(alone, predictions(client, split(some)), rtol=0, atol=1e-12)


def test_columns_may_come_in_any_order_and_with_others(client: Client, rows: pd.DataFrame) -> None:
    shuffled = rows.head(5)[rows.columns[::-1]].assign(note="x")
    np.testing.assert_array_equal(predictions(client, split(shuffled)), predictions(client, split(rows.head(5))))


def test_an_unknown_category_and_a_whole_number_are_answered(client: Client, rows: pd.DataFrame, pipeline: Any) -> None:
    row = rows.head(1).assign(country="XX", hour=7.0, amount=np.nan)
    body = split(row)
    body["dataframe_split"]["data"][0][list(rows.columns).index("hour")] = 7
    np.testing.assert_allclose(predictions(client, body), pipeline.predict_proba(row), rtol=0, atol=1e-9)


def test_callers_at_the_same_time_get_their_own_answers(client: Client, rows: pd.DataFrame, pipeline: Any) -> None:
    some = rows.head(60)
    with ThreadPoolExecutor(12) as callers:
        answers = list(callers.map(lambda n: predictions(client, split(some.iloc[[n]]))[0], range(len(some))))
    np.testing.assert_allclose(answers, pipeline.predict_proba(some), rtol=0, atol=1e-9)


def test_the_model_that_is_mounted_answers(tmp_path: Path, rows: pd.DataFrame, pipeline: Any) -> None:
    folder = variant(tmp_path / "seven", "7")
    other = pickled(folder)
    with serve(Settings(model=folder)) as client:
        wait_ready(client)
        assert client.get("/version").json() == {"name": "fraud_detection", "version": "7"}
        answers = predictions(client, split(rows.head(50)))
    np.testing.assert_allclose(answers, other.predict_proba(rows.head(50)), rtol=0, atol=1e-9)
    assert np.abs(answers - pipeline.predict_proba(rows.head(50))).max() > 0.01


def test_the_model_s_own_example_is_answered(client: Client) -> None:
    body = json.loads((MODEL / "serving_input_example.json").read_text())
    assert predictions(client, body).shape == (3, 2)
