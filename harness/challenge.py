"""challenge.toml becomes a Challenge, strictly: a broken one names the file, the line, the key and what is wrong."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from pydantic import Field, ValidationError

from grading.evidence import Record
from grading.kpis import ReportSettings
from grading.rubric import Rubric
from harness.errors import ChallengeError, UsageError
from harness.sandbox import Limits
from harness.submission import digest

Profile = Literal["review", "public"]
SCRATCH = frozenset({"__pycache__", ".pytest_cache", ".ruff_cache", ".mypy_cache"})
"""What working on a challenge leaves in its folder, and is no part of it."""
UNGRADED = frozenset({"golden", "flawed", "third_party"})
"""Folders of known submissions that no grade rests on, unlike the reference: a new one makes no other challenge."""
HOME = Path(__file__).resolve().parent.parent / "challenges"
"""The folder of challenges: one folder each, and its presence is its registration."""


class Contract(Record):
    """What a service must keep to, so far as the engine itself needs to know it."""

    port: int = 8080
    ready_paths: tuple[str, ...] = Field(("/readyz", "/ping"), min_length=1)
    """Where a service says that it is ready; a later one counts only where those before it answer 404."""
    ready_seconds: float = Field(60, gt=0)
    stop_seconds: float = Field(30, gt=0)
    model_path: str = "/opt/ml/model"
    """Where the image keeps its own model, and the harness mounts another; `MODEL_URI` names it."""
    openapi: str = "public/openapi.json"
    """The contract's OpenAPI document, relative to the challenge."""


class Quick(Record):
    """What `harness check` runs unless it is asked for more: what can be said in under a minute."""

    stages: tuple[str, ...] = ()
    """In the order of the challenge's own; empty: all."""
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """What it changes in the public profile, by stage."""


class Spec(Record):
    """challenge.toml."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: str
    title: str
    role: Literal["machine-learning engineer", "AI engineer", "data scientist"]
    summary: str
    hours: float = Field(gt=0)
    """Time expected of a candidate."""
    contract: Contract = Contract()
    limits: Limits = Limits()
    stages: tuple[str, ...] = Field(min_length=1)
    """Which stages run, in order."""
    stage: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Settings by stage; each stage checks its own."""
    public: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """What the public profile changes in them."""
    check: Quick = Quick()
    expected_seconds: dict[Profile, dict[str, float]] = Field(default_factory=dict)
    """What each stage takes with the reference submission, for the progress display."""
    report: ReportSettings = ReportSettings()
    rubric: Rubric


@dataclass(frozen=True)
class Challenge:
    """A challenge's folder, read and checked."""

    folder: Path
    spec: Spec
    digest: str

    @property
    def id(self) -> str:
        """The challenge's id, which is also its folder's name."""
        return self.spec.id

    def settings(self, stage: str, profile: Profile) -> dict[str, Any]:
        """The settings of one stage under one profile, not yet checked by the stage."""
        changes = self.spec.public.get(stage, {}) if profile == "public" else {}
        return {**self.spec.stage.get(stage, {}), **changes}

    def quick(self) -> Challenge:
        """This challenge, with the public profile narrowed to what `harness check` runs by default."""
        changes = self.spec.check.settings
        public = {
            name: {**self.spec.public.get(name, {}), **changes.get(name, {})} for name in {*self.spec.public, *changes}
        }
        # What a narrowed stage takes is known to nobody.
        expected = {n: s for n, s in self.spec.expected_seconds.get("public", {}).items() if n not in changes}
        seconds = {**self.spec.expected_seconds, "public": expected}
        return replace(self, spec=self.spec.model_copy(update={"public": public, "expected_seconds": seconds}))

    @cached_property
    def data(self) -> ModuleType:
        """The challenge's `data.py`: `sample(rows, rng)` gives that many i.i.d. rows as a data frame."""
        return load_module(self.folder, "data", "sample")

    @cached_property
    def model(self) -> ModuleType:
        """The challenge's `model.py`: `save(folder, version, seed)` trains a model and saves it for MLflow."""
        return load_module(self.folder, "model", "save")


