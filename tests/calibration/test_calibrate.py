"""`harness challenge calibrate`: what it prints, its exit codes, and faults caught in real containers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import docker
import pytest
from a_challenge import HEADERS

from harness import challenge, grading_run
from harness.calibration import cases, known, running, together
from harness.challenge import HOME
from harness.sandbox._owner import RUN

ROOT = Path(__file__).resolve().parents[2]
FRAUD = HOME / "fraud_detection"
HARMLESS = """\
diff --git a/service/py.typed b/service/py.typed
new file mode 100644
--- /dev/null
+++ b/service/py.typed
@@ -0,0 +1 @@
+partial
"""
BROKEN = HARMLESS.replace("new file mode 100644\n", "").replace("/dev/null", "a/service/py.typed")


def calibrate(*arguments, **env):
    command = [sys.executable, "-m", "harness", "challenge", "calibrate", *map(str, arguments)]
    environment = {**os.environ, **env}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=900, check=False)


@pytest.fixture
def own_challenge(tmp_path):
    """A copy of the first challenge with the faults that a test puts there; `fault(name, loses, diff)` adds one."""
    folder = tmp_path / "fraud_detection"
    left_out = shutil.ignore_patterns("__pycache__", "golden", "flawed", "third_party", ".venv")
    shutil.copytree(FRAUD, folder, ignore=left_out)
    (folder / "submissions" / "flawed").mkdir()

    def fault(name: str, loses: str, diff: str) -> None:
        path = folder / "submissions" / "flawed" / f"{name}.patch"
        path.write_text(HEADERS.replace("pinned", loses) + f"\n{diff}")

    return folder, fault


def known_fault(name: str) -> str:
    text = (FRAUD / "submissions" / "flawed" / f"{name}.patch").read_text()
    return text[text.index("diff --git") :]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["astrology"], "challenges/astrology/challenge.toml cannot be read"),
        (["fraud_detection", "astrology"], "no known submission 'astrology'"),
        (["fraud_detection", "--stage", "astrology"], "there is no stage 'astrology'"),
        (["fraud_detection", "unpinned_requirements", "--stage", "load"], "nothing to run"),
        (["fraud_detection", "--profile", "astrology"], "public"),
    ],
)
def test_wrong_usage_says_what_to_do_and_leaves_nothing_behind(arguments, said, tmp_path):
    answer = calibrate(*arguments, "--runs", tmp_path / "runs", HARNESS_CACHE=str(tmp_path / "cache"))
    assert answer.returncode == 2, answer.stderr
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "runs").exists()
    assert not list((tmp_path / "cache").glob("*"))


def test_a_broken_patch_stops_everything_before_anything_runs(own_challenge, tmp_path):
    folder, fault = own_challenge
    fault("a_good_one", "pinned", HARMLESS)
    fault("broken", "pinned", BROKEN)
    answer = calibrate(folder, "--no-goldens", "--runs", tmp_path / "runs", HARNESS_CACHE=str(tmp_path / "cache"))
    assert answer.returncode == 2
    assert "broken.patch:6: does not apply to reference" in answer.stderr
    assert not (tmp_path / "runs").exists()


def test_without_an_engine_it_says_how_to_get_one(tmp_path):
    absent = {"DOCKER_HOST": "unix:///nonexistent.sock", "HARNESS_CACHE": str(tmp_path / "cache")}
    answer = calibrate("fraud_detection", "root_user", "--runs", tmp_path / "runs", **absent)
    assert answer.returncode == 2
    assert "make engine" in answer.stderr


@pytest.mark.engine
def test_cheap_faults_are_caught_in_real_containers_and_written_in_every_format(tmp_path):
    files = {name: tmp_path / "out" / f"matrix.{name}" for name in ("json", "html", "markdown")}
    options = [part for name, path in files.items() for part in (f"--{name}", path)]
    answer = calibrate("fraud_detection", "root_user", "unpinned_requirements", "--runs", tmp_path / "runs", *options)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    found = json.loads(files["json"].read_text())
    assert found["summary"]["flawed"] == found["summary"]["caught_by_named"] == 2
    assert found["summary"]["collateral"] == 0
    rows = {row["name"]: row for row in found["flawed"]}
    assert rows["root_user"]["stages"] == ["image", "startup"]
    assert rows["unpinned_requirements"]["stages"] == ["repository"]
    assert all((tmp_path / "runs" / row["runs"][0] / "report.html").is_file() for row in rows.values())
    assert all("root_user" in path.read_text() or "root" in path.read_text() for path in files.values())
    lines = [line for line in answer.stderr.splitlines() if "caught by named" in line]
    assert len(lines) == 2
    assert "[2/2, " in lines[-1]


@pytest.mark.engine
def test_faults_that_are_missed_or_caught_by_another_fail_and_only_what_changed_runs_again(own_challenge, tmp_path):
    folder, fault = own_challenge
    fault("harmless", "pinned", HARMLESS)
    fault("elsewhere", "documents", known_fault("unpinned_requirements"))
    fault("caught", "pinned", known_fault("unpinned_requirements"))
    file, runs = tmp_path / "matrix.json", tmp_path / "runs"
    answer = calibrate(folder, "--no-goldens", "--runs", runs, "--json", file)
    assert answer.returncode == 1, answer.stdout + answer.stderr
    first = json.loads(file.read_text())
    verdicts = {row["name"]: row["verdict"] for row in first["flawed"]}
    assert verdicts == {"harmless": "missed", "elsewhere": "caught by another", "caught": "caught by named"}
    assert (first["summary"]["criteria_lost"], first["summary"]["collateral"]) == (2, 1)
    assert "not its own: pinned" in answer.stdout
    assert "predictions" in first["summary"]["dead_weight"]
    assert "documents" not in first["summary"]["dead_weight"]

    fault("harmless", "pinned", known_fault("unpinned_requirements"))
    fault("elsewhere", "pinned", known_fault("unpinned_requirements"))
    answer = calibrate(folder, "--no-goldens", "--runs", runs, "--json", file, "--resume")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    second = {row["name"]: row["runs"] for row in json.loads(file.read_text())["flawed"]}
    before = {row["name"]: row["runs"] for row in first["flawed"]}
    # A fault that now names another criterion of the same stage is judged anew from the evidence it left.
    assert {name for name in second if second[name] != before[name]} == {"harmless"}


@pytest.mark.engine
@pytest.mark.engine
def test_what_is_undecided_beside_others_is_decided_alone(tmp_path, monkeypatch):
    fraud = challenge.named("fraud_detection")
    chosen = cases.cases(fraud, known.read(fraud), tmp_path, names=["no_dockerignore", "no_tests"])
    sandbox, seed = grading_run.place(fraud, "public")
    bench = running.Bench(fraud, "public", tmp_path / "runs", seed, sandbox)

    def disturbed(bench, several, tell):
        for case in several:
            done = running.grade(bench, case, lambda *_: None, attempts=1)
            # What the machine could not tell of one of them.
            yield case.name, done if case.name == "no_tests" else running.Graded(failure="the engine went away")

    monkeypatch.setattr(together, "_together", disturbed)
    alone = []
    rows = list(together.judged(bench, chosen, lambda name, *_: alone.append(name)))
    assert [row.name for row in rows] == ["no_tests", "no_dockerignore"]
    assert {row.verdict for row in rows} == {"caught by named"}
    assert set(alone) == {"no_dockerignore"}


def test_an_interrupt_leaves_nothing_behind_and_says_so(tmp_path):
    cache, runs = tmp_path / "cache", tmp_path / "runs"
    command = [sys.executable, "-m", "harness", "challenge", "calibrate", "fraud_detection", "root_user"]
    process = subprocess.Popen(
        [*command, "--runs", str(runs)], cwd=ROOT, env={**os.environ, "HARNESS_CACHE": str(cache)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    client = docker.from_env()

    def containers(run: str) -> list[str]:
        return [c.name or "" for c in client.containers.list(all=True, filters={"label": f"{RUN}={run}"})]

    try:
        run, deadline = "", time.monotonic() + 600
        while not (run and containers(run)) and process.poll() is None and time.monotonic() < deadline:
            run = next((path.name for path in runs.glob("*")), "")
            time.sleep(0.1)
        assert containers(run)
        process.terminate()
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert containers(run) == []
    assert not list(cache.glob("calibration-*"))
    client.close()
