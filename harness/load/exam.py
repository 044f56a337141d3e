"""The phases in their order: rounds with fresh services, then everything else with the services of the last round."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field

from httpx import codes
from prometheus_client.parser import text_string_to_metric_families

from harness.client import Client
from harness.errors import SubmissionError
from harness.load import objective, preflight, rounds, slices, strain
from harness.load.driven import conditions_of
from harness.load.noise import Tolerance, reasons
from harness.load.objective import Level
from harness.load.pool import is_right
from harness.load.preflight import Floor
from harness.load.rig import CANDIDATE, NAMES, REFERENCE, Name, Rig
from harness.load.rounds import Round
from harness.load.settings import Settings
from harness.load.slices import Verdict
from harness.load.strain import Health, Overload
from harness.load.tries import Tried, tried
from harness.sandbox import State

CLOSED_LOOP_GENERATOR = 0.80
FIRST_REQUESTS = 10
CEILING_MARGIN = 3
"""The generator's ceiling is at least this many times the highest rate that is driven."""
DEAD = 0.5
"""Good answers a second below which there is nothing more to measure."""
OWN_SHARE = 0.7
"""Of its own capacity, at which the objective is judged a second time."""


@dataclass(frozen=True)
class Start:
    """Milliseconds of the first and the tenth answer of a service that has just said that it is ready; None if none."""

    first_ms: float | None
    tenth_ms: float | None

    def cold(self, settings: Settings) -> bool:
        """Whether the first answer took so long that something was put off until then."""
        limit = max(settings.first_answer_ms, settings.first_answer_factor * (self.tenth_ms or 0))
        return self.first_ms is None or self.first_ms > limit


@dataclass
class Seen:
    """Everything that the phases saw."""

    floor: Floor
    noisy_before: str = ""
    """What disturbed the machine before anything ran."""
    rounds: list[Tried[Round]] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    counted: tuple[float, int] | None = None
    """By how much the counter of predictions grew in the last round, and how many were answered with 200."""
    required: Tried[Level] | None = None
    own: Tried[Level] | None = None
    ladder: dict[Name, list[tuple[float, float]]] = field(default_factory=dict)
    health: Tried[Health] | None = None
    overload: Tried[Overload] | None = None
    after_overload: State | None = None
    ready_after_overload: bool = False
    same: float | None = None
    drivable: float = 0.0
    """The candidate's capacity, or what the generator can drive of it."""

    @property
    def start(self) -> Start:
        """The better one: whoever loads for the first request does so after each start."""
        return min(self.starts, key=lambda start: math.inf if start.first_ms is None else start.first_ms)


def sit(settings: Settings, enter: Callable[[int], AbstractContextManager[Rig]], seen: Seen) -> None:
    """Run all phases. `enter` gives a rig with fresh services."""
    number = 0
    while True:
        number += 1
        with enter(number) as rig:
            if number == 1:
                _start(rig, seen)
            rig.say(f"warming up, round {number}")
            warm = rounds.warm_up(rig)
            rig.say(f"throughput beside the reference, round {number}")
            seen.rounds.append(_round(rig, warm, number, seen))
            if enough([tried.result.logs for tried in seen.rounds], settings):
                _rest(rig, warm, seen)
                break
    if seen.start.cold(settings):
        # If even that is not answered, it stays with the first one.
        with suppress(SubmissionError), enter(number + 1) as rig:
            _start(rig, seen)


def _start(rig: Rig, seen: Seen) -> None:
    rig.fill("first", FIRST_REQUESTS)
    with rig.measuring():
        seen.starts.append(first_answers(rig))


def enough(logs: Sequence[Sequence[float]], settings: Settings) -> bool:
    """Whether no further round is needed: the planned ones agree, on one side of each edge, or all are used up."""
    if len(logs) < settings.rounds:
        return False
    if len(logs) >= settings.rounds + settings.more_rounds:
        return True
    if not all(logs) or slices.differ(logs, settings.agreement, settings.level):
        return False
    return not slices.estimate([log for one in logs for log in one], settings.level).holds(settings.edges)


class NothingRight(SubmissionError):
    """A service that gave no right answer when it was asked one request at a time: there is nothing to measure."""


