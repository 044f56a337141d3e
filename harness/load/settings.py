"""Every window, rate and limit of the load stage. The defaults are the review's; a public run shortens them."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from grading.evidence import Record


class Settings(Record):
    """Settings of the stage `load`."""

    # What the service owes.
    required_rate: float = Field(20, gt=0)
    """Requests a second at which the objective has to be met."""
    objective_ms: float = Field(150, gt=0)
    """The objective: p95 of the latency, from the moment at which a request was meant to be sent."""
    health_path: str = "/livez"
    metrics_path: str = "/metrics"
    predictions: str = "model_predictions_total"
    """The counter of predicted rows, held against the answers under load; empty where a contract has none."""
    health_factor: float = Field(0.35, gt=0)
    """p95 of the health route while predictions run, as a share of what such a prediction takes: 0.02 to 0.24 for sound
    services on three stacks, 0.39 to 2.7 for those whose health route waits for predictions."""
    health_rows: int = Field(2000, gt=0)
    """Rows of the large predictions that run while the health route is asked."""

    # The machine.
    quiet_seconds: float = Field(3, ge=0)
    """How long the machine is watched before anything runs."""
    foreign: float = Field(0.03, gt=0)
    """Share of the services' core that others may use, and of both before anything runs."""
    foreign_generator: float = Field(0.10, gt=0)
    """Share of the generator's core that they may use: whether requests left in time is measured too."""
    repeats: int = Field(3, ge=1)
    """How often a phase is tried before the stage ends undecided."""
    pause_seconds: float = Field(5, ge=0)
    """Between two tries."""
    seconds: float = Field(480, gt=0)
    """From when on nothing is tried again."""

    # Ratio.
    users: int = Field(8, gt=0)
    rounds: int = Field(2, ge=1)
    """Rounds with fresh services and requests of their own."""
    more_rounds: int = Field(2, ge=0)
    """Rounds beyond those, one at a time, while rounds differ or the interval of the ratio holds one of `edges`."""
    edges: tuple[float, ...] = ()
    """Ratios at which a grade changes: on which side of one a ratio lies is not decided before its whole interval lies
    there, or the rounds are used up."""
    ratio_seconds: float = Field(12, gt=0)
    """Of each round."""
    slice_seconds: float = Field(0.5, gt=0)
    slice_factor: float = Field(5, gt=0)
    """A slice is at least this many times as long as the median latency of the slower service..."""
    slice_most: float = Field(2, gt=0)
    """...and at most this long, in seconds."""
    burst: float = Field(0.10, gt=0)
    """A pair is not clean if others used this much more, or less, of a core during one of its slices than is usual."""
    pairs: int = Field(12, ge=2)
    """Clean pairs of slices that a result takes, over all rounds."""
    agreement: float = Field(0.05, gt=0)
    """How far the intervals of two rounds' ratios may lie apart."""
    warm_window_seconds: float = Field(1, gt=0)
    warm_most_seconds: float = Field(15, gt=0)
    """For each service."""
    idle_cpu: float = Field(0.02, gt=0)
    """Share of the core that the candidate may use while the reference is driven; beyond it, it is frozen meanwhile."""

    # Objective, ladder, overload.
    look_requests: int = Field(80, ge=59)
    """Requests between two looks at whether the objective is met..."""
    looks: int = Field(4, ge=1)
    """...and how many looks there are at most."""
    slowdown: float = Field(1.25, gt=1)
    """How many times the reference's cpu seconds per answer may be what they were when capacity was measured, before a
    missed objective is the machine's."""
    ladder: tuple[float, ...] = (0.4, 0.85, 1.0)
    """Steps of the picture, as shares of a service's own capacity, beside the rates that the objective is judged at."""
    ladder_seconds: float = Field(1.5, ge=0)
    """Of each step; 0 for no ladder beyond the rates that the objective was judged at."""
    overload: float = Field(1.5, gt=1)
    """Rate of the overload, as a multiple of capacity..."""
    overload_seconds: float = Field(5, gt=0)
    after: float = Field(0.25, gt=0, lt=1)
    """...and the rate that follows."""
    recovery_seconds: float = Field(3, gt=0)
    """How long after the backlog could have been worked off the latency has to be back."""
    recovered_seconds: float = Field(2, gt=0)
    """How long it is then watched."""
    shed: float = Field(0.95, gt=0, le=1)
    """Share of the requests of an overload that get a right answer, a 429 or a 503."""
    health_seconds: float = Field(3, gt=0)
    same_pairs: int = Field(2, ge=0)
    """Pairs of slices that compare unique requests with one and the same; 0 to leave that out."""
    first_answer_ms: float = Field(300, gt=0)
    first_answer_factor: float = Field(20, gt=0)
    """The first answer after the service said that it was ready is late above both: that time, and so many times what
    the tenth takes. Measured on a machine whose speed varies: 9 to 24 ms, twice the tenth at most, where a service has
    loaded its model by then; 942 to 1,353 ms, 120 times the tenth, where it loads it then."""

    @property
    def level(self) -> float:
        """Confidence of the ratio's interval. Each further round is another look at it, so that 5 % of error are shared
        among the looks (Bonferroni)."""
        return 1 - 0.05 / (1 + self.more_rounds)

    @property
    def backlog_seconds(self) -> float:
        """How long a service that queues all of an overload needs to work it off at the rate that follows."""
        return (self.overload - 1) * self.overload_seconds / (1 - self.after)

    @property
    def after_seconds(self) -> float:
        """Length of what follows the overload."""
        return self.backlog_seconds + self.recovery_seconds + self.recovered_seconds

    @model_validator(mode="after")
    def _slices_fit(self) -> Self:
        if self.slice_most < self.slice_seconds:
            raise ValueError("slice_most must not be less than slice_seconds")
        return self
