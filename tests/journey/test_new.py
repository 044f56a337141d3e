"""What a candidate gets: everything that is public, nothing that is not, and later editions of it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest
import yaml
from candidate import ANSWERS, FRAUD, ROOT, git, harness

from harness.errors import UsageError
from harness.inspection import documents, junk
from harness.inspection.checkout import Checkout
from harness.journey import invitation, new, template, wheel
from harness.submission import digest, export


def wheel_of(folder):
    (path,) = (folder / ".harness").glob("*.whl")
    return path


def test_a_candidate_s_repository_holds_what_the_brief_promises(rendered):
    for name in (
        "brief.md", "openapi.json", "sample_request.json", "model/MLmodel", "model/reference.csv.gz", "service/app.py",
        "Dockerfile", "DECISIONS.md", "Makefile", "tests/test_service.py", ".github/workflows/ci.yml",
        "invitation.toml",
    ):  # fmt: skip
        assert (rendered / name).is_file(), name
    assert digest(rendered / "model") == digest(FRAUD / "public" / "model")
    assert git(rendered, "status", "--porcelain", "--ignored") == ""
    assert git(rendered, "log", "--oneline").count("\n") == 1
    assert os.access(rendered / ".harness" / "run", os.X_OK)


def test_the_invitation_says_what_was_asked_whatever_characters_a_name_holds(rendered):
    said = invitation.read(rendered)
    assert (said.candidate, said.issuer, said.challenge) == (ANSWERS["candidate"], "Acme", "fraud_detection")
    assert said.deadline is not None
    assert said.deadline.isoformat() == ANSWERS["deadline"]
    assert said.attempts == 3
    assert (said.deliver.kind, said.deliver.to) == ("folder", "../handed-in")
    answers = yaml.safe_load((rendered / ".copier-answers.yml").read_text())
    assert answers["_commit"] == "v1"


def test_no_solution_comes_along(rendered):
    names = zipfile.ZipFile(wheel_of(rendered)).namelist()
    assert {name.split("/")[0] for name in names} == {
        "harness", "grading", "challenges", "candidate_template", "mlops_harness-0.1.0.dist-info",
    }  # fmt: skip
    assert not [name for name in names if "/submissions/" in name]
    texts = [path.read_bytes() for path in rendered.rglob("*") if path.is_file() and ".git" not in path.parts]
    with zipfile.ZipFile(wheel_of(rendered)) as archive:
        texts += [archive.read(name) for name in names]
    held = {hashlib.sha256(text).digest() for text in texts}
    given = {p.read_bytes() for p in (ROOT / "candidate_template").rglob("*") if p.is_file()}
    hidden = [
        path
        for folder in ("reference/service", "reference/tests", "golden", "flawed")
        for path in (FRAUD / "submissions" / folder).rglob("*")
        if path.is_file() and path.stat().st_size > 200 and path.read_bytes() not in given
    ]
    assert len(hidden) > 100
    assert [path for path in hidden if hashlib.sha256(path.read_bytes()).digest() in held] == []


def test_what_is_pinned_is_pinned_by_hash_and_names_no_index(rendered):
    line = (rendered / ".harness" / "wheel.lock").read_text()
    built = wheel_of(rendered)
    assert line == f"./.harness/{built.name} --hash=sha256:{hashlib.sha256(built.read_bytes()).hexdigest()}\n"
    for name in ("requirements.lock", "bootstrap.lock"):
        text = (rendered / ".harness" / name).read_text()
        assert "://" not in text
        assert text.count("==") <= text.count("--hash=sha256:")


def test_what_candidates_install_is_what_the_project_needs():
    needs = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    locked = (ROOT / "harness" / "journey" / "requirements.lock").read_text()
    ours = (ROOT / "requirements.lock").read_text()
    for need in needs:
        assert f"\n{need.split('>')[0]}==" in f"\n{locked}", f"{need}: run 'make lock'"
    pins = [line.split(" \\")[0] for line in locked.splitlines() if "==" in line]
    assert [pin for pin in pins if pin not in ours] == []


def test_the_same_source_gives_the_same_wheel(challenge, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir(), other.mkdir()
    assert wheel.build(challenge, one).read_bytes() == wheel.build(challenge, other).read_bytes()


def test_the_wheel_installs_and_runs_away_from_its_repository(rendered, tmp_path):
    subprocess.run(["python3", "-m", "venv", "--system-site-packages", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--require-hashes"]
    subprocess.run([*pip, "-r", ".harness/wheel.lock"], cwd=rendered, check=True)
    asked = "from harness import challenge, verify; c = challenge.named(None); verify.verify(c); print(c.folder)"
    # The libraries are those of this environment, which its own wheel would bring along.
    libraries = next(p for p in sys.path if p.endswith("site-packages"))
    found = subprocess.run(
        [python, "-c", f"import sys; sys.path.append({libraries!r}); {asked}"],
        cwd=tmp_path, env={"PATH": os.environ["PATH"]}, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert found.strip() == str(next((tmp_path / "venv").glob("lib/*/site-packages/challenges/fraud_detection")))


def test_a_folder_with_something_in_it_is_left_alone(challenge, tmp_path):
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="not empty"):
        new.render(challenge, tmp_path / "ada", ANSWERS, tmp_path / "store")
    assert [path.name for path in (tmp_path / "ada").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--deadline", "tomorrow"], "is no deadline"),
        (["--deadline", "2026-03-31T23:59:00"], "names no time zone"),
        (["--deliver-to", "http://intake.example.com"], "nothing is handed in over 'http'"),
        (["--deliver-to", "ftp://intake.example.com"], "nothing is handed in over 'ftp'"),
        (["--deliver-to", "https//intake.example.com"], "is no address and no folder"),
        (["--deliver-to", "https://"], "names no host"),
        (["--deliver-to", "https://in take.example.com"], "names no host"),
        (["--deliver-to", "https://intake.example.com:port"], "is no address"),
        (["--public-key", "foo"], "a public key is base64 of 32 bytes"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_made(tmp_path, arguments, said):
    done = harness(tmp_path, "new", "fraud_detection", "ada", "--candidate", "Ada", "--templates", "store", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_where_things_are_and_what_comes_next(tmp_path):
    done = harness(tmp_path, "new", "fraud_detection", "ada", "--candidate", "Ada", "--templates", "store")
    assert done.returncode == 0, done.stderr
    assert "edition v1" in done.stdout
    assert "make help" in done.stdout
    listed = subprocess.run(["make"], cwd=tmp_path / "ada", capture_output=True, text=True, check=True).stdout
    assert all(f"  {target} " in listed for target in ("help", "run", "test", "check", "submit"))


@pytest.mark.parametrize(
    ("to", "kind"),
    [
        ("https://intake.example.com/", "https"), ("http://127.0.0.1:8000", "https"), ("../handed-in", "folder"),
        ("/srv/in", "folder"), ("git@example.com:team/in.git", "git"), ("ssh://example.com/in", "git"),
        ("https://example.com/in.git", "git"), ("git+https://example.com/in", "git"), ("/srv/in.git", "git"),
    ],
)  # fmt: skip
def test_a_destination_is_known_by_how_it_is_written(to, kind):
    assert invitation.destination(to).kind == kind


def test_the_image_cannot_hold_the_harness_and_a_submission_does_not(rendered, tmp_path):
    assert (rendered / ".dockerignore").read_text().splitlines()[1] == "*"
    handed_in = export(rendered, tmp_path / "out")
    assert not (tmp_path / "out" / ".harness").exists()
    with (rendered / ".harness" / "README.md").open("a") as file:
        file.write("\n")
    try:
        assert export(rendered, tmp_path / "again").digest == handed_in.digest
    finally:
        git(rendered, "checkout", "--quiet", ".harness")


def test_what_every_candidate_is_given_costs_nobody_a_point(rendered, tmp_path):
    checkout = Checkout(export(rendered, tmp_path / "out").files)
    assert [name for name in checkout.names if junk.in_repository(name)] == []
    assert list(documents.broken_commands(checkout, "README.md")) == []


# A later edition.


@pytest.fixture
def changed_template(monkeypatch, tmp_path):
    """A copy of the template that a test may change, used in place of ours."""
    base = tmp_path / "candidate_template"
    shutil.copytree(template.BASE, base)
    monkeypatch.setattr(template, "BASE", base)
    return base


def start(challenge, tmp_path):
    """A repository from the first edition, in which the candidate has worked."""
    new.render(challenge, tmp_path / "ada", ANSWERS, tmp_path / "store")
    work = tmp_path / "ada"
    (work / "README.md").write_text("My own words.\n")
    (work / "service" / "model.py").write_text("mine = 1\n")
    dockerfile = work / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("EXPOSE 8080", "EXPOSE 8080\nHEALTHCHECK CMD true"))
    git(work, "add", "--all")
    git(work, "commit", "--quiet", "--message", "an evening's work")
    return work


def test_a_corrected_edition_is_pulled_in_and_the_candidate_s_work_stays(challenge, tmp_path, changed_template):
    work = start(challenge, tmp_path)
    dockerfile = changed_template / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("WORKDIR /app", "WORKDIR /srv/app"))
    (changed_template / "README.md").write_text("Better words.\n")
    (changed_template / "tests" / "test_more.py").write_text("def test_more():\n    pass\n")
    assert template.publish(challenge, tmp_path / "store").tag == "v2"
    done = new.update(work)
    assert (done.before, done.after, done.conflicts) == ("v1", "v2", ())
    text = (work / "Dockerfile").read_text()
    assert "WORKDIR /srv/app" in text
    assert "HEALTHCHECK CMD true" in text
    assert (work / "README.md").read_text() == "My own words.\n"
    assert (work / "service" / "model.py").read_text() == "mine = 1\n"
    assert (work / "tests" / "test_more.py").is_file()
    assert invitation.read(work).candidate == ANSWERS["candidate"]


def test_where_both_changed_a_line_both_are_shown_and_the_command_says_so(challenge, tmp_path, changed_template):
    work = start(challenge, tmp_path)
    dockerfile = changed_template / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("EXPOSE 8080", "EXPOSE 8000"))
    template.publish(challenge, tmp_path / "store")
    done = harness(work, "update")
    assert done.returncode == 1, done.stderr
    assert "resolve, then commit: Dockerfile" in done.stdout
    text = (work / "Dockerfile").read_text()
    assert "EXPOSE 8000" in text
    assert "HEALTHCHECK CMD true" in text


def test_what_did_not_change_is_no_new_edition(challenge, tmp_path):
    assert template.publish(challenge, tmp_path / "store").new
    again = template.publish(challenge, tmp_path / "store")
    assert (again.tag, again.new) == ("v1", False)


def test_an_update_with_nothing_new_says_so(challenge, tmp_path):
    work = start(challenge, tmp_path)
    done = harness(work, "update")
    assert (done.returncode, done.stdout) == (0, "nothing to do: edition v1 is the latest\n")


def test_a_template_that_is_out_of_reach_is_named_and_nothing_is_touched(challenge, tmp_path):
    work = start(challenge, tmp_path)
    shutil.move(tmp_path / "store", tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"no later edition can be fetched|template"):
        new.update(work)
    assert git(work, "status", "--porcelain") == ""


def test_the_address_of_later_editions_is_the_one_that_the_candidate_can_reach(challenge, tmp_path):
    url = f"file://{tmp_path}/store/fraud_detection.git"
    new.render(challenge, tmp_path / "ada", {**ANSWERS, "template_url": url}, tmp_path / "store")
    answers = yaml.safe_load((tmp_path / "ada" / ".copier-answers.yml").read_text())
    assert answers["_src_path"] == url
    assert new.update(tmp_path / "ada").changed == ()


def test_uncommitted_work_is_never_mixed_with_an_update(challenge, tmp_path):
    work = start(challenge, tmp_path)
    (work / "Dockerfile").write_text("half done")
    with pytest.raises(UsageError, match="dirty"):
        new.update(work)
    assert (work / "Dockerfile").read_text() == "half done"
