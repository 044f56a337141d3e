"""Whether a build would install the same versions next year: base images and Python dependencies."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import yaml

from harness.inspection.checkout import Checkout
from harness.inspection.dockerfile import Dockerfile, Instruction
from harness.inspection.installs import INSTALLERS, LOCKING, Install, installs, project

LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pixi.lock", "conda-lock.yml", "pylock.toml")
RELEASES = frozenset(("debian", "ubuntu", "fedora", "rockylinux", "almalinux", "amazonlinux"))
"""Distributions whose tags name a release that is stable as a whole."""
UNSTABLE = frozenset(("stable", "testing", "unstable", "sid", "rolling", "devel", "rawhide"))
INCLUDES_CAP = 4
DEVELOPMENT = frozenset((
    "pytest", "tox", "nox", "ruff", "black", "flake8", "pylint", "mypy", "pre-commit", "jupyter", "jupyterlab",
    "notebook",
))  # fmt: skip
"""Packages that no service imports."""


def floating_image(image: str) -> str:
    """Why a build that uses this image changes by itself, or an empty string."""
    if "@sha256:" in image:
        return ""
    name, _, tag = image.rpartition("/")[2].partition(":")
    if not tag:
        return f"{image} has no tag"
    if tag == "latest":
        return f"{image} is whatever is newest on the day of the build"
    pinned = re.search(r"\d+\.\d+|\d{8}|\d{4}-\d{2}|[0-9a-f]{12,}", tag)
    if pinned or (name in RELEASES and tag not in UNSTABLE):
        return ""
    return f"{image} names no minor version"


@dataclass
class Pins:
    """What was found about the dependencies of a build."""

    loose: list[str] = field(default_factory=list)
    """What is installed without a fixed version, and where that is said."""
    files: list[str] = field(default_factory=list)
    """The files that fix versions."""


def dependencies(checkout: Checkout, dockerfile: Dockerfile) -> Pins:
    """Look at everything that the build installs with Python's tools; without any, at what the repository declares."""
    locks = [n for n in checkout.own if PurePosixPath(n).name in LOCKS or re.search(r"requirements[^/]*\.lock$", n)]
    pins = Pins(files=list(locks))
    copied = _copied(dockerfile)
    seen = 0
    for instruction in (i for i in dockerfile.instructions if i.keyword == "RUN"):
        places = {**copied, **_mounted(instruction)}
        for install in installs(instruction.script):
            if install.tool == "pip":
                _pip(install, checkout, places, pins, bool(locks))
            elif install.tool in LOCKING and not locks:
                pins.loose.append(f"`{install.command[:60]}` with no lock file in the repository")
            elif install.tool == "conda":
                _conda(install, checkout, places, pins)
            seen += install.tool in ("pip", "conda", *LOCKING)
    if not seen and not locks:
        for name in checkout.matching("requirements*.txt", "*/requirements*.txt"):
            pins.files.append(name)
            pins.loose += [f"{loose} in {name}" for loose in loose_requirements(checkout, name)]
    return Pins(list(dict.fromkeys(pins.loose)), list(dict.fromkeys(pins.files)))


def installed(checkout: Checkout, dockerfile: Dockerfile) -> Iterator[tuple[str, str]]:
    """Every requirement that pip installs into the image, as it is written, and the file that says so."""
    copied = _copied(dockerfile)
    for instruction in (i for stage in dockerfile.contributing for i in stage.instructions if i.keyword == "RUN"):
        for install in (one for one in installs(instruction.script) if one.tool == "pip"):
            sources = (_source(path, checkout, {**copied, **_mounted(instruction)}) for path in install.files)
            yield from ((one, name) for name in sources if name for one in _requirements(checkout, name))
            yield from ((package, "Dockerfile") for package in install.packages)


def development_tools(checkout: Checkout, dockerfile: Dockerfile) -> list[str]:
    """Tools for writing a service that pip installs into its image."""
    return sorted({project(requirement) for requirement, _ in installed(checkout, dockerfile)} & DEVELOPMENT)


def loose_requirements(checkout: Checkout, name: str) -> Iterator[str]:
    """Requirements of a file, and of those it includes, that leave the version open."""
    return (one.split(";")[0].strip() for one in _requirements(checkout, name) if not is_pinned(one))


