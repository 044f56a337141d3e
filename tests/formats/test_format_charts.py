from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
import sample_report
from page import Page

from grading.evidence import Series
from grading.formats import _charts, html
from grading.formats._charts import Lines, Timelines
from grading.report import Report


def with_series(*series: Series) -> Report:
    report = sample_report.report()
    stage = report.stages[0].model_copy(update={"series": series})
    return report.model_copy(update={"stages": (stage,)})


def line(name: str, *points: tuple[float, float], chart: str = "memory", **more: object) -> Series:
    return Series(chart=chart, name=name, style="line", x_unit="s", y_unit="MB", points=points, **more)


def alarms(name: str, *points: tuple[float, float], chart: str = "alarms", **more: object) -> Series:
    return Series(chart=chart, name=name, style="timeline", x_unit="rows", y_unit="alarm", points=points, **more)


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 -- our own drawing


def only(*series: Series) -> Lines | Timelines:
    report = with_series(*series)
    Page(html.render(report))
    (chart,) = _charts.charts(report)
    return chart


def test_any_chart_of_any_stage_is_drawn():
    found = _charts.charts(
        with_series(line("rss", (0, 1), (1, 2)), alarms("a", (1, 0)), line("cpu", (0, 1), chart="cpu"))
    )
    assert [(type(c), c.title) for c in found] == [(Lines, "memory"), (Timelines, "alarms"), (Lines, "cpu")]


def test_series_of_one_chart_share_it_even_if_others_stand_between_them():
    one, _ = _charts.charts(with_series(line("a", (0, 1)), line("x", (0, 1), chart="other"), line("b", (1, 2))))
    assert isinstance(one, Lines)
    assert [entry.name for entry in one.legend] == ["a", "b"]


def test_the_numbers_behind_lines_are_given_by_x():
    chart = only(line("a", (2, 20.0), (1, 10.0)), line("b", (2, 5.0), (3, 1234.6)))
    assert isinstance(chart, Lines)
    assert chart.rows == ((1, ("10", "–")), (2, ("20", "5")), (3, ("–", "1,235")))


@pytest.mark.parametrize(("least", "logarithmic"), [(100.0, False), (10.0, True), (0.0, False), (-5.0, False)])
def test_the_y_axis_is_logarithmic_where_values_span_orders_of_magnitude(least, logarithmic):
    chart = only(line("a", (1, least), (2, 1000.0)))
    assert isinstance(chart, Lines)
    assert chart.logarithmic is logarithmic


@pytest.mark.parametrize(
    "points",
    [
        (),
        ((1.0, 1.0),),
        ((1.0, 0.0), (1.0, 0.0)),
        ((1e300, 1.0), (1.0, -1e300), (1.0, 1e-300)),
        tuple((float(i), float(i % 7)) for i in range(1000)),
    ],
    ids=["none", "one", "the same twice", "huge and tiny", "many"],
)
@pytest.mark.parametrize("make", [line, alarms])
def test_no_points_break_a_chart(make, points):
    only(make("a", *points, marks={"onset": 1e300, "end": 3.0}))


def test_a_pair_of_timelines_stands_in_one_row():
    chart = only(alarms("x / drift", (1, 1)), alarms("x / control", (1, 0)), alarms("y / drift", (1, 0)))
    assert isinstance(chart, Timelines)
    assert chart.columns == ("drift", "control")
    assert [(name, [bool(cell) for cell in cells]) for name, cells in chart.rows] == [
        ("x", [True, True]),
        ("y", [True, False]),
    ]


def test_a_timeline_without_a_pair_stands_in_the_first_column():
    chart = only(alarms("x / drift", (1, 1)), alarms("x / control", (1, 0)), alarms("recovery", (1, 1)))
    assert isinstance(chart, Timelines)
    assert chart.columns == ("drift", "control")
    name, (cell, none) = chart.rows[1]
    assert (name, cell.column, none) == ("recovery", "", None)


def test_timelines_of_one_name_are_all_shown():
    chart = only(alarms("a", (1, 1)), alarms("a", (1, 0)))
    assert isinstance(chart, Timelines)
    assert [cells[0].on for _, cells in chart.rows] == [(1.0,), ()]


def test_an_alarm_differs_from_no_alarm_in_place_and_shape_not_only_in_colour():
    def marker(y: float) -> tuple[str, str]:
        chart = only(alarms("a", (1, y)))
        assert isinstance(chart, Timelines)
        root = parsed(chart.rows[0][1][0].svg)
        (use,) = root.iter("use")
        shape = next(path.get("d") for path in root.iter("path") if path.get("id") == use.get("href")[1:])
        return shape, use.get("y")

    (off_shape, off_y), (on_shape, on_y) = marker(0.0), marker(1.0)
    assert off_shape != on_shape
    assert float(on_y) < float(off_y)


def test_two_lines_differ_in_dash_and_marker_not_only_in_colour():
    chart = only(line("candidate", (1, 1), (2, 2)), line("reference", (1, 2), (2, 1)))
    assert isinstance(chart, Lines)
    candidate, reference = (parsed(entry.swatch) for entry in chart.legend)
    dashes = ["stroke-dasharray" in "".join(p.get("style", "") for p in s.iter("path")) for s in (candidate, reference)]
    assert dashes == [False, True]
    shapes = [{p.get("d") for p in s.iter("path") if p.get("id")} for s in (candidate, reference)]
    assert not shapes[0] & shapes[1]


def test_drawings_hold_numbers_only_so_that_no_name_needs_escaping_twice():
    for chart in _charts.charts(sample_report.report()):
        drawn = [chart.wide, chart.narrow] if isinstance(chart, Lines) else list(chart.axes)
        for svg in drawn:
            words = [text.text for text in parsed(svg).iter("text")]
            assert words
            assert all(word.replace(",", "").replace(".", "").isdigit() for word in words)


def test_drawings_take_colours_and_fonts_from_the_page():
    source = html.render(sample_report.report())
    drawings = source[source.index("<figure") : source.rindex("</figure>")]
    assert "var(--series-1)" in drawings
    assert "#0101f" not in drawings
    assert "font-family" not in drawings
