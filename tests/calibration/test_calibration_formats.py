"""A calibration as JSON, Markdown and HTML."""

from __future__ import annotations

import json as standard
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hostile import NASTY
from markdown_it import MarkdownIt
from page import Page
from sample_calibration import everything

import grading.calibration.formats
from grading.calibration.formats import html, json, markdown
from grading.calibration.records import Calibration, Standing, Verdict
from harness import plugins

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "calibration.schema.json"
OURS = {"schema_version", "standing", "verdict"}


def poisoned(value: Any, nasty: str) -> Any:
    if isinstance(value, dict):
        return {k: v if k in OURS else poisoned(v, nasty) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [poisoned(item, nasty) for item in value]
    return nasty + value if isinstance(value, str) else value


def hostile(nasty: str) -> Calibration:
    return Calibration.model_validate(poisoned(everything().model_dump(), nasty))


def test_every_public_module_is_a_format():
    formats = {name: plugins.load(grading.calibration.formats, name) for name in ("html", "json", "markdown")}
    assert plugins.names(grading.calibration.formats) == sorted(formats)
    assert {name: module.SUFFIX for name, module in formats.items()} == {
        "html": "html", "json": "json", "markdown": "md",
    }  # fmt: skip


def test_the_sample_holds_everything_that_can_be_shown():
    sample = everything()
    cells = [cell for row in (*sample.flawed, *sample.goldens) for cell in row.cells]
    assert {cell.standing for cell in cells} == set(Standing)
    assert {row.verdict for row in sample.flawed} == set(Verdict)


def test_the_json_is_the_calibration():
    assert Calibration.model_validate_json(json.render(everything())) == everything()


def test_the_summary_holds_what_others_rely_on():
    summary = standard.loads(json.render(everything()))["summary"]
    keys = {"flawed", "caught_by_named", "collateral_share", "goldens", "goldens_losing_points", "dead_weight"}
    assert keys <= set(summary)


def test_the_published_schema_is_current_and_met():
    published = SCHEMA.read_text("utf-8")
    assert published == json.schema(), "run: python -m grading.calibration.formats.json > docs/calibration.schema.json"
    validator = jsonschema_rs.validator_for(published)
    value = standard.loads(json.render(everything()))
    validator.validate(value)
    assert not validator.is_valid({})
    assert not validator.is_valid({**value, "unknown": 1})


def test_the_page_is_well_formed_self_contained_and_its_links_lead_somewhere():
    source = html.render(everything())
    page = Page(source)
    assert len(page.values("id")) == len(set(page.values("id")))
    assert {v[1:] for v in page.values("href") if v.startswith("#")} <= set(page.values("id"))
    assert all(re.match(r"#|data:,$", address) for address in [*page.values("href"), *page.values("src")])
    assert not re.search(r"https?://|@import", source)
    assert "script" not in {tag for tag, _ in page.elements}


def test_every_line_of_the_matrix_is_as_wide_as_its_head():
    source = html.render(everything())
    matrix = source[source.index('<table class="matrix">') : source.index("</table>")]
    assert matrix.count('<th scope="col"') == 5
    lines = re.findall(r'<th scope="row".*?</tr>', matrix, re.DOTALL)
    assert len(lines) == 9
    assert {line.count("<td") for line in lines} == {5}
    assert sum(line.count('class="cell ') for line in lines) == 2 + 8 * 5


def test_the_page_says_why_something_is_not_as_it_should_be():
    text = Page(html.render(everything())).text
    for said in ("3 of 6 flawed", "too noisy", "the engine went away", "dead weight", "The fault of elsewhere"):
        assert said in text, said


@pytest.mark.parametrize("nasty", NASTY)
def test_no_string_adds_elements_to_the_page(nasty):
    assert Page(html.render(hostile(NASTY[nasty]))).structure() == Page(html.render(hostile("x"))).structure()


@pytest.mark.parametrize("nasty", sorted(set(NASTY) - {"long"}))
def test_no_string_adds_markup_to_the_comment(nasty):
    def structure(calibration: Calibration) -> list[str]:
        reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        blocks = reader.parse(markdown.render(calibration))
        found = [token.type for block in blocks for token in (block, *(block.children or []))]
        return [name for name in found if name not in ("text", "text_special", "inline")]

    assert structure(hostile(NASTY[nasty])) == structure(hostile("x"))


def test_the_comment_has_a_line_for_each_submission():
    text = markdown.render(everything())
    assert "3 of 6 flawed submissions" in text
    for row in (*everything().flawed, *everything().goldens):
        assert re.search(rf"^\| {row.name.replace('_', '.*')} \|", text, re.MULTILINE), row.name
    assert re.search(r"^\| beside .*pinned, not_root \| metrics", text.replace("\\", ""), re.MULTILINE)
