"""The report as JUnit XML, for CI pages: a stage is a test suite, a check is a test case.

Elements and attributes are those of Jenkins' schema (junit-10.xsd). Errors are the harness's own, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from grading.evidence import Check, Outcome, StageResult
from grading.formats._text import clean, quantity, verdicts
from grading.report import Report

SUFFIX = "junit.xml"
TAGS = {Outcome.FAILED: "failure", Outcome.ERROR: "error", Outcome.SKIPPED: "skipped"}


def render(report: Report) -> str:
    """One `testsuite` a stage; a stage that ended without a check to show for it becomes a test case of its own."""
    root = ET.Element("testsuites")
    suites = [_suite(report, stage) for stage in report.stages]
    root.extend(suites)
    root.attrib.update(name=clean(f"{report.challenge}: {report.submission}"), time=f"{report.ledger.wall:.3f}")
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(report: Report, stage: StageResult) -> ET.Element:
    suite = ET.Element("testsuite", name=clean(stage.stage), time=f"{stage.ledger.wall:.3f}")
    _properties(suite, _facts(report, stage))
    cases = [*stage.checks, *_unexplained(stage)]
    for check in cases:
        suite.append(_case(report, stage.stage, check))
    suite.set("tests", str(len(cases)))
    counted = (("failures", Outcome.FAILED), ("errors", Outcome.ERROR), ("skipped", Outcome.SKIPPED))
    for name, outcome in counted:
        suite.set(name, str(sum(case.outcome is outcome for case in cases)))
    return suite


def _facts(report: Report, stage: StageResult) -> Iterable[tuple[str, str]]:
    yield "run", report.run.id
    yield "submission_digest", report.run.submission_digest
    yield from ((name.lower().replace(" ", "_"), "; ".join(reasons)) for name, reasons in verdicts(report))
    for measured in stage.measurements:
        yield measured.name, quantity(measured.value, measured.unit)


def _properties(suite: ET.Element, facts: Iterable[tuple[str, str]]) -> None:
    properties = ET.SubElement(suite, "properties")
    for name, value in facts:
        ET.SubElement(properties, "property", name=clean(name), value=clean(value))


def _unexplained(stage: StageResult) -> Iterable[Check]:
    """The stage's own outcome as a check, where no check carries it."""
    if stage.outcome is not Outcome.PASSED and all(c.outcome is not stage.outcome for c in stage.checks):
        yield Check(name=stage.stage, outcome=stage.outcome, message=stage.reason, seconds=0.0)


def _case(report: Report, stage: str, check: Check) -> ET.Element:
    classname = clean(f"{report.challenge}.{stage}")
    case = ET.Element("testcase", classname=classname, name=clean(check.name), time=f"{check.seconds:.3f}")
    if check.outcome is Outcome.PASSED:
        return case
    told = ET.SubElement(case, TAGS[check.outcome], message=clean(check.message))
    if check.outcome is not Outcome.SKIPPED:
        told.set("type", check.outcome.value)
        seen = (("expected", check.expected), ("observed", check.observed))
        told.text = clean("\n".join([check.message, *(f"{word}: {text}" for word, text in seen if text)]))
    return case
