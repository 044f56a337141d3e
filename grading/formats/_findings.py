"""What a report's scores rest on, gathered for a reader: what lost points, what waits for a person, what is unknown."""

from __future__ import annotations

from dataclasses import dataclass

from grading.evidence import Check, Outcome
from grading.formats._text import command
from grading.report import Report
from grading.rubric import Score


@dataclass(frozen=True)
class Finding:
    """One thing that cost points, with every criterion that it cost."""

    scores: tuple[Score, ...]
    rationale: str
    """Empty where the failed checks say the same."""
    checks: tuple[Check, ...]
    """The failed checks that it rests on."""
    aside: bool
    """It rests on a measurement; the checks are those of the same stage that no criterion rests on."""
    command: str
    """What repeats it; empty if a person decided."""

    @property
    def questions(self) -> tuple[str, ...]:
        """Follow-ups for the interview, where there is something to follow up: not where nothing was reached."""
        seen = (score for score in self.scores if score.reached)
        return tuple(dict.fromkeys(score.question for score in seen if score.question))


def lost(report: Report) -> tuple[Finding, ...]:
    """Everything that cost points, the dearest first; criteria lost for one and the same reason are told once."""
    groups: dict[str, list[Score]] = {}
    for score in sorted(report.scores, key=_loss, reverse=True):
        if _loss(score) > 0:
            # What was not reached has no evidence of its own: its reason is shared by all that it cost.
            key = score.criterion if score.reached else f"\n{score.rationale}"
            groups.setdefault(key, []).append(score)
    return tuple(_finding(report, tuple(scores)) for scores in groups.values())


def waiting(report: Report) -> tuple[Score, ...]:
    """Criteria that a person has yet to decide."""
    return tuple(score for score in report.scores if score.points is None and not score.stage)


def unassessed(report: Report) -> tuple[tuple[Score, ...], ...]:
    """Criteria that the harness could not decide, those with one and the same reason together."""
    groups: dict[str, list[Score]] = {}
    for score in report.scores:
        if score.points is None and score.stage:
            groups.setdefault(score.rationale, []).append(score)
    return tuple(map(tuple, groups.values()))


def standing(score: Score) -> str:
    """How a criterion stands, in one word."""
    if score.points is None:
        return "undecided"
    if not score.reached:
        return "unreached"
    if _loss(score) <= 0:
        return "full"
    return "part" if score.points > 0 else "none"


def _loss(score: Score) -> float:
    return 0.0 if score.points is None else score.max_points - score.points


def _finding(report: Report, scores: tuple[Score, ...]) -> Finding:
    first = scores[0]
    stage = next((s for s in report.stages if s.stage == first.stage), None)
    failed = [check for check in stage.checks if check.outcome is Outcome.FAILED] if stage else []
    named = [check for check in failed if check.name in first.evidence]
    measured = [m for m in stage.measurements if m.name in first.evidence] if stage and not named else []
    if measured:
        claimed = {name for score in report.scores if score.stage == first.stage for name in score.evidence}
        named = [check for check in failed if check.name not in claimed]
    said = " ".join(check.message for check in named)
    return Finding(
        scores=scores,
        rationale="" if first.rationale == said else first.rationale,
        checks=tuple(named),
        aside=bool(measured and named),
        command=command(report, first.stage) if first.stage else "",
    )
