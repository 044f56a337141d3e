"""The files of an image without an engine: what a Dockerfile copies is copied, what it runs is not.

Enough to start an ordinary service as a plain process. All stages of a Dockerfile share one folder, so what one stage
copies out of another is already there, or one copy away.
"""

from __future__ import annotations

import posixpath
import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.inspection.dockerfile import Instruction, expand, parse
from harness.inspection.installs import installs
from harness.sandbox import BuildFailed

ABSOLUTE = re.compile(r"(?<![\w./-])/[\w.-][\w./-]*")


@dataclass
class Recipe:
    """What a Dockerfile says about running its image; all paths as in the image."""

    workdir: str = "/"
    env: dict[str, str] = field(default_factory=dict)
    entrypoint: Instruction | None = None
    command: Instruction | None = None
    requirements: list[tuple[str, str]] = field(default_factory=list)
    """Arguments for `pip install`: either `-r` and a file, or an empty string and a package."""

    def argv(self) -> list[str]:
        """What the image starts; empty if it says nothing."""
        words: list[str] = []
        for part in (self.entrypoint, self.command):
            if part is not None:
                words += ["/bin/sh", "-c", part.value] if part.argv is None else part.argv
        return words


def replay(files: Path, root: Path) -> Recipe:
    """Copy into `root` what the Dockerfile in `files` copies, and give the recipe of its last stage.

    Raises:
        BuildFailed: there is no Dockerfile, or it copies what is not there.
    """
    if not (files / "Dockerfile").is_file():
        raise BuildFailed("there is no file 'Dockerfile' at the top of the submission. Git must track it.")
    dockerfile = parse((files / "Dockerfile").read_text("utf-8", "replace"))
    named: dict[str, Recipe] = {}
    recipe = Recipe()
    wanted: list[tuple[str, str]] = []
    for stage in dockerfile.stages:
        base = named.get(stage.base.lower(), Recipe())
        recipe = Recipe(base.workdir, dict(base.env), base.entrypoint, base.command)
        arguments: dict[str, str] = {}
        for instruction in stage.instructions:
            _apply(instruction, recipe, arguments, files, root)
        named[stage.name.lower()] = recipe
        wanted += recipe.requirements
    recipe.requirements = list(dict.fromkeys(wanted))
    return recipe


def inside(root: Path, path: str, workdir: str = "/") -> Path:
    """Where a path of the image lies on this machine; it never leaves `root`."""
    return root / posixpath.normpath(posixpath.join("/", workdir, path)).lstrip("/")


def rewrite(text: str, root: Path) -> str:
    """A text with every absolute path that is in the image replaced by where it lies on this machine."""

    def here(match: re.Match[str]) -> str:
        path = inside(root, match[0])
        return str(path) if path.exists() else match[0]

    return ABSOLUTE.sub(here, text)


def _apply(step: Instruction, recipe: Recipe, arguments: dict[str, str], files: Path, root: Path) -> None:
    values = {**arguments, **recipe.env}
    match step.keyword:
        case "ARG":
            name, _, default = step.value.partition("=")
            arguments[name] = expand(default.strip("\"'"), values)
        case "ENV":
            recipe.env.update(_pairs(step.value, values))
        case "WORKDIR":
            recipe.workdir = posixpath.join(recipe.workdir, expand(step.value, values))
            inside(root, recipe.workdir).mkdir(parents=True, exist_ok=True)
        case "ENTRYPOINT":
            recipe.entrypoint, recipe.command = (None if step.argv == [] else step), None
        case "CMD":
            recipe.command = step
        case "COPY" | "ADD":
            _copy(step, recipe, values, files, root)
        case "RUN":
            for install in (found for found in installs(step.script) if found.tool == "pip"):
                recipe.requirements += [("-r", _requirements(file, recipe, files, root)) for file in install.files]
                recipe.requirements += [("", package) for package in install.packages]


def _pairs(text: str, values: Mapping[str, str]) -> dict[str, str]:
    try:
        words = shlex.split(text)
    except ValueError:
        return {}
    if words and "=" not in words[0]:
        name, _, value = text.partition(" ")
        return {name: expand(value.strip(), values)}
    return {name: expand(value, values) for name, _, value in (word.partition("=") for word in words)}


def _copy(step: Instruction, recipe: Recipe, values: Mapping[str, str], files: Path, root: Path) -> None:
    words = [expand(word, values) for word in step.argv or shlex.split(step.value)]
    if len(words) < 2 or step.heredocs:
        return
    *sources, target = words
    place = inside(root, target, recipe.workdir)
    from_stage = any(flag.startswith("--from=") for flag in step.flags)
    for pattern in sources:
        relative = posixpath.normpath("/" + pattern).lstrip("/")
        top = root if from_stage else files
        found = sorted(top.glob(relative)) if relative else [top]
        if not found and not from_stage:
            raise BuildFailed(f"'{step.keyword} {step.value}': '{pattern}' is not among the submission's files")
        for path in (p for p in found if p != place):
            as_folder = target.endswith(("/", ".")) or len(sources) > 1 or len(found) > 1 or place.is_dir()
            _copy_one(path, place / path.name if path.is_file() and as_folder else place)


def _copy_one(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


def _requirements(file: str, recipe: Recipe, files: Path, root: Path) -> str:
    """Where a requirements file is: copied into the image by now, or mounted from the submission by the step itself."""
    name = posixpath.basename(file)
    candidates = [
        inside(root, file, recipe.workdir),
        files / file.lstrip("/"),
        files / name,
        *sorted(files.rglob(name)),
    ]
    for candidate in candidates:
        if candidate.is_file():
            return str(candidate)
    raise BuildFailed(f"the Dockerfile installs from '{file}', which is not among the submission's files")
