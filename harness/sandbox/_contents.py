"""What is in an image, read from the engine without running it."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import IO, Any, cast

import docker
from docker.errors import NotFound

from harness.errors import InfrastructureError
from harness.sandbox import Contents, Image
from harness.sandbox._engine import asking

FILES_CAP = 100_000
HISTORY_CAP = 500


def read(client: docker.DockerClient, image: Image, folders: Sequence[str], labels: dict[str, str]) -> Contents:
    """The paths of the files below some folders of an image, and the instructions that made its layers.

    Raises:
        InfrastructureError: the engine failed.
    """
    files: list[str] = []
    with asking("read an image"):
        history = [str(layer.get("CreatedBy", "")) for layer in client.images.get(image.digest).history()]
        # A container that is never started: only from one does the engine give out files. It has to name a command.
        container = client.containers.create(image.digest, command=["true"], entrypoint=[], labels=labels)
        try:
            for folder in folders:
                # A whole image would be hundreds of megabytes to pass over, which takes ten seconds.
                with suppress(NotFound):
                    chunks, _ = container.get_archive(folder, chunk_size=2**20)
                    files += _paths(chunks, posixpath.dirname(folder.rstrip("/")), FILES_CAP - len(files))
        finally:
            with suppress(NotFound):
                container.remove(force=True, v=True)
    return Contents(tuple(files), tuple(history[:HISTORY_CAP]), len(files) >= FILES_CAP)


def _paths(chunks: Any, parent: str, most: int) -> list[str]:
    paths: list[str] = []
    stream = cast("IO[bytes]", _Stream(iter(chunks)))
    try:
        with tarfile.open(fileobj=stream, mode="r|", errorlevel=0) as archive:
            while len(paths) < most and (member := archive.next()):
                if member.isfile() or member.issym() or member.islnk():
                    name = posixpath.join(parent, member.name).lstrip("/")
                    paths.append(name.encode("utf-8", "replace").decode())
    except tarfile.TarError as error:
        raise InfrastructureError(f"the engine's listing of an image cannot be read: {error}") from error
    return paths


class _Stream:
    """The chunks of a download as a file that can only be read on."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def read(self, size: int) -> bytes:
        """The next bytes, `size` of them unless it ends before."""
        parts, missing = [self._rest], size - len(self._rest)
        while missing > 0 and (chunk := next(self._chunks, b"")):
            parts.append(chunk)
            missing -= len(chunk)
        whole = b"".join(parts)
        self._rest = whole[size:]
        return whole[:size]
