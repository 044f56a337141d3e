"""Where a process listens, read from the kernel's tables."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from harness import listeners
from harness.listeners import Listener
from harness.sandbox import Process

EVERYWHERE = "0.0.0.0"  # noqa: S104  # what a table says, nothing is bound to it
TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 11 1 0 100 0 0 10 0
   1: 00000000:2382 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12 1 0 100 0 0 10 0
   2: 0B00007F:9C41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 13 1 0 100 0 0 10 0
   3: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 14 1 0 100 0 0 10 0
"""
TABLE6 = """  sl  local_address  remote_address  st tx rx tr tm retr uid t inode
   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 21 1 0 100 0 0 10
   1: 0000000000000000FFFF00000100007F:1F91 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 22 1 0 100 0 0 10
"""


def test_only_listening_sockets_count_and_not_the_engines_own_resolver():
    assert set(listeners.parse(TABLE)) == {Listener("127.0.0.1", 8080), Listener(EVERYWHERE, 9090)}


def test_loopback_is_told_from_all_interfaces_in_both_families():
    assert {one.port: one.loopback for one in listeners.parse(TABLE)} == {8080: True, 9090: False}
    assert all(one.loopback for one in listeners.parse(TABLE6))
    assert len(set(listeners.parse(TABLE6))) == 2


def test_sockets_of_other_processes_can_be_left_out():
    assert set(listeners.parse(TABLE, frozenset({"12"}))) == {Listener(EVERYWHERE, 9090)}


SNMP = """Ip: Forwarding DefaultTTL OutNoRoutes
Ip: 1 64 4
Udp: InDatagrams NoPorts OutDatagrams
Udp: 0 0 48
"""


def test_the_kernels_counters_are_read_by_name():
    assert listeners.counters(SNMP) == {
        "Ip:Forwarding": 1, "Ip:DefaultTTL": 64, "Ip:OutNoRoutes": 4,
        "Udp:InDatagrams": 0, "Udp:NoPorts": 0, "Udp:OutDatagrams": 48,
    }  # fmt: skip


def test_of_a_process_in_our_own_network_nothing_is_told():
    assert listeners.attempts([own()]) == 0


def own(command: str | None = None) -> Process:
    words = Path("/proc/self/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return Process(os.getpid(), os.getuid(), command or words)


def test_a_process_of_this_machine_is_asked_for_its_own_sockets_only():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = listeners.of([own()])
    assert found is not None
    assert Listener("127.0.0.1", port) in found
    assert Listener("127.0.0.1", port) not in (listeners.of([own()]) or ())


def test_a_process_of_another_machine_tells_nothing():
    assert listeners.of([own("a program that does not run here")]) is None
    assert listeners.of([Process(2**22 + 1, 0, "gone")]) is None
