from __future__ import annotations

from pathlib import Path

import pytest

from service.settings import Alias, Settings


@pytest.mark.parametrize(
    ("uri", "model"),
    [
        ("", Path("/opt/ml/model")),
        ("/mnt/model", Path("/mnt/model")),
        ("file:///mnt/model", Path("/mnt/model")),
        ("models:/fraud@champion", Alias("http://mlflow:5000", "fraud", "champion")),
    ],
)
def test_the_model_is_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, uri: str, model: Path | Alias
) -> None:
    monkeypatch.setenv("MODEL_URI", uri)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000/")
    assert Settings.of_environment().model == model


@pytest.mark.parametrize(
    ("uri", "server", "said"),
    [
        ("models:/fraud/3", "http://mlflow:5000", "models:/NAME@ALIAS"),
        ("models:/fraud@champion", "", "MLFLOW_TRACKING_URI"),
        ("models:/fraud@champion", "sqlite:///mlflow.db", "MLFLOW_TRACKING_URI"),
    ],
)
def test_what_cannot_be_followed_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, uri: str, server: str, said: str
) -> None:
    monkeypatch.setenv("MODEL_URI", uri)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    with pytest.raises(ValueError, match=said):
        Settings.of_environment()
