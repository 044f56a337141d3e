"""Removing what runs left behind: only what bears our label, never by a global prune."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

import docker
from docker.errors import APIError, NotFound

from harness.sandbox import _cgroup, _network, _owner, _processes
from harness.sandbox._engine import asking

Labels = Mapping[str, str]


def find(client: docker.DockerClient) -> list[str]:
    """What runs left in the engine whose process is dead: a line for each thing."""
    with asking("look for what runs left behind"):
        return [what for what, labels, _, _ in _ours(client) if _dead(labels)]


def leftovers(client: docker.DockerClient) -> list[str]:
    """Remove what runs left whose process is dead, however it died; returns a line for each thing removed."""
    ended = _processes.end_strays()
    _cgroup.remove()
    return ended + _sweep(client, _dead)


def run(client: docker.DockerClient, run_id: str) -> None:
    """Remove everything of one run of this process."""
    mine = _owner.labels(run_id)
    _sweep(client, lambda labels: mine.items() <= labels.items())
    _cgroup.remove()


def images(client: docker.DockerClient, label: str) -> list[str]:
    """Remove images that bear a label, unless a container uses them; returns a line for each."""
    with asking("remove images"):
        found = {str(image.id): image.tags for image in client.images.list(filters={"label": label})}
        remove = client.images.remove
        return [f"image {(tags or [key])[0]}" for key, tags in found.items() if _gone(partial(remove, key, force=True))]


def _dead(labels: Labels) -> bool:
    return not _owner.alive(labels.get(_owner.OWNER, ""))


def _sweep(client: docker.DockerClient, doomed: Callable[[Labels], bool]) -> list[str]:
    removed: list[str] = []
    bridges = set()
    with asking("sweep what runs left behind"):
        for what, labels, bridge, remove in _ours(client):
            if doomed(labels) and _gone(remove):
                removed.append(what)
                bridges.add(bridge)
    return removed + _network.open_gateways(bridges - {""})


def _ours(client: docker.DockerClient) -> Iterator[tuple[str, Labels, str, Callable[[], object]]]:
    """Everything that bears our label: what it is, all its labels, a network's bridge, and how to remove it.

    In this order, because a network or a volume in use cannot be removed.
    """
    ours: dict[str, Any] = {"label": _owner.RUN}
    for container in client.containers.list(all=True, filters=ours, ignore_removed=True):
        yield f"container {container.name}", container.labels, "", partial(container.remove, force=True, v=True)
    for network in client.networks.list(filters=ours):
        bridge = (network.attrs.get("Options") or {}).get(_network.BRIDGE, "")
        yield f"network {network.name}", network.attrs.get("Labels") or {}, bridge, network.remove
    for volume in client.volumes.list(filters=ours):
        yield f"volume {volume.name}", volume.attrs.get("Labels") or {}, "", partial(volume.remove, force=True)


def _gone(remove: Callable[[], object]) -> bool:
    """Remove a thing, unless something else just did (two sweeps may meet)."""
    try:
        remove()
    except NotFound:
        return False
    except APIError as error:
        # "removal of container ... is already in progress"
        if error.status_code != HTTPStatus.CONFLICT:
            raise
        return False
    return True
