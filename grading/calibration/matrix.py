"""Scores of known submissions become a matrix: caught, missed, collateral. Pure, like all of `grading`."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from grading.calibration.records import Cell, Column, FlawedRow, GoldenRow, Standing, Summary, Verdict
from grading.evidence import Record
from grading.rubric import AutomaticCriterion, ManualCriterion, Rubric, Score


class Grading(Record):
    """What the grading of one known submission came to."""

    runs: tuple[str, ...] = ()
    scores: tuple[Score, ...] = ()
    seconds: float = 0.0
    failure: str = ""
    """Why there are no scores: the harness or the machine failed."""


def automatic(rubric: Rubric) -> tuple[AutomaticCriterion, ...]:
    """The criteria that need no reviewer."""
    return tuple(criterion for criterion in rubric.criteria if not isinstance(criterion, ManualCriterion))


def flawed_row(
    name: str,
    title: str,
    *,
    base: str,
    source: str,
    loses: Collection[str],
    stages: Sequence[str],
    grading: Grading,
    rubric: Rubric,
) -> FlawedRow:
    """Judge a submission with one fault, over the stages that ran. `loses` are the criteria that it names."""
    cells = _cells(loses, stages, grading, rubric)
    return FlawedRow(
        name=name,
        title=title,
        base=base,
        source=source,
        loses=tuple(cell.criterion for cell in cells if cell.criterion in loses),
        stages=tuple(stages),
        cells=cells,
        runs=grading.runs,
        seconds=grading.seconds,
        verdict=_verdict(cells, loses),
    )


def golden_row(name: str, title: str, *, stages: Sequence[str], grading: Grading, rubric: Rubric) -> GoldenRow:
    """Judge a submission that must lose nothing, over the stages that ran: whatever it loses is collateral."""
    cells = _cells((), stages, grading, rubric)
    return GoldenRow(
        name=name, title=title, stages=tuple(stages), cells=cells, runs=grading.runs, seconds=grading.seconds
    )


def columns(
    flawed: Sequence[FlawedRow], goldens: Sequence[GoldenRow], rubric: Rubric, named: Collection[str]
) -> tuple[Column, ...]:
    """What became of each criterion. `named` are those that a known flawed submission names, whether it ran or not."""
    return tuple(_column(criterion, flawed, goldens, named) for criterion in automatic(rubric))


def summarize(flawed: Sequence[FlawedRow], goldens: Sequence[GoldenRow], columns: Sequence[Column]) -> Summary:
    """The figures."""
    verdicts = [row.verdict for row in flawed]
    collateral = sum(column.collateral for column in columns)
    lost = collateral + sum(column.caught for column in columns)
    return Summary(
        flawed=len(flawed),
        caught_by_named=verdicts.count(Verdict.NAMED),
        caught_by_another=verdicts.count(Verdict.ANOTHER),
        missed=verdicts.count(Verdict.MISSED),
        undecided=verdicts.count(Verdict.UNDECIDED),
        criteria_lost=lost,
        collateral=collateral,
        collateral_share=round(collateral / lost, 4) if lost else 0.0,
        goldens=len(goldens),
        goldens_losing_points=sum(loses_points(row) for row in goldens),
        goldens_undecided=sum(bool(row.having(Standing.UNDECIDED)) and not loses_points(row) for row in goldens),
        dead_weight=tuple(column.criterion for column in columns if column.dead_weight),
    )


def loses_points(row: GoldenRow) -> bool:
    """Whether a golden submission lost anything: to a false alarm, or because it never came up."""
    return bool(row.having(Standing.COLLATERAL, Standing.NOT_REACHED))


def lost(score: Score) -> bool:
    """Whether evidence took points."""
    return score.points is not None and score.points < score.max_points and score.reached


def _cells(loses: Collection[str], stages: Sequence[str], grading: Grading, rubric: Rubric) -> tuple[Cell, ...]:
    scores = {score.criterion: score for score in grading.scores}
    ran = [criterion.id for criterion in automatic(rubric) if criterion.stage in stages]
    return tuple(_cell(name, name in loses, scores.get(name), grading.failure) for name in ran)


def _column(
    criterion: AutomaticCriterion, flawed: Sequence[FlawedRow], goldens: Sequence[GoldenRow], named: Collection[str]
) -> Column:
    standings = [cell.standing for row in flawed if (cell := row.cell(criterion.id))]
    false = [row for row in goldens if (cell := row.cell(criterion.id)) and cell.standing is Standing.COLLATERAL]
    caught, collateral = standings.count(Standing.CAUGHT), standings.count(Standing.COLLATERAL)
    return Column(
        criterion=criterion.id,
        title=criterion.title,
        stage=criterion.stage,
        points=criterion.points,
        caught=caught,
        missed=standings.count(Standing.MISSED),
        collateral=collateral,
        false_alarms=len(false),
        dead_weight=criterion.id not in named and not caught + collateral,
    )


def _cell(criterion: str, named: bool, score: Score | None, failure: str) -> Cell:
    if score is None or score.points is None:
        rationale = failure or (score.rationale if score else "")
        return Cell(criterion=criterion, standing=Standing.UNDECIDED, rationale=rationale)
    if lost(score):
        standing = Standing.CAUGHT if named else Standing.COLLATERAL
    elif named:
        standing = Standing.MISSED
    else:
        standing = Standing.KEPT if score.reached else Standing.NOT_REACHED
    return Cell(criterion=criterion, standing=standing, rationale="" if standing is Standing.KEPT else score.rationale)


def _verdict(cells: Sequence[Cell], loses: Collection[str]) -> Verdict:
    """The verdict on a flawed submission; one that names two criteria and loses only one of them has been missed."""
    named = [cell.standing for cell in cells if cell.criterion in loses]
    if Standing.MISSED not in named:
        return Verdict.UNDECIDED if Standing.UNDECIDED in named else Verdict.NAMED
    others = any(cell.standing is Standing.COLLATERAL for cell in cells)
    return Verdict.ANOTHER if others and Standing.CAUGHT not in named else Verdict.MISSED
