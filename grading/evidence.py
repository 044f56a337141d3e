"""What was seen: the records that stages write and everything else reads."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Record(BaseModel):
    """A frozen record that refuses keys it does not know; its field docstrings become the JSON Schema."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class Seen(Record):
    """A record that holds what a submission said, and can be written down whatever that was."""

    @field_validator("*", mode="before")
    @classmethod
    def _encodable(cls, value: Any) -> Any:
        # A submission may answer with half of a surrogate pair, which JSON can hold and UTF-8 cannot.
        return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


class Outcome(StrEnum):
    """JUnit's four. `ERROR` is always the harness's own fault, never the candidate's."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


class Skip(StrEnum):
    """Why a stage or check was not assessed, which decides what becomes of its points."""

    SUBMISSION = "submission"
    """Something before it failed and that was the candidate's: its criteria score zero, and say so once."""
    SELECTION = "selection"
    """The reviewer did not ask for it: undecided."""
    SANDBOX = "sandbox"
    """It cannot be known where the service ran (a plain process has no image): undecided."""


class Check(Seen):
    """One claim about the submission, and whether it held."""

    name: str
    """Unique within its stage; what a rubric's glob is matched against."""
    outcome: Outcome
    message: str
    """What was claimed if it held; what to do about it if it did not."""
    expected: str = ""
    observed: str = ""
    seconds: float = 0.0
    reached: bool = True
    """False if it failed only because another check did, without which nothing can be seen of it."""


class Interval(Record):
    """A confidence interval."""

    low: float
    high: float
    level: float = 0.95


class Measurement(Seen):
    """One number about the submission."""

    name: str
    """Unique within its stage."""
    value: float
    unit: str
    """A UCUM-like unit: `s`, `ms`, `MB`, `1/s`, or `1` for a ratio or a count."""
    interval: Interval | None = None
    """Given where the number is statistical; scoring uses the end that favours the candidate."""
    note: str = ""


class Series(Seen):
    """Points that people would rather look at than read; formats draw one chart for each `chart`."""

    chart: str
    """The chart that it belongs to, e.g. `drift arms`; series of one chart share their axes."""
    name: str
    style: Literal["line", "timeline"]
    """`line`: y over x. `timeline`: y is 0 or 1 (an alarm) at the polls x."""
    x_unit: str
    y_unit: str
    points: tuple[tuple[float, float], ...]
    marks: dict[str, float] = Field(default_factory=dict)
    """Named places on the x axis, e.g. `onset`."""
    note: str = ""
    """A verdict of a few words to stand beside the series."""


class Artifact(Seen):
    """A file that the run folder keeps beside the evidence."""

    name: str
    path: str
    """Relative to the run folder."""
    note: str = ""
    """Says so where the file was cut at its cap."""


class LedgerLine(Record):
    """Where a stage's wall time went, in seconds. The four add up to `wall`."""

    wall: float
    building: float = 0.0
    serving: float = 0.0
    """Waiting for a service to start, become ready, or stop."""
    measuring: float = 0.0
    """Windows that a measuring protocol prescribes, and requests to the service."""
    own: float = 0.0
    """Everything else: the harness's own overhead."""


class StageResult(Seen):
    """Everything that one stage saw."""

    stage: str
    outcome: Outcome
    reason: str = ""
    """Why it was skipped or ended in error, or what failed first."""
    skip: Skip | None = None
    checks: tuple[Check, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    series: tuple[Series, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    ledger: LedgerLine = LedgerLine(wall=0.0)

    def measurement(self, name: str) -> Measurement | None:
        """The measurement of that name, or None."""
        return next((m for m in self.measurements if m.name == name), None)


class Run(Seen):
    """Which submission was graded, with what, where and when."""

    id: str
    challenge: str
    challenge_version: str
    challenge_digest: str
    submission: str
    submission_digest: str
    image_digest: str = ""
    profile: str
    sandbox: str
    final: bool
    """False where the sandbox or the profile cannot support a final grade."""
    not_final_because: str = ""
    seed_commitment: str
    """SHA-256 of the seed that the hidden inputs come from; the seed itself can be revealed later."""
    started_at: str
    """UTC, ISO 8601."""
    versions: dict[str, str]
    host: dict[str, str]
    notices: tuple[str, ...] = ()
    """What a reader must know before trusting the numbers, e.g. that an isolation measure was not available."""


class Evidence(Record):
    """A run and what its stages saw, in the order in which they ran."""

    run: Run
    stages: tuple[StageResult, ...]

    def stage(self, name: str) -> StageResult | None:
        """The result of the stage of that name, or None if it left none."""
        return next((s for s in self.stages if s.stage == name), None)
