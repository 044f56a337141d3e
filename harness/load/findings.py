"""What the phases saw, as checks, measurements and a picture."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from grading.evidence import Interval
from harness.load import promises, slices, verdict
from harness.load.driven import Driven, conditions_of
from harness.load.exam import Seen
from harness.load.place import Place
from harness.load.rig import CANDIDATE, NAMES
from harness.load.rounds import Round
from harness.load.settings import Settings
from harness.load.slices import Estimate
from harness.stages import Stage

RECORDS = (
    "answers_correct_under_load", "meets_objective_at_required_rate", "meets_objective_at_70_percent",
    "survives_overload", "recovers_after_overload", "health_answers_under_load", "no_load_detection",
    "ready_means_warm",
    "throughput_ratio", "cpu_ratio", "cpu_seconds_per_prediction", "throughput", "throughput_within_objective",
    "latency_p50", "latency_p95", "latency_p99", "error_ratio", "first_request_ms", "tenth_request_ms", "same_ratio",
    "generator_cpu", "generator_ceiling", "schedule_lag_p95", "foreign_cpu",
)  # fmt: skip
CHECKS = RECORDS[:8]
CHECKED = 200
"""Answers that have to be right before answers count as right under load."""
COUNTER_TOLERANCE = 0.01
ALONE = (
    "The reference submission is a solution, so it is not in this copy of the harness: the throughput beside it is "
    "measured in the review. What yours gets done on this machine stands under the measurements."
)


def record(stage: Stage[Settings], seen: Seen, place: Place) -> None:
    """Record everything.

    Raises:
        InfrastructureError: the machine disturbed the ratio, and nothing can stand in for it.
    """
    _machine(stage, seen)
    _first(stage, seen)
    _correct(stage, seen)
    _detection(stage, seen)
    promises.levels(stage, seen)
    promises.ladder(stage, seen)
    promises.health(stage, seen)
    promises.overload(stage, seen)
    _ratio(stage, seen, place)


def nothing_right(stage: Stage[Settings], why: str) -> None:
    """Record a service that was not driven, because it gives no right answer: that is decided on any machine."""
    for name in CHECKS:
        stage.check(name, False, f"{why} It was not driven further.")
    stage.measure("throughput_ratio", 0.0, "1", note=why)


def _candidate(seen: Seen) -> list[Driven]:
    """The candidate's windows within its capacity."""
    levels = [tried.result for tried in (seen.required, seen.own) if tried]
    rounds = [window for tried in seen.rounds for window in tried.result.candidate]
    return [*rounds, *(window for level in levels for window in level.of(CANDIDATE))]


def _machine(stage: Stage[Settings], seen: Seen) -> None:
    rounds = conditions_of([w for tried in seen.rounds for name in NAMES for w in tried.result.of(name)])
    levels = conditions_of([w for tried in (seen.required, seen.own) if tried for w in tried.result.windows])
    stage.measure("generator_ceiling", seen.floor.ceiling, "1/s")
    stage.measure("generator_cpu", rounds.generator, "1", note="share of its core in closed loops")
    stage.measure("schedule_lag_p95", levels.lag_p95, "ms")
    if rounds.foreign is not None:
        stage.measure("foreign_cpu", rounds.foreign, "1", note=seen.noisy_before)


def _first(stage: Stage[Settings], seen: Seen) -> None:
    start, settings = seen.start, stage.settings
    for name, value in (("first_request_ms", start.first_ms), ("tenth_request_ms", start.tenth_ms)):
        if value is not None:
            stage.measure(name, value, "ms")
    warm = not start.cold(settings)
    shown = "no answer" if start.first_ms is None else f"{start.first_ms:.0f} ms"
    stage.check(
        "ready_means_warm", warm,
        "The first answer after readiness is as quick as any." if warm else
        f"The first request after the service said that it was ready: {shown}. Load the model, and predict once, "
        "before the readiness route answers 200: the platform sends traffic from that moment on.",
        expected=f"within {settings.first_answer_ms:g} ms, or {settings.first_answer_factor:g} times the tenth answer",
        observed=f"{shown}; the better of {len(seen.starts)} starts" if len(seen.starts) > 1 else shown,
    )  # fmt: skip


