"""What a person sees while a grading runs, and when it has ended. Colour and movement only on a terminal."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table

from grading.evidence import Outcome, Skip, StageResult

if TYPE_CHECKING:
    from grading.report import Report
    from harness.challenge import Challenge
    from harness.doctor import Finding
    from harness.pipeline import Order

STYLES = {Outcome.PASSED: "green", Outcome.FAILED: "red", Outcome.ERROR: "magenta", Outcome.SKIPPED: "dim"}
HEARTBEAT = 15.0
"""Seconds between lines about the same stage where standard error is not a terminal."""


class Progress:
    """Shows the stage at work, its elapsed and its expected time, on standard error."""

    def __init__(self, order: Order) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._expected = order.challenge.spec.expected_seconds.get(order.profile, {})
        self._spinner = Spinner("dots")
        self._heart = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._over = threading.Event()
        self._stage = self._message = ""
        self._since = self._spoke = self._start = time.monotonic()
        # Drawn anew several times a second, so that the elapsed time moves while a stage says nothing.
        self._live = Live(get_renderable=self._drawn, console=self._console, transient=True, refresh_per_second=8)

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live.start()
        else:
            self._heart.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._live.stop()

    def tell(self, stage: str, message: str) -> None:
        """Say what a stage is doing now."""
        self._message = message
        if stage != self._stage:
            self._stage, self._since = stage, time.monotonic()
            self._speak()

    def _line(self) -> str:
        expected = f" of about {self._expected[self._stage]:.0f} s" if self._stage in self._expected else " s"
        return f"{self._stage:<11} {self._message}  ({time.monotonic() - self._since:.0f}{expected})"

    def _drawn(self) -> RenderableType:
        self._spinner.update(text=escape(self._line()))
        return self._spinner

    def _speak(self) -> None:
        if not self._console.is_terminal:
            self._spoke = time.monotonic()
            elapsed = self._spoke - self._start
            self._console.print(f"[{elapsed:5.0f} s] {self._line()}", markup=False, soft_wrap=True)

    def _beat(self) -> None:
        while not self._over.wait(1.0):
            if self._stage and time.monotonic() - self._spoke > HEARTBEAT:
                self._speak()

    def finished(self, result: StageResult) -> None:
        """Say how a stage ended; one that was not asked for needs no line."""
        if result.skip is Skip.SELECTION:
            return
        passed = sum(check.outcome is Outcome.PASSED for check in result.checks)
        style = STYLES[result.outcome]
        seconds = f"{result.ledger.wall:6.1f} s"
        line = (
            f"[{style}]{result.outcome.value:<8}[/] {result.stage:<11} {seconds}  {passed}/{len(result.checks)} checks"
        )
        reason = result.reason.splitlines()[0][:160] if result.reason else ""
        self._console.print(f"{line}  [dim]{escape(reason)}[/]" if reason else line, soft_wrap=True)


def note(message: str) -> None:
    """Say something beside the result, on standard error."""
    Console(stderr=True, highlight=False).print(f"[yellow]note:[/] {escape(message)}")


def summary(report: Report, folder: Path) -> None:
    """The grade in a screenful, on standard output."""
    console = Console(highlight=False)
    if report.void:
        console.print(f"[magenta bold]VOID[/]: {escape('; '.join(report.void_because))}")
    if not report.run.final:
        console.print(f"[yellow bold]NOT A FINAL GRADE[/]: {escape(report.run.not_final_because)}")
    lost = [score for score in report.scores if score.points is not None and score.points < score.max_points]
    table = Table("points", "of", "criterion", "why", box=None, pad_edge=False, header_style="bold")
    unreached = [score for score in lost if not score.reached]
    for score in (score for score in lost if score.reached):
        why = score.rationale.splitlines()[0][:300] if score.rationale else ""
        table.add_row(f"{score.points:g}", f"{score.max_points:g}", escape(score.title), escape(why))
    for why in dict.fromkeys(score.rationale for score in unreached):
        same = [score.max_points for score in unreached if score.rationale == why]
        table.add_row("0", f"{sum(same):g}", f"{len(same)} criteria", escape(why[:300]))
    if lost:
        console.print(table)
    undecided = report.max_points - report.decided_points
    rest = f", {undecided:g} undecided" if undecided else ""
    console.print(f"[bold]{report.submission}: {report.points:g} of {report.decided_points:g} points{rest}[/]")
    waiting = [score.criterion for score in report.scores if score.points is None and not score.stage]
    if waiting:
        console.print(f"waiting for a reviewer: {', '.join(waiting)}  (harness review {folder} --help)", soft_wrap=True)
    console.print(f"report: {folder / 'report.html'}", markup=False, soft_wrap=True)


def findings(found: list[Finding], *, as_json: bool) -> None:
    """What the doctor found."""
    if as_json:
        print(json.dumps([vars(finding) for finding in found], indent=2))  # noqa: T201  # this is the output asked for
        return
    console = Console(highlight=False)
    styles = {"ok": "green", "warn": "yellow", "fail": "red"}
    for finding in found:
        console.print(
            f"[{styles[finding.status]}]{finding.status:<5}[/] [bold]{finding.name:<16}[/] {escape(finding.what)}",
            soft_wrap=True,
        )
        if finding.remedy:
            console.print(f"{'':23}{escape(finding.remedy)}", soft_wrap=True)


def challenges(found: list[Challenge], *, as_json: bool) -> None:
    """All challenges, a line each."""
    rows = [
        {"id": c.id, "version": c.spec.version, "role": c.spec.role, "hours": c.spec.hours, "title": c.spec.title}
        for c in found
    ]
    if as_json:
        print(json.dumps(rows, indent=2))  # noqa: T201  # this is the output asked for
        return
    table = Table("id", "version", "role", "hours", "title", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console(highlight=False).print(table)