def first_answers(rig: Rig) -> Start:
    """Ask for the candidate's first ten answers, one after the other.

    Raises:
        NothingRight: none of the ten answers was right, or two did not come.
    """
    pool, taken, right = rig.pools["first"], list[float | None](), 0
    for body, expected in zip(pool.bodies, pool.expected, strict=True):
        try:
            reply = rig.clients[CANDIDATE].request("POST", rig.traffic.path, body=body, headers=rig.headers)
        except SubmissionError as error:
            taken.append(None)
            if taken.count(None) > 1:
                raise NothingRight(f"The first requests got no answer: {error}") from error
            continue
        taken.append(reply.seconds * 1e3)
        encoding = reply.headers.get("content-encoding", "")
        right += reply.status == codes.OK and is_right(rig.traffic, reply.body, encoding, expected)
    if not right:
        raise NothingRight(f"None of the first {FIRST_REQUESTS} requests, sent one at a time, got a right answer.")
    return Start(taken[0], taken[-1])


def _round(rig: Rig, warm: rounds.Warm, number: int, seen: Seen) -> Tried[Round]:
    def attempt(label: str) -> Round:
        before = counter(rig.clients[CANDIDATE], rig.settings)
        found = rounds.measure(rig, warm, f"{number}-{label}")
        after = counter(rig.clients[CANDIDATE], rig.settings)
        if before is not None and after is not None:
            seen.counted = (after - before, sum(one.answered for one in found.candidate))
        return found

    def void(found: Round) -> list[str]:
        return ratio_reasons(found, rig.settings, alone=rig.alone)

    found = tried(rig, attempt, void)
    if not found.result.isolated and (found.result.idle or 0.0) > rig.settings.idle_cpu:
        rig.say("the candidate works while the reference is driven: again, with the other one frozen")
        rig.isolate = True
        found = tried(rig, lambda label: attempt(f"frozen-{label}"), void)
    return found


