"""MLflow's scoring protocol, from a data frame and back."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from harness.client import Reply
from harness.errors import SubmissionError
from harness.payloads import predictions, records, split

FRAME = pd.DataFrame({"amount": [1.5, np.nan], "count": [3, 4], "kind": ["a", None]})


def reply(status: int, body: object) -> Reply:
    return Reply(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode(), 0.1)


def test_both_forms_are_strict_json_with_nulls_for_missing_values():
    assert json.loads(json.dumps(split(FRAME), allow_nan=False)) == {
        "dataframe_split": {"columns": ["amount", "count", "kind"], "data": [[1.5, 3, "a"], [None, 4, None]]}
    }
    assert json.loads(json.dumps(records(FRAME), allow_nan=False)) == {
        "dataframe_records": [
            {"amount": 1.5, "count": 3, "kind": "a"},
            {"amount": None, "count": 4, "kind": None},
        ]
    }


def test_a_column_of_whole_numbers_stays_one_beside_columns_of_others():
    assert [type(value) for value in split(FRAME)["dataframe_split"]["data"][0]] == [float, int, str]


def test_mlflow_itself_reads_both_forms_back():
    from mlflow.pyfunc.scoring_server import infer_and_parse_data

    for payload in (split(FRAME), records(FRAME)):
        read = infer_and_parse_data(payload)
        pd.testing.assert_frame_equal(read, FRAME, check_dtype=False)


def test_predictions_come_one_a_row_of_whatever_kind():
    assert predictions(reply(200, {"predictions": [[0.1, 0.9], [0.8, 0.2]]}), 2) == [[0.1, 0.9], [0.8, 0.2]]
    assert predictions(reply(200, {"predictions": ["text"], "more": 1}), 1) == ["text"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (reply(404, {"detail": "Not Found"}), "2 valid rows were answered 404 instead of 200"),
        (reply(200, b"<html>"), "is not JSON"),
        (reply(200, [0.1, 0.2]), "no JSON object with a key 'predictions'"),
        (reply(200, {"prediction": [1, 2]}), "its keys are \\['prediction'\\]"),
        (reply(200, {"predictions": {"0": 1, "1": 2}}), "'predictions' is no list"),
        (reply(200, {"predictions": [0.1]}), "2 rows were answered with 1 predictions"),
    ],
)
def test_an_answer_that_is_not_one_prediction_a_row_says_what_it_is_instead(answer, message):
    with pytest.raises(SubmissionError, match=message):
        predictions(answer, 2)
