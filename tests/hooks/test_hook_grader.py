"""`harness grade` as a process: what it found, and what it means when it finds nothing."""

from __future__ import annotations

import sys

import pytest

from harness.errors import InfrastructureError
from harness.hooks import grader as grading


def grade(tmp_path, *command, **options):
    said: list[str] = []
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "Dockerfile").write_text("FROM scratch\n")
    usual = {"challenge": "fraud_detection", "profile": "public", "runs": tmp_path / "runs", "say": said.append}
    return grading.grade(tmp_path / "ada", **usual, command=command, **options), said


def test_a_grading_gives_its_points_and_its_progress(tmp_path, grader):
    found, said = grade(tmp_path, *grader)
    assert (found.run, found.points, found.decided, found.void) == ("run-of-ada", 72.5, 80.0, False)
    assert "building" in said[0]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit('no engine')", "exit code 1.*no report.*no engine"),
        ("import sys; sys.stderr.write('broken challenge'); sys.exit(2)", "exit code 2: broken challenge"),
        ("print('{}')", "printed no report"),
        ("import os; os.abort()", "exit code -6"),
    ],
)
def test_a_process_that_does_not_grade_is_never_the_submissions_fault(tmp_path, code, said):
    with pytest.raises(InfrastructureError, match=said):
        grade(tmp_path, sys.executable, "-c", code)


def test_a_grading_that_never_ends_is_ended_with_all_that_it_started(tmp_path):
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    with pytest.raises(InfrastructureError, match="exit code -15"):
        grade(tmp_path, sys.executable, "-c", code, seconds=0.5)


def test_the_real_command_is_the_one_that_runs_unless_told(tmp_path):
    with pytest.raises(InfrastructureError, match="there is no challenge 'astrology'"):
        grading.grade(tmp_path, challenge="astrology", profile="public", runs=tmp_path, say=lambda _: None)
