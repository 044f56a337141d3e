"""The rule of the exam, pure: from the alarms at the polls to the score.

A pair scores only where the drift run ends alarmed, its twin does not, and nothing was alarmed before the onset; so a
monitor that alarms always, never, by the clock or after so many rows scores nothing, by construction. The figures were
found by simulating 1,000 exams for each of 20 monitors on five public data sets. Any single poll as an alarm would
fail sound tests (Kolmogorov-Smirnov with Bonferroni's correction at 0.05) in up to half of all exams: hence two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import dropwhile
from statistics import median

LAST = 2
"""Polls at the end of a run that decide it."""
FACTORS = ((0.05, 1.0), (0.15, 0.85), (0.30, 0.5))
"""Up to this false-alarm rate the share of pairs is multiplied by that; above all, by 0."""
GATE_FALSE_ALARMS = 0.15
GATE_MISSES = 1
"""Pairs that may be lost at the gate."""


@dataclass(frozen=True)
class Timeline:
    """The alarms of one run."""

    polls: tuple[tuple[int, bool], ...]
    """Rows sent before each poll, and whether the alarm was on."""
    onset: int | None
    """Rows sent before the change; None in a control run. In a recovery, rows before the return to clean ones."""
    complete: bool = True
    """Whether the run got to its end: one that did not decides nothing in the monitor's favour."""

    @property
    def before(self) -> tuple[bool, ...]:
        """Alarms at the polls before the change: all of them in a control run."""
        return tuple(alarm for rows, alarm in self.polls if self.onset is None or rows <= self.onset)

    @property
    def ends(self) -> tuple[bool, ...]:
        """Alarms at the last polls."""
        return tuple(alarm for _, alarm in self.polls[-LAST:])


def alarmed(run: Timeline) -> bool:
    """Whether the run ended alarmed: both last polls."""
    return run.complete and len(run.ends) == LAST and all(run.ends)


def premature(run: Timeline) -> bool:
    """Whether the alarm was on all the time before anything changed."""
    return bool(run.before) and all(run.before)


def pair(drift: Timeline, control: Timeline) -> bool:
    """Whether an arm scores."""
    return control.complete and alarmed(drift) and not alarmed(control) and not premature(drift)


def recovered(run: Timeline) -> bool:
    """Whether the alarm was on during the drifted rows, and off at the end of the clean ones that followed."""
    return run.complete and any(run.before) and len(run.ends) == LAST and not any(run.ends)


def stationary(pairs: Sequence[tuple[Timeline, Timeline]]) -> tuple[bool, ...]:
    """Alarms at all polls where nothing had changed: those of the twins, and those before each onset."""
    return tuple(alarm for both in pairs for run in both for alarm in run.before)


def false_alarm_rate(pairs: Sequence[tuple[Timeline, Timeline]]) -> float | None:
    """Share of false alarms among the stationary polls; None if there were none."""
    polls = stationary(pairs)
    return sum(polls) / len(polls) if polls else None


def factor(rate: float) -> float:
    """What a false-alarm rate leaves of the score."""
    return next((left for limit, left in FACTORS if rate <= limit), 0.0)


def score(pairs: Sequence[tuple[Timeline, Timeline]]) -> float:
    """Share of pairs times the factor of the false-alarm rate, 0 to 1.

    A product, because a sum with a term for specificity would pay a monitor that never alarms.
    """
    rate = false_alarm_rate(pairs)
    return 0.0 if rate is None else sum(pair(*both) for both in pairs) / len(pairs) * factor(rate)


def gate(pairs: Sequence[tuple[Timeline, Timeline]]) -> bool:
    """Whether all pairs but one score, with few false alarms."""
    rate = false_alarm_rate(pairs)
    scored = sum(pair(*both) for both in pairs)
    # Of a single pair none may be lost: nothing found is no pass.
    return rate is not None and scored >= max(1, len(pairs) - GATE_MISSES) and rate <= GATE_FALSE_ALARMS


def delay(run: Timeline) -> int | None:
    """Rows from the onset to the first poll of the final run of alarms; None if it did not end alarmed."""
    if run.onset is None or not alarmed(run):
        return None
    last_quiet = max((rows for rows, alarm in run.polls if not alarm), default=0)
    first = next(rows for rows, _ in dropwhile(lambda poll: poll[0] <= last_quiet, run.polls))
    return max(0, first - run.onset)


def median_delay(pairs: Sequence[tuple[Timeline, Timeline]]) -> float | None:
    """The median delay of the pairs that score."""
    delays = [rows for drift, control in pairs if pair(drift, control) and (rows := delay(drift)) is not None]
    return median(delays) if delays else None
