"""What becomes of a functional test: the outcome, the claim, and the message that a candidate reads."""

from __future__ import annotations

import os
import socket
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from grading.evidence import Check, Outcome
from harness.functional.brief import Brief, Served

DATA = "import pandas as pd\ndef sample(rows, rng):\n    return pd.DataFrame({'x': rng.random(rows)})\n"


@dataclass(frozen=True)
class Session:
    code: int
    checks: dict[str, Check]

    def outcomes(self) -> dict[str, str]:
        return {name: check.outcome.value for name, check in self.checks.items()}


Examine = Callable[..., Session]


@pytest.fixture
def examine(tmp_path: Path) -> Examine:
    """Runs functional tests, given as source, as the stage does but in this process."""

    def examine(source: str, *, url: str = "", problem: str = "", seconds: float = 30, seed: int = 1) -> Session:
        folder = tmp_path / "functional"
        folder.mkdir(exist_ok=True)
        # A name of its own: a module of a name that was imported once is not read again.
        tests = folder / f"test_{tmp_path.name}_{time.monotonic_ns()}.py"
        tests.write_text("import pytest\nfrom harness import kit\n" + textwrap.dedent(source))
        (tmp_path / "data.py").write_text(DATA)
        service = Served(url=url, problem=problem)
        brief = Brief(seed=seed, seconds=seconds, hidden_model=tmp_path, own=service, mounted=service)
        (tmp_path / "brief.json").write_text(brief.model_dump_json())
        results = tmp_path / f"{tests.stem}.jsonl"
        told = ["--challenge", tmp_path, "--model", tmp_path, "--brief", tmp_path / "brief.json", "--results", results]
        how = ["-c", os.devnull, "--rootdir", folder, "--import-mode", "importlib", "--assert", "plain"]
        plugins = ["-pharness.functional.plugin", "-pno:cacheprovider", "-pno:unraisableexception"]
        code = pytest.main([str(part) for part in (*told, *how, *plugins, "-q", tests)])
        lines = results.read_text().splitlines() if results.exists() else []
        return Session(int(code), {check.name: check for check in map(Check.model_validate_json, lines)})

    return examine


def test_a_test_that_raises_nothing_passed_and_says_its_claim(examine):
    session = examine('''
        def test_sums():
            """Two and two
            is four.

            More, for people who read the code.
            """
    ''')
    assert session.code == 0
    check = session.checks["sums"]
    assert (check.outcome, check.message) == (Outcome.PASSED, "Two and two is four.")


def test_a_claim_that_does_not_hold_shows_expected_and_observed_and_no_traceback(examine):
    session = examine('''
        def test_sums():
            """Sums are right."""
            kit.expect(2 + 2 == 5, "the sum is wrong; add again", 5, [4])

        def test_bare():
            """Sums are right."""
            assert 2 + 2 == 5

        def test_plain():
            """Sums are right."""
            assert 2 + 2 == 5, "the sum is wrong"

        def test_named():
            """Sums are right."""
            assert 2 + 2 == 5, "model_sum_total must rise"
    ''')
    assert session.code == 1
    check = session.checks["sums"]
    assert (check.outcome, check.message) == (Outcome.FAILED, "The sum is wrong; add again.")
    assert (check.expected, check.observed) == ("5", "[4]")
    assert session.checks["bare"].message == "This does not hold: Sums are right."
    assert session.checks["plain"].message == "The sum is wrong."
    assert session.checks["named"].message == "model_sum_total must rise."


def test_an_exception_of_the_tests_own_is_ours_and_never_the_candidates(examine):
    session = examine('''
        @pytest.fixture
        def untidy():
            yield
            assert False, "the fixture cannot be taken down"

        def test_division():
            """Numbers can be divided."""
            1 / 0

        def test_teardown(untidy):
            """Nothing is wrong with the service."""
    ''')
    assert session.outcomes() == {"division": "error", "teardown": "error"}
    assert session.checks["division"].message == "ZeroDivisionError: division by zero."


