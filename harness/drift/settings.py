"""What the drift exam may change, and its protocol. The defaults are the protocol."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from grading.evidence import Record

NumericKind = Literal["sudden", "unit", "gradual", "in_range"]
Kind = Literal["sudden", "unit", "missing", "new_category", "gradual", "subpopulation", "in_range"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise ValueError("each may be listed once")
    return names


Names = Annotated[tuple[str, ...], AfterValidator(_unique)]


class Settings(Record):
    """Settings of the stage `drift`."""

    numeric: dict[str, tuple[NumericKind, ...]] = Field(default_factory=dict)
    """Numeric features that the model uses, and the changes that suit each: an hour of the day is redrawn from its own
    values (`in_range`) but never moved past midnight."""
    categorical: Names = ()
    """Categorical features that the model uses; one of them gets an unseen value."""
    nullable: Names = ()
    """Features that the model can impute; one of them loses values."""
    segments: dict[str, Names] = Field(default_factory=dict)
    """Column to values, each of which makes a segment of 2 to 50 % of all rows."""
    arms: Annotated[tuple[Kind, ...], AfterValidator(_unique)] = Field(KINDS, min_length=1)
    recovery: bool = True
    """Whether a last run returns from drifted rows to clean ones."""
    reference: str = "reference.csv.gz"
    """The monitor's reference sample, in the folder of the model."""
    route: str = "/monitoring/drift"
    invocations: str = "/invocations"
    metrics: str = "/metrics"
    predictions: str = "model_predictions_total"
    """The counter of predicted rows, summed over its labels."""
    window: int = Field(1000, gt=0)
    """The verdict covers at most this many of the last rows..."""
    minimum: int = Field(500, gt=0)
    """...and needs at most this many to speak."""
    clean_rows: int = Field(1000, gt=0)
    """Rows before the onset of a change, and drifted rows before a recovery."""
    drifted_rows: int = Field(2000, gt=0)
    """Rows after the onset, and clean rows of a recovery."""
    poll_every: int = Field(500, gt=0)
    """Rows between two polls."""
    batch: int = Field(50, gt=0)
    """Rows in a request."""
    keep_up_seconds: float = Field(10, gt=0)
    """How long a monitor may take to have seen the rows that it was sent."""
    slow_pause: float = Field(0.05, ge=0)
    """Seconds between two requests of a run under the condition `slowly`."""
    reads: int = Field(20, gt=1)
    """How often the counts of rows are read at the end of a run."""
    workers: int = Field(3, gt=0)
    """Services at the same time: nothing is timed here."""
    seconds: float = Field(300, gt=0)
    """Deadline of the whole stage."""

    @property
    def onset(self) -> int:
        """Rows before the change."""
        return self.clean_rows

    @property
    def rows(self) -> int:
        """Rows of one run."""
        return self.clean_rows + self.drifted_rows

    @model_validator(mode="after")
    def _polls_fit(self) -> Self:
        for name in ("clean_rows", "drifted_rows"):
            if getattr(self, name) % self.poll_every:
                raise ValueError(f"{name} must be a multiple of poll_every ({self.poll_every})")
        if self.poll_every % self.batch:
            raise ValueError(f"poll_every must be a multiple of batch ({self.batch})")
        if self.minimum > self.clean_rows or self.window + self.poll_every > self.drifted_rows:
            raise ValueError(
                "clean_rows must hold the minimum, and drifted_rows the window and one poll more: "
                "else the last two polls cannot both be about drifted rows alone"
            )
        return self

    @model_validator(mode="after")
    def _arms_have_features(self) -> Self:
        there = {kind for kinds in self.numeric.values() for kind in kinds}
        given: dict[str, object] = {
            "missing": self.nullable, "new_category": self.categorical, "subpopulation": self.segments,
        }  # fmt: skip
        where = {"missing": "nullable", "new_category": "categorical", "subpopulation": "segments"}
        for arm in self.arms:
            if not given.get(arm, arm in there):
                raise ValueError(f"the arm '{arm}' has no feature: name one under '{where.get(arm, 'numeric')}'")
        if self.recovery and "sudden" not in there:
            raise ValueError("the recovery run shifts a feature: name one for 'sudden' under 'numeric'")
        return self