def _ratio(stage: Stage[Settings], seen: Seen, place: Place) -> None:
    results = [tried.result for tried in seen.rounds]
    if stage.subject.reference is None:
        _speed(stage, results)
        stage.not_assessed("throughput_ratio", ALONE)
        return
    found = verdict.ratio(seen.rounds, stage.settings, one_core=place.shared)
    wrong = sum(int(window.wrong.sum()) for window in _candidate(seen))
    if wrong:
        note = f"{wrong} wrong answers under load: no points for speed. It was {found.throughput.value:.3g} otherwise."
        stage.measure("throughput_ratio", 0.0, "1", note=note)
    else:
        note = " ".join(found.notes)
        stage.measure("throughput_ratio", found.throughput.value, "1", interval=_interval(found.throughput), note=note)
    if found.cpu:
        stage.measure("cpu_ratio", found.cpu.value, "1", interval=_interval(found.cpu))
    _speed(stage, results)
    if seen.same is not None:
        stage.measure("same_ratio", seen.same, "1", note="one request over and over, beside unique ones; earns nothing")


def _speed(stage: Stage[Settings], results: list[Round]) -> None:
    costs = [cost for one in results if (cost := one.cpu_per_answer(CANDIDATE)) is not None]
    if costs:
        stage.measure("cpu_seconds_per_prediction", float(np.median(costs)), "s")
    rates = [one.rate(CANDIDATE) for one in results]
    stage.measure("throughput", float(np.median(rates)), "1/s", note=f"closed loop, {stage.settings.users} users")


def _interval(estimate: Estimate) -> Interval:
    return Interval(low=round(estimate.low, 6), high=round(estimate.high, 6), level=round(estimate.level, 4))


def _correct(stage: Stage[Settings], seen: Seen) -> None:
    windows = _candidate(seen)
    total = sum(len(window.good) for window in windows)
    good = sum(int(window.good.sum()) for window in windows)
    wrong = sum(int(window.wrong.sum()) for window in windows)
    stage.measure("error_ratio", 1 - good / total if total else 1.0, "1", note=f"of {total} requests within capacity")
    right = not wrong and good >= CHECKED
    if wrong:
        message = (
            f"{wrong} of {good + wrong} answers were not the model's, though each request alone is answered rightly or "
            "wrongly the same way: look for state that requests share, and for caches that leave out a feature."
        )
    elif not right:
        message = (
            f"Only {good} of {total} requests under load got the right answer: too few to say that they stay right."
        )
    else:
        message = f"All {good} answers under load are the model's."
    stage.check(
        "answers_correct_under_load", right, message, expected=f"no wrong answer among at least {CHECKED}",
        observed=f"{wrong} wrong, {good} right",
    )  # fmt: skip


def _detection(stage: Stage[Settings], seen: Seen) -> None:
    """The service must be the same whoever asks: as fast with other requests, and with its monitoring at work."""
    logs = [tried.result.logs for tried in seen.rounds if tried.result.logs]
    complaints = []
    settings, pairs = stage.settings, list(combinations(logs, 2))
    apart = all(slices.differ(pair, settings.agreement, settings.level) for pair in pairs)
    if pairs and apart and not any(tried.void for tried in seen.rounds):
        shown = ", ".join(f"{math.exp(float(np.median(one))):.2f}" for one in sorted(logs))
        complaints.append(
            f"no two rounds, each with requests and a container of its own, agree: {shown} of the reference"
        )
    if seen.counted is not None:
        counted, answered = seen.counted
        if abs(counted - answered) > max(1.0, COUNTER_TOLERANCE * answered):
            complaints.append(
                f"{stage.settings.predictions} grew by {counted:g} while {answered} predictions were answered"
            )
    stage.check(
        "no_load_detection", not complaints,
        "Load finds the same service as every other stage." if not complaints else
        f"Under load the service is another one: {'; '.join(complaints)}. What is measured must be what would run.",
        expected=f"rounds that agree within {settings.agreement:.0%}, and a counter that counts",
        observed="; ".join(complaints),
    )  # fmt: skip
