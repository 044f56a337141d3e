"""Claims that are judged from what lies still: files, and the engine's record of an image."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Claim(Generic[T]):
    """One claim, and the function that looks for what contradicts it."""

    name: str
    """The check's name."""
    holds: str
    """What the candidate reads if it holds."""
    remedy: str
    """What to do if it does not."""
    problem: Callable[[T], str]
    """What is wrong, as a sentence without its full stop; empty if nothing is."""

    def judge(self, subject: T) -> tuple[bool, str]:
        """Whether the claim holds, and the message."""
        problem = self.problem(subject)
        return not problem, f"{problem}. {self.remedy}" if problem else self.holds


def listed(claim: str, items: Iterable[str], most: int = 5) -> str:
    """The claim with the first few items that it is about; empty if there are none."""
    all_items = list(dict.fromkeys(items))
    more = f"; and {len(all_items) - most} more" if len(all_items) > most else ""
    return f"{claim}: {'; '.join(all_items[:most])}{more}" if all_items else ""
