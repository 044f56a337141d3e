"""A generator and a server with odd manners, for the tests of the load stage."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.load.generator import Generator


@pytest.fixture(scope="module")
def odd_server() -> Iterator[str]:
    """The base URL of `odd_server.py`, in a process of its own."""
    script = Path(__file__).with_name("odd_server.py")
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        command = [sys.executable, str(script), str(listening.fileno())]
        with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listening.fileno()]) as server:
            try:
                yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            finally:
                server.kill()


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generator]:
    """A generator that may use any core."""
    scratch = tmp_path_factory.mktemp("generator")
    with Generator(pin=(), cores=(0,), log=scratch / "log", scratch=scratch) as running:
        running.fill("pool", [f'{{"number": {number}}}'.encode() for number in range(5000)])
        yield running
