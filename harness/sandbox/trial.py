"""The sandbox tried on itself: what a container on the closed network reaches, and whether we reach it."""

from __future__ import annotations

import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from harness.sandbox import Launch, Limits, _engine
from harness.sandbox.docker import DockerSandbox
from harness.submission import export

WORLD = (("1.1.1.1", 443), ("8.8.8.8", 53))
"""Addresses that anything with a way out would reach."""
SECONDS = 30.0
LIMITS = Limits(memory_mb=128, pids=32, tmp_mb=1, build_seconds=120)
PROBE = """
import http.server, os, socket

def opens(address):
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 2).close()
        return True
    except OSError:
        return False

answer = " ".join(a for a in os.environ["ADDRESSES"].split() if opens(a))

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.encode())

http.server.HTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Trial:
    """What came of it."""

    build_seconds: float
    answered: bool
    """Whether this machine reaches a service on the closed network."""
    host_exposed: bool
    """Whether the service reached a socket that this machine had bound to all its addresses."""
    way_out: tuple[str, ...]
    """Addresses of the world that the service reached."""
    notices: tuple[str, ...]


def run() -> Trial:
    """Build and run a probe in a sandbox of its own.

    Raises:
        HarnessError: the sandbox cannot be made, the probe not built or not started.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-harness-") as made, _listening() as server:
        folder = Path(made)
        (folder / "probe").mkdir()
        (folder / "probe" / "probe.py").write_text(PROBE)
        (folder / "probe" / "Dockerfile").write_text(
            f'FROM {_engine.BASE_IMAGE}\nCOPY probe.py /\nUSER 65534\nCMD ["python3", "/probe.py"]\n'
        )
        submission = export(folder / "probe", folder / "export")
        with DockerSandbox("trial") as sandbox:
            image = sandbox.build(submission, LIMITS, folder / "log")
            port = server.getsockname()[1]
            addresses = [*((gateway, port) for gateway in sandbox.gateways()), *WORLD]
            env = {"ADDRESSES": " ".join(f"{host}:{port}" for host, port in addresses)}
            with sandbox.start(image, LIMITS, Launch(env=env)) as service:
                said = _ask(service.url)
            opened = (said or "").split()
            return Trial(
                build_seconds=image.build_seconds,
                answered=said is not None,
                host_exposed=_was_reached(server),
                way_out=tuple(a for a in opened if not a.endswith(f":{port}")),
                notices=sandbox.notices,
            )


@contextmanager
def _listening() -> Iterator[socket.socket]:
    """A server that stands for whatever else this machine serves."""
    with socket.create_server(("0.0.0.0", 0)) as server:  # noqa: S104  # it is the exposure that is being tried
        server.settimeout(0)
        yield server


def _was_reached(server: socket.socket) -> bool:
    with suppress(BlockingIOError):
        server.accept()[0].close()
        return True
    return False


def _ask(url: str) -> str | None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with suppress(httpx.HTTPError):
            return httpx.get(url, timeout=2, trust_env=False).text
        time.sleep(0.1)
    return None
