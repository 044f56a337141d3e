"""The service as tests call it. The only file here that knows the web framework and the server."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

from httpx import Client, WSGITransport

from service.app import create_app
from service.settings import Settings

COMMAND = [sys.executable, "-m", "gunicorn", "--config", "service/server.py", "service.app:create()"]
"""Starts it as the container does."""


@contextmanager
def serve(settings: Settings) -> Iterator[Client]:
    """A client of a service of its own, which lives as long as the client is open."""
    stop = Event()
    app = create_app(settings, stop)

    def server(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # As gunicorn does: a body of undeclared length ends where its chunks end.
        return app(environ | {"wsgi.input_terminated": True}, start_response)

    with Client(transport=WSGITransport(app=server), base_url="http://service") as client:
        yield client
    stop.set()
