from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from httpx import Client

from tests.conftest import records, split

JSON = {"content-type": "application/json"}


def changed(rows: pd.DataFrame, column: str, value: Any) -> bytes:
    body = records(rows.head(2))
    body["dataframe_records"][1][column] = value
    return json.dumps(body).encode()


def lacking(rows: pd.DataFrame) -> bytes:
    return json.dumps(split(rows.head(2).drop(columns="amount"))).encode()


def lacking_in_one_record(rows: pd.DataFrame) -> bytes:
    body = records(rows.head(2))
    del body["dataframe_records"][1]["amount"]
    return json.dumps(body).encode()


def ragged(rows: pd.DataFrame) -> bytes:
    body = split(rows.head(2))
    body["dataframe_split"]["data"][1].pop()
    return json.dumps(body).encode()


def twice(rows: pd.DataFrame) -> bytes:
    body = split(rows.head(2))
    body["dataframe_split"]["columns"][1] = "amount"
    return json.dumps(body).encode()


def no_row(rows: pd.DataFrame) -> bytes:
    body = split(rows.head(2))
    body["dataframe_split"]["data"][1] = 7
    return json.dumps(body).encode()


BAD = {
    "nothing": lambda _: b"",
    "broken JSON": lambda rows: json.dumps(split(rows.head(2))).encode()[:-9],
    "a list": lambda rows: b"[1, 2]",
    "a number": lambda rows: b"7",
    "an unknown key": lambda rows: b'{"rows": []}',
    "a key too many": lambda rows: json.dumps(split(rows.head(1)) | records(rows.head(1))).encode(),
    "split that is a list": lambda rows: b'{"dataframe_split": []}',
    "split without data": lambda rows: b'{"dataframe_split": {"columns": ["amount"]}}',
    "columns that are no names": lambda rows: b'{"dataframe_split": {"columns": [[]], "data": []}}',
    "a column twice": twice,
    "data that is no list": lambda rows: json.dumps(split(rows.head(0))).encode().replace(b"[]", b"7"),
    "a row that is no list": no_row,
    "records that are no objects": lambda rows: b'{"dataframe_records": [1]}',
    "a missing column": lacking,
    "a column missing in one record": lacking_in_one_record,
    "ragged rows": ragged,
    "text in a numeric column": lambda rows: changed(rows, "amount", "a lot"),
    "a truth value in a numeric column": lambda rows: changed(rows, "amount", True),
    "a list in a numeric column": lambda rows: changed(rows, "amount", [1.0]),
    "infinity": lambda rows: changed(rows, "amount", float("inf")),
    "a number beyond a double": lambda rows: changed(rows, "amount", 10**400),
    "a number beyond what the model can take": lambda rows: changed(rows, "amount", 1e308),
    "a number in a text column": lambda rows: changed(rows, "channel", 3),
    "null in a text column": lambda rows: changed(rows, "channel", None),
    "invalid UTF-8": lambda rows: changed(rows, "channel", "atm").replace(b"atm", b"\xff\xfe"),
    "deep nesting": lambda rows: b'{"dataframe_split": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_is_refused_in_json_and_leaves_no_trace(client: Client, rows: pd.DataFrame, body: Any) -> None:
    answer = client.post("/invocations", content=body(rows), headers=JSON)
    assert answer.status_code == 400, answer.text
    assert set(answer.json()) == {"detail"}
    assert "Traceback" not in answer.text
    assert client.get("/monitoring/drift").json()["n_observed"] == 0
    assert "model_predictions_total 0.0" in client.get("/metrics").text
    assert client.post("/invocations", json=split(rows.head(3))).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "", "application/jsonish"])
def test_a_body_that_is_not_declared_as_json_is_refused(client: Client, rows: pd.DataFrame, kind: str) -> None:
    body = json.dumps(split(rows.head(1))).encode()
    assert client.post("/invocations", content=body, headers={"content-type": kind}).status_code == 415


def test_a_content_type_may_have_parameters(client: Client, rows: pd.DataFrame) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert client.post("/invocations", content=json.dumps(split(rows.head(1))), headers=headers).status_code == 200


@pytest.mark.parametrize("declared", [True, False])
def test_too_long_a_body_is_refused(client: Client, declared: bool) -> None:
    body = b" " * 1_000_001
    content = body if declared else (body[start : start + 65536] for start in range(0, len(body), 65536))
    assert client.post("/invocations", content=content, headers=JSON).status_code == 413


def test_no_rows_get_no_predictions(client: Client, rows: pd.DataFrame) -> None:
    for body in (split(rows.head(0)), {"dataframe_records": []}):
        answer = client.post("/invocations", json=body)
        assert (answer.status_code, answer.json()) == (200, {"predictions": []})


def test_unknown_routes_and_methods_are_refused_in_json(client: Client) -> None:
    for answer, status in ((client.get("/nope"), 404), (client.get("/invocations"), 405), (client.post("/livez"), 405)):
        assert answer.status_code == status
        assert "detail" in answer.json()
