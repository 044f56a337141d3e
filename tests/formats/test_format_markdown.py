from __future__ import annotations

import re
from html import unescape

import pytest
import sample_report
from hostile import NASTY, poisoned
from markdown_it import MarkdownIt
from markdown_it.token import Token

from grading.formats import markdown
from grading.formats._text import clean
from grading.report import Report

GITHUB_LIMIT = 65_536


def tokens(report: Report) -> list[Token]:
    """The blocks and spans that the rendered report is made of, HTML allowed, as GitHub reads it."""
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    found: list[Token] = []
    for block in reader.parse(markdown.render(report)):
        found += [block, *(block.children or [])]
    return found


def structure(report: Report) -> list[str]:
    return [token.type for token in tokens(report) if token.type not in ("text", "text_special", "inline")]


def words(report: Report) -> str:
    """Everything that GitHub looks through for mentions, references and addresses: all but code."""
    return "\n".join(t.content for t in tokens(report) if t.type in ("text", "text_special", "html_block"))


@pytest.mark.parametrize("nasty", sorted(set(NASTY) - {"long"}))
def test_no_string_of_evidence_adds_markup(nasty):
    report = sample_report.report()
    found = structure(poisoned(report, NASTY[nasty]))
    assert found == structure(poisoned(report, "harmless "))
    assert not {"link_open", "image", "html_inline", "em_open", "s_open", "code_inline"} & set(found)


@pytest.mark.parametrize("nasty", NASTY)
def test_the_only_html_folds_stages_away(nasty):
    blocks = [t.content for t in tokens(poisoned(sample_report.report(), NASTY[nasty])) if t.type == "html_block"]
    assert blocks
    assert set(re.findall(r"<[^>]*>?", "".join(blocks))) == {"<details>", "<summary>", "</summary>", "</details>"}


@pytest.mark.parametrize("nasty", NASTY)
def test_nobody_is_mentioned_and_nothing_is_linked(nasty):
    text = unescape(words(poisoned(sample_report.report(), NASTY[nasty])))
    assert not re.search(r"@\w|#\d|\bGH-\d|https?://|www\.\w", text, re.IGNORECASE)


@pytest.mark.parametrize("nasty", ["script", "markdown", "mentions", "mathematics"])
def test_hostile_text_is_still_readable(nasty):
    text = markdown.escape(NASTY[nasty])
    (inline,) = [t for t in MarkdownIt("commonmark").parse(f"x{text}") if t.type == "inline"]
    shown = "".join(child.content for child in inline.children or [])
    assert shown.replace("\u200b", "") == "x" + " ".join(clean(NASTY[nasty]).split())


@pytest.mark.parametrize("nasty", NASTY)
def test_a_table_cell_stays_one_cell(nasty):
    reader = MarkdownIt("commonmark").enable("table")
    rows = reader.parse(f"| a | b |\n| - | - |\n| {markdown.escape(NASTY[nasty])} | end |\n")
    assert sum(token.type == "td_open" for token in rows) == 2
    assert [token.content for token in rows if token.type == "inline"][-1] == "end"


@pytest.mark.parametrize("nasty", NASTY)
def test_a_fence_holds_anything(nasty):
    (block,) = MarkdownIt("commonmark").parse(markdown.fence(NASTY[nasty]))
    assert (block.type, block.content) == ("fence", clean(NASTY[nasty]) + "\n")


@pytest.mark.parametrize("errors", [False, True])
@pytest.mark.parametrize("nasty", ["long", "mentions", "ticks"])
def test_the_comment_stays_under_the_limit_of_github(nasty, errors):
    text = markdown.render(poisoned(sample_report.report(errors=errors), NASTY[nasty] * 3))
    assert len(text) < GITHUB_LIMIT


def test_what_does_not_fit_is_named():
    report = sample_report.report()
    many = tuple(report.stages[4].checks[8].model_copy(update={"name": f"check_{i}"}) for i in range(300))
    stages = (*report.stages[:4], report.stages[4].model_copy(update={"checks": many}), *report.stages[5:])
    text = markdown.render(report.model_copy(update={"stages": stages}))
    assert len(text) < GITHUB_LIMIT
    assert "Left out for length: the stage robustness. The full report holds it." in text
    assert "<summary>load: passed" in text


def test_the_first_line_says_that_a_grade_does_not_count_and_why():
    void = markdown.render(sample_report.report(errors=True)).splitlines()
    assert void[0] == "> [!CAUTION]"
    assert void[1].startswith(
        "> **VOID.** The harness or the machine failed, not the submission; grade again. load: The"
    )
    local = markdown.render(sample_report.local_report()).splitlines()
    assert local[0] == "> [!WARNING]"
    assert local[1].startswith("> **NOT FINAL.** the service ran as a plain process")


def test_the_comment_tells_points_criteria_losses_figures_and_stages():
    text = markdown.render(sample_report.report())
    assert text.startswith("## Fraud detection: 68.29 of 88 decided points\n")
    assert "Waits for a reviewer: Written trade-offs: latency against cost (8)." in text
    assert "| Counters count exactly | monitoring | part | 3 | 6 |" in text
    assert "| A body of 2 GB is refused early | robustness | undecided | – | 4 |" in text
    assert "#### Counters count exactly: 3 of 6" in text
    assert "observed: model_predictions_total + 187" in text
    assert "harness grade mara-lindqvist --challenge fraud_detection --stage functional --profile review" in text
    assert "| Latency p95 | 8.94 ms |" in text
    assert text.count("<details>") == text.count("</details>") == 7


def test_one_reason_that_cost_many_criteria_is_told_once():
    text = markdown.render(sample_report.unbuilt_report())
    assert text.count("Not reached: The image did not build") == 1
    assert "#### 8 criteria, one reason\n\n- Predictions equal the model's: 0 of 12\n- The drift monitor" in text
    assert "Written trade-offs: latency against cost (8), The README" in text


def test_what_was_not_reached_is_told_with_what_stopped_it_whichever_stage_it_belongs_to():
    text = markdown.render(sample_report.stuck_report())
    assert text.count("Not reached: not ready after 60 s: it listens on port 5000") == 1
    shared = text[text.index("criteria, one reason") : text.index("Not reached: ")]
    assert "- No process is root's: 0 of 2" in shared
    assert "- Predictions equal the model's: 0 of 12" in shared
    assert "| No process is root's | security | unreached | 0 | 2 |" in text


def test_criteria_that_could_not_be_assessed_for_one_reason_are_told_together():
    text = markdown.render(sample_report.report(errors=True))
    assert "- Throughput against the reference (10), Recovers from overload (4): Undecided, through no fault" in text


def test_interview_questions_are_not_told_to_the_candidate():
    report = sample_report.report()
    text = markdown.render(report)
    questions = [score.question for score in report.scores if score.question]
    assert len(questions) > 5
    assert not [question for question in questions if question in text]


def test_tables_are_tables():
    found = structure(sample_report.report())
    assert found.count("table_open") == 1 + 1 + 7 + 4
    assert found.count("tr_open") > 60
