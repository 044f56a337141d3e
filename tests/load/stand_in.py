"""A service with a weakness of choice, as a plain process: `stand_in.py SOCKET [flag ...]` serves until its input ends.

POST /invocations echoes its body after some work in a thread; GET /livez and GET /metrics answer at once. Flags:

    twice      works twice as long          blocking   works on the event loop
    wrong      errs once in a hundred       lazy       its first answer takes a second longer
    restless   works when nobody asks       forgetful  counts nothing while it is busy
    cache      remembers answers            mortal     dies at its 300th request
    stuck      is not itself again for long after many requests at once
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

WORK = 0.004
"""Cpu seconds of a request..."""
PER_ROW = 0.0004
"""...and of each row."""

flags = set(sys.argv[2:])
remembered: set[bytes] = set()
state = {"requests": 0, "counted": 0, "busy": 0, "last": time.monotonic(), "stuck_until": 0.0}
one_thread = ThreadPoolExecutor(1)


def work(seconds: float) -> None:
    end = time.thread_time() + seconds * (2 if "twice" in flags else 1)
    while time.thread_time() < end:
        pass


def restless() -> None:
    while True:
        if time.monotonic() - state["last"] > 0.03:
            work(0.01)
        else:
            time.sleep(0.005)


async def invocations(body: bytes) -> bytes:
    state["requests"] += 1
    number, first = state["requests"], state["requests"] == 1
    if "mortal" in flags and number == 300:
        os._exit(3)
    if "lazy" in flags and first:
        time.sleep(1.0)
    state["busy"] += 1
    if state["busy"] > 40:
        state["stuck_until"] = time.monotonic() + 60
    if "stuck" in flags and time.monotonic() < state["stuck_until"]:
        await asyncio.sleep(3.0)
    if not ("cache" in flags and body in remembered):
        seconds = WORK + PER_ROW * body.count(b"row")
        if "blocking" in flags:
            work(seconds)
        else:
            await asyncio.get_running_loop().run_in_executor(one_thread, work, seconds)
        if "cache" in flags:
            remembered.add(body)
    state["counted"] += not ("forgetful" in flags and state["busy"] > 1)
    state["busy"] -= 1
    state["last"] = time.monotonic()
    return b"nonsense" if "wrong" in flags and number % 100 == 50 else body


async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1].decode()
            lengths = [
                int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-le")
            ]
            body = await reader.readexactly(lengths[0] if lengths else 0)
            if path == "/invocations":
                body = await invocations(body)
            elif path == "/metrics":
                body = f"# TYPE model_predictions counter\nmodel_predictions_total {state['counted']}\n".encode()
            writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    await asyncio.start_server(handle, sock=socket.socket(fileno=int(sys.argv[1])))
    if "restless" in flags:
        threading.Thread(target=restless, daemon=True).start()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
