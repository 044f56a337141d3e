"""Requests made beforehand from the secret seed, and whether the answers to them are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import numpy as np
from numpy.typing import NDArray

from harness.errors import ChallengeError
from harness.load.generator import Requests

SPARE = 20
"""One request in this many is made beyond what is asked for: a few may come out equal."""


class Traffic(Protocol):
    """What a challenge's `load.py` defines, as a class that takes the folder of the served model.

    It says what one request is and which answer is right. How requests are driven is not its business: results of a
    protocol that each challenge could change would not compare.
    """

    path: str
    """Where requests are posted."""

    def requests(self, count: int, seed: int, rows: int = 1) -> list[tuple[bytes, Any]]:
        """That many different request bodies of `rows` rows each, with what `is_right` needs to judge the answer."""

    def is_right(self, answer: bytes, expected: Any) -> bool:
        """Whether the body of an answer with status 200 is right."""


@dataclass(frozen=True)
class Pool:
    """Requests that are all different, in the order in which they are sent."""

    name: str
    bodies: tuple[bytes, ...]
    expected: tuple[Any, ...]


def make(traffic: Traffic, name: str, count: int, seed: int, rows: int = 1) -> Pool:
    """A pool of that many requests.

    Raises:
        ChallengeError: the challenge made fewer different ones.
    """
    unique = dict(traffic.requests(count + count // SPARE + 2, seed, rows))
    if len(unique) < count:
        raise ChallengeError(f"load.py made only {len(unique)} different requests; {count} are needed")
    return Pool(name, tuple(unique)[:count], tuple(unique.values())[:count])


@dataclass(frozen=True)
class Answers:
    """What the answers to requests were worth; arrays with one entry a request."""

    good: NDArray[np.bool_]
    """Status 200 and right."""
    wrong: NDArray[np.bool_]
    """Status 200 and not right."""


def judge(requests: Requests, pools: Sequence[Pool], traffic: Traffic) -> Answers:
    """Hold answers against the expected ones; `pools` has the pool of each window."""
    good = np.zeros(len(requests.status), dtype=bool)
    wrong = np.zeros(len(requests.status), dtype=bool)
    for index in np.flatnonzero(requests.status == httpx.codes.OK).tolist():
        pool = pools[requests.window[index]]
        expected = pool.expected[int(requests.number[index]) % len(pool.expected)]
        right = is_right(traffic, requests.bodies[index], str(requests.encodings[index]), expected)
        good[index], wrong[index] = right, not right
    return Answers(good, wrong)


def is_right(traffic: Traffic, body: bytes, encoding: str, expected: Any) -> bool:
    """Whether an answer with status 200 is right, whatever its body holds."""
    try:
        if encoding:
            body = httpx.Response(200, headers={"content-encoding": encoding}, content=body).content
        return bool(traffic.is_right(body, expected))
    except (ValueError, TypeError, LookupError, RecursionError, httpx.DecodingError):
        return False
