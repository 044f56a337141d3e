"""How often one address, and one token, may ask."""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from harness.errors import UsageError
from harness.server.refusals import Refused


class Rates:
    """Counts requests in a moving window, in this process's memory.

    Raises:
        UsageError: a rate is not written like `600/minute`.
    """

    def __init__(self, address: str, token: str) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._address, self._token = _parsed(address), _parsed(token)

    def address(self, address: str) -> None:
        """Count a request of an address.

        Raises:
            Refused: it is one too many.
        """
        self._count(self._address, "address", address)

    def token(self, invitation: str) -> None:
        """Count a request with the token of an invitation.

        Raises:
            Refused: it is one too many.
        """
        self._count(self._token, "token", invitation)

    def _count(self, rate: RateLimitItem, kind: str, name: str) -> None:
        if self._limiter.hit(rate, kind, name):
            return
        reset = self._limiter.get_window_stats(rate, kind, name).reset_time
        seconds = max(1, math.ceil(reset - time.time()))
        raise Refused(
            429,
            f"more than {rate} requests from one {kind}",
            f"Try again in {seconds} s; nothing was counted.",
            {"Retry-After": str(seconds)},
        )


def _parsed(rate: str) -> RateLimitItem:
    try:
        return parse(rate)
    except ValueError as error:
        raise UsageError(f"'{rate}' is no rate", "Write it like 600/minute or 10/second.") from error
