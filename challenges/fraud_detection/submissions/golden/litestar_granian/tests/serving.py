"""The service as tests call it. The only file here that knows the web framework and the server."""

from __future__ import annotations

import sys

from litestar.testing import TestClient

from service.app import create_app
from service.settings import Settings

COMMAND = [sys.executable, "-m", "service"]
"""Starts it as the container does."""


def serve(settings: Settings) -> TestClient:
    """A client of a service of its own, which lives as long as the client is open."""
    return TestClient(create_app(settings), raise_server_exceptions=False)
