"""Reaching the engine, and saying whose fault it is when that fails."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from harness.errors import InfrastructureError, UsageError

BASE_IMAGE = os.environ.get("BASE_IMAGE") or "python:3.11-slim-bookworm"
"""The image that the challenges build on; `engine/base-image.sh` makes sure of it."""
TIMEOUT = 60
"""Seconds that the engine may take over any one request."""
REMEDY = "Run 'make engine', which installs and starts one on Debian; 'harness doctor' says what is missing."


def connect() -> docker.DockerClient:
    """A client of the engine that answers.

    Raises:
        UsageError: no engine answers.
    """
    try:
        client = docker.from_env(timeout=TIMEOUT)
        client.ping()
    except (DockerException, RequestException) as error:
        raise UsageError(f"no Docker engine answers at {address()}: {error}", REMEDY) from error
    return client


def address() -> str:
    """Where the engine is looked for: one place for the SDK and the client, whatever their contexts say."""
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn a failure of the engine inside the `with` block into an `InfrastructureError` that says what was asked."""
    try:
        yield
    except (DockerException, RequestException) as error:
        raise InfrastructureError(f"the engine failed to {what}: {error}", "'harness doctor' examines it.") from error


@cache
def builder() -> str:
    """The command-line client that can build with BuildKit: the SDK cannot, and nor can a client without buildx.

    Raises:
        UsageError: there is none in `PATH` or in the usual places.
    """
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin", "/usr/local/bin"]
    for folder in folders:
        client = shutil.which("docker", path=folder)
        if client and buildx(client) >= (0, 13):
            return client
    raise UsageError("no Docker client with buildx 0.13 or newer was found", REMEDY)


@cache
def buildx(client: str) -> tuple[int, ...]:
    """The version of a client's buildx; empty if it has none. `rawjson`, which `build` reads, came with 0.13."""
    try:
        said = subprocess.run([client, "buildx", "version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"buildx v?(\d+)\.(\d+)", said.stdout)
    return tuple(int(part) for part in found.groups()) if found else ()


def environment() -> dict[str, str]:
    """The environment of the command-line client: the same engine as the SDK's, and its own builder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BUILDX_", "BUILDKIT_"))}
    return {**kept, "DOCKER_HOST": address(), "BUILDX_BUILDER": "default", "DOCKER_CLI_HINTS": "false"}


def root(client: docker.DockerClient) -> Path | None:
    """The engine's own folder, if it is on this machine."""
    folder = Path(client.info()["DockerRootDir"])
    return folder if folder.is_dir() else None


def versions(client: docker.DockerClient) -> dict[str, str]:
    """What the report says of the engine."""
    with asking("say its version"):
        said = client.version()
    parts = {part["Name"]: part["Version"] for part in said.get("Components") or ()}
    known = {name: parts[name] for name in ("containerd", "runc") if name in parts}
    return {"engine": said["Version"], "buildx": ".".join(map(str, buildx(builder()))), **known}
