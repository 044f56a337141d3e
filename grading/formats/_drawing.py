"""Draws points with matplotlib, through its object interface, in the page's colours.

Lines differ in dash and marker, and alarms in place, shape and fill, so that no colour is needed to tell them. The
colours start from those of Okabe and Ito (2008), chosen to be told apart with any form of colour blindness.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from grading.formats import _svg
from grading.formats._svg import INK
from grading.formats._text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = tuple[float, float]
Size = tuple[int, int]

LINES = (("-", "o"), ("--", "s"), ("-.", "^"), (":", "D"))
"""Dash and marker of the first series, the second, and so on; the fifth starts over."""
CELL = (320, 46)
AXIS = (320, 18)
SWATCH = (44, 14)
"""Widths and heights in CSS pixels."""


def lines(
    prefix: str, size: Size, drawn: Sequence[Sequence[Point]], marks: Sequence[float], *, logarithmic: bool
) -> str:
    """Lines over a shared x axis, with a dotted vertical at each mark."""
    figure, axes = _canvas(size, (46, 10, 12, 28))
    for index, points in enumerate(drawn):
        _line(axes, index, points)
    for x in marks:
        axes.axvline(x, color=INK["muted"], linewidth=1.2, linestyle=(0, (2, 3)), zorder=1)
    _number_axes(axes, size, logarithmic=logarithmic)
    return _svg.inline(figure, prefix)


def swatch(prefix: str, index: int) -> str:
    """A short piece of the line that `lines` draws at that index."""
    figure, axes = _canvas(SWATCH, (0, 0, 0, 0))
    axes.set_axis_off()
    axes.set_xlim(0, 2)
    axes.set_ylim(-1, 1)
    _line(axes, index, [(0.3, 0.0), (1.7, 0.0)])
    return _svg.inline(figure, prefix)


def timeline(prefix: str, points: Sequence[Point], marks: Sequence[float], span: Point) -> str:
    """One timeline: open circles below where it is off, filled diamonds above where it is on; shaded from a mark on."""
    figure, axes = _strip(CELL, span)
    if marks:
        axes.axvspan(marks[0], axes.get_xlim()[1], color=INK["band"], linewidth=0, zorder=0)
    for x in marks:
        axes.axvline(x, color=INK["text"], linewidth=1.2, linestyle=(0, (3, 2)), zorder=1)
    axes.plot(axes.get_xlim(), (0, 0), color=INK["line"], linewidth=1, zorder=1)
    axes.plot(*_columns(points), color=INK["muted"], linewidth=1.2, drawstyle="steps-post", zorder=2)
    for on, marker, face, edge in ((False, "o", "paper", "muted"), (True, "D", "series-1", "series-1")):
        chosen = [(x, float(on)) for x, y in points if (y > 0) is on]
        (dots,) = axes.plot(*_columns(chosen), marker, markersize=7, zorder=3)
        dots.set(markerfacecolor=INK[face], markeredgecolor=INK[edge], markeredgewidth=1.6)
    return _svg.inline(figure, prefix)


def axis(prefix: str, span: Point, marks: Sequence[float]) -> str:
    """The numbers under a column of timelines: both ends and the marks."""
    figure, axes = _strip(AXIS, span)
    for x in sorted({*span, *marks}):
        axes.text(x, 0.5, number(x), ha="center", va="center", fontsize=12, color=INK["muted"])
    return _svg.inline(figure, prefix)


def _canvas(size: Size, margins: tuple[int, int, int, int]) -> tuple[Figure, Axes]:
    """A figure of that many CSS pixels, and axes inside its margins on the left, the top, the right and the bottom."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    width, height = size
    left, top, right, bottom = margins
    # 72 pixels to the inch, because the SVG backend counts in points.
    figure = Figure(figsize=(width / 72, height / 72), dpi=72, frameon=False)
    FigureCanvasSVG(figure)
    box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    axes = figure.add_axes(box)
    axes.patch.set_visible(False)
    return figure, axes


def _strip(size: Size, span: Point) -> tuple[Figure, Axes]:
    """A canvas for a timeline: no axes, and room beside the first and the last poll."""
    figure, axes = _canvas(size, (0, 0, 0, 0))
    room = (span[1] - span[0]) * 0.06 or 1.0
    axes.set_axis_off()
    axes.set_xlim(span[0] - room, span[1] + room)
    axes.set_ylim(-0.55, 1.55)
    return figure, axes


def _line(axes: Axes, index: int, points: Sequence[Point]) -> None:
    dash, marker = LINES[index % len(LINES)]
    colour = INK[f"series-{index % len(LINES) + 1}"]
    face = INK["paper"] if index % 2 else colour
    (line,) = axes.plot(*_columns(points), linestyle=dash, marker=marker, color=colour, linewidth=2, zorder=3)
    line.set(markersize=6.5, markerfacecolor=face, markeredgewidth=1.6)


def _number_axes(axes: Axes, size: Size, *, logarithmic: bool) -> None:
    """Quiet axes: numbers and horizontal lines, nothing else."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=9))
    else:
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_locator(MaxNLocator(max(3, size[0] // 90), steps=[1, 2, 2.5, 5, 10]))
    for scale in (axes.xaxis, axes.yaxis):
        scale.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.tick_params(length=0, pad=6, labelsize=12, labelcolor=INK["muted"])
    axes.grid(axis="y", color=INK["line"], linewidth=1)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(INK["muted"])


def _columns(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