def test_a_service_that_does_not_answer_fails_the_check(examine):
    session = examine(
        '''
        def test_answers(service):
            """It answers."""
            service.get("/")
        ''',
        url="http://127.0.0.1:9",
    )
    assert session.outcomes() == {"answers": "failed"}
    assert "GET /: ConnectError" in session.checks["answers"].message


def test_a_service_that_never_got_ready_fails_the_checks_that_ask_for_it(examine):
    session = examine(
        '''
        def test_answers(mounted_service):
            """It answers."""

        def test_independent():
            """This needs no service."""
        ''',
        problem="not ready after 60 s",
    )
    assert session.outcomes() == {"answers": "failed", "independent": "passed"}
    assert session.checks["answers"].message == "Not ready after 60 s."


def test_what_rests_on_a_check_that_did_not_pass_is_not_run(examine):
    session = examine('''
        def test_fails():
            """This fails."""
            assert False, "broken"

        @kit.needs("fails")
        def test_after_failure():
            """This would divide by zero."""
            1 / 0

        @kit.needs("after_failure")
        def test_after_that():
            """This would divide by zero."""
            1 / 0

        def test_skips():
            """This is skipped."""
            pytest.skip("there is nothing to see")

        @kit.needs("skips")
        def test_after_skip():
            """This would divide by zero."""
            1 / 0

        def test_breaks():
            """This is our bug."""
            1 / 0

        @kit.needs("breaks")
        def test_after_bug():
            """This cannot be known."""
    ''')
    assert session.outcomes() == {
        "fails": "failed",
        "after_failure": "failed",
        "after_that": "failed",
        "skips": "skipped",
        "after_skip": "skipped",
        "breaks": "error",
        "after_bug": "error",
    }
    for name in ("after_failure", "after_that"):
        assert session.checks[name].message == "Not reached: fails failed.", "the first reason, not the last"
    assert [name for name, check in session.checks.items() if not check.reached] == ["after_failure", "after_that"]


@pytest.mark.parametrize(
    "source",
    [
        "def test_mute():\n    pass\n",
        'def test_a():\n    """A."""\nclass TestMore:\n    def test_a(self):\n        """A again."""\n',
        '@kit.needs("later")\ndef test_a():\n    """A."""\ndef test_later():\n    """B."""\n',
        "def test_a(:\n",
        "",
    ],
    ids=["no claim", "a name twice", "out of order", "no Python", "no tests"],
)
def test_tests_that_cannot_be_reported_are_no_verdict(examine, source):
    session = examine(source)
    assert session.code not in (0, 1)
    assert session.checks == {}


def test_a_slow_service_fails_what_its_time_does_not_suffice_for(examine):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        session = examine(
            '''
            def test_first(service):
                """It answers within its time."""
                service.get("/")

            def test_second(service):
                """It still answers."""
                service.get("/")
            ''',
            url=f"http://127.0.0.1:{mute.getsockname()[1]}",
            seconds=0.5,
        )
    assert session.outcomes() == {"first": "failed", "second": "failed"}
    assert session.checks["first"].message.startswith("GET /: no answer within 0.")
    assert "had used up the time" in session.checks["second"].message


def test_hidden_rows_depend_on_the_seed_and_the_test_alone(examine):
    def drawn(seed: int, *names: str) -> dict[str, str]:
        body = "        kit.expect(False, 'seen', '', str(rows(3)['x'].tolist() + rows(2)['x'].tolist()))\n"
        tests = "".join(f'def test_{name}(rows):\n        """Rows."""\n{body}\n' for name in names)
        return {name: check.observed for name, check in examine(tests, seed=seed).checks.items()}

    first = drawn(1, "a", "b")
    assert drawn(1, "b")["b"] == first["b"]
    assert len({first["a"], first["b"], drawn(2, "a")["a"]}) == 3
    assert len(set(first["a"].split(", "))) == 5