def load_module(folder: Path, name: str, *functions: str) -> ModuleType:
    """A module of a challenge's folder, loaded by path; it must have these functions.

    Raises:
        ChallengeError: it is missing, cannot be imported, or lacks a function.
    """
    # Under a name of its own: two challenges may both have a `data.py`.
    path = folder / f"{name}.py"
    qualified = f"challenge_{folder.name}_{name}"
    spec = importlib.util.spec_from_file_location(qualified, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ChallengeError(f"{path} is missing")
    module = importlib.util.module_from_spec(spec)
    sys.modules[qualified] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ChallengeError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    for function in functions:
        if not callable(getattr(module, function, None)):
            raise ChallengeError(f"{path} has no function '{function}'")
    return module


def find(home: Path = HOME) -> list[str]:
    """Ids of all challenges, sorted."""
    return sorted(path.parent.name for path in home.glob("*/challenge.toml"))


def named(name: str | None, home: Path = HOME) -> Challenge:
    """The challenge of that id, or the only one there is.

    Raises:
        UsageError: there is no such challenge, or no name was given and there are several.
        ChallengeError: it is broken.
    """
    there = find(home)
    if name is None and len(there) == 1:
        name = there[0]
    if name is None:
        raise UsageError("which challenge?", f"Say --challenge with one of: {', '.join(there) or '(there are none)'}.")
    if name not in there:
        raise UsageError(f"there is no challenge '{name}'", f"There are: {', '.join(there) or '(none)'}.")
    return load(home / name)


def located(name: str) -> Challenge:
    """The challenge of an id, or that of a folder anywhere.

    Raises:
        ChallengeError: there is none, or it is broken.
    """
    folder = Path(name) if "/" in name or Path(name, "challenge.toml").is_file() else HOME / name
    return load(folder.resolve())


def load(folder: Path) -> Challenge:
    """Read and check a challenge's folder.

    Raises:
        ChallengeError: `challenge.toml` cannot be read, or says something that it should not.
    """
    spec = read_spec(folder)
    if spec.id != folder.name:
        path = folder / "challenge.toml"
        line = line_of(path.read_text("utf-8"), ("id",))
        raise ChallengeError(f"{path}:{line}: id: should be the folder's name {folder.name!r}, not {spec.id!r}")
    return Challenge(folder, spec, digest(folder, without=SCRATCH | UNGRADED))


def read_spec(folder: Path) -> Spec:
    """The checked `challenge.toml` of a challenge's folder, or of a run folder, which keeps a copy.

    Raises:
        ChallengeError: as `load`.
    """
    path = folder / "challenge.toml"
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ChallengeError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ChallengeError(f"{path} is not valid TOML: {error}") from error
    try:
        return Spec.model_validate(raw)
    except ValidationError as error:
        raise ChallengeError(explain(folder, error)) from error


def explain(folder: Path, error: ValidationError, prefix: tuple[str, ...] = ()) -> str:
    """One line for each thing that is wrong in a challenge's `challenge.toml`: file, line, key, what was expected.

    `prefix` is the table that was validated, where it wasn't the whole file.
    """
    path = folder / "challenge.toml"
    text = path.read_text("utf-8")
    return "\n".join(_explain_one(path, text, dict(detail), prefix) for detail in error.errors())


def _explain_one(path: Path, text: str, detail: dict[str, Any], prefix: tuple[str, ...]) -> str:
    # The third part of a criterion's place is the name of its kind, which stands nowhere in the file.
    keys = (*prefix, *detail["loc"])
    keys = tuple(key for n, key in enumerate(keys) if not (n == 3 and keys[:2] == ("rubric", "criteria")))
    name = ".".join(str(key) for key in keys) or "the whole file"
    given = detail.get("input")
    shown = f", not {given!r}" if isinstance(given, str | int | float | bool) else ""
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{path}:{line_of(text, keys)}: {name}: {message[:1].lower()}{message[1:]}{shown}"


def line_of(text: str, keys: tuple[int | str, ...]) -> int:
    """The line on which a key stands, or that of the nearest table above it; for error messages only.

    The TOML library tells where syntax is wrong but not where a value stood.
    """
    lines = text.splitlines()
    best = 0
    for depth in range(1, len(keys) + 1):
        last = keys[depth - 1]
        if isinstance(last, int):
            continue
        table = re.escape(".".join(str(key) for key in keys[:depth] if not isinstance(key, int)))
        headers = [n for n, line in enumerate(lines) if re.match(rf"\s*\[+\s*{table}\s*\]+", line)]
        following = keys[depth] if depth < len(keys) else 0
        index = following if isinstance(following, int) else 0
        assignment = re.compile(rf"\s*{re.escape(last)}\s*=")
        table_end = next((n for n in range(best + 1, len(lines)) if lines[n].lstrip().startswith("[")), len(lines))
        assigned = next((n for n in range(best, table_end) if assignment.match(lines[n])), None)
        if index < len(headers):
            best = headers[index]
        elif assigned is not None:
            best = assigned
    return best + 1
