"""What a person sees while a calibration runs, and when it has ended. Colour and movement only on a terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner

from grading.calibration.findings import groups, word, wrong
from grading.calibration.records import Calibration, FlawedRow, GoldenRow, Standing

HEARTBEAT = 30.0
"""Seconds between lines about the same submission where standard error is not a terminal."""
STYLES = {
    "caught by named": "green",
    "loses nothing": "green",
    "caught by another": "red",
    "missed": "red",
    "loses points": "red",
    "undecided": "magenta",
}
"""By what became of a submission, as `findings.word` says it."""


class Progress:
    """Shows the submission at work, and the elapsed and expected time of all, on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._spinner = Spinner("dots")
        self._live = Live(self._spinner, console=self._console, transient=True, refresh_per_second=8)
        self._start = self._spoke = time.monotonic()
        self._expected: dict[str, float] = {}
        self._left: dict[str, float] = {}

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def begins(self, expected: Mapping[str, float]) -> None:
        """It begins; these are the seconds by which each known submission may lengthen it."""
        self._start = time.monotonic()
        self._expected, self._left = dict(expected), dict(expected)
        self._console.print(f"{len(expected)} known submissions, about {_minutes(sum(expected.values()))} all in all")

    def tell(self, name: str, stage: str, message: str) -> None:
        """What the grading of a known submission is doing."""
        now = time.monotonic()
        line = f"{self._clock()}  {name or 'all'}: {stage}: {message}"
        self._spinner.update(text=escape(line))
        if not self._console.is_terminal and now - self._spoke > HEARTBEAT:
            self._spoke = now
            self._console.print(line, markup=False, soft_wrap=True)

    def judged(self, row: FlawedRow | GoldenRow) -> None:
        """What became of it."""
        self._left.pop(row.name, None)
        self._spoke = time.monotonic()
        self._console.print(f"{escape(self._clock())}  {_line(row)}", soft_wrap=True)

    def _clock(self) -> str:
        elapsed = time.monotonic() - self._start
        left, done = sum(self._left.values()), len(self._expected) - len(self._left)
        return f"[{done}/{len(self._expected)}, {_minutes(elapsed)} of about {_minutes(elapsed + left)}]"


def matrix(calibration: Calibration) -> None:
    """The matrix on standard output: a line for each submission, and why where one is not as it should be."""
    console = Console(highlight=False)
    for row in (row for _, rows in groups(calibration) for row in rows):
        console.print(_line(row), soft_wrap=True)
        for cell in wrong(row):
            reason = cell.rationale.splitlines()[0][:300] if cell.rationale else ""
            console.print(f"    [dim]{cell.standing.value} {cell.criterion}: {escape(reason)}[/]", soft_wrap=True)
    found = calibration.summary
    console.print(
        f"[bold]{found.caught_by_named} of {found.flawed} flawed submissions were caught by the criteria they name[/]; "
        f"{found.caught_by_another} by another, {found.missed} missed, {found.undecided} undecided"
    )
    console.print(
        f"{found.collateral} of the {found.criteria_lost} criteria that they lost are not theirs "
        f"({found.collateral_share:.1%})"
    )
    console.print(
        f"{found.goldens_losing_points} of {found.goldens} golden submissions lost points, "
        f"{found.goldens_undecided} undecided"
    )
    if found.dead_weight:
        console.print(f"dead weight, lost by no flawed submission: {', '.join(found.dead_weight)}", soft_wrap=True)


def _line(row: FlawedRow | GoldenRow) -> str:
    said = word(row)
    if isinstance(row, FlawedRow):
        own = (
            c.criterion if c.standing is Standing.CAUGHT else f"{c.criterion} ({c.standing.value})" for c in row.named
        )
        others = [cell.criterion for cell in row.having(Standing.COLLATERAL)]
        names = ", ".join(own) + (f"; not its own: {', '.join(others)}" if others else "")
    else:
        names = ", ".join(cell.criterion for cell in wrong(row))
    return f"[{STYLES[said]}]{said:<17}[/] {row.name:<36} {row.seconds:6.1f} s  {escape(names)}"


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
