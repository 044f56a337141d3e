"""The report as one self-contained HTML page: no network, no script, light and dark, fit for print.

Interview questions are in it: it is written for the hiring team. Every value is escaped by the template engine after
`_text.clean` made its invisible characters visible; a content security policy forbids whatever might still get past.
"""

from __future__ import annotations

from functools import cache
from pathlib import PurePosixPath
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from grading.formats import _svg, _text
from grading.formats._charts import Lines, charts
from grading.formats._findings import lost, standing, unassessed, waiting
from grading.report import Report

SUFFIX = "html"
TEMPLATES = PackageLoader("grading", "formats")


def prepare() -> None:
    """Import what is imported only when a page with charts is drawn."""
    _svg.prepare()


def render(report: Report) -> str:
    """The page, in the order in which a hiring team asks: whether it counts, the verdict, the reasons, the evidence."""
    environment = _environment()
    style, _, _ = TEMPLATES.get_source(environment, "report.css")
    page = environment.get_template("report.html.j2")
    findings = lost(report)
    return page.render(
        report=report,
        style=style,
        verdicts=_text.verdicts(report),
        findings=findings,
        reasons={score.criterion: f"lost-{i}" for i, found in enumerate(findings, 1) for score in found.scores},
        waiting=waiting(report),
        unassessed=unassessed(report),
        charts=[(chart, isinstance(chart, Lines)) for chart in charts(report)],
        anchors={stage.stage: f"stage-{index}" for index, stage in enumerate(report.stages, 1)},
    )


def link(path: str) -> str:
    """The address of a file of the run folder, relative to the page; empty if the path leads anywhere else."""
    parts = PurePosixPath(path).parts
    inside = bool(parts) and not path.startswith("/") and ".." not in parts
    return f"./{quote('/'.join(parts))}" if inside else ""


def percent(part: float, whole: float) -> str:
    """A length for a bar, as CSS wants it."""
    return f"{min(1.0, max(0.0, part / whole)):.2%}" if whole > 0 else "0%"


def visible(value: object) -> object:
    """Any value as the template engine should escape it; markup of our own stays as it is."""
    return _text.clean(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=TEMPLATES,
        autoescape=True,
        finalize=visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = (_text.points, _text.number, _text.quantity, _text.figure, _text.unit, _text.spread)
    environment.globals.update({function.__name__: function for function in (*text, standing, link, percent)})
    return environment
