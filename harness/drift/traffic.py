"""How rows become requests: the conditions that rotate over the pairs, the same in both twins.

Each is there for monitors that would otherwise pass: `row by row` for those that look at one request or count requests,
`in a burst` for those that lose rows when callers overlap, `slowly` for windows of time and alarms at a rate, `among
malformed requests` for those that observe rows before they check them. Under `row by row` only the last batch before
each poll is sent so and the others whole: a monitor that looks at a single request is polled right after one, and all
rows singly would be 3,000 requests a run. `slowly` pauses between batches, for 3 s in a run: it varies the pace.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from harness.drift.arms import Condition, Rows
from harness.drift.settings import Settings

Spoilt = Literal["text in a numeric column", "a missing column", "ragged rows", "broken JSON"]
SPOILT: tuple[Spoilt, ...] = get_args(Spoilt)
SMALL = 20
"""Rows in a request under the condition `among malformed requests`..."""
SPOILT_EVERY = 2
"""...and of so many blocks between polls, each of 25 such requests, one ends with a malformed one: 2 % of all."""


@dataclass(frozen=True)
class Request:
    """One request. `spoilt` says how it is malformed; its rows are then of no account."""

    rows: Rows
    spoilt: Spoilt | None = None


def requests(block: Rows, condition: Condition, settings: Settings, number: int) -> Iterator[Request]:
    """The requests that carry the rows between two polls; `number` counts these blocks."""
    if condition == "row by row":
        yield from _cut(block[: -settings.batch], settings.batch)
        yield from _cut(block[-settings.batch :], 1)
    elif condition == "among malformed requests":
        yield from _cut(block, SMALL)
        if number % SPOILT_EVERY == 1:
            # Right before the poll, so that what it adds to the window has not left it again.
            yield Request(block[:SMALL], SPOILT[number // SPOILT_EVERY % len(SPOILT)])
    else:
        yield from _cut(block, settings.batch)


def spoil(columns: list[str], rows: Rows, how: Spoilt) -> bytes:
    """A body that every sane server refuses, made from valid rows."""
    data = [list(row) for row in rows]
    if how == "a missing column":
        columns, data = columns[1:], [row[1:] for row in data]
    elif how == "ragged rows":
        data[-1] = data[-1][:-1]
    elif how == "text in a numeric column":
        number = next((i for i, value in enumerate(data[-1]) if isinstance(value, float)), 0)
        data[-1][number] = "a lot"
    body = json.dumps({"dataframe_split": {"columns": columns, "data": data}}).encode()
    return body[: len(body) // 2] if how == "broken JSON" else body


def _cut(rows: Rows, size: int) -> Iterator[Request]:
    return (Request(rows[start : start + size]) for start in range(0, len(rows), size))
