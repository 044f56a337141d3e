"""The run folder is the record."""

from __future__ import annotations

import pytest
import sample_report

from grading.evidence import Evidence
from grading.review import Review
from harness import runs
from harness.errors import UsageError


@pytest.fixture
def folder(tmp_path):
    report = sample_report.report()
    (tmp_path / "challenge.toml").write_text("")
    made = runs.create(tmp_path / "runs", report.run, tmp_path / "challenge.toml")
    for index, result in enumerate(report.stages):
        runs.write_stage(made, index, result)
    return made


def test_what_was_written_is_read_back_in_order(folder):
    report = sample_report.report()
    evidence, reviews = runs.read(folder)
    assert evidence == Evidence(run=report.run, stages=report.stages)
    assert reviews == ()


def test_a_run_that_died_is_read_as_far_as_it_came(folder):
    last = max((folder / "evidence").glob("*.json"))
    last.rename(last.with_name(f".{last.name}.half"))
    assert len(runs.read(folder)[0].stages) == len(sample_report.report().stages) - 1


def test_reviews_are_appended(folder):
    made = [Review(criterion="c", points=p, reason="r", reviewer="R", at="t") for p in (1, 2)]
    for review in made:
        runs.append_review(folder, review)
    assert list(runs.read(folder)[1]) == made


@pytest.mark.parametrize("name", ["run.json", "evidence/00-repository.json", "reviews.jsonl"])
def test_a_damaged_file_is_named(folder, name):
    (folder / name).write_text('{"half": ')
    with pytest.raises(UsageError, match="is damaged"):
        runs.read(folder)
