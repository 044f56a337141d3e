"""The reviewer's engine with the public profile, from a candidate's repository; and what it came to, in their words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from grading.report import Report
from grading.rubric import Score
from harness import challenge as challenges
from harness import grading_run
from harness.challenge import Challenge
from harness.errors import UsageError
from harness.journey import invitation
from harness.journey.git import run
from harness.pipeline import Order
from harness.submission import TOOLS
from harness.verify import settings

RELATION = (
    "How this relates to the review: the same code runs there. Its rows, the order of its drift exam and its second "
    "model come from a seed that you have not seen (here it is the published one): what fits only these inputs fails "
    "there."
)
ROUNDS = (
    "It measures for longer, and it runs on another machine: figures of speed move, the ratio to the reference hardly."
)


@dataclass(frozen=True)
class Check:
    """A check that can be carried out."""

    order: Order
    notes: list[str]
    whole: Challenge
    """The challenge as the public profile has it, before anything was left out."""
    quick: bool
    """Whether this is the default choice, which leaves out what takes long."""

    @property
    def left_out(self) -> list[str]:
        """What a full public check would run beside this one."""
        stages = [name for name in self.whole.spec.stages if name not in self.order.stages]
        narrowed = [] if not self.quick else [n for n in self.whole.spec.check.settings if n in self.order.stages]
        return [*stages, *(f"the rest of {name}" for name in narrowed)]


def prepare(folder: Path, stages: tuple[str, ...], *, everything: bool, sandbox: str, runs: Path | None) -> Check:
    """Check what was asked for, before anything runs.

    Raises:
        UsageError: there is no invitation, no such stage, or no engine.
    """
    top = run(folder, "rev-parse", "--show-toplevel")
    root = Path(top.stdout.rstrip("\n")) if top.returncode == 0 else folder
    whole = challenges.named(invitation.read(root).challenge)
    quick = not stages and not everything
    chosen = (whole.spec.check.stages if quick else stages) or whole.spec.stages
    try:
        order, notes = grading_run.order(
            root, challenge_id=whole.id, profile="public", stages=chosen, runs=runs or root / TOOLS / "runs",
            sandbox=sandbox, trusted=sandbox == "local",
        )  # fmt: skip
    except UsageError as error:
        if "no Docker engine" not in error.args[0]:
            raise
        raise UsageError(
            error.args[0],
            "Start Docker, then try again; '.harness/run doctor' says what is missing. Without one, --sandbox local "
            "runs the service as a plain process of yours, and leaves out what only a container shows.",
        ) from error
    return Check(replace(order, challenge=whole.quick()) if quick else order, notes, whole, quick)


def lost(report: Report) -> list[Score]:
    """What would lose points, the most first."""
    found = [score for score in report.scores if score.points is not None and score.points < score.max_points]
    return sorted(found, key=lambda score: (not score.reached, (score.points or 0.0) - score.max_points))


def show(check: Check, report: Report, folder: Path) -> None:
    """Print what a check came to: what loses points and why, what was not looked at, and what it says of a review."""
    console = Console(highlight=False)
    out = lost(report)
    unreached = [score for score in out if not score.reached]
    for why in dict.fromkeys(score.rationale for score in unreached):
        same = [score for score in unreached if score.rationale == why]
        points = sum(score.max_points for score in same)
        console.print(f"[red]-{points:g}[/]  [bold]{len(same)} criteria[/]: {escape(why[:400])}", soft_wrap=True)
    for score in (score for score in out if score.reached):
        points = (score.points or 0.0) - score.max_points
        shown = f"[red]{points:+g}[/] of {score.max_points:g}  [bold]{escape(score.title)}[/]  [dim]{score.stage}[/]"
        console.print(shown, soft_wrap=True)
        for line in score.rationale.splitlines()[:2]:
            console.print(f"     {escape(line[:400])}", soft_wrap=True)
    stages = list(dict.fromkeys(score.stage for score in out if score.reached))
    if stages:
        console.print(
            f"Once mended, repeat one stage: {', '.join(f'make check STAGE={name}' for name in stages[:3])}",
            soft_wrap=True,
        )
    _undecided(console, check, report)
    console.print(
        f"[bold]{report.points:g} of the {report.decided_points:g} points that this check could decide[/] "
        f"(of {report.max_points:g})"
    )
    console.print(f"{RELATION} {_arms(check)}{ROUNDS}", style="dim", soft_wrap=True)
    console.print(f"report: {folder / 'report.html'}", markup=False, soft_wrap=True)


def _undecided(console: Console, check: Check, report: Report) -> None:
    if check.left_out:
        console.print(f"Not looked at here: {', '.join(check.left_out)}. All of it: make check ALL=1", soft_wrap=True)
    by_person = [score for score in report.scores if score.points is None and not score.stage]
    if by_person:
        points = sum(score.max_points for score in by_person)
        console.print(f"For a person to judge: {points:g} points ({', '.join(score.criterion for score in by_person)})")
    open_ones = [s for s in report.scores if s.points is None and s.stage in check.order.stages]
    for score in open_ones:
        console.print(f"[magenta]open[/]  {escape(score.title)}: {escape(score.rationale[:300])}", soft_wrap=True)


def _arms(check: Check) -> str:
    """How many changes of the drift exam ran, of those that a review runs."""
    if "drift" not in check.order.stages:
        return ""
    here = settings(check.order.challenge, "drift", "public")
    ran, all_of_them = (len(getattr(found, "arms", ())) for found in (here, settings(check.whole, "drift", "review")))
    return f"Its drift exam has {all_of_them} changes, of which {ran} ran here. " if ran < all_of_them else ""
