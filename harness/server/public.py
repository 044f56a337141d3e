"""What a candidate may see of a report: points, and what lost them, in the words that were written for candidates.

Never what they could only have from us: inputs, expected and observed answers, artifacts, interview questions,
reviewers' notes, or facts of our machine. How much of the rest is shown, the rubric says (`candidate_sees`).
"""

from __future__ import annotations

from grading.evidence import Record
from grading.report import Report, SkillPoints
from grading.rubric import Score, Sees, Skill

LONGEST = 2000
"""Characters of one message."""


class Lost(Record):
    """One criterion that gave less than it could."""

    title: str
    skill: Skill
    points: float
    max_points: float
    message: str
    """What went wrong and what to do about it; empty where a person judged."""


class PublicReport(Record):
    """A report, as far as a candidate may see it."""

    challenge: str
    title: str
    submission: str
    """The submission's digest."""
    sees: Sees
    points: float | None = None
    decided_points: float | None = None
    """The most that the decided criteria could have given."""
    max_points: float | None = None
    skills: tuple[SkillPoints, ...] = ()
    lost: tuple[Lost, ...] = ()
    """The dearest first."""
    waiting: tuple[str, ...] = ()
    """Titles of criteria that a person has yet to judge."""
    unassessed: tuple[str, ...] = ()
    """Titles of criteria that could not be assessed, through no fault of the submission."""


def view(report: Report, sees: Sees) -> PublicReport:
    """The public view of a report."""
    named = PublicReport(
        challenge=report.challenge, title=report.title, submission=report.run.submission_digest, sees=sees
    )
    if sees == "nothing":
        return named
    points = {
        "points": report.points,
        "decided_points": report.decided_points,
        "max_points": report.max_points,
        "skills": report.skills,
        "waiting": tuple(s.title for s in report.scores if s.points is None and not s.stage),
        "unassessed": tuple(s.title for s in report.scores if s.points is None and s.stage),
    }
    return named.model_copy(update={**points, "lost": _lost(report) if sees == "reasons" else ()})


def _lost(report: Report) -> tuple[Lost, ...]:
    found = [(score, score.points) for score in report.scores if score.points is not None]
    lost = [_one(score, points) for score, points in found if points < score.max_points]
    return tuple(sorted(lost, key=lambda one: one.points - one.max_points))


def _one(score: Score, points: float) -> Lost:
    # A manual criterion's rationale is the reviewer's note; it rests on no stage.
    message = score.rationale[:LONGEST] if score.stage else ""
    return Lost(title=score.title, skill=score.skill, points=points, max_points=score.max_points, message=message)
