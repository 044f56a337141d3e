"""The first challenge's functional tests against an honest service, and against services with one fault each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import broken_services
import pytest
from honest_service import Honest, served

from grading.evidence import Check, Outcome
from harness.challenge import HOME
from harness.functional.brief import Brief, Served

FRAUD = HOME / "fraud_detection"
PUBLISHED = FRAUD / "public" / "model"


Checks = dict[str, Check]


@pytest.fixture(scope="module")
def checks(hidden_model, tmp_path_factory) -> Callable[[type[Honest]], Checks]:
    """What the functional tests say of a kind of service."""

    @cache
    def checks(kind: type[Honest]) -> Checks:
        broken_services.ModelBakedIn.published = PUBLISHED
        with served(kind(PUBLISHED)) as own, served(kind(hidden_model)) as mounted:
            services = {"own": Served(url=own), "mounted": Served(url=mounted)}
            brief = Brief(seed=1, seconds=60, hidden_model=hidden_model, **services)
            return examine(brief, tmp_path_factory.mktemp(kind.__name__))

    return checks


def examine(brief: Brief, work: Path) -> Checks:
    (work / "brief.json").write_text(brief.model_dump_json())
    options = {
        "--challenge": FRAUD,
        "--model": PUBLISHED,
        "--brief": work / "brief.json",
        "--results": work / "results.jsonl",
        "--rootdir": FRAUD / "functional",
        "--import-mode": "importlib",
        "-c": os.devnull,
    }
    plugins = ("harness.functional.plugin", "no:cacheprovider", "no:unraisableexception")
    flat = [*(str(part) for option in options.items() for part in option), *(f"-p{plugin}" for plugin in plugins)]
    pytest.main([*flat, "-q", str(FRAUD / "functional")])
    lines = (work / "results.jsonl").read_text().splitlines()
    return {check.name: check for check in map(Check.model_validate_json, lines)}


def failed(found: Checks) -> set[str]:
    return {name for name, check in found.items() if check.outcome is Outcome.FAILED}


def test_an_honest_service_passes_every_check(checks):
    found = checks(Honest)
    assert {check.outcome for check in found.values()} == {Outcome.PASSED}
    assert len(found) >= 20


@pytest.mark.parametrize("fault", broken_services.ALL, ids=lambda fault: fault.__name__)
def test_a_fault_costs_its_own_checks_and_no_others(fault, checks):
    found = checks(fault)
    assert failed(found) == broken_services.ALL[fault]
    assert {check.outcome for check in found.values()} == {Outcome.PASSED, Outcome.FAILED}


def test_every_check_is_failed_by_some_fault(checks):
    assert set(checks(Honest)) == set().union(*broken_services.ALL.values())


def test_a_broken_route_gives_one_diagnosis(checks):
    found = checks(broken_services.OtherKey)
    root = found["single_row"].message
    assert root.startswith("The answer is no JSON object with a key 'predictions'")
    others = [found[name].message for name in broken_services.INVOCATIONS - {"single_row"}]
    assert set(others) == {"Not reached: single_row failed."}


def test_a_failed_check_shows_what_was_expected_and_observed(checks):
    check = checks(broken_services.Rounded)["predictions_match_the_model"]
    expected, observed = json.loads(check.expected), json.loads(check.observed)
    assert expected != observed
    assert observed == pytest.approx(expected, abs=1e-4)
    assert "of 200 differ" in check.message
