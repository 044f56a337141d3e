"""The body of an upload on its way to our disk: streamed, capped, hashed, and gone again if it does not end well."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from harness.server.refusals import Refused
from harness.server.settings import Settings
from harness.server.submissions import Arrived

LINGER_SECONDS = 10
"""For how long the rest of a refused body is read and thrown away, so that the refusal itself arrives."""


async def receive(request: Request, settings: Settings, promised: str, at: datetime) -> Arrived:
    """Stream a body to a file and have it on disk, with the bytes that were promised.

    Raises:
        Refused: it is larger than the cap, too slow, or has another SHA-256 than `promised`; nothing is left of it.
        ClientDisconnect: it was cut off; nothing is left of it.
    """
    path = settings.incoming / f"{secrets.token_hex(8)}.part"
    try:
        _same(await _timed(request, settings, path), promised)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Arrived(path, promised, at, request.client.host if request.client else "")


async def _timed(request: Request, settings: Settings, path: Path) -> str:
    try:
        async with asyncio.timeout(settings.upload_seconds):
            return await _stream(request.stream(), path, settings.cap_mb)
    except TimeoutError as error:
        told = f"the upload took more than {settings.upload_seconds:g} s"
        raise Refused(408, told, "Send it again; nothing was counted.") from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Refused(503, "the intake's disk is full", "Tell those who invited you; nothing was counted.") from error


def _same(found: str, promised: str) -> None:
    if found != promised:
        told = f"what arrived has the SHA-256 {found[:12]}, not {promised[:12]} as announced"
        raise Refused(400, told, "Send it again; if it happens again, pack it anew.")


def too_large(size: int, cap_mb: int) -> Refused | None:
    """The refusal of a body of that many bytes, or None."""
    if size <= cap_mb * 2**20:
        return None
    return Refused(
        413,
        f"the bundle is larger than the {cap_mb} MB that are taken here",
        "Leave data, models and environments out of git; 'harness submit' lists what is large.",
    )


async def drain(request: Request, cap_mb: int) -> None:
    """Throw away what is left of a refused body, up to the cap: a connection closed before that loses the answer."""
    left = cap_mb * 2**20
    with suppress(ClientDisconnect, TimeoutError, RuntimeError):
        async with asyncio.timeout(LINGER_SECONDS):
            async for chunk in request.stream():
                left -= len(chunk)
                if left < 0:
                    break


async def _stream(chunks: AsyncIterator[bytes], path: Path, cap_mb: int) -> str:
    total, size = hashlib.sha256(), 0
    with await run_in_threadpool(path.open, "xb") as file:
        async for chunk in chunks:
            size += len(chunk)
            if refused := too_large(size, cap_mb):
                raise refused
            await run_in_threadpool(_take, file, total, chunk)
        await run_in_threadpool(_sync, file)
    return total.hexdigest()


def _take(file: IO[bytes], total: hashlib._Hash, chunk: bytes) -> None:
    file.write(chunk)
    total.update(chunk)


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def sweep(incoming: Path) -> None:
    """Remove what earlier uploads left that were cut off with the server."""
    for path in incoming.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