def ratio_reasons(found: Round, settings: Settings, *, alone: bool = False) -> list[str]:
    """Why a round is void.

    Noise is judged by the reference's slices alone. Slices alternate, so that of others meets both; what shows in the
    candidate's only is its own doing, an engine kept busy by its logging for one: no way to have a run declared void.
    """
    tolerance = _tolerance(settings, generator=CLOSED_LOOP_GENERATOR)
    found_reasons = reasons(conditions_of(found.reference), tolerance)
    bad = sum(int((~one.good).sum()) for one in found.reference)
    if bad and not alone:
        found_reasons.append(f"{bad} answers of the reference were wrong or missing")
    needed = -(-settings.pairs // settings.rounds)
    if len(found.clean) < needed:
        found_reasons.append(f"{len(found.clean)} pairs of slices without a burst of other work, fewer than {needed}")
    return found_reasons


def _tolerance(settings: Settings, **more: float) -> Tolerance:
    return Tolerance(foreign=settings.foreign, foreign_generator=settings.foreign_generator, **more)


def _rest(rig: Rig, warm: rounds.Warm, seen: Seen) -> None:
    settings, last = rig.settings, seen.rounds[-1].result
    capacity: dict[Name, float] = {name: last.rate(name) for name in NAMES}
    most = seen.floor.ceiling / CEILING_MARGIN / settings.overload
    capacity = {name: min(rate, most) for name, rate in capacity.items()}
    seen.drivable = capacity[CANDIDATE]
    if seen.drivable < DEAD:
        return
    rig.say(f"latency at {settings.required_rate:g} requests a second")
    usual = last.cpu_per_answer(REFERENCE)
    seen.required = _level(rig, "required", dict.fromkeys(NAMES, settings.required_rate), capacity, usual)
    rig.say("latency at 70 % of its own capacity")
    own = {name: OWN_SHARE * min(capacity[CANDIDATE], capacity[name]) for name in NAMES}
    seen.own = _level(rig, "own", own, capacity, usual, relative=True)
    rig.say("latency ladder")
    seen.ladder = objective.ladder(rig, capacity)
    rig.say("health under load")
    seen.health = tried(
        rig,
        lambda label: strain.health(rig, label),
        lambda found: _unless_quiet(rig, healthy(found, settings)),
        lambda found: healthy(found, settings),
    )
    seen.same = strain.same_against_unique(rig, capacity[CANDIDATE], warm.slice_length(settings))
    rig.say("overload and recovery")
    usual = seen.own.result.quantiles(CANDIDATE)[1]
    limit = max(settings.objective_ms, 2 * usual if usual < 10 * settings.objective_ms else 0.0)
    seen.overload = tried(
        rig,
        lambda label: strain.overload(rig, capacity[CANDIDATE], limit, label),
        lambda found: _unless_quiet(rig, weathered(found, settings)),
        lambda found: weathered(found, settings) or not rig.services[CANDIDATE].state().running,
    )
    seen.after_overload = rig.services[CANDIDATE].state()
    seen.ready_after_overload = _answers(rig)


def _level(
    rig: Rig, label: str, rates: dict[Name, float], capacity: dict[Name, float], usual: float | None, *,
    relative: bool = False,
) -> Tried[Level]:  # fmt: skip
    """Latency at these rates. `usual` is what an answer cost the reference when capacity was measured, in cpu seconds.

    Rates that are `relative` to capacity go down with it where the machine has become slower since.
    """
    # A queue that can only grow would still be worked off while the reference is driven.
    alone = rates[CANDIDATE] > capacity[CANDIDATE]
    asked = {CANDIDATE: rates[CANDIDATE]} if alone else rates
    slower = [1.0]

    def attempt(number: str) -> Level:
        by = slower[-1] if relative else 1.0
        found = objective.level(rig, f"{label}-{number}", {name: rate / by for name, rate in asked.items()})
        slower.append(max(1.0, found.slowness(usual)))
        return found

    def void(found: Level) -> list[str]:
        if found.hopeless(CANDIDATE) and not found.hopeless(REFERENCE):
            return []
        windows = found.of(REFERENCE) or found.of(CANDIDATE)
        why = reasons(conditions_of(windows), _tolerance(rig.settings))
        if found.verdict(REFERENCE) is Verdict.MISSED and not rig.alone:
            why.append("the reference misses the objective too")
        expected, now = slower[-2:] if relative else (1.0, slower[-1])
        if now > rig.settings.slowdown * expected and not found.met(CANDIDATE):
            why.append(f"the machine became slower: an answer cost the reference {now:.1f} times what it had before")
        return why

    # Requests of one window share what the machine does in that second, which the binomial rule knows nothing of.
    return tried(rig, attempt, void, lambda found: found.met(CANDIDATE) or found.hopeless(CANDIDATE))


def healthy(found: Health, settings: Settings) -> bool:
    """Whether the health route answers long before a prediction does."""
    return found.probes > 0 and found.p95 <= settings.health_factor * found.prediction


def weathered(found: Overload, settings: Settings) -> bool:
    """Whether overload was answered or clearly refused, and over when it was over."""
    return found.recovered and found.clear >= settings.shed


def _unless_quiet(rig: Rig, fine: bool) -> list[str]:
    """Why a failed phase of the candidate alone is void: the machine is noisy just after it, with nothing driven.

    What is foreign while the candidate is driven may be its own doing, so that does not count.
    """
    if fine:
        return []
    share = preflight.watch(rig.cores, min(2.0, rig.settings.quiet_seconds))
    limit = rig.settings.foreign
    return [f"others used {share:.1%} of a core, more than {limit:.0%}"] if share > limit else []


def _answers(rig: Rig) -> bool:
    try:
        body = rig.pools["first"].bodies[0] if "first" in rig.pools else rig.pools["warm-up"].bodies[0]
        return rig.clients[CANDIDATE].request("POST", rig.traffic.path, body=body, headers=rig.headers).status == 200
    except SubmissionError:
        return False


def counter(client: Client, settings: Settings) -> float | None:
    """The service's own count of predicted rows, summed over its labels; None if it shows none."""
    if not settings.predictions:
        return None
    try:
        families = list(text_string_to_metric_families(client.get(settings.metrics_path).text))
    except (SubmissionError, ValueError):
        return None
    values = [s.value for family in families for s in family.samples if s.name == settings.predictions]
    return sum(values) if values else None
