"""The real sandbox: a Docker engine, a closed network, limits, and a sweep by label at both ends."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Literal

from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.types import LogConfig, Mount
from requests.exceptions import RequestException

from harness.errors import HarnessError, InfrastructureError
from harness.sandbox import (
    CannotStart,
    Contents,
    Image,
    Launch,
    Limits,
    _build,
    _cgroup,
    _contents,
    _engine,
    _network,
    _owner,
    _sweep,
)
from harness.sandbox._service import NOWHERE, DockerService
from harness.submission import Submission

THEIRS = re.compile(
    r"exec: |exec format error|chdir to cwd|no command specified|unable to find (user|group)|no users found"
    r"|not a directory|is outside of rootfs",
    re.IGNORECASE,
)
"""What the engine says where it cannot run an image because of what is in it."""
TMP = "/tmp"  # noqa: S108  # the container's own


class DockerSandbox:
    """See `Sandbox`. Only one at a time on a machine: the pipeline's lock sees to that."""

    name: Literal["docker", "local"] = "docker"

    def __init__(self, run_id: str) -> None:
        self._run = run_id
        self._numbers = count(1)
        self.notices: tuple[str, ...] = ()
        self.versions: Mapping[str, str] = {}

    def __enter__(self) -> DockerSandbox:
        """Sweep what dead runs left, and make the closed network.

        Raises:
            UsageError: no engine answers, or no client can build for it.
            InfrastructureError: the engine failed.
        """
        self._client = _engine.connect()
        try:
            self.versions = _engine.versions(self._client)
            _sweep.leftovers(self._client)
            self._closed = _network.create(self._client, self._run)
        except BaseException:
            self.__exit__()
            raise
        self.notices = tuple(filter(None, (self._closed.notice, "" if _cgroup.possible() else _cgroup.NOTICE)))
        return self

    def __exit__(self, *_: object) -> None:
        try:
            _sweep.run(self._client, self._run)
        finally:
            self._client.close()

    def gateways(self) -> tuple[str, ...]:
        """This machine's own addresses on the closed network."""
        with _engine.asking("inspect the closed network"):
            self._closed.network.reload()
        pools = self._closed.network.attrs["IPAM"]["Config"] or []
        return tuple(pool["Gateway"].partition("/")[0] for pool in pools if "Gateway" in pool)

    def build(self, submission: Submission, limits: Limits, log: Path) -> Image:
        """Build a submission from its export. See `Sandbox.build`."""
        return _build.build(self._client, submission, limits, log)

    def contents(self, image: Image, folders: Sequence[str]) -> Contents:
        """What is in an image, without running it. See `Sandbox.contents`."""
        return _contents.read(self._client, image, folders, _owner.labels(self._run))

    def discard(self, image: Image) -> None:
        """Remove an image. See `Sandbox.discard`."""
        with _engine.asking("remove an image"), suppress(NotFound):
            self._client.images.remove(image.digest, force=True)

    @contextmanager
    def company(self) -> Iterator[str]:
        """Make a closed network on which services reach each other. See `Sandbox.company`."""
        made = _network.create(self._client, self._run, company=True)
        try:
            yield str(made.network.name)
        finally:
            with _engine.asking("remove a closed network"), suppress(NotFound):
                made.network.remove()
            _network.open_gateways({made.bridge})

    @contextmanager
    def start(self, image: Image, limits: Limits, launch: Launch) -> Iterator[DockerService]:
        """Start a service, without waiting until it is ready. See `Sandbox.start`.

        Raises:
            CannotStart: the image has an entry point, user or folder that cannot be run.
            InfrastructureError: the engine failed.
        """
        name = f"mlops-harness-{self._closed.bridge}-{next(self._numbers)}"
        _refuse_unreadable(launch)
        volumes = self._volumes(image, launch, name)
        container: Container | None = None
        try:
            try:
                container = self._client.containers.create(name=name, **self._options(image, limits, launch, volumes))
                container.start()
                container.reload()
            except APIError as error:
                raise _blame(error) from error
            except RequestException as error:
                raise InfrastructureError(f"the engine failed to start a service: {error}") from error
            network = container.attrs["NetworkSettings"]["Networks"][launch.network or self._closed.network.name]
            yield DockerService(container, launch.name, f"http://{network['IPAddress'] or NOWHERE}:{launch.port}")
        finally:
            with _engine.asking("remove a service"), suppress(NotFound):
                if container is not None:
                    container.remove(force=True, v=True)
                for volume in volumes:
                    self._client.volumes.get(str(volume["Source"])).remove(force=True)

    def _volumes(self, image: Image, launch: Launch, name: str) -> list[Mount]:
        """What the image declares as volumes, read-only: they would be a way around the read-only root."""
        kept = {*launch.mounts.values(), TMP}
        declared = sorted(path for path in image.config.get("Volumes") or {} if path not in kept)
        labels = _owner.labels(self._run)
        return [
            Mount(path, f"{name}-{number}", type="volume", read_only=True, labels=labels)
            for number, path in enumerate(declared)
        ]

    def _options(self, image: Image, limits: Limits, launch: Launch, volumes: list[Mount]) -> dict[str, Any]:
        """What the engine is told. PID 1 is the submission's own, and so is what it does on SIGTERM: no init.

        The image's own health check is left out: its requests would be counted among those that are measured.
        """
        memory = f"{limits.memory_mb}m"
        binds = [Mount(to, str(path), type="bind", read_only=True) for path, to in launch.mounts.items()]
        return {
            "image": image.digest,
            "hostname": "service",
            "labels": _owner.labels(self._run),
            "environment": dict(launch.env),
            "use_config_proxy": False,
            "network": launch.network or self._closed.network.name,
            "dns": ["127.0.0.1"],  # older engines forward names of the world even from a closed network
            "mounts": [*binds, *volumes],
            "read_only": True,
            "tmpfs": {TMP: f"rw,nosuid,nodev,size={limits.tmp_mb}m,mode=1777"},
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "pids_limit": limits.pids,
            "mem_limit": memory,
            "memswap_limit": memory,
            "nano_cpus": int(limits.cpus * 1e9),
            "cpuset_cpus": launch.cpuset,
            "init": False,
            "healthcheck": {"test": ["NONE"]},
            # Two files, so that the moment after one is full still has something to show.
            "log_config": LogConfig(type="json-file", config={"max-size": "5m", "max-file": "2"}),
        }


