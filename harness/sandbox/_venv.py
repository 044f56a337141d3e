"""A virtual environment for each set of requirements, kept in the cache, because installing takes longest."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import threading
import time
import venv
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import InfrastructureError
from harness.models import CACHE
from harness.sandbox import BuildFailed, _processes
from harness.sandbox._blame import NETWORK
from harness.sandbox._progress import LOG_CAP, TAIL

VENVS = CACHE / "venvs"


def environment(requirements: list[tuple[str, str]], seconds: float, log: Path) -> Path:
    """The folder of a virtual environment that has these requirements (see `Recipe.requirements`).

    Raises:
        BuildFailed: they cannot be installed, or not within `seconds`.
        InfrastructureError: the package index is out of reach.
    """
    folder = VENVS / _digest(requirements)
    log.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        if (folder / "ready").exists():
            log.write_text(f"== the requirements are installed already, in {folder}\n")
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=bool(requirements), symlinks=True)
        _install(folder, requirements, seconds, log)
        (folder / "ready").touch()
    return folder


def _digest(requirements: list[tuple[str, str]]) -> str:
    total = hashlib.sha256(sys.version.encode())
    for option, value in requirements:
        total.update(Path(value).read_bytes() if option == "-r" else value.encode())
        total.update(b"\0")
    return total.hexdigest()[:16]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _install(folder: Path, requirements: list[tuple[str, str]], seconds: float, log: Path) -> None:
    if not requirements:
        log.write_text("== the Dockerfile installs nothing with pip\n")
        return
    words = [word for option, value in requirements for word in (option, value) if word]
    command = [*_pip(folder), "install", *words]
    label = _processes.new_label()
    tail: deque[str] = deque(maxlen=TAIL)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=_processes.environment(label),
    ) as process:
        start = time.monotonic()
        timer = threading.Timer(seconds, _processes.end, (label,))
        timer.start()
        try:
            _keep(process, log, tail)
            code = process.wait()
        finally:
            timer.cancel()
            _processes.end(label)
    said = "\n".join(tail)
    if code != 0 and time.monotonic() - start > seconds:
        raise BuildFailed(f"the requirements were not installed within {seconds:g} s", said)
    if code != 0 and NETWORK.search(said) and _index_fails(folder):
        raise InfrastructureError(f"the requirements cannot be fetched on this machine:\n{said}")
    if code != 0:
        raise BuildFailed(f"the requirements cannot be installed (pip's exit code {code}):\n{said}", said)


def _pip(folder: Path) -> list[str]:
    # Isolated (-I): what this process was started with must not count as installed.
    return [str(folder / "bin" / "python"), "-I", "-m", "pip", "--disable-pip-version-check"]


def _index_fails(folder: Path) -> bool:
    """Whether not even a package that is surely there can be fetched."""
    fetch = ["download", "--quiet", "--no-deps", "--no-cache-dir", "--dest", str(folder / "probe"), "wheel"]
    try:
        return subprocess.run([*_pip(folder), *fetch], capture_output=True, timeout=120, check=False).returncode != 0
    except subprocess.TimeoutExpired:
        return True


def _keep(process: subprocess.Popen[str], log: Path, tail: deque[str]) -> None:
    left = LOG_CAP
    with log.open("w", encoding="utf-8") as file:
        for line in process.stdout or ():
            tail.append(line.rstrip()[:500])
            if left > 0:
                file.write(line[:left])
                left -= len(line)
                if left <= 0:
                    file.write("\n== the log was cut here\n")
