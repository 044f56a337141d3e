"""One grading as a process: begun from a bundle, followed by what it says, and read when it has ended."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from harness import bundle
from harness.errors import InfrastructureError, UsageError
from harness.server import leash
from harness.server.queue import Claim
from harness.server.settings import Settings

# As `harness.terminal` writes them where standard error is no terminal.
AT_WORK = re.compile(r"\[\s*\d+ s\] (\S+)\s+(.*?)\s*(?:\(\d+[^()]*\))?")
ENDED = re.compile(r"(?:passed|failed|error|skipped)\s+(\S+)\s+[\d.]+ s\s.*")
GRADED, VOID = 0, 3
"""Exit codes of `harness grade` that leave a report."""


@dataclass
class Progress:
    """How far a grading is, by the lines that it prints."""

    stage: str = ""
    message: str = ""
    done: list[str] = field(default_factory=list)

    def take(self, line: str) -> None:
        """Learn from one line; what is no line of progress is passed over."""
        if found := AT_WORK.fullmatch(line):
            self.stage, self.message = found[1][:100], found[2][:200]
        elif (found := ENDED.fullmatch(line)) and found[1] not in self.done:
            self.done.append(found[1][:100])


@dataclass
class Tail:
    """The lines of a file that somebody else is still writing."""

    path: Path
    _at: int = 0

    def lines(self) -> list[str]:
        """The whole lines since the last time."""
        if not self.path.is_file():
            return []
        with self.path.open("rb") as file:
            file.seek(self._at)
            whole = file.read().rpartition(b"\n")[0]
        self._at += len(whole) + bool(whole)
        return whole.decode("utf-8", "replace").splitlines()


@dataclass(frozen=True)
class Result:
    """What a grading left."""

    run: str
    """The run folder's name."""
    void: str = ""
    """Why it has to be done again, if so."""


class Grading:
    """The grading of one claim, in `work/<submission>/<claim>/`."""

    def __init__(self, settings: Settings, claim: Claim) -> None:
        self._settings, self._claim = settings, claim
        self.place = settings.work / str(claim.submission)
        self._name = f"claim-{claim.number}"
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> Tail:
        """Unpack the bundle and start the grader; returns what it will say on standard error.

        Raises:
            InfrastructureError: the bundle that we acknowledged is not what it was.
        """
        folder = self.place / self._name
        # Who reviews it knows the invitation and not the candidate's name, which is no part of a grade.
        submission = folder / f"{self._claim.invitation}-{self._claim.attempt}"
        self.place.mkdir(exist_ok=True)
        try:
            bundle.unpack(self._settings.bundle(self._claim.invitation, self._claim.digest), folder)
        except UsageError as error:
            raise InfrastructureError(f"the bundle on the intake's disk is damaged: {error}") from error
        (folder / bundle.FILES).rename(submission)
        named = {"submission": submission, "challenge": self._claim.challenge, "runs": self._settings.runs}
        command = [part.format(**{k: str(v) for k, v in named.items()}) for part in self._settings.grader]
        self._process = subprocess.Popen(
            # It needs nothing but the standard library, and so starts in no time.
            [sys.executable, "-I", "-S", leash.__file__, str(self.place), self._name, *command],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        return Tail(folder / "stderr")

    def wait(self, seconds: float) -> bool:
        """Wait for the end, at most that long; True once it is there."""
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self) -> None:
        """Let go of the leash, and wait until the grader has cleaned up."""
        if self._process is not None:
            if self._process.stdin:
                self._process.stdin.close()
            self._process.wait(leash.PATIENCE + 10)

    @property
    def ended(self) -> bool:
        """Whether a grading of this submission has ended on its own, this one or one whose server died."""
        return (self.place / "ended").is_file()

    def forget(self) -> None:
        """Let the next claim grade anew."""
        (self.place / "ended").unlink(missing_ok=True)

    def result(self) -> Result:
        """What the grading left.

        Raises:
            InfrastructureError: no report; says how it ended.
        """
        if not self.ended:
            raise InfrastructureError("the grader's process was ended from outside")
        ended = json.loads((self.place / "ended").read_bytes())
        folder, code = self.place / str(ended["name"]), int(ended["code"])
        if code not in (GRADED, VOID):
            said = _last(folder / "stderr") or "it said nothing"
            raise InfrastructureError(f"the grader ended with exit code {code}: {said}")
        try:
            report = json.loads((folder / "stdout").read_bytes())
            run, void, why = str(report["run"]["id"]), bool(report["void"]), "; ".join(report.get("void_because", ()))
        except (ValueError, KeyError, TypeError) as error:
            told = _last(folder / "stderr") or f"{type(error).__name__}: {error}"
            raise InfrastructureError(f"the grader (exit code {code}) printed no report: {told}") from error
        if Path(run).name != run or not (self._settings.runs / run).is_dir():
            raise InfrastructureError(f"the grader's report names a run folder that is not there: {run}")
        return Result(run, (why or "void") if void else "")


def _last(path: Path) -> str:
    return path.read_bytes()[-600:].decode("utf-8", "replace").strip() if path.is_file() else ""
