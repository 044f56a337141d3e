"""Taking in the body of a request, no more of it than is wanted."""

from __future__ import annotations

from fastapi import Request
from starlette.requests import ClientDisconnect

from service.protocol import Refused


async def read_body(request: Request, cap: int) -> bytes:
    """The whole body. Raises `Refused` (413) as soon as it is, or says that it will be, longer than `cap` bytes."""
    refused = Refused(f"the body is longer than {cap} bytes", 413)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > cap:
        raise refused
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > cap:
                raise refused
    except ClientDisconnect as error:
        raise Refused("the connection closed before the body was complete") from error
    return bytes(body)