def _requirements(checkout: Checkout, name: str, depth: int = 0) -> Iterator[str]:
    """Requirements of a file, and of those it includes, as they are written there."""
    text = re.sub(r"\\\r?\n", " ", checkout.text(name))
    for line in text.splitlines():
        requirement = re.sub(r"(^|\s)#.*", "", line).strip()
        if included := re.match(r"(?:-r|--requirement)[\s=]*(\S+)", requirement):
            inner = checkout.named(str(PurePosixPath(name).parent / included[1])) or checkout.named(included[1])
            if inner and inner != name and depth < INCLUDES_CAP:
                yield from _requirements(checkout, inner, depth + 1)
        elif requirement and not requirement.startswith("-"):
            yield requirement


def is_pinned(requirement: str) -> bool:
    """Whether a requirement names one version, one file or one commit."""
    bare = re.split(r";| --", requirement, maxsplit=1)[0].strip().strip("'\"")
    if "--hash=" in requirement or re.search(r"===?\s*v?\d[^*,\s]*$", bare) or re.match(r"\.{0,2}/|\.$|\.\[|\$", bare):
        return True
    if "git+" in bare:
        return bool(re.search(r"@(?:[0-9a-f]{7,40}|v?\d+\.\d[\w.]*)(?:#|$)", bare))
    return "://" in bare or bare.endswith((".whl", ".tar.gz", ".zip"))


def _pip(install: Install, checkout: Checkout, places: dict[str, str], pins: Pins, locked: bool) -> None:
    fixed: set[str] = set()
    for path in install.constraints:
        if name := _source(path, checkout, places):
            fixed |= {project(line) for line in checkout.text(name).splitlines() if line.strip() and is_pinned(line)}
            pins.files.append(name)
    for path in install.files:
        name = _source(path, checkout, places)
        if name:
            pins.files.append(name)
            loose = (one for one in loose_requirements(checkout, name) if project(one) not in fixed)
            pins.loose += [f"{one} in {name}" for one in loose]
        elif not locked:
            # With a lock file it may be one that the build exports from it.
            pins.loose.append(f"`pip install -r {path}`: no such file in the repository")
    for package in install.packages:
        if not is_pinned(package) and project(package) not in INSTALLERS | fixed:
            pins.loose.append(f"`pip install {package}`")
    if install.local and install.dependencies:
        loose = (one for one in _loose_project(checkout) if project(one) not in fixed)
        pins.loose += [f"{one} in pyproject.toml" for one in loose]


def _conda(install: Install, checkout: Checkout, places: dict[str, str], pins: Pins) -> None:
    for path in install.files:
        name = _source(path, checkout, places)
        if name is None:
            continue
        pins.files.append(name)
        try:
            listed = (yaml.safe_load(checkout.text(name)) or {}).get("dependencies") or []
        except (yaml.YAMLError, AttributeError, RecursionError):
            continue
        for item in listed if isinstance(listed, list) else []:
            inner = item.get("pip") or [] if isinstance(item, dict) else []
            loose = [one for one in inner if isinstance(one, str) and not is_pinned(one)]
            if isinstance(item, str) and not re.search(r"=\s*\d[\w.]*(?:=\w+)?$", item):
                loose.append(item)
            pins.loose += [f"{one} in {name}" for one in loose]


def _loose_project(checkout: Checkout) -> list[str]:
    """What the submission's own `pyproject.toml` depends on without a fixed version."""
    try:
        listed = tomllib.loads(checkout.text(checkout.named("pyproject.toml") or ""))["project"]["dependencies"]
    except (tomllib.TOMLDecodeError, KeyError, TypeError, RecursionError):
        return []
    return [one for one in listed if isinstance(one, str) and not is_pinned(one)] if isinstance(listed, list) else []


def _copied(dockerfile: Dockerfile) -> dict[str, str]:
    """Where the build puts single files: base name in the image to path in the repository."""
    places = {}
    for instruction in dockerfile.instructions:
        if instruction.keyword in ("COPY", "ADD") and not any(f.startswith("--from=") for f in instruction.flags):
            words = instruction.argv or instruction.value.split()
            if len(words) == 2 and not words[1].endswith("/"):
                places[PurePosixPath(words[1]).name] = words[0]
    return places


def _mounted(instruction: Instruction) -> dict[str, str]:
    """The same for files that a RUN mounts."""
    places = {}
    for flag in instruction.flags:
        if flag.startswith("--mount="):
            parts = dict(part.partition("=")[::2] for part in flag.removeprefix("--mount=").split(","))
            target = parts.get("target") or parts.get("dst") or parts.get("destination") or ""
            places[PurePosixPath(target).name] = parts.get("source") or parts.get("src") or ""
    return places


def _source(path: str, checkout: Checkout, places: dict[str, str]) -> str | None:
    """The file of the repository that a path in the build means."""
    copied = places.get(PurePosixPath(path).name)
    return (checkout.named(copied) if copied else None) or checkout.named(path)
