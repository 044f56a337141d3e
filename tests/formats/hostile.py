"""Reports in which every free string is a stranger's, and the strings that strangers try."""

from __future__ import annotations

from typing import Any

from grading.report import Report

NASTY = {
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "attribute": '" onmouseover="alert(1)" x=\'',
    "comment": "--></style></title></pre></details>]]><!--",
    "address": "javascript:alert(1) https://evil.example www.evil.example a@evil.example //evil.example",
    "template": "{{ 7 * 7 }}{% raw %}{# #}",
    "controls": "\x00\x08\x1b[31m\x7f\x85\ufffe\uffff\u2028\r\n",
    "directions": "\u202etxt.exe\u202c\u200b\ufeff",
    "markdown": "| a | b |\n|---|---|\n# title\n\n```\n~~~\n</details>\n- [x](http://a.b) ![y](z) **b** _c_ `d` \\",
    "mentions": "@everyone @org/team #1 org/repo#2 GH-3 :tada: $x^2$ <!-- -->",
    "mathematics": "$\\frac{$ _{^",
    "long": "A" * 4000,
    "ticks": "`" * 50 + "\n" + "`" * 80,
}
FIXED = {"schema_version", "outcome", "skip", "style", "skill", "unit", "x_unit", "y_unit"}
"""Keys whose values come from the harness's own vocabulary."""


def poisoned(report: Report, nasty: str) -> Report:
    """The same report with a string put before every free string in it, names and paths included."""
    return Report.model_validate(_poison(report.model_dump(), nasty))


def _poison(value: Any, nasty: str) -> Any:
    if isinstance(value, dict):
        return {k: v if k in FIXED else _poison(v, nasty) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_poison(item, nasty) for item in value]
    return nasty + value if isinstance(value, str) else value
