"""What the exam found, as checks, measurements and pictures."""

from __future__ import annotations

from collections.abc import Mapping

from grading.evidence import Series
from harness.drift import rule
from harness.drift.arms import Exam
from harness.drift.drive import Cause, Trace
from harness.drift.settings import Settings
from harness.drift.verdicts import LABELS, QUIET, SHORT, Pair, attribution, first_line, judge, polls, timeline
from harness.stages import Stage

MISCOUNTS = (Cause.LATE, Cause.SURPLUS)
EXPECTED = "the alarm on at the last two polls of the drift run and off at the end of its control"


def record(stage: Stage[Settings], exam: Exam, seen: Mapping[str, Trace]) -> None:
    """Record everything that was seen, by the run's name in `seen`."""
    settings = stage.settings
    pairs = [Pair(arm, settings.onset, seen[arm.drift.name], seen[arm.control.name]) for arm in exam.arms]
    for pair in sorted(pairs, key=lambda pair: settings.arms.index(pair.arm.kind)):
        _pair(stage, pair)
    if exam.recovery:
        _recovery(stage, seen[exam.recovery.name], exam.recovers_from)
    _plumbing(stage, exam, seen)
    _score(stage, pairs)


def _pair(stage: Stage[Settings], pair: Pair) -> None:
    kind, runs = pair.arm.kind, (pair.arm.drift.name, pair.arm.control.name)
    verdict = judge(pair, stage.settings.minimum)
    shown = f"drift {polls(pair.drift, pair.onset) or '-'}, control {polls(pair.control, None) or '-'}"
    detail = f"\n{pair.fault.message}" if pair.fault and pair.fault.cause is not Cause.NOT_RUN else ""
    stage.check(
        f"pair_{kind}", verdict.scored, verdict.message, expected=EXPECTED,
        observed=f"{shown} ({runs[0]}, {runs[1]}){detail}",
    )  # fmt: skip
    if kind != "subpopulation":
        lost = attribution(pair)
        held = f"{pair.arm.change.feature} changed, and the report names it."
        stage.check(f"attribution_{kind}", not lost, f"{LABELS[kind]}: {lost or held}")
    _draw(stage, f"{kind} / drift", pair.drift, {"onset": pair.onset}, verdict.short)
    _draw(stage, f"{kind} / control", pair.control, {}, "quiet" if verdict.scored else "")


def _draw(stage: Stage[Settings], name: str, trace: Trace, marks: dict[str, int], note: str) -> None:
    if trace.polls:
        points = tuple((float(rows), float(alarm)) for rows, alarm in trace.polls)
        stage.draw(
            Series(
                chart="drift arms", name=name, style="timeline", x_unit="rows", y_unit="alarm", points=points,
                marks={mark: float(at) for mark, at in marks.items()}, note=note,
            )
        )  # fmt: skip


def _recovery(stage: Stage[Settings], trace: Trace, change: str) -> None:
    settings = stage.settings
    run = timeline(trace, settings.clean_rows)
    if trace.fault:
        short, message = SHORT[trace.fault.cause], f"recovery: {first_line(trace.fault)}"
    elif not any(run.before):
        short = "never alarmed"
        message = f"recovery ({change}): there was no alarm on the drifted rows, so nothing to recover from"
    elif any(run.ends):
        short = "stays alarmed"
        message = (
            f"recovery ({change}): the alarm was still on at the end of {settings.drifted_rows} clean rows. "
            f"Judge the last {settings.window} rows, not everything since the start."
        )
    else:
        short, message = "recovers", f"recovery ({change}): the alarm went off again once the rows were clean."
    stage.check(
        "recovery", rule.recovered(run), message, expected="off at the last two polls",
        observed=polls(trace, settings.clean_rows) or "-",
    )  # fmt: skip
    _draw(stage, "recovery", trace, {"drift ends": settings.clean_rows}, short)


