"""Pools of requests: all different, and each answer is held against its own request."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import ChallengeError
from harness.load import pool
from harness.load.generator import Requests
from harness.load.pool import Pool


class Traffic:
    path = "/"

    def requests(self, count, seed, rows=1):
        return [(b"%d" % (number % 50), number % 50) for number in range(count)]

    def is_right(self, answer, expected):
        return int(answer) == expected


def test_requests_are_all_different_or_the_challenge_is_at_fault():
    made = pool.make(Traffic(), "p", 50, 1)
    assert len(set(made.bodies)) == len(made.expected) == 50
    with pytest.raises(ChallengeError, match="only 50 different requests"):
        pool.make(Traffic(), "p", 51, 1)


def test_answers_are_held_against_the_request_they_belong_to():
    pools = [Pool("p", (b"a", b"b"), (7, 8))]
    answers = (b"7", b"8", b"7", b"8", b"not a number", b"8")
    count = len(answers)
    requests = Requests(
        window=np.zeros(count, dtype=np.uint16),
        number=np.array([0, 1, 2, 2, 0, 1], dtype=np.uint32),
        intended=np.zeros(count),
        sent=np.zeros(count),
        done=np.ones(count),
        status=np.array([200, 200, 200, 200, 200, 500], dtype=np.int16),
        scored=np.ones(count, dtype=bool),
        bodies=answers,
        encodings=np.array([""] * count),
        probes=np.empty((0, 4)),
    )
    judged = pool.judge(requests, pools, Traffic())
    assert judged.good.tolist() == [True, True, True, False, False, False]
    assert judged.wrong.tolist() == [False, False, False, True, True, False]
