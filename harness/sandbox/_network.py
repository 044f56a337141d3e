"""Closed networks of a run: nothing on them reaches the world, this machine, or (but for company) each other."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.models.networks import Network

from harness.sandbox import _owner
from harness.sandbox._engine import asking

OPEN_DOOR = (
    "The host's own services were within reach of the submission's containers, through the gateway of their network: "
    "{why}. Whatever this machine has bound to all its addresses was open to them."
)


BRIDGE = "com.docker.network.bridge.name"
WAIT = ("-w", "5")
"""Seconds to wait for whoever else is changing the firewall."""


@dataclass(frozen=True)
class ClosedNetwork:
    """A run's network; `notice` says what could not be closed, or is empty."""

    network: Network
    bridge: str
    notice: str = ""


def create(client: docker.DockerClient, run_id: str, *, company: bool = False) -> ClosedNetwork:
    """Make a closed network for a run; with `company`, one whose containers reach each other.

    `internal` keeps the engine from routing and from answering names of the world; `enable_icc=false` keeps containers
    from each other; a firewall rule keeps them from what this machine serves at the bridge's own address, which the
    engine leaves open (see https://docs.docker.com/engine/network/drivers/bridge/ for the first two).
    """
    bridge = f"mh-{secrets.token_hex(4)}"  # the kernel takes 15 characters
    # The rule comes first: there is no moment at which the network is there and open.
    notice = _close_gateway(bridge)
    try:
        with asking("make a closed network"):
            network = client.networks.create(
                f"mlops-harness-{bridge}",
                driver="bridge",
                internal=True,
                labels=_owner.labels(run_id),
                options={BRIDGE: bridge, "com.docker.network.bridge.enable_icc": str(company).lower()},
            )
    except BaseException:
        open_gateways({bridge})
        raise
    if not notice and not Path("/sys/class/net", bridge).exists():
        notice = OPEN_DOOR.format(why="the engine's network is not this machine's, so its firewall is out of our hands")
    return ClosedNetwork(network, bridge, notice)


def _close_gateway(bridge: str) -> str:
    """Drop what containers on `bridge` start with this machine; returns why that could not be done."""
    if os.geteuid() != 0:
        return OPEN_DOOR.format(why="closing it takes root")
    if not (iptables := _tool("iptables")):
        return OPEN_DOOR.format(why="closing it takes iptables, which is not installed")
    comment = f"{_owner.RUN} {_owner.me()}"
    rule = ["-i", bridge, "-m", "conntrack", "--ctstate", "NEW", "-m", "comment", "--comment", comment, "-j", "DROP"]
    for tool in filter(None, (iptables, _tool("ip6tables"))):
        done = subprocess.run([tool, *WAIT, "-I", "INPUT", *rule], capture_output=True, text=True, check=False)
        # A machine without IPv6 has nothing to close there.
        if done.returncode != 0 and tool == iptables:
            return OPEN_DOOR.format(why=f"iptables refused the rule: {done.stderr.strip()}")
    return ""


def open_gateways(bridges: Set[str] = frozenset()) -> list[str]:
    """Remove our firewall rules of these bridges, and all those of dead owners; returns a line for each."""
    removed = []
    for tool in filter(None, (_tool("iptables"), _tool("ip6tables")) if os.geteuid() == 0 else ()):
        listed = subprocess.run([tool, *WAIT, "-S", "INPUT"], capture_output=True, text=True, check=False)
        for line in listed.stdout.splitlines():
            rule = shlex.split(line)
            label = next((word for word in rule if word.startswith(f"{_owner.RUN} ")), "")
            doomed = not _owner.alive(label.partition(" ")[2]) or not bridges.isdisjoint(rule)
            if label and doomed:
                subprocess.run([tool, *WAIT, "-D", *rule[1:]], capture_output=True, check=False)
                removed.append(f"firewall rule of {rule[rule.index('-i') + 1]}")
    return removed


def _tool(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