def _refuse_unreadable(launch: Launch) -> None:
    """A service runs as a user of its own; what only its owner may read would fail it, and not by its fault."""
    for folder in launch.mounts:
        for path in (folder, *folder.rglob("*")):
            wanted = 0o005 if path.is_dir() else 0o004
            if path.stat().st_mode & wanted != wanted:
                raise InfrastructureError(
                    f"{path}, which a service is given, can be read by its owner only", f"chmod -R a+rX {folder}"
                )


def _blame(error: APIError) -> HarnessError:
    said = str(error.explanation or error)
    if THEIRS.search(said):
        return CannotStart(
            f"the image cannot be started: {said}. Check ENTRYPOINT and CMD (exec form, a program that is in the image "
            "and may be executed), USER and WORKDIR."
        )
    return InfrastructureError(f"the engine failed to start a service: {said}", "'harness doctor' examines it.")


def available() -> bool:
    """Whether an engine answers and a client can build for it."""
    try:
        _engine.connect().close()
        _engine.builder()
    except HarnessError:
        return False
    return True


def sweep(images: bool = False) -> list[str]:
    """Remove what dead runs left behind; returns a line for each thing removed.

    With `images` also those of all submissions, which are kept as a cache otherwise.

    Raises:
        UsageError: no engine answers.
    """
    client = _engine.connect()
    try:
        return _sweep.leftovers(client) + (_sweep.images(client, _build.LABEL) if images else [])
    finally:
        client.close()
