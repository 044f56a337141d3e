"""What a person sees while a calibration runs, and when it has ended. Colour and movement only on a terminal."""

from __future__ import annotations

import time

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner

from grading.calibration.records import Calibration, Cell, FlawedRow, GoldenRow, Standing, Verdict
from harness.calibration.cases import Case

HEARTBEAT = 30.0
"""Seconds between lines about the same submission where standard error is not a terminal."""
STYLES = {
    Verdict.NAMED: "green",
    Verdict.ANOTHER: "red",
    Verdict.MISSED: "red",
    Verdict.UNDECIDED: "magenta",
}


class Progress:
    """Shows the submission at work, and the elapsed and expected time of all, on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._spinner = Spinner("dots")
        self._live = Live(self._spinner, console=self._console, transient=True, refresh_per_second=8)
        self._start = self._spoke = time.monotonic()
        self._expected: list[float] = []
        self._done = 0
        self._name = ""

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def begins(self, expected: list[float]) -> None:
        """It begins; these are the seconds that each known submission may take."""
        self._start = time.monotonic()
        self._expected = expected
        total = sum(expected)
        self._console.print(f"{len(expected)} known submissions, about {_minutes(total)} with a warm cache")

    def grades(self, case: Case) -> None:
        """A known submission is next."""
        self._name = case.name

    def tell(self, stage: str, message: str) -> None:
        """What its grading is doing."""
        now = time.monotonic()
        line = f"{self._clock()}  {self._name}: {stage}: {message}"
        self._spinner.update(text=escape(line))
        if not self._console.is_terminal and now - self._spoke > HEARTBEAT:
            self._spoke = now
            self._console.print(line, markup=False, soft_wrap=True)

    def judged(self, row: FlawedRow | GoldenRow) -> None:
        """What became of it."""
        self._done += 1
        self._spoke = time.monotonic()
        self._console.print(f"{escape(self._clock())}  {_line(row)}", soft_wrap=True)

    def _clock(self) -> str:
        elapsed = time.monotonic() - self._start
        left = sum(self._expected[self._done :])
        return f"[{self._done}/{len(self._expected)}, {_minutes(elapsed)} of about {_minutes(elapsed + left)}]"


def matrix(calibration: Calibration) -> None:
    """The matrix on standard output: a line for each submission, and why where one is not as it should be."""
    console = Console(highlight=False)
    rows: tuple[FlawedRow | GoldenRow, ...] = (*calibration.goldens, *calibration.flawed)
    for row in rows:
        console.print(_line(row), soft_wrap=True)
        for cell in row.having(Standing.MISSED, Standing.COLLATERAL, Standing.UNDECIDED):
            named = isinstance(row, FlawedRow) and cell.standing is Standing.UNDECIDED and row.verdict is Verdict.NAMED
            if not named:
                console.print(f"    {_why(cell)}", soft_wrap=True)
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
    if isinstance(row, GoldenRow):
        wrong = row.having(Standing.COLLATERAL, Standing.NOT_REACHED)
        unknown = row.having(Standing.UNDECIDED)
        style, word = ("red", "loses points") if wrong else ("magenta", "undecided") if unknown else ("green", "golden")
        names = ", ".join(cell.criterion for cell in wrong or unknown)
    else:
        style, word = STYLES[row.verdict], row.verdict.value
        marks = {Standing.CAUGHT: "", Standing.MISSED: "missed ", Standing.UNDECIDED: "undecided "}
        own = [f"{marks[c.standing]}{c.criterion}" for c in row.having(*marks)]
        others = [cell.criterion for cell in row.having(Standing.COLLATERAL)]
        names = ", ".join(own) + (f"; not its own: {', '.join(others)}" if others else "")
    return f"[{style}]{word:<17}[/] {escape(row.name):<34} {row.seconds:6.1f} s  {escape(names)}"


def _why(cell: Cell) -> str:
    reason = cell.rationale.splitlines()[0][:300] if cell.rationale else "it kept all its points"
    return f"[dim]{cell.standing.value} {cell.criterion}: {escape(reason)}[/]"


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
