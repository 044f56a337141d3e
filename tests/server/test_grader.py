"""What the intake takes from `harness grade`: its command line, and what it prints while it works."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

from grading.evidence import LedgerLine, Outcome, StageResult
from harness import terminal
from harness.server.grading import Progress, Tail
from harness.server.settings import GRADER


def test_the_usual_grader_is_a_command_that_exists(tmp_path):
    named = {"submission": tmp_path / "nothing", "challenge": "fraud_detection", "runs": tmp_path}
    command = [part.format(**named) for part in GRADER]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert f"the submission {tmp_path / 'nothing'} does not exist" in answer.stderr


def test_progress_is_what_the_command_line_prints(capsys):
    expected = {"review": {"functional": 12.0}}
    spec = SimpleNamespace(expected_seconds=expected)
    shown = terminal.Progress(SimpleNamespace(challenge=SimpleNamespace(spec=spec), profile="review"))
    shown.tell("functional", "sending (many) requests")
    ended = [("repository", Outcome.PASSED, ""), ("image", Outcome.FAILED, "no (such) thing")]
    for stage, outcome, reason in ended:
        shown.finished(StageResult(stage=stage, outcome=outcome, reason=reason, ledger=LedgerLine(wall=1.25)))
    progress = Progress()
    for line in capsys.readouterr().err.splitlines():
        progress.take(line)
    assert (progress.stage, progress.message) == ("functional", "sending (many) requests")
    assert progress.done == ["repository", "image"]


def test_lines_are_taken_once_and_whole(tmp_path):
    tail = Tail(tmp_path / "said")
    assert tail.lines() == []
    with tail.path.open("ab", buffering=0) as file:
        file.write("one\nzwö".encode()[:-1])
        assert tail.lines() == ["one"]
        file.write("ö\n\nthree\n".encode()[1:])
        assert tail.lines() == ["zwö", "", "three"]
        assert tail.lines() == []
