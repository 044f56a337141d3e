"""The robustness stage on services that misbehave in one way each, and on the reference submission."""

from __future__ import annotations

import json
import shlex
import subprocess

import numpy as np
import pytest

from harness.challenge import HOME
from harness.errors import SubmissionError
from harness.robustness import malformed
from harness.robustness.strain import same
from harness.stages import robustness
from stages.tiny import files

REFERENCE = HOME / "fraud_detection" / "submissions" / "reference"
QUICK = {"drip_seconds": 2, "fuzzing_seconds": 0.5, "request_seconds": 3}
"""The fuzzer is stopped before it has begun, and its check is then undecided: it has tests of its own."""


@pytest.fixture
def frame(challenge):
    return challenge.data.sample(2, np.random.default_rng(1))


@pytest.fixture
def seen(judge, folder_of, engine_sandbox):
    return lambda *flaws, **settings: judge(
        "robustness", folder_of(files(*flaws)), engine_sandbox, **{**QUICK, **settings}
    )


def test_each_malformed_request_is_wrong_in_the_way_it_says(frame):
    cases = {}
    for case in malformed.requests(frame):
        cases.setdefault(case.check, []).append(case)
    assert set(cases) <= set(robustness.RECORDS)
    for case in (*cases["broken_json"], *cases["deep_nesting"]):
        with pytest.raises((ValueError, RecursionError)):
            json.loads(case.body)
    for case in cases["invalid_utf8"]:
        with pytest.raises(UnicodeDecodeError):
            case.body.decode()
    for case in cases["ragged_rows"]:
        table = json.loads(case.body)["dataframe_split"]
        assert {len(row) for row in table["data"]} != {len(table["columns"])}
    split, records = (json.loads(case.body) for case in cases["missing_column"])
    assert set(frame.columns) - set(split["dataframe_split"]["columns"]) == {"amount"}
    assert set(frame.columns) - set(records["dataframe_records"][0]) == {frame.columns[-1]}
    assert all(not isinstance(json.loads(case.body), dict) for case in cases["not_an_object"])


def test_a_body_that_is_too_large_is_valid_otherwise(frame):
    padded = malformed.oversized(frame, 1).body
    assert len(padded) == 2**20
    assert json.loads(padded)["dataframe_split"]["data"]


@pytest.mark.parametrize("check", ["deep_nesting", "invalid_utf8"])
def test_a_recipe_prints_what_was_sent(frame, check):
    case = next(case for case in malformed.requests(frame) if case.check == check)
    printed = subprocess.run(["/bin/bash", "-c", case.recipe], capture_output=True, check=True).stdout.strip()
    if check == "deep_nesting":
        assert printed == case.body
    else:
        assert b"\xff\xfe" in printed
        assert b"\xff\xfe" in case.body


def test_a_reproduction_holds_the_body_as_one_argument(frame):
    case = next(case for case in malformed.requests(frame) if case.check == "text_in_numeric_column")
    assert case.body.decode() in shlex.split(case.curl)


def test_answers_are_the_same_within_a_tolerance_and_nowhere_else():
    assert same([[0.25, 0.75]], [[0.25 + 1e-9, 0.75]])
    assert not same([[0.25, 0.75]], [[0.26, 0.74]])
    assert not same([1, 2], [1])
    assert not same({"a": 1}, [1])


@pytest.mark.engine
def test_a_sound_service_passes_every_check(seen):
    found = seen(fuzzing_seconds=60)
    assert found.failed == set(), {name: found.checks[name].message for name in found.failed}
    assert set(found.checks) == set(robustness.RECORDS)


OWN = [
    "empty_body", "broken_json", "not_an_object", "unknown_key", "missing_column", "text_in_numeric_column",
    "ragged_rows", "invalid_utf8", "wrong_content_type", "deep_nesting", "zero_rows",
]  # fmt: skip
FAULTS = {name: {name} for name in OWN} | {
    "no_limit": {"oversized_body"},
    "traceback": {"no_traceback"},
    "html_errors": {"errors_are_json"},
    "counts_everything": {"counters_ignore_bad_input"},
    "no_counters": {"counters_ignore_bad_input"},
    "any_route": {"not_found_and_method"},
    "one_at_a_time": {"slow_request_does_not_block"},
    "mixes_answers": {"concurrent_callers_get_their_own_answers"},
    "dies_of_broken_json": {"broken_json", "serves_after_bad_input"},
    "hangs_on_form": {"wrong_content_type"},
    "errors_as_200": {*OWN, "errors_are_json"} - {"zero_rows"},
}


@pytest.mark.engine
@pytest.mark.parametrize("flaw", FAULTS)
def test_each_fault_costs_its_own_checks_and_no_others(seen, flaw):
    assert seen(flaw).failed == FAULTS[flaw]


@pytest.mark.engine
def test_the_message_says_what_was_sent_what_came_back_and_how_to_send_it_again(seen):
    message = seen("missing_column").checks["missing_column"].message
    assert "without the column 'amount'" in message
    assert "was answered 500" in message
    assert "curl -i -X POST localhost:8080/invocations" in message


@pytest.mark.engine
def test_the_fuzzer_finds_a_server_error_and_shows_how_to_repeat_it(seen):
    found = seen("missing_column", fuzzing_seconds=60)
    assert found.failed == {"missing_column", "contract_fuzzing"}
    assert "was answered 500" in found.checks["contract_fuzzing"].message
    assert "curl" in found.checks["contract_fuzzing"].message


@pytest.mark.engine
def test_a_fuzzer_that_could_not_do_its_work_decides_nothing(seen):
    assert seen().checks["contract_fuzzing"].outcome == "error"


@pytest.mark.engine
def test_without_an_answer_to_a_valid_request_nothing_is_claimed(stage_of, folder_of, engine_sandbox):
    stage = stage_of("robustness", folder_of(files("writes_on_request")), engine_sandbox)
    with pytest.raises(SubmissionError, match="a valid request is answered 500"):
        robustness.run(stage)
    assert stage.checks == []


@pytest.mark.engine
@pytest.mark.slow
def test_the_reference_fails_nothing(judge, engine_sandbox):
    found = judge("robustness", REFERENCE, engine_sandbox)
    assert found.failed == set(), {name: found.checks[name].message for name in found.failed}
