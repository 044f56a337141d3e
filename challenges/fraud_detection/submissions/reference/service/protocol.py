"""MLflow's scoring protocol: the body of a request becomes columns, or a reason why not.

Accepted are `dataframe_split` and `dataframe_records`. Columns may come in any order and there may be more of them than
the model needs. A number may be null, which means missing; the model imputes it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray[Any]]
LARGEST = 1e100
"""Beyond this a number is no measurement, and the model's own arithmetic would leave the range of a double."""


@dataclass(frozen=True)
class Signature:
    """The columns that the model takes, in its own order."""

    numeric: tuple[str, ...]
    text: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """The rows of one request: doubles for the numeric columns (missing is NaN), objects for the others."""

    rows: int
    columns: Columns

    def head(self, rows: int) -> Table:
        """The first rows."""
        return Table(min(rows, self.rows), {name: values[:rows] for name, values in self.columns.items()})


class Refused(Exception):
    """The request cannot be answered; the message tells its sender why."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def require_json(content_type: str) -> None:
    """Raises `Refused` (415) unless a body of this Content-Type is JSON."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refused("the Content-Type must be application/json", 415)


def parse(body: bytes, signature: Signature) -> Table:
    """Read the body of a request.

    Raises:
        Refused: it is not what the protocol or the signature asks for.
    """
    try:
        content = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refused(f"the body is not valid JSON in UTF-8: {error}") from error
    if not isinstance(content, dict) or len(content) != 1:
        raise Refused("the body must be an object with one key: dataframe_split or dataframe_records")
    ((key, value),) = content.items()
    if key == "dataframe_split":
        raw, rows = _split(value, signature)
    elif key == "dataframe_records":
        raw, rows = _records(value, signature)
    else:
        raise Refused(f"unknown key '{key[:80]}': expected dataframe_split or dataframe_records")
    columns = {name: _numbers(name, raw[name]) for name in signature.numeric}
    columns |= {name: _texts(name, raw[name]) for name in signature.text}
    return Table(rows, columns)


def _split(value: Any, signature: Signature) -> tuple[dict[str, Sequence[Any]], int]:
    if not isinstance(value, dict) or not {"columns", "data"} <= value.keys() <= {"columns", "data", "index"}:
        raise Refused("dataframe_split must be an object with the keys columns and data")
    names, data = value["columns"], value["data"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refused("dataframe_split.columns must be a list of names")
    if len(set(names)) != len(names):
        raise Refused("dataframe_split.columns names a column twice")
    _require(signature, names)
    if not isinstance(data, list):
        raise Refused("dataframe_split.data must be a list of rows")
    for number, row in enumerate(data):
        if not isinstance(row, list) or len(row) != len(names):
            raise Refused(f"row {number} must be a list of {len(names)} values, one for each column")
    values = zip(*data, strict=True) if data else ([] for _ in names)
    return dict(zip(names, values, strict=True)), len(data)


def _records(value: Any, signature: Signature) -> tuple[dict[str, Sequence[Any]], int]:
    if not isinstance(value, list):
        raise Refused("dataframe_records must be a list of objects")
    for number, record in enumerate(value):
        if not isinstance(record, dict):
            raise Refused(f"row {number} must be an object")
        _require(signature, record, f"row {number}: ")
    names = signature.numeric + signature.text
    return {name: [record[name] for record in value] for name in names}, len(value)


def _require(signature: Signature, names: Any, where: str = "") -> None:
    missing = [name for name in signature.numeric + signature.text if name not in names]
    if missing:
        raise Refused(f"{where}missing column: {', '.join(missing)}")


def _numbers(name: str, values: Sequence[Any]) -> NDArray[np.float64]:
    # By exact type: a bool is an int to Python, but not a number to whoever sent it.
    if not set(map(type, values)) <= {int, float, type(None)}:
        row = next(n for n, v in enumerate(values) if type(v) not in (int, float, type(None)))
        raise Refused(f"row {row}: column '{name}' must be a number or null")
    try:
        numbers = np.array(values, dtype=np.float64)
    except OverflowError:
        numbers = np.array([np.inf])
    if (np.abs(numbers) > LARGEST).any():
        raise Refused(f"column '{name}' holds a number beyond {LARGEST:g}")
    return numbers


def _texts(name: str, values: Sequence[Any]) -> NDArray[np.object_]:
    if not set(map(type, values)) <= {str}:
        row = next(n for n, v in enumerate(values) if type(v) is not str)
        raise Refused(f"row {row}: column '{name}' must be a text")
    return np.array(values, dtype=object)
