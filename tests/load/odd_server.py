"""A server with one behaviour a path, for the generator to meet: `odd_server.py SOCKET` serves until its input ends.

/ok answers at once; /slow after 50 ms, all at the same time; /one-at-a-time after 5 ms of work, one after the other;
/stall answers at once, but its 30th request stops the whole server for 400 ms; /half fails every other request at once;
/hang never answers; /huge never ends; /drip sends a byte at a time; /slam closes the connection; /head answers with the
head of the request; /zipped compresses.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import sys
import time
from collections import Counter

seen: Counter[str] = Counter()


def answer(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}content-length: {len(body)}\r\n\r\n".encode() + body


async def respond(path: str, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> bool:
    """Answer one request; returns whether the connection lives on."""
    seen[path] += 1
    if path == "/slow":
        await asyncio.sleep(0.05)
    elif path == "/one-at-a-time":
        time.sleep(0.005)
    elif path == "/stall" and seen[path] == 30:
        time.sleep(0.4)
    elif path == "/hang":
        await asyncio.sleep(60)
    elif path == "/slam":
        return False
    elif path == "/half" and seen[path] % 2:
        writer.write(answer(b"no", "500 Oh"))
        return True
    elif path == "/huge":
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2000000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x" * 65536)
            await writer.drain()
        return False
    elif path == "/drip":
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)
    elif path == "/zipped":
        writer.write(answer(gzip.compress(body), headers="content-encoding: gzip\r\n"))
        return True
    content = {"/head": head, "/count": json.dumps(seen).encode()}.get(path, body)
    writer.write(answer(content))
    return True


async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        lives = True
        while lives:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ")[1].decode()
            lengths = [
                int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-le")
            ]
            body = await reader.readexactly(lengths[0] if lengths else 0)
            lives = await respond(path, head, body, writer)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    await asyncio.start_server(handle, sock=socket.socket(fileno=int(sys.argv[1])))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
