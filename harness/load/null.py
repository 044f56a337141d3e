"""A server that answers anything at once: against it, the generator measures its own floor and ceiling.

`python -m harness.load.null SOCKET [CORE ...]` serves on a socket that it inherited until its standard input ends.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Null(asyncio.Protocol):
    """Reads whole requests and answers each with the same two bytes."""

    def __init__(self) -> None:
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection's transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole by now."""
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            length = body_length(self._pending[:end])
            if len(self._pending) < end + 4 + length:
                return
            self._pending = self._pending[end + 4 + length :]
            self._transport.write(ANSWER)  # type: ignore[attr-defined]  # the transport of a TCP server can write


def body_length(head: bytes) -> int:
    """The content length that a request's head announces."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


async def serve(listening: socket.socket) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    await loop.create_server(Null, sock=listening)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    if cores := {int(core) for core in sys.argv[2:]}:
        os.sched_setaffinity(0, cores)
    asyncio.run(serve(socket.socket(fileno=int(sys.argv[1]))))
