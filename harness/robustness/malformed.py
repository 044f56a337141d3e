"""Requests that every sane server refuses: nothing here is a matter of taste.

Extra or reordered columns, numbers written as strings and NaN literals are not in this list, because fair servers
differ. Nor is JSON under another label: some fair servers look at the body alone.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.payloads import INVOCATIONS, records, split

if TYPE_CHECKING:
    import pandas as pd

JSON = "application/json"
NESTING = 100_000
SHOWN = 700
"""Characters of a body that a reproduction shows."""


@dataclass(frozen=True)
class Malformed:
    """One request that must be refused with a 4xx. Several may belong to one check."""

    check: str
    what: str
    """What was sent, for the candidate."""
    body: bytes
    content_type: str = JSON
    recipe: str = ""
    """A shell command that prints the body, where the body itself does not fit on a line."""

    @property
    def curl(self) -> str:
        """A command that sends the same to a service on this machine."""
        text = self.body.decode("utf-8", "backslashreplace")
        end = f"-X POST localhost:8080{INVOCATIONS} -H {shlex.quote(f'Content-Type: {self.content_type}')}"
        if self.recipe:
            return f"{self.recipe} | curl -i {end} --data-binary @-"
        shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
        return f"curl -i {end} --data-binary {shlex.quote(shown)}"


def requests(frame: pd.DataFrame) -> list[Malformed]:
    """Malformed variants of a valid request with the rows of `frame`, at least two, in the order of their checks."""
    valid = json.dumps(split(frame)).encode()
    return [
        Malformed("empty_body", "an empty body", b""),
        Malformed("broken_json", "JSON that ends half-way", valid[: len(valid) // 2]),
        Malformed("broken_json", "a body that is no JSON at all", b"not json"),
        *(
            Malformed("not_an_object", f"{what} where an object belongs", json.dumps(value).encode())
            for what, value in {"a list": [1, 2, 3], "a text": "text", "null": None, "a number": 42}.items()
        ),
        Malformed("unknown_key", "an object with nothing but an unknown key", json.dumps({"table": []}).encode()),
        *_rows(frame),
        Malformed(
            "invalid_utf8",
            "bytes that are not UTF-8",
            valid.replace(b"dataframe_split", b"dataframe_\xff\xfesplit", 1),
            recipe="printf '{\"dataframe_\\xff\\xfesplit\": {}}'",
        ),
        Malformed("wrong_content_type", "an XML document, labelled so", b"<rows><row/></rows>", "application/xml"),
        Malformed("wrong_content_type", "a form", b"amount=1&hour=2", "application/x-www-form-urlencoded"),
        Malformed(
            "deep_nesting",
            f"{NESTING:,} nested lists",
            b'{"dataframe_split": ' + b"[" * NESTING + b"]" * NESTING + b"}",
            recipe=f'python3 -c \'n = {NESTING}; print("{{\\"dataframe_split\\": " + "[" * n + "]" * n + "}}")\'',
        ),
    ]


def zero_rows(frame: pd.DataFrame) -> list[Malformed]:
    """Requests without rows, in both forms. An answer without predictions is as good as a refusal."""
    empty = frame.head(0)
    return [
        Malformed("zero_rows", "columns without rows", json.dumps(split(empty)).encode()),
        Malformed("zero_rows", "an empty list of records", json.dumps(records(empty)).encode()),
    ]


def oversized(frame: pd.DataFrame, megabytes: int) -> Malformed:
    """A valid request, padded with white space: only its length is wrong."""
    body = json.dumps(split(frame)).encode()
    size = megabytes * 2**20
    recipe = f"python3 -c 'print(\" \" * {size})'"
    return Malformed("oversized_body", f"a body of {megabytes} MB", body[:1] + b" " * (size - len(body)) + body[1:],
                     recipe=recipe)  # fmt: skip


def _rows(frame: pd.DataFrame) -> Iterator[Malformed]:
    """Well-formed JSON whose rows are wrong, as columns and rows and as records."""
    columns, data = (split(frame)["dataframe_split"][key] for key in ("columns", "data"))
    number = next(n for n, name in enumerate(columns) if frame[name].dtype.kind in "fiu")
    last = len(columns) - 1

    def of(columns: list[str], data: list[list[Any]]) -> bytes:
        return json.dumps({"dataframe_split": {"columns": columns, "data": data}}).encode()

    def without(values: list[Any], n: int) -> list[Any]:
        return [*values[:n], *values[n + 1 :]]

    def named(columns: list[str], data: list[list[Any]]) -> bytes:
        return json.dumps({"dataframe_records": [dict(zip(columns, row, strict=True)) for row in data]}).encode()

    yield Malformed("missing_column", f"rows without the column '{columns[number]}'",
                    of(without(columns, number), [without(row, number) for row in data]))  # fmt: skip
    yield Malformed("missing_column", f"records without the column '{columns[last]}'",
                    named(without(columns, last), [without(row, last) for row in data]))  # fmt: skip
    text = [[*data[0][:number], "not a number", *data[0][number + 1 :]], *data[1:]]
    for form, body in (("rows", of(columns, text)), ("records", named(columns, text))):
        yield Malformed("text_in_numeric_column", f"{form} with a text in the numeric column '{columns[number]}'", body)
    yield Malformed("ragged_rows", "a row with fewer values than columns", of(columns, [*data[:-1], data[-1][:-2]]))
    yield Malformed("ragged_rows", "a row with more values than columns", of(columns, [*data[:-1], [*data[-1], 1.0]]))
