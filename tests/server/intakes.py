"""A real intake in a process of its own, and what a candidate sends to it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import httpx

from harness import bundle
from harness.server import audit, invitations
from harness.server.database import opened
from harness.server.settings import Settings
from harness.submission import Submission, digest

ROOT = Path(__file__).resolve().parents[2]
GRADER = Path(__file__).with_name("quick_grader.py")
# One for all, since making one reads a hundred certificates; but a connection each, as many candidates have.
CLIENT = httpx.Client(limits=httpx.Limits(max_connections=None, max_keepalive_connections=0))


def harness(*arguments, env=None, **options):
    """The command line, with what it printed; `env` is added to this process's."""
    command = [sys.executable, "-m", "harness", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False, **options)


@dataclass(frozen=True)
class Bundle:
    digest: str
    sha256: str
    content: bytes


def pack(folder: Path, name: str, challenge: str = "fraud_detection", **files: str) -> Bundle:
    """A bundle of a submission with these files; the name makes it another one."""
    tree = folder / f"tree-{name}"
    tree.mkdir()
    for path, content in {"Dockerfile": "FROM scratch\n", "name": name, **files}.items():
        (tree / path).write_text(content)
    target = folder / f"{name}.tar"
    manifest = bundle.pack(Submission(name, tree, tree, digest(tree)), challenge, target)
    return Bundle(manifest.submission, bundle.sha256(target), target.read_bytes())


@dataclass
class Intake:
    """The home of an intake, and its server where one runs."""

    home: Path
    template: Path
    log: Path
    options: tuple[str, ...] = ()
    database: str = ""
    address: str = ""
    process: subprocess.Popen | None = None
    client: httpx.Client = CLIENT

    def start(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.address = f"{'https' if '--certificate' in self.options else 'http'}://127.0.0.1:{port}"
        grader = f"{sys.executable} -I -S {GRADER} {{submission}} {{runs}} {self.template}"
        command = [
            sys.executable,
            "-m",
            "harness",
            "serve",
            "--home",
            self.home,
            "--port",
            str(port),
            "--grader",
            grader,
        ]
        if self.database:
            command += ["--database", self.database]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.options], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=log
            )
        until(self.answers, "the server answers")

    def answers(self):
        assert self.process.poll() is None, self.log.read_text()
        with contextlib.suppress(httpx.TransportError):
            return self.client.get(f"{self.address}/v1/key").is_success
        return False

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(60)

    @contextlib.contextmanager
    def session(self):
        """The intake's own database, beside the server."""
        self.home.mkdir(exist_ok=True)
        with opened(Settings(self.home, self.database).url) as database, database.write() as session:
            yield session

    def invite(self, *, candidate="Ada", deadline=None, attempts=3):
        """A new invitation's id and token."""
        due = datetime.fromisoformat(deadline) if deadline else None
        with self.session() as session:
            named = {"candidate": candidate, "challenge": "fraud_detection"}
            shown, token = invitations.create(session, **named, deadline=due, attempts=attempts)
        return {"id": shown.id, "token": token}

    def audit(self, invitation=""):
        with self.session() as session:
            return audit.read(session, invitation=invitation, limit=100_000)

    def put(self, token, sent, *, digest="", content=None, headers=None):
        url = f"{self.address}/v1/submissions/{digest or sent.digest}"
        own = {"Authorization": f"Bearer {token}", "X-Bundle-SHA256": sent.sha256, **(headers or {})}
        return CLIENT.put(url, content=sent.content if content is None else content, headers=own, timeout=60)

    def get(self, token, sent, part=""):
        url = f"{self.address}/v1/submissions/{sent.digest}{part}"
        return CLIENT.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=60)

    def wait_for(self, token, sent, *states):
        until(lambda: self.get(token, sent).json()["state"] in states, f"it is {states}")
        return self.get(token, sent).json()

    def graded(self):
        """What the grader logged."""
        log = self.template / "log"
        return log.read_text().splitlines() if log.exists() else []


def until(holds, what, seconds=60):
    limit = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit, f"in {seconds} s it never came true that {what}"
        time.sleep(0.05)
