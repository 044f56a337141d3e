"""An intake as the candidate's side sees it (one receipt for each submission), and a line that drops connections."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from harness import bundle, receipts

TOKEN = "a-token-for-tests"  # noqa: S105  # of no real intake


@dataclass
class Intake:
    """What the intake holds, and what it was asked."""

    folder: Path
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    attempts: int = 3
    held: dict[str, receipts.Receipt] = field(default_factory=dict)
    asked: int = 0
    busy: int = 0
    """How many requests are answered 429 before one is taken."""
    refusal: tuple[int, dict[str, str]] | None = None

    def app(self) -> FastAPI:
        app = FastAPI()
        app.put("/v1/submissions/{digest}", response_model=None)(self.put)
        return app

    async def put(self, digest: str, request: Request) -> Response:
        self.asked += 1
        return self.refused(request) or await self.take(digest, request)

    def refused(self, request: Request) -> Response | None:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return JSONResponse({"detail": "no such invitation", "next": "Look at your invitation."}, 401)
        if self.refusal:
            return JSONResponse(self.refusal[1], self.refusal[0])
        if self.busy:
            self.busy -= 1
            return JSONResponse({"detail": "too many requests", "next": ""}, 429, {"Retry-After": "0.1"})
        return None

    async def take(self, digest: str, request: Request) -> Response:
        arrived = self.folder / f"{digest}-{self.asked}.tar"
        with arrived.open("wb") as file:
            async for piece in request.stream():
                file.write(piece)
        if digest in self.held:
            return Response(self.held[digest].model_dump_json(), 200, media_type="application/json")
        found = hashlib.sha256(arrived.read_bytes()).hexdigest()
        manifest = bundle.unpack(arrived, self.folder / f"out-{self.asked}")
        if found != request.headers["x-bundle-sha256"] or manifest.submission != digest:
            return JSONResponse({"detail": "digest mismatch", "next": ""}, 400)
        claim = receipts.Claim(
            issuer="Acme", invitation="i-1", candidate="Ada", challenge=manifest.challenge, submission=digest,
            bundle=found, received_at=datetime.now(UTC), attempt=len(self.held) + 1, attempts=self.attempts,
        )  # fmt: skip
        self.held[digest] = receipts.sign(claim, self.key)
        return Response(self.held[digest].model_dump_json(), 201, media_type="application/json")


@contextlib.contextmanager
def serving(intake: Intake) -> Iterator[str]:
    """A real server on a free port; gives its address."""
    config = uvicorn.Config(intake.app(), host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@dataclass
class Line:
    """A line to a server that drops its first connections: after so many bytes up, or when the answer comes back."""

    to: int
    cuts: list[int | None]
    """For each connection to cut, the bytes that get through first; None: all of them, and the answer is lost."""
    connections: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                cut = self.cuts[self.connections] if self.connections < len(self.cuts) else -1
                self.connections += 1
                threading.Thread(target=self._carry, args=(near, cut), daemon=True).start()

    def _carry(self, near: socket.socket, cut: int | None) -> None:
        far = socket.create_connection(("127.0.0.1", self.to))
        back = threading.Thread(target=self._back, args=(far, near, cut is None), daemon=True)
        back.start()
        sent = 0
        with contextlib.suppress(OSError):
            while piece := near.recv(4096):
                if cut is not None and 0 <= cut < sent + len(piece):
                    break
                far.sendall(piece)
                sent += len(piece)
        # A reset, as a line that breaks gives one, not a polite end.
        if cut is not None and cut >= 0:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            near.close()
        far.close()

    @staticmethod
    def _back(far: socket.socket, near: socket.socket, lose: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := far.recv(4096):
                if lose:
                    break
                near.sendall(piece)
        with contextlib.suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)
