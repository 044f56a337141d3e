"""The report as Markdown, fit for a comment on a pull request: what the candidate may read, and what to do next.

Interview questions are left out, since candidates read such comments. A stranger's text is written so that it stays
text on GitHub: no markup, HTML, links, mentions or references. The whole stays under GitHub's limit for a comment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from grading.formats import _text
from grading.formats._findings import lost, standing, unassessed, waiting
from grading.report import Report

SUFFIX = "md"
LIMIT = 60_000
"""Characters of a comment: GitHub takes 65,536."""
MARKUP = re.compile(r"[`*\[\]\\~]|(?<![a-z0-9])_|_(?![a-z0-9])|[&<>|$]|[@#]|:(?=//)|(?<=www)\.|(?<=gh)-", re.IGNORECASE)
LONGEST = 400
"""Characters of one value: enough for a message, and few enough for many."""
BREAK = "&#8203;"
"""A zero-width space, which keeps a mention, a reference or an address from being made a link."""


class Raw(str):
    """Markdown of our own making, not to be escaped again."""

    __slots__ = ()


class Block(NamedTuple):
    """A piece of the comment; where not all fit, those of the lowest rank are kept."""

    name: str
    rank: int
    text: str


def render(report: Report) -> str:
    """Title, points, criteria, what lost points and what to do, key figures; then the stages, folded away."""
    undecided = {"waiting": waiting(report), "unassessed": unassessed(report)}
    values = {"report": report, "verdicts": _text.verdicts(report), **undecided}
    # A template's macros are attributes of its module that no type checker can know.
    part: Any = _environment().get_template("report.md.j2").make_module(values)
    blocks = [
        Block("the title", 0, str(part.title())),
        Block("what is undecided", 2, str(part.undecided())),
        Block("the criteria", 1, str(part.criteria())),
        *(Block("a lost point", 3, str(part.finding(found, first=not i))) for i, found in enumerate(lost(report))),
        Block("the key figures", 1, str(part.figures())),
        *(Block(f"the stage {stage.stage}", 4, str(part.stage(stage))) for stage in report.stages),
    ]
    return _fitting(blocks)


def _fitting(blocks: Sequence[Block]) -> str:
    """Those blocks that fit, in their order, and a line that names those that do not."""
    room = LIMIT
    kept: set[int] = set()
    for index, block in sorted(enumerate(blocks), key=lambda numbered: numbered[1].rank):
        if len(block.text) <= room:
            room -= len(block.text)
            kept.add(index)
    text = "".join(block.text for index, block in enumerate(blocks) if index in kept)
    missing = dict.fromkeys(block.name for index, block in enumerate(blocks) if index not in kept)
    told = f"\nLeft out for length: {escape(', '.join(missing))}. The full report holds it.\n"
    return text + told if missing else text


def escape(value: object) -> str:
    """Any value as literal text on one line, wherever inline Markdown may stand, table cells included."""
    return value if isinstance(value, Raw) else MARKUP.sub(_literal, _text.one_line(str(value), LONGEST))


def fence(text: str, language: str = "text") -> Raw:
    """Text as a fenced block that nothing in it can close."""
    kept = _text.clean(text)
    ticks = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", kept)), 0)
    return Raw(f"{ticks}{language}\n{kept}\n{ticks}")


def _literal(match: re.Match[str]) -> str:
    character = match.group()
    if character in ":.-":
        return character + BREAK
    # A backslash reads better, but is no escape for a table's pipe, nor for what GitHub finds after rendering.
    entity = f"&#{ord(character)};" if character in "&<>|$@#" else f"\\{character}"
    return entity + BREAK if character in "@#$" else entity


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("grading", "formats"),
        autoescape=False,  # noqa: S701 -- this is Markdown, not HTML: `finalize` escapes every value instead
        finalize=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    named = (_text.points, _text.figure, _text.quantity, _text.spread, _text.one_line, _text.cut, standing, fence)
    environment.globals.update({function.__name__: function for function in named})
    return environment
