"""The calibration as Markdown, fit for a comment: figures, what is not as it should be, a line for each submission."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from grading.calibration.findings import findings, word
from grading.calibration.records import Calibration, Standing
from grading.formats import _text
from grading.formats.markdown import escape

SUFFIX = "md"


def render(calibration: Calibration) -> str:
    """Title, figures, findings, golden and flawed submissions, dead weight."""
    return (
        _environment()
        .get_template("calibration.md.j2")
        .render(calibration=calibration, found=calibration.summary, findings=findings(calibration), Standing=Standing)
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("grading", "calibration/formats"),
        autoescape=False,  # noqa: S701 -- this is Markdown, not HTML: `finalize` escapes every value instead
        finalize=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    named = (_text.figure, _text.quantity, _text.one_line, word)
    environment.globals.update({function.__name__: function for function in named})
    return environment
