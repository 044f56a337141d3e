"""What a calibration found, as formats show it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from grading.evidence import Outcome, Record

SCHEMA_VERSION = "1.0"


class Standing(StrEnum):
    """What became of one criterion of one known submission."""

    CAUGHT = "caught"
    """It lost points, and the submission names it."""
    MISSED = "missed"
    """The submission names it, and it kept its points, or was never reached."""
    UNDECIDED = "undecided"
    """It could not be assessed, through no fault of the submission."""
    COLLATERAL = "collateral"
    """It lost points, and the submission does not name it: a false alarm."""
    NOT_REACHED = "not reached"
    """The service never came up, so that it scores nothing; that says nothing about the criterion."""
    KEPT = "kept"
    """It kept all its points, as it should."""


class Verdict(StrEnum):
    """What became of one flawed submission."""

    NAMED = "caught by named"
    """Every criterion that it names lost points."""
    ANOTHER = "caught by another"
    """None that it names lost points, but another criterion did."""
    MISSED = "missed"
    """A criterion that it names kept its points."""
    UNDECIDED = "undecided"
    """None was missed, and some could not be assessed."""


class Column(Record):
    """An automatic criterion of the rubric."""

    criterion: str
    title: str
    stage: str
    points: float
    caught: int = 0
    """Flawed submissions that name it and lost it."""
    missed: int = 0
    """Flawed submissions that name it and kept it."""
    collateral: int = 0
    """Flawed submissions that do not name it and lost it."""
    false_alarms: int = 0
    """Golden submissions that lost it."""
    dead_weight: bool = False
    """No known flawed submission names it, and none that ran lost it."""


class Cell(Record):
    """One criterion of one known submission, of a stage that ran."""

    criterion: str
    standing: Standing
    rationale: str = ""
    """Why, where it lost points, kept them against expectation, or is undecided."""


class Row(Record):
    """One known submission."""

    name: str
    title: str
    """The fault in a sentence; of a golden submission, what it is."""
    stages: tuple[str, ...]
    """The stages that ran."""
    cells: tuple[Cell, ...]
    """In the order of the rubric."""
    runs: tuple[str, ...] = ()
    """The ids of its runs: none where it could not be graded, more where the machine left something undecided."""
    seconds: float = 0.0
    """Wall time of its stages, over all runs."""

    def having(self, *standings: Standing) -> tuple[Cell, ...]:
        """The cells of these standings."""
        return tuple(cell for cell in self.cells if cell.standing in standings)

    def cell(self, criterion: str) -> Cell | None:
        """The cell of a criterion, or None if its stage did not run."""
        return next((cell for cell in self.cells if cell.criterion == criterion), None)


class FlawedRow(Row):
    """A submission with one fault."""

    base: str
    """The golden submission that it was made from."""
    source: str
    """The kind of fault."""
    loses: tuple[str, ...]
    """The criteria that it names, of the stages that ran."""
    verdict: Verdict

    @property
    def named(self) -> tuple[Cell, ...]:
        """The cells of the criteria that it names."""
        return tuple(cell for cell in self.cells if cell.criterion in self.loses)


class GoldenRow(Row):
    """A submission that must lose nothing."""


class Summary(Record):
    """The figures of a calibration."""

    flawed: int
    """Flawed submissions that ran; the next four add up to it."""
    caught_by_named: int
    caught_by_another: int
    missed: int
    undecided: int
    criteria_lost: int
    """Criteria that lost points, over all flawed submissions; those never reached are not counted."""
    collateral: int
    """Those of them that the submission does not name."""
    collateral_share: float
    """`collateral` of `criteria_lost`; 0 where nothing was lost."""
    goldens: int
    goldens_losing_points: int
    goldens_undecided: int
    """Golden submissions that lost nothing, and of which a criterion could not be assessed."""
    dead_weight: tuple[str, ...]
    """Automatic criteria that no flawed submission names and none of those that ran lost."""


class Calibration(Record):
    """Everything that an author needs to judge a challenge's rubric."""

    schema_version: str = SCHEMA_VERSION
    challenge: str
    challenge_version: str
    challenge_digest: str
    title: str
    profile: str
    seconds: float = Field(ge=0)
    """Wall time of the whole calibration."""
    criteria: tuple[Column, ...]
    """All automatic criteria, in the order of the rubric."""
    flawed: tuple[FlawedRow, ...]
    goldens: tuple[GoldenRow, ...]
    summary: Summary

    @property
    def outcome(self) -> Outcome:
        """Passed: every flawed one was caught by what it names, and no golden one lost a point. An error is ours."""
        found = self.summary
        if found.caught_by_another or found.missed or found.goldens_losing_points:
            return Outcome.FAILED
        return Outcome.ERROR if found.undecided or found.goldens_undecided else Outcome.PASSED