def _plumbing(stage: Stage[Settings], exam: Exam, seen: Mapping[str, Trace]) -> None:
    """The claims about all runs at once. What was never seen is not shown: it fails."""
    traces = [(run, seen[run.name]) for run in exam.runs]
    polled = sum(bool(trace.polls) for _, trace in traces)
    faults = ((run, trace.fault) for run, trace in traces if trace.fault and trace.fault.cause in MISCOUNTS)
    late = [f"{fault.message} (rows sent {run.condition})" for run, fault in faults]
    late += [trace.mute for _, trace in traces if trace.mute]
    moved = [trace.moved_by_reading for _, trace in traces if trace.moved_by_reading]
    counted = [trace.counts for _, trace in traces if trace.counts is not None]
    torn = [counts for counts in counted if counts]

    def claim(name: str, runs: int, against: list[str], held: str, remedy: str) -> None:
        if against:
            stage.check(name, False, f"Seen in {len(against)} of {len(traces)} runs: {against[0]}. {remedy}")
        elif not runs:
            stage.check(name, False, f"Not shown, because no run got that far. Wanted: {held}")
        else:
            stage.check(name, True, held)

    claim(
        "keeps_up", polled, late,
        f"n_observed equals the rows scored within {stage.settings.keep_up_seconds:g} s at every poll, and from "
        f"{stage.settings.minimum} rows on there is a verdict.",
        "Count each row that was answered 200 once, in one window that all workers share, and judge as soon as "
        f"{stage.settings.minimum} are there.",
    )  # fmt: skip
    claim(
        "reading_changes_nothing", polled, moved, "Three readings in a row give one verdict at every poll.",
        "Reading the drift report must neither draw samples nor clear the window.",
    )  # fmt: skip
    claim(
        "one_window", len(counted), torn,
        f"{stage.settings.reads} readings of n_observed and {stage.settings.predictions} agree.",
        "Run one worker, or keep the window and the counters where all workers share them.",
    )  # fmt: skip


def _score(stage: Stage[Settings], pairs: list[Pair]) -> None:
    timelines = [pair.timelines for pair in pairs]
    scored = sum(rule.pair(*both) for both in timelines)
    rate, count = rule.false_alarm_rate(timelines), len(rule.stationary(timelines))
    said = _false_alarms(stage, rate, count, scored)
    tried = (pair.fault for pair in pairs if pair.fault and pair.fault.cause is not Cause.NOT_RUN)
    if rate is None and (fault := next(tried, None)):
        said += f" ({first_line(fault)})"
    needed, limit = max(1, len(pairs) - rule.GATE_MISSES), rule.GATE_FALSE_ALARMS
    stage.check(
        "gate", rule.gate(timelines), f"{scored} of {len(pairs)} pairs score, with {said}; "
        f"the gate asks for {needed} and at most {limit:.0%}.",
        expected=f"{needed} pairs, at most {limit:.0%} false alarms", observed=f"{scored} pairs, {said}",
    )  # fmt: skip
    stage.measure("drift_score", rule.score(timelines), "1", note=f"{scored} of {len(pairs)} pairs, {said}")
    stage.measure("pairs", scored, "1", note=f"of {len(pairs)}")
    rows = rule.median_delay(timelines)
    if rows is not None:
        every = stage.settings.poll_every
        stage.measure("delay", rows, "rows", note=f"median over the pairs that score; polled every {every} rows")


def _false_alarms(stage: Stage[Settings], rate: float | None, count: int, scored: int) -> str:
    """Record the false alarms among `count` polls where nothing had changed; gives the rate in words."""
    limit = rule.GATE_FALSE_ALARMS
    if rate is None:
        stage.check("false_alarms", False, "Not shown, because no poll was answered.", expected=f"at most {limit:.0%}")
        return "no poll answered"
    what = f"The alarm was on at {round(rate * count)} of {count} polls where nothing had changed"
    if rate > limit:
        message = f"{what}. {QUIET}"
    else:
        message = f"{what}." if scored else f"{what}, but no pair scores either: silence alone is no skill."
    observed = f"{rate:.1%}"
    stage.check(
        "false_alarms", rate <= limit and scored > 0, message, expected=f"at most {limit:.0%}", observed=observed
    )
    stage.measure("false_alarm_rate", rate, "1", note=f"of {count} polls where nothing had changed")
    return f"{observed} false alarms"
