"""The generator against a real server with odd manners."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from harness.client import Client
from harness.errors import InfrastructureError
from harness.load.generator import Generator
from harness.load.plan import ABANDONED, NO_ANSWER, Order, Target, Window
from harness.stages.load import json_headers


def drive(generator: Generator, url: str, path: str, *windows: Window, **order: object):
    target = Target("service", url, path)
    seen, requests = generator.drive(Order((target,), windows, out="", **{"timeout": 2.0, **order}))
    return seen, requests


def closed(seconds: float = 0.5, users: int = 4, **more: object) -> Window:
    return Window("service", "pool", seconds=seconds, users=users, **{"lead_in": 0.0, **more})


def opened(rate: float, seconds: float, **more: object) -> Window:
    return Window("service", "pool", steps=((rate, seconds),), **{"lead_in": 0.0, "seed": 3, **more})


def test_every_request_that_is_sent_is_answered_and_counted(generator, odd_server):
    before = httpx.get(f"{odd_server}/count").json().get("/ok", 0)
    _, requests = drive(generator, odd_server, "/ok", closed(), opened(200, 0.5))
    after = httpx.get(f"{odd_server}/count").json()["/ok"]
    assert after - before == len(requests.status) > 50
    assert (requests.status == 200).all()
    bodies = set(requests.bodies)
    assert len(bodies) == len(requests.status), "each was a request of its own"
    assert json.loads(requests.bodies[0])["number"] == requests.number[0]


def test_an_open_loop_keeps_its_rate_however_slow_the_service_is(generator, odd_server):
    (seen,), requests = drive(generator, odd_server, "/slow", opened(200, 1.0))
    assert 150 < len(requests.status) < 250
    assert (requests.status == 200).all()
    assert requests.intended.max() - requests.intended.min() < 1.0
    # Had each of a few users waited for its answer, there would have been 20 requests a user and second.
    in_flight = max(int(((requests.sent <= t) & (requests.done > t)).sum()) for t in requests.sent)
    assert in_flight > 4
    assert seen.seconds >= 1.0


def test_a_stall_is_seen_by_all_requests_that_were_due_meanwhile(generator, odd_server):
    _, requests = drive(generator, odd_server, "/stall", opened(200, 1.0))
    late = (requests.done - requests.intended) * 1e3
    stalled = late > 100
    # 400 ms at 200 requests a second: some 60 of them waited longer than 100 ms, not just the one that met the stall.
    assert stalled.sum() > 30
    assert late.max() > 300


def test_the_same_seed_gives_the_same_arrival_times(generator, odd_server):
    _, first = drive(generator, odd_server, "/ok", opened(100, 0.5))
    _, second = drive(generator, odd_server, "/ok", opened(100, 0.5))
    gaps = [np.diff(np.sort(requests.intended)) for requests in (first, second)]
    assert np.allclose(*gaps, atol=1e-6)


def test_failures_are_told_from_answers(generator, odd_server):
    _, requests = drive(generator, odd_server, "/half", closed())
    failed = requests.status == 500
    assert 0.4 < failed.mean() < 0.6


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_an_answer_that_does_not_end_in_time_is_none(generator, odd_server, path):
    (seen,), requests = drive(generator, odd_server, path, closed(0.2, users=2), timeout=0.3)
    assert set(requests.status.tolist()) == {NO_ANSWER}
    assert seen.seconds < 3


def test_a_closed_connection_is_no_answer_and_does_not_make_the_generator_spin(generator, odd_server):
    _, requests = drive(generator, odd_server, "/slam", closed(0.3, users=2))
    assert set(requests.status.tolist()) == {NO_ANSWER}
    assert len(requests.status) < 200


def test_an_endless_answer_is_cut_off(generator, odd_server):
    _, requests = drive(generator, odd_server, "/huge", closed(0.2, users=1))
    assert max(map(len, requests.bodies)) == 64 * 1024


def test_requests_without_an_answer_are_given_up_at_the_end(generator, odd_server):
    (seen,), requests = drive(generator, odd_server, "/hang", opened(20, 0.5), patience=0.3, timeout=30.0)
    assert set(requests.status.tolist()) == {ABANDONED}
    assert seen.seconds < 3


def test_a_lead_in_is_driven_but_not_scored(generator, odd_server):
    both = closed(0.3, users=2, lead_in=0.2), opened(100, 0.5, lead_in=0.5)
    (_, looped), requests = drive(generator, odd_server, "/ok", *both)
    for index in (0, 1):
        own = requests.window == index
        assert 0 < requests.scored[own].sum() < own.sum()
    own = requests.window == 1
    assert requests.intended[own & requests.scored].min() >= looped.before.at - 0.05


def test_probes_run_beside_the_users(generator, odd_server):
    _, requests = drive(generator, odd_server, "/slow", closed(0.5, users=2, probe="/ok"))
    assert len(requests.probes) > 5
    assert set(requests.probes[:, 3].tolist()) == {200.0}


def test_compressed_answers_come_with_their_encoding(generator, odd_server):
    _, requests = drive(generator, odd_server, "/zipped", closed(0.1, users=1))
    assert set(requests.encodings.tolist()) == {"gzip"}


def test_steps_of_an_open_loop_follow_each_other_at_once(generator, odd_server):
    window = Window("service", "pool", steps=((300, 0.5), (40, 0.5)), lead_in=0.0, seed=1)
    (seen,), requests = drive(generator, odd_server, "/ok", window)
    second = requests.intended >= seen.before.at + 0.5
    assert 100 < (~second).sum() < 200
    assert 5 < second.sum() < 40


def test_a_pool_that_runs_out_starts_again_and_says_so_by_its_numbers(generator, odd_server):
    generator.fill("small", [b"1", b"2", b"3"])
    _, requests = drive(generator, odd_server, "/ok", Window("service", "small", seconds=0.2, users=1, lead_in=0.0))
    assert requests.number.max() >= 3
    assert set(requests.bodies) == {b"1", b"2", b"3"}


def test_an_order_that_makes_no_sense_is_our_error(generator, odd_server):
    with pytest.raises(InfrastructureError, match="KeyError"):
        drive(generator, odd_server, "/ok", Window("service", "no such pool", seconds=0.1, users=1))
    drive(generator, odd_server, "/ok", closed(0.1))


def test_a_generator_that_dies_is_our_error_and_leaves_nothing(tmp_path, odd_server):
    with Generator(pin=(), cores=(), log=tmp_path / "log", scratch=tmp_path) as running:
        running.fill("pool", [b"1"])
        process = running._process
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        with pytest.raises(InfrastructureError, match="ended"):
            drive(running, odd_server, "/ok", closed(0.1))
    assert process.poll() is not None


def test_the_generator_ends_when_the_harness_does(tmp_path):
    """Killed with SIGKILL in the middle of a window, the harness leaves no generator behind."""
    code = f"""
