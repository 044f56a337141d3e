"""A plain process instead of a container: for a demo, and for candidates on a machine with no engine.

What an image would be is not known here, and nothing keeps the submission from the rest of the machine: a grade that
comes from this sandbox is never final, and a submission has to be declared trusted.
"""

from __future__ import annotations

import resource
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import UsageError
from harness.models import CACHE
from harness.sandbox import CannotStart, Contents, Image, Launch, Limits, _owner, _processes, _venv
from harness.sandbox._plain import PlainService
from harness.sandbox._replay import Recipe, inside, replay, rewrite
from harness.submission import Submission

WORK = CACHE / "local-runs"
MODEL = "/opt/ml/model"
"""Where the contract has the image keep its model."""
FILE_CAP = 2**30
"""Bytes of the largest file that a service may write."""
NOTICE = (
    "The submission ran as a plain process of this machine, not in a container: its image, its isolation and its "
    "limits were not assessed, and the grade is not final."
)


@dataclass(frozen=True)
class Built:
    """What stands for an image: files, a virtual environment, and how to start."""

    root: Path
    venv: Path
    recipe: Recipe


class LocalSandbox:
    """See `Sandbox`."""

    name: Literal["docker", "local"] = "local"

    def __init__(self, run_id: str, trusted: bool) -> None:
        self._run = run_id
        self._trusted = trusted
        self._built: dict[str, Built] = {}
        self.notices: tuple[str, ...] = (NOTICE,)
        self.versions: Mapping[str, str] = {}

    def __enter__(self) -> LocalSandbox:
        """Sweep what dead runs left, and make a folder to work in.

        Raises:
            UsageError: the submission is not declared trusted, or this machine does not run Linux.
        """
        if not self._trusted:
            raise UsageError(
                "the local sandbox runs a submission as a plain process of yours, so it wants one that you trust",
                "Say --trusted if you do; else install an engine ('make engine').",
            )
        if sys.platform != "linux":
            raise UsageError("the local sandbox runs on Linux only", "Use an engine: 'harness doctor' looks for one.")
        sweep()
        self._work = WORK / f"{_owner.me()}.{secrets.token_hex(2)}"
        self._work.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._work, ignore_errors=True)

    def build(self, submission: Submission, limits: Limits, log: Path) -> Image:
        """Copy what the Dockerfile copies, and install what it installs with pip. See `Sandbox.build`."""
        start = time.monotonic()
        root = self._work / f"image-{submission.digest[:12]}"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        recipe = replay(submission.files, root)
        venv = _venv.environment(recipe.requirements, limits.build_seconds, log)
        self._built[submission.digest] = Built(root, venv, recipe)
        return Image(f"local/{submission.digest[:12]}", submission.digest, None, round(time.monotonic() - start, 2))

    def contents(self, image: Image, folders: Sequence[str]) -> Contents:
        """Not here: there is no image."""
        raise NotImplementedError

    def discard(self, image: Image) -> None:
        """Remove what stands for an image. See `Sandbox.discard`."""
        if built := self._built.pop(image.digest, None):
            shutil.rmtree(built.root, ignore_errors=True)

    @contextmanager
    def company(self) -> Iterator[str]:
        """Plain processes reach each other anyway. See `Sandbox.company`."""
        yield ""

    @contextmanager
    def start(
        self,
        image: Image,
        limits: Limits,  # noqa: ARG002  # the protocol's; nothing holds a plain process to them
        launch: Launch,
    ) -> Iterator[PlainService]:
        """Start a service in a copy of its own, without waiting until it is ready. See `Sandbox.start`."""
        built = self._built[image.digest]
        folder = self._work / f"{launch.name}-{secrets.token_hex(4)}"
        shutil.copytree(built.root, folder / "root", symlinks=True)
        for name in ("home", "tmp"):
            (folder / name).mkdir()
        port = _free_port()
        label = _processes.new_label()
        env = {**_environment(built, folder, launch, port), _processes.VARIABLE: label}

        def spawn() -> subprocess.Popen[bytes]:
            process = _spawn(built, folder, env)
            _confine(process.pid, launch.cpuset)
            return process

        try:
            service = PlainService(spawn, label, launch.name, f"http://127.0.0.1:{port}")
            try:
                yield service
            finally:
                service.stop(0)
        finally:
            _processes.end(label)
            shutil.rmtree(folder, ignore_errors=True)


def sweep() -> list[str]:
    """Remove what dead runs left behind; returns a line for each thing removed."""
    removed = _processes.end_strays()
    for folder in WORK.glob("*"):
        if not _owner.alive(folder.name.partition(".")[0]):
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(f"folder {folder}")
    return removed


def _environment(built: Built, folder: Path, launch: Launch, port: int) -> dict[str, str]:
    """What the image and the launch set, with paths of the image and of mounts replaced by where they lie here."""
    root = folder / "root"
    env = {name: rewrite(value, root) for name, value in built.recipe.env.items() if name != "PATH"}
    mounted = {to: str(path) for path, to in launch.mounts.items()}
    env |= {name: mounted.get(value, value) for name, value in launch.env.items()}
    env |= {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "LANG": "C.UTF-8", "PORT": str(port)}
    env |= {"PATH": f"{built.venv / 'bin'}:/usr/local/bin:/usr/bin:/bin", "VIRTUAL_ENV": str(built.venv)}
    if "MODEL_URI" not in env and (own := inside(root, MODEL)).exists():
        env["MODEL_URI"] = str(own)
    return env


def _spawn(built: Built, folder: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    root = folder / "root"
    argv = [rewrite(word, root) for word in built.recipe.argv()]
    if not argv:
        raise CannotStart("the Dockerfile has neither ENTRYPOINT nor CMD")
    if not Path(argv[0]).exists():
        # A program of the image's own, such as /opt/venv/bin/python: the virtual environment has it under its name.
        argv[0] = shutil.which(Path(argv[0]).name, path=env["PATH"]) or argv[0]
    workdir = inside(root, built.recipe.workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    try:
        return subprocess.Popen(
            argv,
            cwd=workdir,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise CannotStart(f"'{' '.join(argv)}' cannot be started: {error}. Check ENTRYPOINT and CMD.") from error


def _confine(pid: int, cpuset: str) -> None:
    # It may have ended by now, and then there is nothing to confine.
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (FILE_CAP, FILE_CAP))
        if cpuset:
            _processes.pin(pid, cpuset)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
