"""MLflow's scoring protocol: rows become request bodies, and answers become predictions.

Both forms of request: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/. A missing value is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import SubmissionError

if TYPE_CHECKING:
    import pandas as pd

    from harness.client import Reply

INVOCATIONS = "/invocations"


def split(frame: pd.DataFrame) -> dict[str, Any]:
    """A body with the columns' names once: `{"dataframe_split": {"columns": [...], "data": [[...], ...]}}`."""
    return {"dataframe_split": {"columns": list(frame.columns), "data": cells(frame)}}


def records(frame: pd.DataFrame) -> dict[str, Any]:
    """A body with the columns' names in each row: `{"dataframe_records": [{...}, ...]}`."""
    columns = list(frame.columns)
    return {"dataframe_records": [dict(zip(columns, row, strict=True)) for row in cells(frame)]}


def cells(frame: pd.DataFrame) -> list[list[Any]]:
    """The values of a frame, row by row, as JSON has them: a missing one is None."""
    return [list(row) for row in zip(*(_column(frame[name]) for name in frame.columns), strict=True)]


def predictions(reply: Reply, rows: int) -> list[Any]:
    """The predictions in the answer to `rows` valid rows, one a row.

    Raises:
        SubmissionError: the answer is not 200, not JSON, or not one prediction a row under the key `predictions`.
    """
    if reply.status != 200:
        what = "a valid row was" if rows == 1 else f"{rows} valid rows were"
        raise SubmissionError(f"{what} answered {reply.status} instead of 200: {reply.text[:200]!r}")
    answer = reply.json()
    if not isinstance(answer, dict) or "predictions" not in answer:
        keys = f"its keys are {sorted(answer)[:10]}" if isinstance(answer, dict) else f"it starts {reply.text[:80]!r}"
        raise SubmissionError(f"the answer is no JSON object with a key 'predictions': {keys}")
    given = answer["predictions"]
    if not isinstance(given, list):
        raise SubmissionError(f"'predictions' is no list: it starts {str(given)[:80]!r}")
    if len(given) != rows:
        raise SubmissionError(f"{rows} rows were answered with {len(given)} predictions")
    return given


def _column(values: pd.Series[Any]) -> list[Any]:
    return [None if missing else value for value, missing in zip(values.tolist(), values.isna(), strict=True)]
