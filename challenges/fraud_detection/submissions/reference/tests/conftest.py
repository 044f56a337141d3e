"""The real app on the real model; nothing is replaced."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import pandas as pd
import pytest
from httpx import Client

from service.settings import Settings
from tests.serving import serve

MODEL = Path(__file__).parent.parent / "model"


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that is to happen soon: at once on a quiet machine, within minutes on any."""
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_ready(client: Client) -> None:
    until(lambda: client.get("/readyz").status_code == 200)


@pytest.fixture
def client() -> Iterator[Client]:
    """A ready service of the test's own."""
    with serve(Settings(model=MODEL, body_bytes=1_000_000)) as client:
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
    return pickled(MODEL)


def pickled(folder: Path) -> Any:
    """The pipeline of a model's folder."""
    return cloudpickle.loads((folder / "model.pkl").read_bytes())


def variant(folder: Path, version: str) -> Path:
    """Make a folder with another version of the model, which answers differently."""
    shutil.copytree(MODEL, folder)
    pipeline = pickled(MODEL)
    pipeline[-1].intercept_ += 1.0
    (folder / "model.pkl").write_bytes(cloudpickle.dumps(pipeline))
    record = (MODEL / "MLmodel").read_text()
    (folder / "MLmodel").write_text(record.replace("version: '1'", f"version: '{version}'"))
    return folder


def split(frame: pd.DataFrame) -> dict[str, Any]:
    """A frame as the body of a request."""
    values = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    return {"dataframe_split": {"columns": list(frame.columns), "data": values}}


def records(frame: pd.DataFrame) -> dict[str, Any]:
    """The same in the other of the protocol's two shapes."""
    body = split(frame)["dataframe_split"]
    return {"dataframe_records": [dict(zip(body["columns"], row, strict=True)) for row in body["data"]]}