import sys
from pathlib import Path
from harness.load.generator import Generator
from harness.load.plan import Order, Target, Window
scratch = Path({str(tmp_path)!r})
with Generator(pin=(), cores=(), log=scratch / "log", scratch=scratch) as running:
    running.fill("pool", [b"1"])
    print(running._process.pid, flush=True)
    running.drive(Order((Target("t", "http://127.0.0.1:9"),), (Window("t", "pool", seconds=60, users=1),), out=""))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as harness:
        assert harness.stdout
        generator = int(harness.stdout.readline())
        harness.kill()
    end = time.monotonic() + 10
    while time.monotonic() < end and _alive(generator):
        time.sleep(0.05)
    assert not _alive(generator)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_nothing_on_the_wire_tells_load_from_other_traffic(generator, odd_server):
    with Client(odd_server) as client:
        other = client.post("/head", {"number": 0}).text
    target = Target("service", odd_server, "/head")
    _, requests = generator.drive(
        Order((target,), (Window("service", "pool", seconds=0.1, users=1, lead_in=0.0),), "", json_headers())
    )
    assert _fields(requests.bodies[0].decode()) == _fields(other)


def _fields(head: str) -> dict[str, str]:
    lines = head.strip().split("\r\n")
    fields = dict(line.split(": ", 1) for line in lines[1:])
    return {"": lines[0], **{name.lower(): value for name, value in fields.items() if name.lower() != "content-length"}}


def test_a_port_where_nothing_listens_is_no_answer(generator):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    _, requests = drive(generator, f"http://127.0.0.1:{port}", "/ok", closed(0.2, users=1))
    assert set(requests.status.tolist()) == {NO_ANSWER}
