"""A small challenge to put known submissions into."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.challenge import HOME


@pytest.fixture
def home(tmp_path):
    """A challenge's folder with a reference of three files and nothing else in `submissions`."""
    folder = tmp_path / "fraud_detection"
    reference = folder / "submissions" / "reference"
    reference.mkdir(parents=True)
    shutil.copy(HOME / "fraud_detection" / "challenge.toml", folder)
    (reference / "app.py").write_text("import this\nalive = True\n")
    (reference / ".gitignore").write_text("*.log\n")
    (reference / "model.bin").write_bytes(bytes(range(256)))
    return folder


@pytest.fixture
def write(home):
    def write(name: str, content: str) -> Path:
        path = home / "submissions" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    return write
