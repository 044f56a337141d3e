from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import sample_report
from hostile import NASTY, poisoned
from page import Page

import grading.formats
from grading.evidence import Artifact
from grading.formats import html
from grading.formats._text import clean

STYLE = (Path(grading.formats.__file__).parent / "report.css").read_text("utf-8")
REPORTS = {
    "whole": sample_report.report(),
    "void": sample_report.report(errors=True),
    "local": sample_report.local_report(),
    "unbuilt": sample_report.unbuilt_report(),
    "stuck": sample_report.stuck_report(),
}


@pytest.fixture(params=REPORTS)
def name(request) -> str:
    return request.param


@cache
def rendered(name: str) -> str:
    return html.render(REPORTS[name])


def test_the_page_is_well_formed_and_its_ids_are_unique(name):
    page = Page(rendered(name))
    ids = page.values("id")
    assert len(ids) == len(set(ids)) > 10


def test_every_link_inside_the_page_leads_somewhere(name):
    page = Page(rendered(name))
    inside = [value[1:] for value in page.values("href") if value.startswith("#")]
    assert len(inside) > 8
    assert set(inside) <= set(page.values("id"))
    assert set(page.values("aria-labelledby")) <= set(page.values("id"))


def test_the_page_loads_nothing_and_runs_nothing(name):
    source = rendered(name)
    page = Page(source)
    addresses = [*page.values("href"), *page.values("src"), *page.values("xlink:href")]
    assert all(re.match(r"#|\./|data:,$", address) for address in addresses), addresses
    assert all(address.startswith("#") for address in re.findall(r"url\(([^)]*)\)", source))
    assert not re.search(r"https?://|@import", source)
    assert not {tag for tag, _ in page.elements} & {"script", "iframe", "object", "embed", "form", "base", "img"}
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


@cache
def harmless() -> Page:
    return Page(html.render(poisoned(REPORTS["whole"], "harmless ")))


@pytest.mark.parametrize("nasty", NASTY)
def test_a_string_of_evidence_is_only_ever_text(nasty):
    source = html.render(poisoned(REPORTS["whole"], NASTY[nasty]))
    page = Page(source)
    assert page.structure() == harmless().structure()
    assert " ".join(clean(NASTY[nasty]).split()) in page.text
    assert all(re.match(r"#|\./|data:,$", address) for address in page.values("href"))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ufeff\ufffe\uffff]", source)


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("artifacts/image/build.log", "./artifacts/image/build.log"),
        ("artifacts/a b%#?.log", "./artifacts/a%20b%25%23%3F.log"),
        ("javascript:alert(1)", "./javascript%3Aalert%281%29"),
        ("/etc/passwd", ""),
        ("//evil.example/x", ""),
        ("artifacts/../../secret", ""),
        ("", ""),
    ],
)
def test_artifacts_are_linked_only_inside_the_run_folder(path, address):
    assert html.link(path) == address


def test_an_artifact_outside_the_run_folder_is_named_and_not_linked():
    outside = REPORTS["whole"].stages[0].model_copy(update={"artifacts": (Artifact(name="x", path="../secret"),)})
    page = Page(html.render(REPORTS["whole"].model_copy(update={"stages": (outside,)})))
    assert "../secret" in page.text
    assert not [address for address in page.values("href") if "secret" in address]


def body(source: str) -> str:
    return Page(source[source.index("<body>") : source.index("</body>") + len("</body>")]).text


def test_the_first_line_says_that_a_grade_is_not_final_and_why():
    assert body(rendered("local")).startswith("NOT FINAL the service ran as a plain process")


def test_the_first_line_says_that_a_grade_is_void_and_why():
    assert body(rendered("void")).startswith("VOID load: The machine was not quiet")


def test_void_stands_before_not_final():
    both = REPORTS["local"].model_copy(update={"void": True, "void_because": ("image: the disk is full",)})
    text = body(html.render(both))
    assert text.startswith("VOID image: the disk is full")
    assert text.index("NOT FINAL") < text.index("mara-lindqvist")


def test_a_final_grade_starts_with_what_was_graded():
    assert body(rendered("whole")).startswith("Fraud detection · Machine-learning engineer mara-lindqvist 68.29 of 88")


def test_a_lost_point_comes_with_what_was_seen_how_to_repeat_it_and_what_to_ask():
    text = body(rendered("whole"))
    told = text[text.index("What lost points") : text.index("Undecided Waits")]
    assert "model_predictions_total + 187" in told
    assert "harness grade mara-lindqvist --challenge fraud_detection --stage functional --profile review" in told
    assert "Two workers, one counter each" in told


