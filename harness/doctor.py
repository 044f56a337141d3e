"""Whether this machine can grade: each finding says what is so and, if it should not be, the command that mends it."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import docker
from docker.errors import DockerException, ImageNotFound
from requests.exceptions import RequestException

from harness.errors import HarnessError
from harness.sandbox import _engine, _owner, _sweep, trial

DISK_GB = 10
CORES = 2
CLOCK_SECONDS = 2.0
"""Above this, time stamps of the engine and of the harness cannot be held against each other."""
LIMITS = {
    "MemoryLimit": "memory",
    "SwapLimit": "swap",
    "PidsLimit": "processes",
    "CpuCfsQuota": "cpu",
    "CPUSet": "cores",
}
"""What the engine must be able to limit, by the name of its own flag for it."""
STAND_IN = "org.mlops-harness.stand-in"
MAKE_ENGINE = "Run 'make engine'."


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    name: str
    status: Literal["ok", "warn", "fail"]
    """`fail`: grading is not possible. `warn`: it is, and the report is worth less than it could be."""
    what: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Look at everything. Leaves nothing behind but a small image, and touches only what is ours."""
    try:
        client = _engine.connect()
    except HarnessError as error:
        return [Finding("engine", "fail", error.args[0], error.remedy), _cores()]
    try:
        info = client.info()
        found = [_engine_found(client, info), _builder(), _base_image(client), _limits(info), _disk(info), _cores()]
        found += [_clock(client), _leftovers(client), _networks(client)]
        if all(finding.status != "fail" for finding in found):
            found += _trial()
    except (DockerException, RequestException) as error:
        return [Finding("engine", "fail", f"it failed while it was examined: {error}", MAKE_ENGINE)]
    finally:
        client.close()
    return found


def _engine_found(client: docker.DockerClient, info: dict[str, Any]) -> Finding:
    kind = f"cgroup v{info.get('CgroupVersion', '?')}, {info.get('Driver', '?')}"
    return Finding("engine", "ok", f"{client.version()['Version']} answers at {_engine.address()} ({kind})")


def _builder() -> Finding:
    try:
        path = _engine.builder()
    except HarnessError as error:
        return Finding("BuildKit", "fail", error.args[0], error.remedy)
    return Finding("BuildKit", "ok", f"{path} with buildx {'.'.join(map(str, _engine.buildx(path)))}")


def _base_image(client: docker.DockerClient) -> Finding:
    try:
        image = client.images.get(_engine.BASE_IMAGE)
    except ImageNotFound:
        return Finding("base image", "fail", f"{_engine.BASE_IMAGE} is not in the engine", MAKE_ENGINE)
    size = f"{image.attrs['Size'] / 1e6:.0f} MB"
    if STAND_IN in image.labels:
        return Finding(
            "base image",
            "warn",
            f"{_engine.BASE_IMAGE} is a stand-in made from Debian's packages ({size}): image sizes and build times "
            "compare with each other, not with those of the real one",
            f"Where a registry is within reach: docker pull {_engine.BASE_IMAGE}",
        )
    return Finding("base image", "ok", f"{_engine.BASE_IMAGE} ({size})")


def _limits(info: dict[str, Any]) -> Finding:
    if missing := [name for flag, name in LIMITS.items() if not info.get(flag)]:
        what = f"the engine cannot limit {', '.join(missing)}: a submission could use all that the machine has"
        return Finding("limits", "warn", what, "See https://docs.docker.com/engine/install/linux-postinstall/ .")
    return Finding("limits", "ok", f"the engine can limit {', '.join(LIMITS.values())}")


def _disk(info: dict[str, Any]) -> Finding:
    root = info["DockerRootDir"]
    try:
        free = shutil.disk_usage(root).free / 1e9
    except OSError:
        return Finding("disk", "warn", f"the engine's folder {root} is not on this machine: its disk cannot be watched")
    what = f"{free:.0f} GB free at {root}"
    if free < DISK_GB:
        return Finding("disk", "fail", f"{what}, and builds need {DISK_GB} GB", "Run 'docker builder prune'.")
    return Finding("disk", "ok", what)


def _cores() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores < CORES:
        what = f"{cores} core: service and load generator share it, which makes the load stage less precise"
        return Finding("cores", "warn", what, f"Give this machine {CORES} cores or more.")
    return Finding("cores", "ok", f"{cores}: service and load generator have cores of their own")


def _clock(client: docker.DockerClient) -> Finding:
    start = time.time()
    theirs = datetime.fromisoformat(client.info()["SystemTime"][:19] + "+00:00").timestamp()
    # The engine's time is cut to whole seconds here, and was read at some moment of the request.
    apart = max(0.0, start - theirs - 1, theirs - time.time())
    if apart > CLOCK_SECONDS:
        what = f"the engine's clock is {apart:.0f} s off this machine's"
        return Finding("clock", "warn", what, "Set both by NTP, or restart the machine that the engine runs on.")
    return Finding("clock", "ok", "the engine's and this machine's agree")


def _leftovers(client: docker.DockerClient) -> Finding:
    if left := _sweep.find(client):
        what = f"{len(left)} things of runs that were killed: {', '.join(left[:4])}"
        return Finding("leftovers", "warn", what, "The next run removes them, and so does 'harness clean'.")
    return Finding("leftovers", "ok", "none of ours")


def _networks(client: docker.DockerClient) -> Finding:
    count = len(client.networks.list(filters={"driver": "bridge"}))
    probe = None
    try:
        probe = client.networks.create("mlops-harness-doctor", internal=True, labels=_owner.labels("doctor"))
    except DockerException as error:
        what = f"no network can be made beside the {count} there are: {error}"
        return Finding("address pool", "fail", what, "Remove networks that nothing uses: 'docker network ls'.")
    finally:
        if probe is not None:
            probe.remove()
    return Finding("address pool", "ok", f"there is room for another network beside the {count} there are")


def _trial() -> list[Finding]:
    try:
        tried = trial.run()
    except HarnessError as error:
        return [Finding("trial", "fail", f"a probe could not be run in the sandbox: {error.args[0]}", error.remedy)]
    return [
        Finding(
            "trial", "ok", f"a probe was built in {tried.build_seconds:.1f} s, run on a closed network, and answered"
        )
        if tried.answered
        else Finding(
            "trial",
            "fail",
            "this machine does not reach a service on a closed network",
            "The harness has to run on the machine of the engine, and on Linux.",
        ),
        Finding("egress", "fail", f"a service on the closed network reached {', '.join(tried.way_out)}")
        if tried.way_out
        else Finding("egress", "ok", "a service on the closed network reaches nothing outside"),
        Finding("host exposure", "warn", " ".join(tried.notices) or "reached", "Run as root, with iptables installed.")
        if tried.host_exposed
        else Finding("host exposure", "ok", "what this machine serves is out of a service's reach"),
    ]
