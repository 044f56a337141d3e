"""The real app on the real model; nothing is replaced."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pandas as pd
import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.settings import Settings

MODEL = Path(__file__).parent.parent / "model"


def wait_ready(client: TestClient) -> None:
    deadline = time.monotonic() + 60
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline, "not ready after a minute"
        time.sleep(0.01)


@pytest.fixture
def client() -> Iterator[TestClient]:
    """A ready service of the test's own."""
    with TestClient(create_app(Settings(model=MODEL, body_bytes=1_000_000)), raise_server_exceptions=False) as client:
        wait_ready(client)
        yield client


@pytest.fixture(scope="session")
def rows() -> pd.DataFrame:
    """Real rows, some with missing values."""
    frame = pd.read_csv(MODEL / "reference.csv.gz", keep_default_na=False, na_values=[""])
    assert frame["merchant_risk"].isna().any()
    return frame


@pytest.fixture(scope="session")
def pipeline() -> Any:
    """The pipeline as it was trained, past all of the service's own code."""
    return cloudpickle.loads((MODEL / "model.pkl").read_bytes())


def split(frame: pd.DataFrame) -> dict[str, Any]:
    """A frame as the body of a request."""
    values = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    return {"dataframe_split": {"columns": list(frame.columns), "data": values}}


def records(frame: pd.DataFrame) -> dict[str, Any]:
    """The same in the other of the protocol's two shapes."""
    body = split(frame)["dataframe_split"]
    return {"dataframe_records": [dict(zip(body["columns"], row, strict=True)) for row in body["data"]]}
