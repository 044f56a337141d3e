"""The service as the container starts it: a process, a port, a signal."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pandas as pd
import pytest

from tests.conftest import MODEL, split
from tests.serving import COMMAND


@pytest.fixture
def process() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    environment = {**os.environ, "PORT": str(port), "MODEL_URI": MODEL.as_uri()}
    root = Path(__file__).parent.parent
    with subprocess.Popen(COMMAND, env=environment, cwd=root, start_new_session=True) as process:
        try:
            yield process, f"http://127.0.0.1:{port}"
        finally:
            # With all that it started, if it has not ended already.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait(url: str, path: str) -> list[int]:
    """Ask until the answer is 200; gives all the statuses on the way."""
    seen, deadline = [], time.monotonic() + 60
    while not seen or seen[-1] != 200:
        assert time.monotonic() < deadline, f"{path} after a minute: {seen[-1:]}"
        try:
            seen.append(httpx.get(url + path).status_code)
        except httpx.ConnectError:
            time.sleep(0.02)
    return seen


def test_it_is_alive_before_it_is_ready(process: tuple[subprocess.Popen[bytes], str]) -> None:
    _, url = process
    wait(url, "/livez")
    assert wait(url, "/readyz")[0] == 503


def begin(url: str) -> socket.socket:
    """Send a request's head and the first byte of its body."""
    caller = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
    head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    caller.sendall(head)
    return caller


def test_a_body_that_stalls_is_given_up(process: tuple[subprocess.Popen[bytes], str]) -> None:
    _, url = process
    wait(url, "/readyz")
    with begin(url) as caller:
        assert httpx.get(f"{url}/readyz").status_code == 200
        caller.settimeout(120)
        assert b" 408 " in caller.recv(65536).partition(b"\r\n")[0]


def test_a_caller_that_hangs_up_is_no_error_of_the_service(process: tuple[subprocess.Popen[bytes], str]) -> None:
    _, url = process
    wait(url, "/readyz")
    with begin(url):
        time.sleep(0.2)
    deadline = time.monotonic() + 10
    while 'path="/invocations",status="400"} 1.0' not in httpx.get(f"{url}/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_sigterm_answers_what_is_in_flight(process: tuple[subprocess.Popen[bytes], str], rows: pd.DataFrame) -> None:
    running, url = process
    wait(url, "/readyz")
    body = split(pd.concat([rows] * 5))
    with ThreadPoolExecutor(4) as callers:
        answers = [callers.submit(httpx.post, f"{url}/invocations", json=body, timeout=30) for _ in range(4)]
        while "model_predictions_total 0.0" in httpx.get(f"{url}/metrics", timeout=30).text:
            time.sleep(0.01)
        running.send_signal(signal.SIGTERM)
        assert [len(answer.result().json()["predictions"]) for answer in answers] == [30_000] * 4
    assert running.wait(10) in (0, -signal.SIGTERM)
