"""The only place where candidate code may run.

Two sandboxes keep the same small protocol: `docker` is the real one; `local` is a plain process for a machine with no
engine, whose result is never a final grade.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from harness.errors import SubmissionError
from harness.submission import Submission


class BuildFailed(SubmissionError):
    """The submission does not build; `log` is the end of what the builder said."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class CannotStart(SubmissionError):
    """An image or a folder whose entry point, user or working folder cannot be run."""


@dataclass(frozen=True)
class Limits:
    """What a service, and the build of its image, may use."""

    cpus: float = 1.0
    memory_mb: int = 1024
    """Swap is not added to it."""
    pids: int = 256
    tmp_mb: int = 64
    build_seconds: float = 900
    build_memory_mb: int = 6144
    build_pids: int = 4096
    build_disk_mb: int = 16_000
    """Disk that a build may use up, the engine's own copies and caches included."""
    context_mb: int = 100
    """Of the tracked files, all together."""
    image_mb: int = 4000
    """Above this an image is refused outright; the rubric's budget is a criterion, far below."""


@dataclass(frozen=True)
class Step:
    """One instruction of a Dockerfile, as the builder ran it."""

    instruction: str
    cached: bool
    seconds: float


@dataclass(frozen=True)
class Image:
    """A built submission. In the local sandbox `config` is empty and `size_mb` is None."""

    reference: str
    digest: str
    size_mb: float | None
    build_seconds: float
    config: Mapping[str, Any] = field(default_factory=dict)
    """The engine's own record: `User`, `Healthcheck`, `Cmd`, `Entrypoint`, `Env`, `StopSignal`."""
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Contents:
    """What is in an image."""

    files: tuple[str, ...]
    """Paths of the files below the folders that were asked for, without the leading `/`."""
    history: tuple[str, ...]
    """The instructions that made its layers, newest first, as the image itself tells them to anyone who has it."""
    cut: bool = False
    """There are more files than are listed."""


@dataclass(frozen=True)
class Launch:
    """How a service is to be started."""

    name: str = "service"
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[Path, str] = field(default_factory=dict)
    """Folders of the host to paths in the container; always read-only."""
    cpuset: str = ""
    """Cores that it may use, e.g. `0`; empty for any."""
    port: int = 8080
    network: str = ""
    """One that `Sandbox.company` made; empty for the run's own, on which no service reaches another."""


@dataclass(frozen=True)
class State:
    """What the engine says of a service, whatever the service says of itself."""

    running: bool
    exit_code: int | None = None
    killed_for_memory: bool = False


@dataclass(frozen=True)
class Process:
    """A process of the service, seen from outside."""

    pid: int
    uid: int
    command: str


class Service(Protocol):
    """A running submission."""

    name: str
    url: str
    """Where the harness reaches it, e.g. `http://172.18.0.2:8080`; another one after `restart`."""

    def state(self) -> State:
        """Whether it runs, and if not how it ended."""

    def logs(self) -> str:
        """The end of its output, cut at a cap."""

    def cpu_file(self) -> Path | None:
        """The kernel's account of its cpu time: `cpu.stat` (cgroup v2) or `cpuacct.usage` (v1)."""

    def memory_mb(self) -> float | None:
        """Memory in use now."""

    def processes(self) -> tuple[Process, ...]:
        """Its processes with the users they run as."""

    def execute(self, command: Sequence[str], seconds: float) -> int | None:
        """Run a command beside it, as an engine runs a health check; the exit code, None if it took too long.

        Raises:
            NotImplementedError: that cannot be done in this sandbox.
        """

    def stop(self, grace: float) -> float:
        """Send SIGTERM, and SIGKILL after `grace` seconds; returns the seconds it took."""

    def freeze(self, frozen: bool) -> None:
        """Stop it from running, or let it go on."""

    def move(self, cpuset: str) -> None:
        """Let it run on these cores only, in a list such as `0-1,3` (cpuset(7))."""

    def restart(self) -> None:
        """Send SIGKILL, and start the same one again, as a platform does; `url` may be another one then."""


class Sandbox(Protocol):
    """Builds submissions and runs them; use as a context manager, which sweeps at both ends."""

    name: Literal["docker", "local"]
    notices: tuple[str, ...]
    """What a reader of the report must know of this sandbox."""
    versions: Mapping[str, str]

    def __enter__(self) -> Sandbox: ...

    def __exit__(self, *_: object) -> None: ...

    def build(self, submission: Submission, limits: Limits, log: Path) -> Image:
        """Build a submission from its export; the builder's output goes to `log`.

        Raises:
            BuildFailed: the submission does not build within its limits.
            InfrastructureError: the engine failed.
        """

    def contents(self, image: Image, folders: Sequence[str]) -> Contents:
        """What is in an image below some folders, without running it. Folders that are not there are passed over.

        Raises:
            NotImplementedError: there are no images in this sandbox.
            InfrastructureError: the engine failed.
        """

    def discard(self, image: Image) -> None:
        """Remove an image that nobody will want again. Layers that others share stay."""

    def company(self) -> AbstractContextManager[str]:
        """Make a second closed network for a submission and a companion of ours; removed at the end of the block.

        What is started on it reaches each other, and still nothing else. All of it has to end within the block.
        """

    def start(self, image: Image, limits: Limits, launch: Launch) -> AbstractContextManager[Service]:
        """Start a service and stop it at the end of the `with` block. Does not wait until it is ready.

        Raises:
            CannotStart: what the submission built cannot be started.
            InfrastructureError: the engine failed.
        """
