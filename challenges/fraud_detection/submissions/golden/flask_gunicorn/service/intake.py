"""Taking in the body of a request, no more of it than is wanted."""

from __future__ import annotations

from flask import Request

from service.protocol import Refused

PIECE = 65536


def read_body(request: Request, cap: int, seconds: float) -> bytes:
    """The whole body.

    Raises:
        Refused: it is, or says that it will be, longer than `cap` bytes (413), or not a byte of it came for so many
            seconds (408).
        BadRequest: it broke off.
    """
    refused = Refused(f"the body is longer than {cap} bytes", 413)
    if (request.content_length or 0) > cap:
        raise refused
    if connection := request.environ.get("gunicorn.socket"):
        # A thread waits for the body: not for ever.
        connection.settimeout(seconds)
    # Not by MAX_CONTENT_LENGTH: of a body whose length is not declared, Werkzeug then reads the start and keeps silent.
    body = bytearray()
    try:
        while piece := request.stream.read(PIECE):
            body += piece
            if len(body) > cap:
                raise refused
    except TimeoutError as error:
        raise Refused("the body took too long to arrive", 408) from error
    return bytes(body)
