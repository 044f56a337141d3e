"""A new user's evening, timed: from `harness new` to a failing check, a passing one, a receipt. Needs a Docker engine.

    python bench/journey.py [FOLDER]

The repository is cloned first, as a candidate would; every step is one that its README names. What the candidate writes
is the reference submission's. One figure is that of `make check` after a change of one line, with a warm cache.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "challenges" / "fraud_detection" / "submissions" / "reference"
GIVEN = ("Makefile", ".gitignore")
"""Files of the template that know of `make check`; the reference was made without them."""
SCRATCH = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".ruff_cache", *GIVEN)


def step(what: str, folder: Path, *command: str, expect: int = 0) -> None:
    """Run a command and print how long it took; its output only if it ends in another way than expected."""
    start = time.monotonic()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    print(f"{time.monotonic() - start:6.1f} s  {what}", flush=True)
    if done.returncode != expect:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}, not {expect}\n{done.stdout}\n{done.stderr}")


def main(folder: Path) -> None:
    """Go through all steps in a folder."""
    made, work = folder / "made", folder / "ada"
    new = (sys.executable, "-m", "harness", "new", "fraud_detection", str(made), "--candidate", "Ada")
    step("harness new", ROOT, *new, "--templates", str(folder / "store"))
    step("git clone", folder, "git", "clone", "--quiet", str(made), str(work))
    # 2 is make's own exit code for a target that failed.
    step(
        "make check, the first: makes the environment, builds, and finds it not ready", work, "make", "check", expect=2
    )
    shutil.copytree(REFERENCE, work, dirs_exist_ok=True, ignore=SCRATCH)
    (work / "tests" / "test_service.py").unlink()
    step("git add", work, "git", "add", "--all")
    step("make check, with all of the work done: builds anew", work, "make", "check")
    app = work / "service" / "app.py"
    app.write_text(f"# One line more.\n{app.read_text('utf-8')}", "utf-8")
    step("make check, after a change of one line", work, "make", "check")
    author = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    step("git commit", work, "git", *author, "commit", "--quiet", "--all", "--message", "An evening's work")
    step("make submit, without the check after it", work, "make", "submit", "ARGS=--yes --no-check")
    print(f"a receipt: {next((work / 'receipts').glob('*.json'))}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]).resolve())
    else:
        with tempfile.TemporaryDirectory() as scratch:
            main(Path(scratch))
