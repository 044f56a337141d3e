"""Requests that every sane server rejects: nothing here is a matter of taste.

Extra or reordered columns, numbers written as strings and NaN literals are not in this list, because fair servers
differ.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.payloads import split

if TYPE_CHECKING:
    import pandas as pd

JSON = "application/json"
NESTING = 100_000


@dataclass(frozen=True)
class Malformed:
    """One request that must be refused with a 4xx."""

    name: str
    what: str
    """What was sent, for the candidate."""
    body: bytes
    content_type: str = JSON


def requests(frame: pd.DataFrame) -> list[Malformed]:
    """Malformed variants of a valid request with the rows of `frame`, one for each way of being wrong."""
    valid = split(frame)
    body = json.dumps(valid).encode()
    columns, data = valid["dataframe_split"]["columns"], valid["dataframe_split"]["data"]
    number = next(i for i, name in enumerate(columns) if frame[name].dtype.kind == "f")

    def of(columns: object, data: object) -> bytes:
        return json.dumps({"dataframe_split": {"columns": columns, "data": data}}).encode()

    text = [*data[0][:number], "not a number", *data[0][number + 1 :]]
    without = [[*row[:number], *row[number + 1 :]] for row in data]
    return [
        Malformed("empty_body", "an empty body", b""),
        Malformed("broken_json", "JSON that ends half-way", body[: len(body) // 2]),
        Malformed("not_an_object", "a JSON list instead of an object", json.dumps(data).encode()),
        Malformed("unknown_key", "an object with an unknown key only", json.dumps({"rows": data}).encode()),
        Malformed(
            "missing_column",
            f"rows without the required column '{columns[number]}'",
            of([*columns[:number], *columns[number + 1 :]], without),
        ),
        Malformed(
            "text_in_numeric_column",
            f"the text 'not a number' in the column '{columns[number]}'",
            of(columns, [text, *data[1:]]),
        ),
        Malformed("ragged_rows", "a row with fewer values than columns", of(columns, [*data, data[0][:-2]])),
        Malformed("invalid_utf8", "bytes that are not UTF-8", body[:-3] + b"\xff\xfe" + body[-3:]),
        Malformed("wrong_content_type", "an XML document, labelled so", b"<rows><row/></rows>", "application/xml"),
        Malformed("deep_nesting", f"{NESTING:,} opening brackets", b"[" * NESTING),
    ]


def zero_rows(frame: pd.DataFrame) -> bytes:
    """A request with all columns and no rows."""
    return json.dumps(split(frame.head(0))).encode()


def oversized(frame: pd.DataFrame, size: int) -> bytes:
    """A valid request, padded with white space to `size` bytes: only its length is wrong."""
    body = json.dumps(split(frame)).encode()
    return body[:1] + b" " * (size - len(body)) + body[1:]
