"""A submission's running container, seen and driven through the engine's own API."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from docker.errors import APIError
from docker.models.containers import Container
from requests.exceptions import ConnectionError as Disconnected
from requests.exceptions import ReadTimeout

from harness.sandbox import Process, State
from harness.sandbox._engine import asking

LOG_LINES = 5000
LOG_CAP = 512 * 1024
"""Bytes of a service's output that are read: its end. The engine keeps 10 MB of it."""
CGROUPS = Path("/sys/fs/cgroup")
CANNOT_BE_RUN = 127
"""The exit code by which shells say that there is no such program."""
NOWHERE = "255.255.255.255"
"""Stands for the address of a service that ended at once: the kernel refuses to connect to it, without a wait."""
SECONDS_TO_DIE = 30.0
"""For a process that was sent SIGKILL; it may have much memory to give back."""


class DockerService:
    """See `Service`."""

    def __init__(self, container: Container, name: str, url: str) -> None:
        self.name = name
        self.url = url
        self._container = container

    def state(self) -> State:
        """Whether it runs, and if not how it ended."""
        state = self._inspect()
        running = bool(state["Running"])
        return State(running, None if running else state["ExitCode"], bool(state["OOMKilled"]))

    def logs(self) -> str:
        """The end of its output, cut at a cap."""
        with asking("read a service's output"):
            said = bytes(self._container.logs(tail=LOG_LINES))
        cut = f"(only the last {LOG_CAP // 1024} kB of its output)\n" if len(said) > LOG_CAP else ""
        return cut + said[-LOG_CAP:].decode("utf-8", "replace")

    def cpu_file(self) -> Path | None:
        """The kernel's account of its cpu time, wherever the engine's cgroup driver has put it."""
        pid = self._inspect()["Pid"]
        try:
            lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        except OSError:
            return None
        for line in lines:
            _, controllers, group = line.split(":", 2)
            # An engine with another process table than ours may give a number that is some other process's here.
            if str(self._container.id) not in group:
                continue
            unified, legacy = CGROUPS / group[1:] / "cpu.stat", CGROUPS / controllers / group[1:] / "cpuacct.usage"
            if controllers == "" and unified.exists():
                return unified
            if "cpuacct" in controllers.split(",") and legacy.exists():
                return legacy
        return None

    def memory_mb(self) -> float | None:
        """Memory in use now, less the page cache that the kernel can take back, as `docker stats` counts it."""
        with asking("read a service's memory"):
            stats: Any = self._container.stats(stream=False, one_shot=True)
        memory = stats.get("memory_stats", {})
        if "usage" not in memory:
            return None
        detail = memory.get("stats", {})
        cache = detail.get("total_inactive_file", detail.get("inactive_file", 0))
        return round(float(memory["usage"] - cache) / 2**20, 2)

    def processes(self) -> tuple[Process, ...]:
        """Its processes with the users they run as; none once it has ended."""
        listed: list[list[str]] = []
        with asking("list a service's processes"), _unless_ended():
            listed = self._container.top(ps_args="-o pid,uid,args")["Processes"] or []
        return tuple(Process(int(pid), int(uid), command) for pid, uid, command in listed)

    def execute(self, command: Sequence[str], seconds: float) -> int | None:
        """Run a command beside it, as the engine runs a health check; the exit code, None if it took too long."""
        api: Any = self._container.client.api if self._container.client else None
        with asking("run a command beside a service"), _unless_ended():
            made = api.exec_create(self._container.id, list(command))["Id"]
            try:
                api.exec_start(made, detach=True)
            except APIError as error:
                if "exec failed" in str(error.explanation):
                    return CANNOT_BE_RUN
                raise
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                ended = api.exec_inspect(made)
                if not ended["Running"] and ended["ExitCode"] is not None:
                    return int(ended["ExitCode"])
                time.sleep(0.05)
        return None

    def stop(self, grace: float) -> float:
        """Send SIGTERM, and SIGKILL after `grace` seconds; returns the seconds it took."""
        self.freeze(False)
        start = time.monotonic()
        with asking("stop a service"):
            # Not the engine's own `stop`, which sends whatever signal the image asks for: the contract says SIGTERM.
            with _unless_ended():
                self._container.kill("SIGTERM")
            try:
                self._container.wait(timeout=max(grace, 0.01))
            except (ReadTimeout, Disconnected):
                with _unless_ended():
                    self._container.kill("SIGKILL")
                self._container.wait(timeout=SECONDS_TO_DIE)
        return time.monotonic() - start

    def restart(self) -> None:
        """Send SIGKILL, and start the same container again: what it had in memory and in /tmp is gone."""
        self.freeze(False)
        with asking("start a service again"):
            with _unless_ended():
                self._container.kill("SIGKILL")
            self._container.wait(timeout=SECONDS_TO_DIE)
            self._container.start()
            self._container.reload()
        networks = self._container.attrs["NetworkSettings"]["Networks"].values()
        address = next((network["IPAddress"] for network in networks), "") or NOWHERE
        self.url = f"http://{address}:{urlsplit(self.url).port}"

    def freeze(self, frozen: bool) -> None:
        """Stop it from running, or let it go on."""
        if self._inspect()["Paused"] == frozen:
            return
        with asking("freeze a service"), _unless_ended():
            (self._container.pause if frozen else self._container.unpause)()

    def move(self, cpuset: str) -> None:
        """Let it run on these cores only."""
        with asking("move a service to other cores"), _unless_ended():
            self._container.update(cpuset_cpus=cpuset)

    def _inspect(self) -> dict[str, Any]:
        with asking("inspect a service"):
            self._container.reload()
        state: dict[str, Any] = self._container.attrs["State"]
        return state


@contextmanager
def _unless_ended() -> Iterator[None]:
    """Let pass that the engine refuses what takes a running container: this one may end at any moment."""
    try:
        yield
    except APIError as error:
        if error.status_code != HTTPStatus.CONFLICT:
            raise
