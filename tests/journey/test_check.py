"""What a check runs, what it says, and what it keeps to itself."""

from __future__ import annotations

import json
import zipfile

import pytest
from candidate import FRAUD, ROOT, git, harness

from harness import challenge as challenges
from harness import seeds
from harness.errors import ChallengeError
from harness.verify import settings, verify


def test_the_usual_check_has_a_change_with_its_control_and_leaves_the_long_stages_out(challenge):
    quick = challenge.quick()
    arms = [settings(c, "drift", p).arms for c, p in ((quick, "public"), (challenge, "public"), (challenge, "review"))]
    assert [len(some) for some in arms] == [1, 4, 7]
    assert {"load", "resilience", "lifecycle"}.isdisjoint(challenge.spec.check.stages)
    assert quick.settings("load", "public") == challenge.settings("load", "public")
    assert quick.settings("drift", "review") == challenge.settings("drift", "review")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('stages = ["tides"]', "names the stage 'tides'"),
        ("[check.settings.tides]\nx = 1", "there is no stage 'tides'"),
        ('[check.settings.drift]\narms = ["tides"]', "drift.arms"),
    ],
)
def test_a_challenge_whose_check_cannot_run_is_refused(tmp_path, change, said):
    text = (FRAUD / "challenge.toml").read_text()
    start, end = text.index("[check]"), text.index("[expected_seconds.review]")
    broken = change if change.startswith("[") else f"[check]\n{change}"
    (tmp_path / "fraud_detection").mkdir()
    (tmp_path / "fraud_detection" / "challenge.toml").write_text(f"{text[:start]}{broken}\n\n{text[end:]}")
    (tmp_path / "fraud_detection" / "functional").symlink_to(FRAUD / "functional")
    with pytest.raises(ChallengeError, match=said):
        verify(challenges.load(tmp_path / "fraud_detection"))


def test_it_says_what_loses_points_why_and_how_to_look_again_and_leaves_no_trace_in_git(repository):
    done = harness(repository, "check", "--stage", "repository", "--sandbox", "local")
    assert done.returncode == 1, done.stderr
    assert "-1 of 2  Tests that run the real service  repository" in done.stdout
    assert "no test asks for a prediction" in done.stdout
    assert "make check STAGE=repository" in done.stdout
    assert "Not looked at here: image, startup" in done.stdout
    assert "make check ALL=1" in done.stdout
    assert "For a person to judge: 9 points" in done.stdout
    assert "How this relates to the review" in done.stdout
    assert git(repository, "status", "--porcelain") == ""
    (report,) = (repository / ".harness" / "runs").glob("*/report.json")
    run = json.loads(report.read_text())["run"]
    assert (run["profile"], run["final"]) == ("public", False)
    assert run["seed_commitment"] == seeds.published().commitment


def test_nothing_lost_ends_with_success(repository):
    reference = FRAUD / "submissions" / "reference"
    for name in git(ROOT, "ls-files", "--", str(reference)).splitlines():
        source = ROOT / name
        if source.name not in ("Makefile", ".gitignore"):
            target = repository / source.relative_to(reference)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    git(repository, "rm", "--quiet", "-f", "tests/test_service.py")
    git(repository, "add", "--all")
    done = harness(repository, "check", "--stage", "repository", "--sandbox", "local")
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_an_engine_it_says_what_to_start(repository):
    done = harness(repository, "check", DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert done.returncode == 2
    assert "Start Docker" in done.stderr


def test_a_stage_that_there_is_not_is_refused_with_those_there_are(repository):
    done = harness(repository, "check", "--stage", "tides", "--sandbox", "local")
    assert done.returncode == 2
    assert "repository, image, startup" in done.stderr


def test_a_candidate_s_copy_knows_that_it_has_no_reference(rendered, tmp_path):
    (wheel,) = (rendered / ".harness").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    found = challenges.load(tmp_path / "challenges" / "fraud_detection")
    verify(found)
    assert not (found.folder / "submissions").exists()