def test_a_run_outside_a_container_is_repeated_outside_a_container():
    assert "--profile public --sandbox local --trusted" in body(rendered("local"))


def test_one_reason_that_cost_many_criteria_is_told_once():
    text = body(rendered("unbuilt"))
    told = text[text.index("What lost points") : text.index("Undecided Waits")]
    assert told.count("Not reached: The image did not build") == 1
    assert "0 of 12 Predictions equal the model's serving 0 of 12 The drift monitor" in told
    assert "Your monitor misses a change" not in told


def test_what_was_not_reached_is_told_with_what_stopped_it_whichever_stage_it_belongs_to():
    text = body(rendered("stuck"))
    told = text[text.index("What lost points") : text.index("Undecided Waits")]
    assert told.count("Not reached: not ready after 60 s: it listens on port 5000, not on 8080. Use $PORT.") == 1
    assert "0 of 2 No process is root's security" in told
    assert "0 of 12 Predictions equal the model's serving" in told
    assert "unreached No process is root's" in text


def test_criteria_that_could_not_be_assessed_for_one_reason_are_told_together():
    report = sample_report.report(errors=True)
    text = body(html.render(report))
    told = text[text.index("Not assessed ") : text.index("Key figures Commit")]
    assert len([score for score in report.scores if score.points is None and score.stage == "load"]) == 2
    assert told.count("Undecided, through no fault of the submission: The machine was not quiet") == 1
    assert "10 points Throughput against the reference performance 4 points Recovers from overload" in told


def test_what_waits_for_a_reviewer_is_told_apart_from_what_was_not_assessed():
    text = body(rendered("whole"))
    waiting, unassessed = text.index("Waits for a reviewer 8 points"), text.index("Not assessed 4 points")
    assert waiting < text.index("Full: names the bottleneck") < unassessed < text.index("Needs 2 GB of free memory")


def test_every_check_measurement_and_figure_is_on_the_page(name):
    report, text = REPORTS[name], body(rendered(name))
    for stage in report.stages:
        for named in (*stage.checks, *stage.measurements):
            assert named.name in text
    for kpi in report.kpis:
        assert kpi.title in text


def test_every_drawing_is_hidden_from_screen_readers_and_told_in_words():
    page = Page(rendered("whole"))
    drawings = [attributes for tag, attributes in page.elements if tag == "svg"]
    assert len(drawings) > 15
    assert all(attributes.get("aria-hidden") == "true" for attributes in drawings)
    assert "alarm at 1,500, 2,000, 2,500, 3,000 rows in 6 polls." in page.text
    assert "600 1,650 9.8" in page.text


def test_every_data_table_names_its_columns():
    page = Page(rendered("whole"))
    tables = sum(tag == "table" for tag, _ in page.elements)
    heads = sum(tag == "thead" for tag, _ in page.elements)
    assert tables == heads > 8
    assert all("scope" in attributes for tag, attributes in page.elements if tag == "th")


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2, success criterion 1.4.3."""

    def luminance(colour: str) -> float:
        shares = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


LIGHT = colours(STYLE[: STYLE.index("@media screen and (prefers-color-scheme: dark)")])
DARK = LIGHT | colours(STYLE[STYLE.index("@media screen and (prefers-color-scheme: dark)") :])


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "on"),
    [
        *((ink, "paper") for ink in ("text", "muted", "accent", "good", "bad", "warn")),
        ("text", "ground"),
        ("muted", "ground"),
        *((ink, banner) for banner in ("void", "draft") for ink in ("text",)),
        ("bad", "void"),
        ("warn", "draft"),
    ],
)
def test_text_has_the_contrast_that_wcag_asks_for(theme, ink, on):
    assert contrast(theme[ink], theme[on]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ink", ["series-1", "series-2", "series-3", "series-4", "muted"])
def test_lines_of_charts_have_the_contrast_that_wcag_asks_for(theme, ink):
    assert contrast(theme[ink], theme["paper"]) >= 3
    assert contrast(theme[ink], theme["band"]) >= 3


def test_both_themes_define_the_same_colours():
    assert set(colours(STYLE[STYLE.index("@media screen and (prefers-color-scheme: dark)") :])) == set(LIGHT)


def test_every_colour_of_the_page_is_defined():
    used = set(re.findall(r"var\(--([\w-]+)\)", rendered("whole")))
    assert used <= set(LIGHT) | {"mono"}
