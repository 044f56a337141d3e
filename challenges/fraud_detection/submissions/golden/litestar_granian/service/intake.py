"""Taking in the body of a request, no more of it than is wanted."""

from __future__ import annotations

from litestar import Request

from service.protocol import Refused


async def read_body(request: Request, cap: int) -> bytes:
    """The whole body. Raises `Refused` (413) as soon as it is, or says that it will be, longer than `cap` bytes."""
    refused = Refused(f"the body is longer than {cap} bytes", 413)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > cap:
        raise refused
    body = bytearray()
    more = True
    while more:
        # Not `request.stream()`: to that, a caller who hangs up is an error of the server's.
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Refused("the connection closed before the body was complete")
        body += message["body"]
        if len(body) > cap:
            raise refused
        more = message["more_body"]
    return bytes(body)
