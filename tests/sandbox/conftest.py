"""A sandbox on the real engine, and an image that runs whatever Python a test posts to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import httpx
import pytest

from harness.readiness import wait_ready
from harness.sandbox import Image, Launch, Limits, Service, _build
from harness.sandbox.docker import DockerSandbox
from harness.submission import Submission, export

BASE = "FROM python:3.11-slim-bookworm\n"
PROBER = """
import contextlib, http.server, io, os, traceback

class Prober(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer("ready")

    def do_POST(self):
        code = self.rfile.read(int(self.headers["content-length"])).decode()
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                exec(code, {})
        except Exception:
            out.write(traceback.format_exc())
        self.answer(out.getvalue())

    def answer(self, text):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("PORT", 8080))), Prober).serve_forever()
"""
CMD = 'CMD ["python3", "/prober.py"]\n'
SMALL = Limits(memory_mb=128, pids=40, tmp_mb=8, build_seconds=120)

Make = Callable[..., Submission]


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes a submission of a Dockerfile and other files."""

    def make(dockerfile: str | None, **files: str | bytes) -> Submission:
        folder = tmp_path_factory.mktemp("submission")
        if dockerfile is not None:
            (folder / "source").mkdir()
            (folder / "source" / "Dockerfile").write_text(dockerfile)
        for name, content in files.items():
            path = folder / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return export(folder / "source", folder / "export")

    return make


@pytest.fixture(scope="session")
def engine(done_with: Callable[[set[str]], None]) -> Iterator[docker.DockerClient]:
    """The SDK's client, for looking at what the sandbox did; removes the images of these tests at the end."""
    client = docker.from_env()
    before = {image.id for image in client.images.list()}
    yield client
    found = client.images.list(filters={"label": _build.LABEL})
    client.close()
    done_with({one.id for one in found if one.labels[_build.LABEL] in BUILT} - before)


BUILT: set[str] = set()
"""Digests of the submissions that these tests built."""


@pytest.fixture(scope="session")
def sandbox(engine: docker.DockerClient) -> Iterator[DockerSandbox]:
    with DockerSandbox("tests-of-the-sandbox") as sandbox:
        yield sandbox


@pytest.fixture
def build(sandbox: DockerSandbox, tmp_path: Path) -> Callable[..., Image]:
    """Builds a submission; its log is `tmp_path / "build.log"`."""

    def build(submission: Submission, limits: Limits = SMALL) -> Image:
        BUILT.add(submission.digest)
        return sandbox.build(submission, limits, tmp_path / "build.log")

    return build


@pytest.fixture
def prober(build: Callable[..., Image], make: Make) -> Image:
    return build(make(f"{BASE}COPY prober.py /\nVOLUME /data\nUSER 1000\n{CMD}", **{"prober.py": PROBER}))


@pytest.fixture
def probe(sandbox: DockerSandbox, prober: Image) -> Iterator[Callable[[str], str]]:
    """Runs Python in a service on the closed network and gives what it printed."""
    with sandbox.start(prober, SMALL, Launch(env={"GREETING": "hello"})) as service:
        wait_ready(service, ["/"], 30)
        yield lambda code: ask(service, code)


def ask(service: Service, code: str) -> str:
    return httpx.post(service.url, content=code, timeout=30, trust_env=False).text.strip()
