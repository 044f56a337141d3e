"""A run folder becomes a report in every format. `report.*` is derived: delete it and it comes back byte for byte."""

from __future__ import annotations

from pathlib import Path

import grading.formats
from grading.report import Report, grade
from harness import plugins, runs
from harness.challenge import read_spec
from harness.errors import UsageError


def rescore(folder: Path) -> Report:
    """Grade a run folder's evidence by the rubric that the folder keeps.

    Raises:
        UsageError: the folder is not that of a run.
        ChallengeError: its copy of `challenge.toml` is damaged.
    """
    evidence, reviews = runs.read(folder)
    spec = read_spec(folder)
    return grade(evidence, spec.rubric, reviews, title=spec.title, role=spec.role, settings=spec.report)


def render(report: Report, name: str) -> str:
    """The report in one format.

    Raises:
        UsageError: there is no such format.
    """
    try:
        module = plugins.load(grading.formats, name)
    except LookupError as error:
        raise UsageError(str(error)) from error
    text: str = module.render(report)
    return text


def prepare() -> None:
    """Import what draws the reports, which takes a second."""
    for name in plugins.names(grading.formats):
        getattr(plugins.load(grading.formats, name), "prepare", lambda: None)()


def write_all(folder: Path) -> Report:
    """Rescore a run folder and write the report in every format beside its evidence."""
    report = rescore(folder)
    for name in plugins.names(grading.formats):
        module = plugins.load(grading.formats, name)
        runs.write(folder / f"report.{module.SUFFIX}", module.render(report))
    return report
