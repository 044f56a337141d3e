"""Requests without a pause while the alias moves, and which version's predictions each answer holds.

What an answer is taken for rests on the models, which we trained, never on what the service or the registry says.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from harness import payloads
from harness.challenge import Challenge
from harness.client import Client
from harness.errors import InfrastructureError, SubmissionError
from harness.lifecycle.registry import Version
from harness.lifecycle.settings import Settings
from harness.robustness.strain import same

HEADER = "X-Model-Version"
APART = 1e-3
"""By how much two versions' predictions for a request must differ at least: enough to tell whose an answer is."""


@dataclass(frozen=True)
class Question:
    """A request, and what each version answers to it."""

    body: bytes
    rows: int
    expected: dict[str, list[Any]]


@dataclass(frozen=True)
class Answer:
    """What became of a request. Times are in seconds, of the monotonic clock."""

    sent: float
    done: float
    status: int
    """Zero if there was no answer."""
    problem: str
    """Why it is no prediction at all; empty if it is one."""
    named: str
    """The version in its header, or an empty string."""
    version: str
    """The version whose predictions these are, or an empty string."""


def questions(challenge: Challenge, versions: Sequence[Version], settings: Settings, seed: int) -> list[Question]:
    """Requests that each version answers otherwise.

    Raises:
        InfrastructureError: the versions answer alike.
    """
    from harness import kit

    frame = challenge.data.sample(settings.questions * settings.rows, np.random.default_rng(seed))
    expected = {version.number: kit.Model(version.folder).predict(frame) for version in versions}
    made = []
    for start in range(0, len(frame), settings.rows):
        rows = slice(start, start + settings.rows)
        wanted = {number: predictions[rows] for number, predictions in expected.items()}
        one, other = wanted.values()
        if not same(one, other, APART):
            part = frame.iloc[rows]
            made.append(Question(json.dumps(payloads.split(part)).encode(), len(part), wanted))
    if not made:
        raise InfrastructureError("the two models of this seed give the same predictions")
    return made


class Traffic:
    """Callers that ask from the start of the `with` block to its end."""

    def __init__(self, url: str, asked: Sequence[Question], settings: Settings) -> None:
        self._url, self._asked, self._settings = url, asked, settings
        self._numbers, self._end = count(), threading.Event()
        self._answers: list[Answer] = []
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(settings.callers)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def answers(self, since: float = 0.0) -> list[Answer]:
        """Everything that was sent at `since` or later and has come to an end, in the order in which it was sent."""
        return sorted((a for a in tuple(self._answers) if a.sent >= since), key=lambda answer: answer.sent)

    def wait(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds; returns whether it did in time."""
        end = time.monotonic() + seconds
        while not (held := holds()) and time.monotonic() < end:
            time.sleep(0.05)
        return held

    def _call(self) -> None:
        with Client(self._url, seconds=self._settings.request_seconds) as client:
            while not self._end.is_set():
                self._answers.append(self._ask(client, self._asked[next(self._numbers) % len(self._asked)]))
                self._end.wait(self._settings.pause_seconds)

    def _ask(self, client: Client, question: Question) -> Answer:
        sent, status, named, version, problem = time.monotonic(), 0, "", "", ""
        headers = {"content-type": "application/json", "connection": "close"}
        try:
            reply = client.request("POST", payloads.INVOCATIONS, body=question.body, headers=headers)
            status, named = reply.status, reply.headers.get(HEADER, "")
            given = payloads.predictions(reply, question.rows)
            version = next((number for number, wanted in question.expected.items() if same(given, wanted)), "")
        except SubmissionError as error:
            problem = str(error)
        return Answer(sent, time.monotonic(), status, problem, named, version)
