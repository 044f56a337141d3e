"""Where a service listens, and whether it looks for the network, as the kernel says: not as the service prints."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.sandbox import Process

PROC = Path("/proc")
LISTENING = "0A"
"""TCP_LISTEN in the kernel's `include/net/tcp_states.h`."""


@dataclass(frozen=True)
class Listener:
    """A socket that waits for connections."""

    address: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only its own container can reach it."""
        return ipaddress.ip_address(self.address).is_loopback


def of(processes: Iterable[Process]) -> tuple[Listener, ...] | None:
    """The listening sockets of these processes, or None where that cannot be known.

    It can be known where the engine runs on this very machine and its kernel is Linux; then `pid` names a process here.
    """
    found: set[Listener] = set()
    known = False
    for process in processes:
        folder = PROC / str(process.pid)
        with suppress(OSError):
            if not _is(process, folder):
                continue
            own = _sockets(folder)
            for table in ("tcp", "tcp6"):
                found |= set(parse((folder / "net" / table).read_text(), own))
            known = True
    return tuple(sorted(found, key=lambda one: (one.port, one.address))) if known else None


def attempts(processes: Iterable[Process]) -> int:
    """How often something in these processes' own network had nowhere to send to, or asked for a name; 0 if unknown.

    A service that needs no network does neither: its own name is in its hosts file.
    """
    for process in processes:
        folder = PROC / str(process.pid)
        with suppress(OSError):
            if _is(process, folder) and _sockets(folder) is None:
                counted = counters((folder / "net" / "snmp").read_text())
                return counted.get("Ip:OutNoRoutes", 0) + counted.get("Udp:OutDatagrams", 0)
    return 0


def counters(table: str) -> dict[str, int]:
    """`/proc/net/snmp`: pairs of lines, names above numbers."""
    lines = [line.split() for line in table.splitlines()]
    pairs = (zip(names, numbers, strict=False) for names, numbers in zip(lines[::2], lines[1::2], strict=False))
    return {f"{first[0]}{name}": int(number) for first, *rest in map(list, pairs) for name, number in rest}


def _is(process: Process, folder: Path) -> bool:
    """An engine elsewhere has other processes than this machine: the command tells them apart."""
    words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").split()
    return words == process.command.split()


def parse(table: str, inodes: frozenset[str] | None = None) -> Iterable[Listener]:
    """The listening sockets of a `/proc/net/tcp` or `tcp6` table; of these inodes only, where they are given."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == LISTENING and (inodes is None or fields[9] in inodes):
            address, port = fields[1].split(":")
            # Each group of four bytes is in the machine's own order, which is little-endian wherever engines run.
            raw = b"".join(bytes.fromhex(word)[::-1] for word in re.findall(r"[0-9A-F]{8}", address))
            ip = ipaddress.ip_address(raw)
            mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
            if str(mapped or ip) != "127.0.0.11":  # the engine's own resolver, in each of its containers
                yield Listener(str(mapped or ip), int(port, 16))


def _sockets(folder: Path) -> frozenset[str] | None:
    """Inodes of a process's sockets; None where it has a network of its own, all of whose sockets are its own."""
    if (folder / "ns" / "net").readlink() != (PROC / "self" / "ns" / "net").readlink():
        return None
    found = set()
    for link in (folder / "fd").iterdir():
        with suppress(OSError):
            if inode := re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink())):
                found.add(inode[1])
    return frozenset(found)
