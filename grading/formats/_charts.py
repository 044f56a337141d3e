"""Every series that stages recorded, made ready to show: lines on shared axes, or timelines as small multiples.

Series of one chart share their axes. A timeline's name may be `row / column` (`gradual / control`): those of one row
then stand beside each other; one without a column stands in the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from grading.evidence import Series
from grading.formats import _drawing, _svg
from grading.formats._drawing import Point
from grading.formats._text import number
from grading.report import Report

WIDE = (860, 320)
NARROW = (380, 280)
"""Sizes in CSS pixels of the two drawings of a chart of lines; the page shows the one that fits."""
LARGEST = 1e12
"""Greater coordinates are not drawn: a picture has no use for them, and ticks overflow."""
LOGARITHMIC_FROM = 50
"""A y axis is logarithmic where its greatest value is this many times its least."""

Mark = tuple[str, float]


@dataclass(frozen=True)
class Legend:
    """How one line is told from the others."""

    swatch: str
    name: str
    note: str


@dataclass(frozen=True)
class Lines:
    """One chart of lines, in two widths, and the numbers that it shows."""

    stage: str
    title: str
    x_unit: str
    y_unit: str
    logarithmic: bool
    wide: str
    narrow: str
    legend: tuple[Legend, ...]
    marks: tuple[Mark, ...]
    rows: tuple[tuple[float, tuple[str, ...]], ...]
    """For each x, the y of each series."""


@dataclass(frozen=True)
class Cell:
    """One timeline."""

    column: str
    svg: str
    on: tuple[float, ...]
    """The polls at which it was on."""
    polls: int
    note: str


@dataclass(frozen=True)
class Timelines:
    """One chart of timelines, as a table of small multiples."""

    stage: str
    title: str
    x_unit: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]
    marks: tuple[Mark, ...]
    axes: tuple[str, ...]
    """The numbers under each column."""


def charts(report: Report) -> tuple[Lines | Timelines, ...]:
    """Every chart of every stage, in the order in which they were recorded."""
    found: list[Lines | Timelines] = []
    with _svg.settings():
        for stage in report.stages:
            for members in _grouped(stage.series):
                make = _lines if members[0].style == "line" else _timelines
                found.append(make(f"chart{len(found)}", stage.stage, members))
    return tuple(found)


def _grouped(drawn: Sequence[Series]) -> list[list[Series]]:
    groups: dict[tuple[str, str], list[Series]] = {}
    for series in drawn:
        groups.setdefault((series.chart, series.style), []).append(series)
    return list(groups.values())


def _lines(prefix: str, stage: str, members: list[Series]) -> Lines:
    first = members[0]
    drawn = [_drawable(series) for series in members]
    values = [y for points in drawn for _, y in points]
    logarithmic = bool(values) and min(values) > 0 and max(values) / min(values) >= LOGARITHMIC_FROM
    marks = _marks(members)
    places = [x for _, x in marks]
    columns = [_by_x(points) for points in drawn]
    return Lines(
        stage=stage,
        title=first.chart,
        x_unit=first.x_unit,
        y_unit=first.y_unit,
        logarithmic=logarithmic,
        wide=_drawing.lines(f"{prefix}-wide", WIDE, drawn, places, logarithmic=logarithmic),
        narrow=_drawing.lines(f"{prefix}-narrow", NARROW, drawn, places, logarithmic=logarithmic),
        legend=tuple(Legend(_drawing.swatch(f"{prefix}-key{i}", i), s.name, s.note) for i, s in enumerate(members)),
        marks=marks,
        rows=tuple((x, tuple(c.get(x, "–") for c in columns)) for x in sorted({x for c in columns for x in c})),
    )


def _timelines(prefix: str, stage: str, members: list[Series]) -> Timelines:
    marks = _marks(members)
    places = [x for series in members for x, _ in _drawable(series)] + [x for _, x in marks]
    span = (min(places, default=0.0), max(places, default=1.0))
    placed = [_place(series.name) for series in members]
    columns = tuple(dict.fromkeys(column for _, column in placed if column)) or ("",)
    rows: dict[str, dict[str, Cell]] = {}
    for index, (series, (row, own)) in enumerate(zip(members, placed, strict=True)):
        name, column = row, own or columns[0]
        while column in rows.get(name, {}):
            name += " (again)"
        rows.setdefault(name, {})[column] = _cell(f"{prefix}-{index}", own, series, span)
    return Timelines(
        stage=stage,
        title=members[0].chart,
        x_unit=members[0].x_unit,
        columns=columns,
        rows=tuple((name, tuple(cells.get(column) for column in columns)) for name, cells in rows.items()),
        marks=marks,
        axes=tuple(_drawing.axis(f"{prefix}-axis{i}", span, [x for _, x in marks]) for i in range(len(columns))),
    )


def _place(name: str) -> tuple[str, str]:
    """The row and the column that a timeline's name asks for; no column if it has but one part."""
    row, _, column = name.rpartition(" / ")
    return (row, column) if row else (name, "")


def _cell(prefix: str, column: str, series: Series, span: Point) -> Cell:
    points = _drawable(series)
    picture = _drawing.timeline(prefix, points, [x for _, x in _marks([series])], span)
    return Cell(column, picture, tuple(x for x, y in points if y > 0), len(points), series.note)


def _drawable(series: Series) -> list[Point]:
    """The points in order of x, without those that are not numbers."""
    return sorted((x, y) for x, y in series.points if abs(x) <= LARGEST and abs(y) <= LARGEST)


def _marks(members: Sequence[Series]) -> tuple[Mark, ...]:
    """Every distinct mark, in order of its place."""
    found = {(name, x) for series in members for name, x in series.marks.items() if abs(x) <= LARGEST}
    return tuple(sorted(found, key=lambda mark: (mark[1], mark[0])))


def _by_x(points: Sequence[Point]) -> dict[float, str]:
    return {x: ", ".join(number(y) for _, y in same) for x, same in groupby(points, key=lambda point: point[0])}
