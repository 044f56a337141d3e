"""When a switch from one version to another was over, seen in the answers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.lifecycle.registry import Version
from harness.lifecycle.settings import Settings
from harness.lifecycle.traffic import Answer, Traffic


@dataclass(frozen=True)
class Switch:
    """What came of a promotion or a rollback."""

    to: Version
    asked: float
    """When the registry had taken it, in seconds of the monotonic clock."""
    seconds: float | None
    """From then to the first request after which the new version alone answered; None if there was none."""
    answers: tuple[Answer, ...]
    """To what was sent from then on."""

    @property
    def begun(self) -> bool:
        """Whether the new version answered at all."""
        return any(answer.version == self.to.number for answer in self.answers)


def watch(traffic: Traffic, to: Version, asked: float, settings: Settings, runs: Callable[[], bool]) -> Switch:
    """Watch the answers until the new version has settled, patience is at its end, or the service is."""

    def over() -> bool:
        since = _alone_since(traffic.answers(asked), to)
        if since is None:
            return time.monotonic() > asked + settings.patience_seconds or not runs()
        many = sum(answer.sent >= since for answer in traffic.answers(asked)) >= settings.settle_answers
        return many and time.monotonic() > since + settings.settle_seconds

    traffic.wait(over, settings.patience_seconds + settings.settle_seconds)
    answers = traffic.answers(asked)
    since = _alone_since(answers, to)
    return Switch(to, asked, None if since is None else since - asked, tuple(answers))


def instead(answers: Sequence[Answer]) -> str:
    """What a service did, most of all first."""
    counted = Counter(_what(answer) for answer in answers)
    return "; ".join(f"{number} times {what}" for what, number in counted.most_common(3)) or "no request came to an end"


def _alone_since(answers: Sequence[Answer], to: Version) -> float | None:
    """When the first request was sent after which no other version gave predictions."""
    old = [answer.sent for answer in answers if answer.version not in ("", to.number)]
    new = (answer.sent for answer in answers if answer.version == to.number)
    return next((sent for sent in new if not old or sent > old[-1]), None)


def _what(answer: Answer) -> str:
    if answer.problem:
        return answer.problem[:160]
    return f"the predictions of version {answer.version}" if answer.version else "predictions of no registered version"
