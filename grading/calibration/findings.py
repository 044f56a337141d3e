"""A calibration in the order in which an author reads it, for every format and the terminal."""

from __future__ import annotations

from grading.calibration.matrix import loses_points
from grading.calibration.records import Calibration, Cell, Column, FlawedRow, GoldenRow, Standing, Verdict
from grading.evidence import Record

WRONG = (Standing.MISSED, Standing.UNDECIDED, Standing.COLLATERAL, Standing.NOT_REACHED)
URGENCY = (Verdict.MISSED, Verdict.ANOTHER, Verdict.UNDECIDED, Verdict.NAMED)


class Finding(Record):
    """A submission of which something is not as it should be."""

    row: FlawedRow | GoldenRow
    cells: tuple[Cell, ...]
    """The criteria concerned."""


def findings(calibration: Calibration) -> tuple[Finding, ...]:
    """Golden submissions that lose points or are undecided, then flawed ones by urgency; last those with collateral."""
    flawed = sorted(calibration.flawed, key=lambda row: URGENCY.index(row.verdict))
    rows: tuple[FlawedRow | GoldenRow, ...] = (*calibration.goldens, *flawed)
    found = [Finding(row=row, cells=wrong(row)) for row in rows]
    return tuple(finding for finding in found if finding.cells)


def wrong(row: FlawedRow | GoldenRow) -> tuple[Cell, ...]:
    """The criteria of a submission that are not as they should be."""
    if isinstance(row, GoldenRow):
        return row.having(*WRONG)
    if row.verdict is Verdict.NAMED:
        return row.having(Standing.COLLATERAL)  # what else could not be assessed does not concern it
    return row.having(Standing.MISSED, Standing.UNDECIDED, Standing.COLLATERAL)


def word(row: FlawedRow | GoldenRow) -> str:
    """What became of a submission, in a few words."""
    if isinstance(row, FlawedRow):
        return row.verdict.value
    if loses_points(row):
        return "loses points"
    return Standing.UNDECIDED.value if row.having(Standing.UNDECIDED) else "loses nothing"


def kind(row: FlawedRow | GoldenRow) -> str:
    """The kind of a flawed submission's fault, or that it has none."""
    return row.source if isinstance(row, FlawedRow) else "Golden"


def groups(calibration: Calibration) -> tuple[tuple[str, tuple[FlawedRow | GoldenRow, ...]], ...]:
    """All submissions: the golden ones, then the flawed ones by the kind of their fault."""
    flawed = sorted(calibration.flawed, key=kind)
    rows: tuple[FlawedRow | GoldenRow, ...] = (*calibration.goldens, *flawed)
    names = dict.fromkeys(kind(row) for row in rows)
    return tuple((name, tuple(row for row in rows if kind(row) == name)) for name in names)


def stages(calibration: Calibration) -> tuple[tuple[str, tuple[Column, ...]], ...]:
    """The criteria by the stage whose evidence they rest on, in the order in which the rubric first names it."""
    names = dict.fromkeys(column.stage for column in calibration.criteria)
    return tuple((name, tuple(c for c in calibration.criteria if c.stage == name)) for name in names)
