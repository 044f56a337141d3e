"""What became of a pair, in words for the candidate and for the report."""

from __future__ import annotations

from dataclasses import dataclass

from harness.drift import rule
from harness.drift.arms import Arm
from harness.drift.drive import Cause, Fault, Trace
from harness.drift.monitor import Report
from harness.drift.rule import Timeline

LABELS = {
    "sudden": "sudden shift",
    "unit": "unit change",
    "missing": "missing values",
    "new_category": "new category",
    "gradual": "gradual shift",
    "subpopulation": "sub-population",
    "in_range": "in-range change",
}
REMEDIES = {
    "sudden": "Compare the last rows with the reference sample, feature by feature.",
    "unit": "Compare the values as they were sent, before any scaling or clipping.",
    "missing": "Compare the share of nulls too: many tools drop nulls before they test.",
    "new_category": "Compare the shares of categories, and count those that the reference does not have.",
    "gradual": "Compare with the reference sample, not with the rows just before.",
    "subpopulation": "Every value is within its usual range here: compare distributions and shares of categories.",
    "in_range": "Every value is within its usual range here: compare distributions, not minimum and maximum.",
}
SHORT = {
    Cause.LATE: "lags or loses rows",
    Cause.SURPLUS: "counts refused rows",
    Cause.REFUSED: "valid rows refused",
    Cause.REPORT: "no valid report",
    Cause.SILENT: "no answer",
    Cause.ENDED: "the service ended",
    Cause.TIME: "out of time",
    Cause.NOT_RUN: "not run",
}
QUIET = (
    "Allow for the number of features (Bonferroni's correction, or a threshold of an effect size such as PSI 0.2), and "
    "try your own monitor on rows where nothing changes."
)


@dataclass(frozen=True)
class Verdict:
    """Whether a pair scores, in a few words and in full."""

    scored: bool
    short: str
    message: str


@dataclass(frozen=True)
class Pair:
    """An arm and what was seen of its two runs."""

    arm: Arm
    onset: int
    drift: Trace
    control: Trace

    @property
    def timelines(self) -> tuple[Timeline, Timeline]:
        """The drift run and its control, for the rule."""
        return timeline(self.drift, self.onset), timeline(self.control, None)

    @property
    def title(self) -> str:
        """The arm, its change and its condition."""
        return f"{LABELS[self.arm.kind]} ({self.arm.change.text}, sent {self.arm.drift.condition})"

    @property
    def fault(self) -> Fault | None:
        """What kept either run from its end; one that was tried says more than one that was not."""
        faults = [trace.fault for trace in (self.drift, self.control) if trace.fault]
        return min(faults, key=lambda fault: fault.cause is Cause.NOT_RUN, default=None)


def timeline(trace: Trace, onset: int | None) -> Timeline:
    """What the rule needs to know of a run."""
    return Timeline(tuple(trace.polls), onset, complete=trace.fault is None)


def judge(pair: Pair, minimum: int) -> Verdict:
    """The verdict on a pair; `minimum` is how many rows must be enough for a monitor to speak."""
    drift, control = pair.timelines
    if pair.fault:
        return Verdict(False, SHORT[pair.fault.cause], _faulty(pair))
    if not rule.alarmed(drift):
        return Verdict(False, "missed", f"{pair.title}: {_missed(pair, drift, minimum)} {REMEDIES[pair.arm.kind]}")
    if rule.alarmed(control):
        on, polls = sum(control.before), len(control.before)
        what = f"the alarm was on at {on} of {polls} polls of the control run, the last two among them"
        return Verdict(False, "false alarm", f"{pair.title}: {what}, where nothing changed. {QUIET}")
    if rule.premature(drift):
        what = "the alarm was on at every poll before anything changed"
        return Verdict(False, "alarmed before the change", f"{pair.title}: {what}. {QUIET}")
    rows = rule.delay(drift)
    return Verdict(
        True,
        f"alarm {rows} rows after the onset",
        f"{pair.title}: the alarm came on within {rows} rows of the onset and stayed on; its control run ended quiet.",
    )


def _faulty(pair: Pair) -> str:
    fault = pair.fault
    if fault is None or fault.cause is Cause.NOT_RUN:
        return f"{LABELS[pair.arm.kind]}: {first_line(fault)}"
    which = "drift run" if fault is pair.drift.fault else "control run"
    return f"{pair.title}, {which}: {first_line(fault)}"


def first_line(fault: Fault | None) -> str:
    """The fault without the service's output that may follow it."""
    return fault.message.partition("\n")[0] if fault else ""


def _missed(pair: Pair, drift: Timeline, minimum: int) -> str:
    after = [alarm for rows, alarm in drift.polls if rows > pair.onset]
    report = pair.drift.report
    if report and report.status != "ok":
        return f"it still said '{report.status}' after {drift.polls[-1][0]} rows, where {minimum} must be enough."
    if not any(after):
        return f"the alarm never came on at the {len(after)} polls after the change."
    return f"the alarm was on at {sum(after)} of the {len(after)} polls after the change, but not at both of the last."


def polls(trace: Trace, onset: int | None) -> str:
    """The polls of a run in one line: `. . | # # # #`."""
    marks = [("|" if rows == onset else "", "#" if alarm else ".") for rows, alarm in trace.polls]
    return " ".join(part for bar, mark in marks for part in (mark, bar) if part)


def attribution(pair: Pair) -> str:
    """Why the changed feature counts as not named; empty if it is named or has the highest score.

    A report that names more than half of the features names none.
    """
    feature, report = pair.arm.change.feature, pair.drift.report
    if not rule.pair(*pair.timelines) or report is None:
        return "there is nothing to attribute: the pair does not score"
    if feature not in report.features:
        return f"the report does not list {feature}, the feature that changed"
    named = [name for name, says in report.features.items() if says.drifted]
    if feature in named and 2 * len(named) <= len(report.features):
        return ""
    return (
        "" if _highest(report) == feature else f"{feature} changed, but the report names {', '.join(named) or 'none'}"
    )


def _highest(report: Report) -> str | None:
    scores = {name: says.score for name, says in report.features.items() if says.score is not None}
    return max(scores, key=lambda name: scores[name], default=None)
