"""The CI script, run as the runners run it: as action.yml and the GitLab template do, with files for their outputs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hook_repositories import GITHUB, commit, git

ROOT = Path(__file__).resolve().parent.parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
INPUTS, TEMPLATE = yaml.safe_load_all((ROOT / "ci" / "gitlab.yml").read_text())
KEY = "the reviewer's key, 32 characters"


@pytest.fixture
def runner(tmp_path, served, grader):
    """What a runner gives each job; the fields of a context are written as the action names them."""
    for name in ("summary", "output"):
        (tmp_path / name).touch()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "GRADE_COMMAND": " ".join(grader),
        "GRADE_PROTOCOL": "http",
    }
    return environment, served, tmp_path


def evaluated(text, context):
    return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", lambda found: context[found[1]], text)


def act(runner, sha, **inputs):
    """Run the action's own grading step as GitHub's runner does; gives the process, the summary, and the outputs."""
    environment, served, folder = runner
    (step,) = [step for step in ACTION["runs"]["steps"] if step.get("id") == "grade"]
    given = {"challenge": "fraud_detection", "repository": GITHUB, "sha": sha, "token": "t0ken", "key": KEY, **inputs}
    defaults = {name: field.get("default", "") for name, field in ACTION["inputs"].items()}
    context = {f"inputs.{name}": value for name, value in {**defaults, **given}.items()}
    context |= {"github.action_path": str(ROOT), "github.server_url": served, "runner.temp": str(folder)}
    stepped = {name: evaluated(value, context) for name, value in step["env"].items()}
    files = {"GITHUB_STEP_SUMMARY": str(folder / "summary"), "GITHUB_OUTPUT": str(folder / "output")}
    done = subprocess.run(
        [step["shell"], "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        env={**environment, **files, "GITHUB_ACTIONS": "true", **stepped, "GRADE_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
        check=False,
    )
    outputs = dict(line.split("=", 1) for line in (folder / "output").read_text().splitlines())
    return done, (folder / "summary").read_text(), outputs


def test_a_commit_is_graded_with_summary_outputs_and_artifacts(runner, head, tmp_path):
    done, summary, outputs = act(runner, head)
    assert done.returncode == 0, done.stderr
    assert summary == "the report as md\n"
    assert outputs == {"exit-code": "0", "points": "72.5", "decided-points": "80.0", "void": "false"}
    results = tmp_path / "harness-results"
    kept = {path.name for path in results.iterdir()}
    assert kept == {"digest.txt", "report.json", "report.md", "report.html", "report.junit.xml", "runs"}
    assert not set(outputs) - set(ACTION["outputs"])


def test_points_below_fail_under_are_exit_code_1_with_the_same_report(runner, head):
    done, summary, outputs = act(runner, head, **{"fail-under": "80"})
    assert (done.returncode, outputs["exit-code"]) == (1, "1")
    assert summary == "the report as md\n"


def test_a_void_grading_is_exit_code_3(runner, work, origin):
    sha = commit(work, {"Dockerfile": "FROM scratch\n# void\n"})
    git(work, "push", "-q", str(origin / f"{GITHUB}.git"), "HEAD:master")
    done, _, outputs = act(runner, sha)
    assert (done.returncode, outputs["exit-code"], outputs["void"]) == (3, "3", "true")


def test_the_real_command_says_what_is_wrong_with_exit_code_2(runner, head):
    del runner[0]["GRADE_COMMAND"]
    done, summary, outputs = act(runner, head, challenge="astrology")
    assert done.returncode == 2
    assert "there is no challenge 'astrology'" in done.stderr
    assert "Not graded" in summary
    assert outputs == {"exit-code": "2", "points": "", "decided-points": "", "void": ""}


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"sha": "1" * 40}, "could not be fetched"),
        ({"sha": "master"}, "could not be fetched"),
        ({"sha": ""}, "GRADE_SHA is not set"),
        ({"repository": "eve/nothing"}, "could not be fetched"),
        ({"key": ""}, "wants the reviewer's key"),
    ],
)
def test_what_cannot_be_graded_is_exit_code_2_and_says_why(runner, head, grader, inputs, said):
    done, summary, _ = act(runner, **{"sha": head, **inputs})
    assert done.returncode == 2
    assert said in done.stderr
    assert said in summary
    assert not Path(grader[1]).with_suffix(".log").exists()


@pytest.mark.parametrize("name", ["challenge", "fail-under", "repository", "sha", "profile", "token", "key"])
def test_values_are_never_read_as_commands(runner, head, tmp_path, name):
    act(runner, **{"sha": head, name: f'x"; touch {tmp_path}/sprung; $(touch {tmp_path}/sprung) #'})
    assert not (tmp_path / "sprung").exists()


def test_nothing_of_the_candidates_repository_is_run_or_taken_for_ours(runner, work, origin, tmp_path):
    trap = f"import pathlib; pathlib.Path({str(tmp_path / 'sprung')!r}).touch()\n"
    names = ("harness/__init__.py", "harness/__main__.py", "sitecustomize.py", "json.py", "pathlib.py")
    files = {"Makefile": f"$(shell touch {tmp_path}/sprung)\n", "ci/grade.sh": f"touch {tmp_path}/sprung\n"}
    workflow = {".github/workflows/grade.yml": "on: push\n", "action.yml": "runs: {}\n"}
    sha = commit(work, {"Dockerfile": "FROM scratch\n", **dict.fromkeys(names, trap), **files, **workflow})
    git(work, "push", "-q", str(origin / f"{GITHUB}.git"), "HEAD:master")
    done, summary, outputs = act(runner, sha)
    assert done.returncode == 0, done.stderr
    assert (summary, outputs["points"]) == ("the report as md\n", "72.5")
    assert not (tmp_path / "sprung").exists()


def test_the_runner_takes_no_commands_from_what_a_submission_says(runner, head):
    lines = act(runner, head)[0].stdout.splitlines()
    paused = re.fullmatch(r"::stop-commands::([0-9a-f]{32})", lines[0])
    assert paused
    assert lines[-1] == f"::{paused[1]}::"


def test_secrets_reach_neither_the_log_nor_the_grading_nor_the_artifacts(runner, head, tmp_path):
    leak = tmp_path / "leak.py"
    leak.write_text(
        "import os, pathlib, sys; pathlib.Path(sys.argv[0]).with_suffix('.env').write_text(repr(os.environ))\n"
    )
    runner[0]["GRADE_COMMAND"] = f"{sys.executable} {leak}"
    done, summary, _ = act(runner, head, token="s3cret-token")  # noqa: S106  # of this test
    seen = leak.with_suffix(".env").read_text()
    for secret in (KEY, "s3cret-token"):
        assert secret not in seen + done.stdout + done.stderr + summary
    assert "HARNESS_KEY_FILE" in seen
    kept = [path.read_text() for path in (tmp_path / "harness-results").rglob("*") if path.is_file()]
    assert KEY not in "".join(kept)


def test_results_of_another_commit_are_never_taken_for_this_ones(runner, head, tmp_path):
    (tmp_path / "harness-results").mkdir()
    (tmp_path / "harness-results" / "report.json").write_text("{}")
    done, _, _ = act(runner, head)
    assert done.returncode == 2
    assert "is not empty" in done.stderr


def test_gitlabs_job_grades_with_junit_and_artifacts(runner, head, tmp_path):
    environment, served, _ = runner
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "harness").symlink_to(ROOT)
    given = {"challenge": "fraud_detection", "repository-url": f"{served}/{GITHUB}.git", "sha": "$CI_COMMIT_SHA"}
    inputs = {name: field.get("default", "") for name, field in INPUTS["spec"]["inputs"].items()} | given
    job = TEMPLATE["grade"]
    lines = [re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda found: inputs[found[1]], line) for line in job["script"]]
    # The environment that before_script makes is the tests' own; making one anew takes a minute and a network.
    lines[0] = f"export GRADE_PYTHON={sys.executable}"
    variables = {"CI_PROJECT_DIR": str(tmp_path), "CI_COMMIT_SHA": head, "CI_JOB_TOKEN": "t", "HARNESS_KEY": KEY}
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(lines)],
        env={**environment, **variables},
        cwd=tmp_path / "job",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for path in (*job["artifacts"]["paths"], job["artifacts"]["reports"]["junit"]):
        assert (tmp_path / path).exists()


def test_everything_that_is_used_is_pinned_and_no_value_is_part_of_a_script():
    steps = ACTION["runs"]["steps"]
    assert all(re.search(r"@[0-9a-f]{40}$", step["uses"]) for step in steps if "uses" in step)
    assert not [step for step in steps if "${{" in step.get("run", "")]
    assert "regex" in INPUTS["spec"]["inputs"]["harness-sha"]


def test_the_script_is_told_all_that_it_reads():
    (step,) = [step for step in ACTION["runs"]["steps"] if step.get("id") == "grade"]
    read = set(re.findall(r"GRADE_[A-Z_]+", (ROOT / "ci" / "grade.sh").read_text()))
    told = {name for name in step["env"] if name.startswith("GRADE_")}
    assert read - told == {"GRADE_PROTOCOL", "GRADE_COMMAND"}
    assert told == set(re.findall(r"GRADE_[A-Z_]+", "\n".join(TEMPLATE["grade"]["script"])))
