"""From rounds of slices to the one ratio that is scored, or to the reason why there is none. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.errors import InfrastructureError
from harness.load import slices
from harness.load.driven import conditions_of, cpu_share
from harness.load.exam import CLOSED_LOOP_GENERATOR
from harness.load.place import ONE_CORE, WIDENING
from harness.load.rig import CANDIDATE, NAMES, REFERENCE, Name
from harness.load.rounds import Round
from harness.load.settings import Settings
from harness.load.slices import Estimate
from harness.load.tries import Tried

CPU_BOUND = 0.9
"""Share of what foreign work left of the core that a cpu-bound service uses."""
AGREE = 0.1
"""How far T and -log K may lie apart for a cpu-bound service."""
UNSTABLE = 1.25
"""An interval whose ends are further apart than this factor, on a quiet machine, is the candidate's own instability."""


@dataclass(frozen=True)
class Ratio:
    """What the rounds came to."""

    throughput: Estimate
    """The candidate's good answers a second / the reference's."""
    cpu: Estimate | None
    """The candidate's cpu seconds per good answer / the reference's."""
    stands_in: bool
    """Whether `throughput` was taken from `cpu`, because the machine was too noisy for anything else."""
    notes: tuple[str, ...]


def ratio(rounds: Sequence[Tried[Round]], settings: Settings, *, one_core: bool = False) -> Ratio:
    """The ratio over all rounds.

    Raises:
        InfrastructureError: the machine disturbed it, and nothing can stand in for it.
    """
    results = [tried.result for tried in rounds]
    void = list(dict.fromkeys(reason for tried in rounds for reason in tried.void))
    cpu_logs = [log for one in results for log in one.cpu_logs]
    cpu = slices.estimate(cpu_logs, settings.level) if np.isfinite(cpu_logs).any() else None
    stands_in = bool(void)
    if stands_in:
        if cpu is None or _beyond_noise(results) or not all(saturates(one, name) for one in results for name in NAMES):
            raise InfrastructureError(f"load is inconclusive: {'; '.join(void)}", "Grade again on a quiet machine.")
        throughput = Estimate(1 / cpu.value, 1 / cpu.high, 1 / cpu.low, cpu.level)
    else:
        throughput = slices.estimate([log for one in results for log in one.logs], settings.level)
    if one_core:
        throughput = replace(throughput, low=throughput.low / WIDENING, high=throughput.high * WIDENING)
    notes = _notes(results, throughput, cpu, settings, void, one_core=one_core)
    return Ratio(throughput, cpu, stands_in, tuple(notes))


def saturates(one: Round, name: Name) -> bool:
    """Whether a service used nearly all that others left of its core while it was driven: it waits for nothing else."""
    own = one.of(name)
    share, foreign = cpu_share(own, name), conditions_of(own).foreign_service_core
    return share is not None and foreign is not None and share >= CPU_BOUND * (1 - foreign)


def _beyond_noise(results: Sequence[Round]) -> bool:
    """Whether something else than noise is wrong, which cpu time cannot make up for."""
    windows = [window for one in results for window in one.reference]
    return any((~window.good).any() for window in windows) or conditions_of(windows).generator > CLOSED_LOOP_GENERATOR


def _notes(
    results: Sequence[Round],
    throughput: Estimate,
    cpu: Estimate | None,
    settings: Settings,
    void: Sequence[str],
    *,
    one_core: bool,
) -> list[str]:
    notes = []
    if void:
        notes.append(
            f"The machine was too noisy to compare throughput ({void[0]}): this is the ratio of cpu per answer, which "
            "stands in for it where both services use all of the core that they get."
        )
    elif cpu is not None and abs(np.log(throughput.value) + np.log(cpu.value)) > AGREE:
        notes.append(disagreement(results))
    if any(one.isolated for one in results):
        notes.append("The candidate used the core while the reference was driven, so it was frozen meanwhile.")
    if any(one.repeated for one in results):
        notes.append("The candidate was so fast that requests came twice.")
    if any(conditions_of(one.candidate).generator > CLOSED_LOOP_GENERATOR for one in results):
        notes.append("The generator was the limit, not the candidate: it is at least this fast.")
    if len(results) > settings.rounds:
        notes.append(
            f"There were {len(results)} rounds, because they differed by more than {settings.agreement:.0%} or their "
            "interval held the edge of a band."
        )
    if not void and throughput.high > UNSTABLE * throughput.low and not one_core:
        notes.append("The interval is wide although the machine was quiet: the candidate itself is unstable.")
    if one_core:
        notes.append(f"{ONE_CORE[:1].upper()}{ONE_CORE[1:]}.")
    return notes


def disagreement(results: Sequence[Round]) -> str:
    """Why throughput and cpu per answer disagree: their quotient is the quotient of the shares of the core in use."""
    windows = {name: [window for one in results for window in one.of(name)] for name in NAMES}
    shares = {name: cpu_share(windows[name], name) or 0.0 for name in NAMES}
    foreign = {name: conditions_of(windows[name]).foreign_service_core or 0.0 for name in NAMES}
    idle = {name: max(0.0, 1 - shares[name] - foreign[name]) for name in NAMES}
    if foreign[CANDIDATE] - foreign[REFERENCE] > max(0.02, idle[CANDIDATE] - idle[REFERENCE]):
        return (
            f"While the candidate was driven, others used {foreign[CANDIDATE]:.0%} of the core, an engine kept busy by "
            "its output, for one."
        )
    slower = CANDIDATE if idle[CANDIDATE] >= idle[REFERENCE] else REFERENCE
    return f"The {slower} leaves {idle[slower]:.0%} of its core idle under full load: it waits, or its locks do."
