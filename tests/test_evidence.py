"""Evidence survives being written down."""

from __future__ import annotations

import json
import math

import pytest
from pydantic import ValidationError

from grading.evidence import Check, Measurement, Outcome, StageResult


def test_half_a_surrogate_pair_in_an_answer_does_not_stop_the_report():
    hostile = json.loads('"\\ud800 and \\udfff"')
    check = Check(name="c", outcome=Outcome.FAILED, message=hostile, observed=hostile)
    result = StageResult(stage="s", outcome=Outcome.FAILED, reason=hostile, checks=(check,))
    assert StageResult.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_cannot_hold_is_refused_when_it_is_recorded(value):
    with pytest.raises(ValidationError, match="finite number"):
        Measurement(name="m", value=value, unit="s")


def test_keys_that_nobody_knows_are_refused():
    with pytest.raises(ValidationError, match="Extra inputs"):
        Measurement.model_validate({"name": "m", "value": 1, "unit": "s", "mood": "good"})
