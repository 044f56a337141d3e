from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
import sample_report
from hostile import NASTY, poisoned

from grading.evidence import Outcome
from grading.formats import junit
from grading.formats._text import clean
from grading.report import Report

# What Jenkins' junit-10.xsd allows, of what is used: attributes and children of each element.
ALLOWED = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "skipped", "time"}, {"properties", "testcase"}),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "classname", "time"}, {"failure", "error", "skipped"}),
    "failure": ({"message", "type"}, set()),
    "error": ({"message", "type"}, set()),
    "skipped": ({"message"}, set()),
}
REPORTS = {
    "whole": sample_report.report(),
    "void": sample_report.report(errors=True),
    "local": sample_report.local_report(),
    "unbuilt": sample_report.unbuilt_report(),
}


@pytest.fixture(params=REPORTS)
def report(request) -> Report:
    return REPORTS[request.param]


def parsed(report: Report) -> ET.Element:
    return ET.fromstring(junit.render(report).encode())  # noqa: S314 -- our own rendering of it is what is tested


def test_it_uses_what_the_schema_of_jenkins_allows(report):
    for element in parsed(report).iter():
        attributes, children = ALLOWED[element.tag]
        assert set(element.attrib) == attributes
        assert {child.tag for child in element} <= children


def test_the_counts_are_those_of_the_cases(report):
    root = parsed(report)
    for counted in [root, *root.iter("testsuite")]:
        assert int(counted.get("tests")) == len(list(counted.iter("testcase"))) > 0
        assert int(counted.get("failures")) == len(list(counted.iter("failure")))
        assert int(counted.get("errors")) == len(list(counted.iter("error")))
    for suite in root.iter("testsuite"):
        assert int(suite.get("skipped")) == len(list(suite.iter("skipped")))


def test_a_stage_is_a_suite_and_a_check_a_case(report):
    root = parsed(report)
    assert [suite.get("name") for suite in root] == [stage.stage for stage in report.stages]
    for suite, stage in zip(root, report.stages, strict=True):
        names = [case.get("name") for case in suite.iter("testcase")]
        assert names[: len(stage.checks)] == [check.name for check in stage.checks]


def case(report: Report, name: str) -> ET.Element:
    return next(c for c in parsed(report).iter("testcase") if c.get("name") == name)


def test_a_failure_says_what_was_expected_and_what_was_observed():
    failure = case(REPORTS["whole"], "metrics_rows").find("failure")
    assert failure.get("message").startswith("model_predictions_total grew by fewer rows")
    assert failure.text.endswith("expected: model_predictions_total + 400\nobserved: model_predictions_total + 187")


def test_an_error_is_ours_and_a_skip_says_why():
    assert case(REPORTS["void"], "preflight").find("error").get("message").startswith("The machine was not quiet")
    assert case(REPORTS["whole"], "oversized_body").find("skipped").get("message").startswith("Needs 2 GB")


def test_a_stage_that_was_not_reached_is_one_skipped_case():
    (suite,) = [s for s in parsed(REPORTS["unbuilt"]) if s.get("name") == "drift"]
    (only,) = suite.iter("testcase")
    assert only.find("skipped").get("message").startswith("The image did not build")


def test_a_stage_that_broke_without_a_check_to_show_for_it_is_an_error():
    broken = REPORTS["whole"].stages[0].model_copy(update={"outcome": Outcome.ERROR, "reason": "The disk is full."})
    (suite,) = parsed(REPORTS["whole"].model_copy(update={"stages": (broken,)}))
    assert suite.get("errors") == "1"
    assert suite.find("testcase/error").get("message") == "The disk is full."


def test_a_grade_that_does_not_count_says_so_in_every_suite():
    for suite in parsed(REPORTS["local"]):
        told = {p.get("name"): p.get("value") for p in suite.iter("property")}
        assert told["not_final"].startswith("the service ran as a plain process")


@pytest.mark.parametrize("nasty", NASTY)
def test_no_string_of_evidence_breaks_the_xml(nasty):
    root = parsed(poisoned(REPORTS["whole"], NASTY[nasty]))
    harmless = parsed(poisoned(REPORTS["whole"], "harmless "))
    assert [e.tag for e in root.iter()] == [e.tag for e in harmless.iter()]
    first = next(root.iter("testcase"))
    assert first.get("name") == clean(NASTY[nasty]) + "pinned_dependencies"


@pytest.mark.parametrize(
    "code", [*range(0x20), 0x7F, 0x85, 0xAD, 0x200B, 0x2028, 0x202E, 0xFEFF, 0xFFFE, 0xFFFF, 0x1FFFE]
)
def test_no_single_character_breaks_the_xml(code):
    parsed(poisoned(REPORTS["whole"], chr(code)))
