"""What holds for every format, and the JSON one."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest
import sample_report
from hostile import NASTY, poisoned

import grading.formats
from grading.formats import _text, html, json, junit, markdown
from grading.report import Report
from harness import plugins

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FORMATS = {"html": html, "json": json, "junit": junit, "markdown": markdown}
SUFFIXES = {"html": "html", "json": "json", "junit": "junit.xml", "markdown": "md"}
PRINT_DIGESTS = """
import hashlib, sample_report
from grading.formats import html, json, junit, markdown
report = sample_report.report()
for format in (html, json, junit, markdown):
    print(hashlib.sha256(format.render(report).encode()).hexdigest())
"""


def run(code: str, **environment: str) -> list[str]:
    path = os.pathsep.join((str(HERE), str(ROOT)))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_every_public_module_is_a_format():
    assert plugins.names(grading.formats) == sorted(FORMATS)
    assert {name: module.SUFFIX for name, module in FORMATS.items()} == SUFFIXES


def test_the_same_report_gives_the_same_bytes_in_any_process_and_configuration(tmp_path):
    taste = tmp_path / "matplotlibrc"
    taste.write_text("font.size: 30\nsvg.fonttype: path\naxes.grid: True\nlines.linewidth: 9\ntext.usetex: True\n")
    here = [
        hashlib.sha256(FORMATS[n].render(sample_report.report()).encode()).hexdigest()
        for n in ("html", "json", "junit", "markdown")
    ]
    assert run(PRINT_DIGESTS, PYTHONHASHSEED="1", MATPLOTLIBRC=str(taste), LC_ALL="C", TZ="Asia/Tokyo") == here


def test_rendering_leaves_the_settings_of_matplotlib_as_they_were():
    import matplotlib

    before = dict(matplotlib.rcParams)
    html.render(sample_report.report())
    assert dict(matplotlib.rcParams) == before


def test_matplotlib_is_loaded_only_to_draw():
    code = "import sys, grading.formats.html, grading.formats.junit; print('matplotlib' in sys.modules)"
    assert run(code) == ["False"]


def test_a_format_is_reread_as_the_report_it_shows():
    for report in (sample_report.report(errors=True), sample_report.unbuilt_report(), sample_report.local_report()):
        assert Report.model_validate_json(json.render(report)) == report


def test_the_json_holds_what_others_rely_on():
    keys = {"schema_version", "challenge", "submission", "points", "max_points", "void", "scores", "stages", "ledger"}
    text = json.render(sample_report.report())
    assert keys <= set(jsonschema_rs_value(text))


@pytest.mark.parametrize("nasty", NASTY)
def test_every_report_meets_the_published_schema(nasty):
    validator = jsonschema_rs.validator_for((ROOT / "docs" / "report.schema.json").read_text("utf-8"))
    for report in (sample_report.report(errors=True), sample_report.local_report()):
        validator.validate(jsonschema_rs_value(json.render(poisoned(report, NASTY[nasty]))))


def test_the_published_schema_is_current():
    published = (ROOT / "docs" / "report.schema.json").read_text("utf-8")
    assert published == json.schema(), "run: python -m grading.formats.json > docs/report.schema.json"


def test_the_schema_refuses_what_is_no_report():
    validator = jsonschema_rs.validator_for(json.schema())
    assert not validator.is_valid({})
    value = jsonschema_rs_value(json.render(sample_report.report()))
    assert validator.is_valid(value)
    assert not validator.is_valid({**value, "points": "68"})
    assert not validator.is_valid({**value, "unknown": 1})


def test_every_field_of_the_schema_that_is_not_plain_says_what_it_means():
    text = json.schema()
    assert "The sum of all decided scores." in text
    assert "`ERROR` is always the harness's own fault" in text


def jsonschema_rs_value(text: str) -> dict:
    import json as standard

    return standard.loads(text)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (5.0, "5"),
        (0.0021, "0.0021"),
        (68.294, "68.3"),
        (999.6, "1,000"),
        (1234567.0, "1,234,567"),
        (-41.72, "-41.7"),
        (0.00001234, "1.23e-05"),
        (1e15, "1.00e+15"),
        (float("nan"), "not a number"),
        (float("inf"), "infinite"),
    ],
)
def test_numbers_are_shown_to_three_digits(value, shown):
    assert _text.number(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(7.0, "7"), (7.29, "7.29"), (7.5, "7.5"), (0.0, "0"), (10.0, "10")])
def test_points_are_shown_as_the_rubric_rounds_them(value, shown):
    assert _text.points(value) == shown


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.0536, "1", "5.36 %"),
        (0.0, "1", "0 %"),
        (318.2, "1/s", "318 /s"),
        (12.0, "ms", "12 ms"),
        (None, "ms", "not measured"),
    ],
)
def test_key_figures_are_shown_as_the_industry_quotes_them(value, unit, shown):
    assert _text.figure(value, unit).replace(_text.NO_BREAK, " ") == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ntext", "plain\ntext"),
        ("a\tb\r\nc", "a    b\nc"),
        ("\x1b[31mred\x00", "\\x1b[31mred\\x00"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("é 中 😀", "é 中 😀"),
        ("\U0001fffe", "\\U0001fffe"),
        ("\ud800", "\\ud800"),
    ],
)
def test_invisible_characters_are_spelled_out(text, shown):
    assert _text.clean(text) == shown


def test_a_command_survives_any_name():
    odd = sample_report.report().model_copy(update={"submission": "a b; rm -rf $HOME"})
    assert _text.command(odd, "load").startswith("harness grade 'a b; rm -rf $HOME' --challenge fraud_detection")
