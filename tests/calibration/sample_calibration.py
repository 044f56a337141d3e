"""A small rubric, and calibrations by it that hold every standing and every verdict."""

from __future__ import annotations

from grading.calibration.matrix import Grading, columns, flawed_row, golden_row, summarize
from grading.calibration.records import Calibration, FlawedRow, GoldenRow
from grading.rubric import Rubric, Score

CHECKS = {"skill": "serving", "kind": "checks", "checks": ["x"]}
MANUAL = {"id": "words", "title": "Words", "skill": "communication", "points": 20, "kind": "manual", "guidance": "g"}
RUBRIC = Rubric.model_validate(
    {
        "criteria": [
            {"id": "pinned", "title": "Pinned", "stage": "repository", "points": 10, **CHECKS},
            {"id": "documents", "title": "Documents", "stage": "repository", "points": 10, **CHECKS},
            {"id": "not_root", "title": "Not root", "stage": "startup", "points": 20, **CHECKS},
            {"id": "predictions", "title": "Predictions", "stage": "functional", "points": 20, **CHECKS},
            {"id": "metrics", "title": "Metrics", "stage": "functional", "points": 20, **CHECKS},
            MANUAL,
        ]
    }
)
FULL = {"pinned": 10.0, "documents": 10.0, "not_root": 20.0, "predictions": 20.0, "metrics": 20.0}
ALL = ("repository", "startup", "functional")


def scores(why: dict[str, str] | None = None, **points: float | None) -> tuple[Score, ...]:
    """Full points but for those given; None is undecided, and criteria of stages that did not run are undecided too."""
    values = {**FULL, **points}
    automatic = {c.id: c for c in RUBRIC.criteria if c.id != "words"}
    return tuple(
        Score(
            criterion=name,
            title=c.title,
            skill=c.skill,
            points=values[name],
            max_points=c.points,
            rationale=(why or {}).get(name, f"what was seen of {name}"),
            stage=c.stage,
            reached=not (why or {}).get(name, "").startswith("Not reached"),
        )
        for name, c in automatic.items()
    )


def flawed(name: str, *loses: str, stages: tuple[str, ...] = ALL, grading: Grading, source: str = "Build") -> FlawedRow:
    return flawed_row(
        name,
        f"The fault of {name}",
        base="reference",
        source=source,
        loses=loses,
        stages=stages,
        grading=grading,
        rubric=RUBRIC,
    )


def golden(name: str, grading: Grading, stages: tuple[str, ...] = ALL) -> GoldenRow:
    return golden_row(name, f"The stack of {name}", stages=stages, grading=grading, rubric=RUBRIC)


def graded(why: dict[str, str] | None = None, **points: float | None) -> Grading:
    return Grading(runs=("r",), scores=scores(why, **points), seconds=3.2)


def assembled(flawed: tuple[FlawedRow, ...], goldens: tuple[GoldenRow, ...] = (), named: set[str] = frozenset()):
    named = {*named, *(criterion for row in flawed for criterion in row.loses)}
    found = columns(flawed, goldens, RUBRIC, named)
    return Calibration(
        challenge="sample",
        challenge_version="1",
        challenge_digest="0" * 64,
        title="Sample",
        profile="public",
        seconds=61.5,
        criteria=found,
        flawed=flawed,
        goldens=goldens,
        summary=summarize(flawed, goldens, found),
    )


DEAD = dict.fromkeys(("predictions", "metrics"), "Not reached: the submission did not come up: it exits")


def everything() -> Calibration:
    """Every standing and every verdict."""
    return assembled(
        (
            flawed("caught", "pinned", stages=("repository",), grading=graded(pinned=0.0)),
            flawed("beside", "pinned", "not_root", grading=graded(pinned=3.0, not_root=0.0, metrics=10.0)),
            flawed("elsewhere", "predictions", source="Contract", grading=graded(metrics=0.0)),
            flawed("unseen", "predictions", source="Contract", grading=graded()),
            flawed("never_up", "not_root", grading=graded(DEAD, not_root=0.0, predictions=0.0, metrics=0.0)),
            flawed("unsure", "not_root", grading=graded({"not_root": "too noisy"}, not_root=None, metrics=None)),
        ),
        (
            golden("reference", graded()),
            golden("alarmed", graded(metrics=19.0)),
            golden("broken", Grading(failure="the engine went away")),
        ),
    )
