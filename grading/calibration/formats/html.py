"""The calibration as one self-contained HTML page in the style of the report: no network, no script, light and dark."""

from __future__ import annotations

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from grading.calibration.findings import findings, groups, kind, stages, word
from grading.calibration.records import Calibration
from grading.formats import _text
from grading.formats.html import TEMPLATES, percent, visible

SUFFIX = "html"
OWN = PackageLoader("grading", "calibration/formats")
STYLES = ((TEMPLATES, "report.css"), (OWN, "calibration.css"))


def render(calibration: Calibration) -> str:
    """The page: the figures, what is not as it should be, the matrix, the criteria."""
    environment = _environment()
    styles = [loader.get_source(environment, name)[0] for loader, name in STYLES]
    return environment.get_template("calibration.html.j2").render(
        calibration=calibration,
        found=calibration.summary,
        style="\n".join(styles),
        findings=findings(calibration),
        groups=groups(calibration),
        stages=stages(calibration),
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=ChoiceLoader([OWN, TEMPLATES]),
        autoescape=True,
        finalize=visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    named = (_text.points, _text.number, _text.quantity, _text.figure, kind, word, percent)
    environment.globals.update({function.__name__: function for function in named})
    return environment
