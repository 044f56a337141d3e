"""git makes known submissions, and nothing around the folder has a say in it."""

from __future__ import annotations

import subprocess

import pytest
from a_challenge import DIFF, HEADERS, made, tracked

from harness.calibration import known as known_submissions
from harness.calibration.making import make
from harness.challenge import load
from harness.errors import ChallengeError

NEW_FILE = """\
diff --git a/notes.log b/notes.log
new file mode 100644
--- /dev/null
+++ b/notes.log
@@ -0,0 +1 @@
+noted
"""
IGNORE_MODEL = """\
diff --git a/.gitignore b/.gitignore
--- a/.gitignore
+++ b/.gitignore
@@ -1 +1,2 @@
 *.log
+model.bin
"""


def git(folder, *arguments):
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout


def test_a_repository_around_the_folder_has_no_say(home, write, tmp_path):
    # Inside another repository `git apply` passes over the paths of a patch, without a word and with exit code 0.
    outer = tmp_path / "outer"
    inner = outer / ".cache" / "made"
    inner.mkdir(parents=True)
    git(outer, "init", "-q")
    (outer / ".gitignore").write_text(".cache\napp.py\n")
    (inner / "app.py").write_text("import this\nalive = True\n")
    done = subprocess.run(
        ["git", "-C", str(inner), "apply", "-"], input=DIFF.encode(), capture_output=True, check=False
    )
    assert (done.returncode, (inner / "app.py").read_text()) == (0, "import this\nalive = True\n")
    write("flawed/f.patch", f"{HEADERS}\n{DIFF}")
    files = made(home, "f", inner)
    assert "alive = False" in files["app.py"].read_text()
    assert "app.py" in tracked(inner / "f", tmp_path / "exported")


def test_a_hook_that_started_us_has_no_say(home, write, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    write("flawed/f.patch", f"{HEADERS}\n{DIFF}")
    for name, value in {"GIT_DIR": other / ".git", "GIT_WORK_TREE": other, "GIT_INDEX_FILE": other / "index"}.items():
        monkeypatch.setenv(name, str(value))
    assert "alive = False" in made(home, "f", tmp_path / "out")["app.py"].read_text()
    assert tracked(tmp_path / "out" / "f", tmp_path / "exported") == {"app.py", ".gitignore", "model.bin"}
    assert not (other / "index").exists()


def test_the_configuration_of_this_machine_has_no_say(home, write, tmp_path, monkeypatch):
    hooks = tmp_path / "template" / "hooks"
    hooks.mkdir(parents=True)
    (tmp_path / "ignored").write_text("*\n")
    (tmp_path / ".gitconfig").write_text(
        f"[core]\n\tautocrlf = true\n\texcludesFile = {tmp_path / 'ignored'}\n\thooksPath = {hooks}\n"
        f"[init]\n\ttemplateDir = {hooks.parent}\n[apply]\n\twhitespace = error\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "git").mkdir()
    (tmp_path / "git" / "ignore").write_text("app.py\n")
    write("flawed/f.patch", f"{HEADERS}\n{DIFF.replace('alive = False', 'alive = False ')}")
    assert made(home, "f", tmp_path / "out")["app.py"].read_bytes() == b"import this\nalive = False \n"
    assert tracked(tmp_path / "out" / "f", tmp_path / "exported") == {"app.py", ".gitignore", "model.bin"}
    assert not (tmp_path / "out" / "f" / ".git" / "hooks").exists()


def test_what_work_on_the_reference_left_behind_is_no_part_of_it(home, tmp_path):
    reference = home / "submissions" / "reference"
    for name in ("__pycache__/app.pyc", ".venv/bin/python", "debug.log", ".pytest_cache/x"):
        (reference / name).parent.mkdir(parents=True, exist_ok=True)
        (reference / name).write_text("left behind")
    assert set(made(home, "reference", tmp_path)) == {"app.py", ".gitignore", "model.bin"}


def test_a_file_that_git_ignores_must_be_owned_up_to(home, write, tmp_path):
    for number, diff in enumerate((NEW_FILE, IGNORE_MODEL)):
        write(f"flawed/f{number}.patch", f"{HEADERS}\n{diff}")
        with pytest.raises(ChallengeError, match="no part of the submission"):
            made(home, f"f{number}", tmp_path)


def test_an_ignored_file_lies_in_the_folder_and_is_not_handed_in(home, write, tmp_path):
    write("flawed/f.patch", f"{HEADERS}Ignored: model.bin\n\n{IGNORE_MODEL}")
    assert "model.bin" in made(home, "f", tmp_path)
    assert tracked(tmp_path / "f", tmp_path / "exported") == {"app.py", ".gitignore"}


def test_a_file_may_be_forgotten_without_being_in_gitignore(home, write, tmp_path):
    write("flawed/f.patch", f"{HEADERS}Ignored: model.bin\n\n{DIFF}")
    assert "model.bin" in made(home, "f", tmp_path)
    assert tracked(tmp_path / "f", tmp_path / "exported") == {"app.py", ".gitignore"}


def test_an_ignored_file_must_be_there(home, write, tmp_path):
    path = write("flawed/f.patch", f"{HEADERS}Ignored: no.bin\n\n{DIFF}")
    with pytest.raises(ChallengeError) as error:
        make(known_submissions.read(load(home)), "f", tmp_path)
    assert f"{path}:5: Ignored: the submission has no 'no.bin'" in str(error.value)


def test_binary_files_and_modes_survive(home, write, tmp_path):
    source = tmp_path / "source"
    for side, content, mode in (("a", bytes(range(256)), 0o644), ("b", bytes(reversed(range(256))), 0o755)):
        (source / side).mkdir(parents=True)
        (source / side / "model.bin").write_bytes(content)
        (source / side / "model.bin").chmod(mode)
    command = ["git", "diff", "--no-index", "--no-prefix", "--binary", "a", "b"]
    diff = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False).stdout
    write("flawed/f.patch", f"{HEADERS}\n{diff}")
    model = made(home, "f", tmp_path / "out")["model.bin"]
    assert model.read_bytes() == bytes(reversed(range(256)))
    assert model.stat().st_mode & 0o100
