"""What a Dockerfile puts where, and what of it is done again after a change of code."""

from __future__ import annotations

import posixpath
import re
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from harness.inspection.checkout import Checkout
from harness.inspection.dockerfile import Dockerfile
from harness.inspection.installs import SYSTEM, Install, installs

USUAL = ("/app", "/code", "/home", "/root", "/srv", "/src", "/usr/src", "/workspace")
"""Where applications are put in images."""
INSTALLED = re.compile(r"(?:^|/)(?:\.?venv|env|virtualenv|site-packages|conda|\.local|usr/local)(?:/|$)")
SOURCES = (".py", ".js", ".ts", ".go", ".rs", ".java", ".kt", ".cs")
COMMENTS = {".py": "#"}
"""How a line is commented out, where it is not by two slashes."""
FOLDERS_CAP = 40
BUILD_TOOLS = frozenset((
    "build-essential", "gcc", "g++", "make", "cmake", "clang", "python3-dev", "python-dev", "build-base",
))  # fmt: skip


def folders(dockerfile: Dockerfile, config: Mapping[str, object], top: Iterable[str]) -> list[str]:
    """Folders and files of the image that hold the submission's own files: those it works in or copies to.

    `top` names what lies at the top of the submission, for what is copied to the root of the image.
    """
    found = {*USUAL, str(config.get("WorkingDir") or "/")}
    for stage in dockerfile.final:
        here = "/"
        for instruction in stage.instructions:
            if instruction.keyword == "WORKDIR":
                here = posixpath.join(here, instruction.value.strip("\"'"))
            elif instruction.keyword in ("COPY", "ADD"):
                words = instruction.argv or instruction.value.split()
                place = posixpath.normpath(posixpath.join(here, words[-1])) if words else "/"
                found.add(place)
    if found & {"/", "."}:
        found |= {f"/{name}" for name in top}
    kept = sorted(path for path in found - {"/", "."} if "$" not in path and not INSTALLED.search(path))
    outermost: list[str] = []
    for path in kept:
        if not any(path.startswith(f"{parent}/") for parent in outermost):
            outermost.append(path)
    return outermost[:FOLDERS_CAP]


def copied(history: Iterable[str]) -> list[str]:
    """The files and folders of the build's context that an image's history says were copied, each by its path there."""
    sources = []
    for line in history:
        words = line.removesuffix("# buildkit").split()
        if words[:1] in (["COPY"], ["ADD"]):
            sources += [word for word in words[1:-1] if not word.startswith("--")]
    return sources


def change_code(folder: Path) -> list[str]:
    """Change one line in each source file of a submission; returns their names. Tests and `setup.py` are left."""
    changed = []
    checkout = Checkout(folder)
    for name in checkout.own:
        path = PurePosixPath(name)
        test = path.name.startswith("test") or path.name == "conftest.py" or "tests" in path.parts
        if path.suffix in SOURCES and path.name != "setup.py" and not test:
            text = checkout.text(name)
            # New in each run: the builder remembers the change of an earlier one.
            line = f"{COMMENTS.get(path.suffix, '//')} One line was changed here: {secrets.token_hex(8)}.\n"
            with (folder / name).open("a", encoding="utf-8") as file:
                file.write(line if text.endswith("\n") or not text else f"\n{line}")
            changed.append(name)
    return changed


def reinstalled(steps: Iterable[tuple[str, bool]]) -> list[str]:
    """Instructions that install dependencies and did not come from the cache; `steps` are (instruction, cached).

    A second command that installs the submission itself may run again if one before it, which installed the
    dependencies, came from the cache.
    """
    again = []
    cached_dependencies = False
    for instruction, cached in steps:
        if not instruction.upper().startswith("RUN"):
            continue
        script = re.sub(r"^RUN\s+(?:--\S+\s+)*", "", instruction, flags=re.IGNORECASE)
        real = [one for one in installs(script) if not one.only_installers and one.dependencies]
        if cached:
            cached_dependencies = cached_dependencies or bool(real)
        elif any(not (one.local and _only_itself(one) and cached_dependencies) for one in real):
            again.append(instruction)
    return again


def build_tools(dockerfile: Dockerfile) -> list[str]:
    """Tools for building that the final image installs and does not remove in the same step."""
    kept = []
    for instruction in (i for stage in dockerfile.final for i in stage.instructions if i.keyword == "RUN"):
        words = {word for one in installs(instruction.script) if one.tool in SYSTEM for word in one.command.split()}
        if not re.search(r"\b(?:purge|remove|autoremove|del)\b", instruction.script):
            kept += sorted(words & BUILD_TOOLS)
    return kept


def _only_itself(install: Install) -> bool:
    return not install.files and not install.packages
