"""What a service promises its callers, as checks: the objective, health under load, and a way out of overload."""

from __future__ import annotations

import math
from typing import Any

from grading.evidence import Check, Interval, Outcome, Series
from harness.load import slices
from harness.load.exam import Seen, healthy
from harness.load.objective import Level
from harness.load.rig import CANDIDATE, NAMES, Name
from harness.load.settings import Settings
from harness.load.tries import Tried
from harness.stages import Stage

LADDER_BAND = 0.10
"""The ladder's repeatability: 6 to 9 %."""
LONGEST_MS = 10_000.0
"""Stands for a latency without end: a request is given up after it."""


def levels(stage: Stage[Settings], seen: Seen) -> None:
    """Whether the objective is met at the required rate and near the candidate's own capacity."""
    rate = stage.settings.required_rate
    _level(stage, "meets_objective_at_required_rate", f"{rate:g} requests a second", seen.required)
    _level(stage, "meets_objective_at_70_percent", "70 % of its own capacity", seen.own)
    if seen.required:
        note = f"open loop at {rate:g}/s, from the intended start"
        note += "; disturbed by other work" if seen.required.void else ""
        for name, value in zip(("50", "95", "99"), seen.required.result.quantiles(CANDIDATE), strict=True):
            stage.measure(f"latency_p{name}", min(value, LONGEST_MS), "ms", note=note)


def _level(stage: Stage[Settings], name: str, where: str, tried: Tried[Level] | None) -> None:
    limit = stage.settings.objective_ms
    expected = f"p95 of at most {limit:g} ms at {where}"
    if tried is None:
        stage.check(name, False, _dead(where), expected=expected, observed="no good answers")
        return
    if _undecided(stage, name, tried):
        return
    found = tried.result
    late, total = found.late(CANDIDATE)
    shown = ", ".join(f"p{n} {_ms(value)}" for n, value in zip((50, 95, 99), found.quantiles(CANDIDATE), strict=True))
    met = found.met(CANDIDATE)
    stage.check(
        name, met,
        f"The objective is met at {where}." if met else
        f"At {where}, {late} of {total} requests were not answered rightly within {limit:g} ms of the moment at which "
        "they were due. Shorten what one prediction takes, or what it waits for: requests queue as the core fills up.",
        expected=expected,
        observed=f"{late} of {total} late at {found.rates[CANDIDATE]:.1f}/s; {shown}",
    )  # fmt: skip


def ladder(stage: Stage[Settings], seen: Seen) -> None:
    """Draw p95 over the rate, and read off it what the candidate serves within the objective."""
    settings = stage.settings
    steps: dict[Name, list[tuple[float, float]]] = {}
    for name in NAMES:
        points = list(seen.ladder.get(name, []))
        for tried in (seen.required, seen.own):
            if tried and not tried.void and tried.result.of(name):
                points.append((tried.result.rates[name], tried.result.quantiles(name)[1]))
        steps[name] = sorted(points)
    if steps[CANDIDATE]:
        best = slices.within_objective(steps[CANDIDATE], settings.objective_ms)
        band = Interval(low=round(best * (1 - LADDER_BAND), 3), high=round(best * (1 + LADDER_BAND), 3))
        how = f"read off the ladder, give or take {LADDER_BAND:.0%}"
        if best == steps[CANDIDATE][-1][0]:
            how = "at least, since no higher rate could be judged"
        note = f"p95 within {settings.objective_ms:g} ms; {how}"
        stage.measure("throughput_within_objective", best, "1/s", interval=band, note=note)
    for name, points in steps.items():
        drawn = tuple((round(rate, 2), round(min(p95, 10 * settings.objective_ms), 3)) for rate, p95 in points)
        if drawn:
            stage.draw(
                Series(
                    chart="latency ladder", name=f"{name} p95", style="line", x_unit="1/s", y_unit="ms", points=drawn,
                    marks={"required": settings.required_rate},
                )
            )  # fmt: skip


def health(stage: Stage[Settings], seen: Seen) -> None:
    """Whether the health route answers while predictions run."""
    name, settings = "health_answers_under_load", stage.settings
    expected = f"p95 of {settings.health_path} within {settings.health_factor:g} of what a prediction takes meanwhile"
    if seen.health is None:
        stage.check(name, False, _dead("load"), expected=expected, observed="no good answers")
        return
    if _undecided(stage, name, seen.health):
        return
    found = seen.health.result
    fine = healthy(found, settings)
    taken = (
        "no prediction was answered" if math.isnan(found.prediction) else f"a prediction of {found.rows} rows takes "
    )
    shown = taken if math.isnan(found.prediction) else f"{taken}{_ms(found.prediction)}"
    stage.check(
        name, fine,
        f"{settings.health_path} answers while predictions run." if fine else
        f"{settings.health_path} waits for predictions (p95 {_ms(found.p95)}, while {shown}): they block the event "
        "loop or all workers. A platform would restart it under load. Run predictions in a thread or a process.",
        expected=expected, observed=f"p95 {_ms(found.p95)} of {found.probes} probes, {found.failed} failed; {shown}",
    )  # fmt: skip


def overload(stage: Stage[Settings], seen: Seen) -> None:
    """Whether overload is survived, and its effects end with it."""
    settings = stage.settings
    names = ("survives_overload", "recovers_after_overload")
    if seen.overload is None or seen.after_overload is None:
        for name in names:
            stage.check(name, False, _dead("load"), observed="no good answers")
        return
    found, state = seen.overload.result, seen.after_overload
    statuses = ", ".join(f"{count} x {status}" for status, count in found.statuses.most_common())
    alive = state.running and seen.ready_after_overload
    if alive and seen.overload.void:
        for name in names:
            _undecided(stage, name, seen.overload)
        return
    why = "" if alive else "it answers no more" if state.running else f"it ended with exit code {state.exit_code}"
    if state.killed_for_memory:
        why = "it was killed for memory"
    survived = alive and found.clear >= settings.shed
    stage.check(
        names[0], survived,
        f"{settings.overload:g} times its capacity is answered or clearly refused." if survived else
        f"Under {settings.overload:g} times its capacity "
        f"{why or f'only {found.clear:.0%} of the requests got a right answer, a 429 or a 503'}. Bound what may wait, "
        "and refuse the rest at once with 503 and Retry-After.",
        expected=f"still serving; at least {settings.shed:.0%} answered rightly, or with 429 or 503",
        observed=f"at {found.rate:.0f}/s: {statuses}{'; ' + why if why else ''}",
    )  # fmt: skip
    back = alive and found.recovered
    stage.check(
        names[1], back,
        "Once the overload is over, so are its effects." if back else
        f"{settings.recovery_seconds:g} s after a queue of all that overload could have been worked off, at "
        f"{settings.after:.0%} of capacity, {found.late} of {found.total} requests still took longer than "
        f"{found.limit_ms:.0f} ms. Give up on requests whose callers have waited too long.",
        expected=f"p95 of at most {found.limit_ms:.0f} ms", observed=f"p95 {_ms(found.p95)}",
    )  # fmt: skip


def _undecided(stage: Stage[Settings], name: str, tried: Tried[Any]) -> bool:
    """Record that the machine, not the candidate, left a check open."""
    if tried.void:
        message = f"Inconclusive, through no fault of the submission: {'; '.join(tried.void)}."
        stage.record(Check(name=name, outcome=Outcome.ERROR, message=message))
    return bool(tried.void)


def _dead(where: str) -> str:
    return f"The service gave hardly any right answer under {where}, so that there was nothing to measure."


def _ms(value: float) -> str:
    return f"{value:.1f} ms" if math.isfinite(value) else "without end"
