"""A small Dockerfile parser: continuation lines, here-documents, the escape directive, flags, exec form, stages.

Our own, because `dockerfile-parse` takes the lines of a here-document for instructions, and `dockerfile` (the official
parser, which this one was compared with) has no wheel for Linux on ARM. The builder stays the judge of validity: what
this parser cannot make sense of it passes over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

HEREDOC = re.compile(r"""(?:^|\s)\d*<<(-?)(["']?)([A-Za-z_][\w.]*)\2(?=\s|$|[;&|>])""")
TAKES_HEREDOC = ("RUN", "COPY", "ADD")


@dataclass(frozen=True)
class Instruction:
    """One instruction. `value` is what follows its flags, continuation lines joined."""

    keyword: str
    value: str
    flags: tuple[str, ...] = ()
    heredocs: tuple[str, ...] = ()
    line: int = 0

    @property
    def argv(self) -> list[str] | None:
        """The words of the exec form, or None in shell form."""
        try:
            words, _ = json.JSONDecoder().raw_decode(self.value)  # the builder, too, passes over what follows the list
        except (ValueError, RecursionError):
            return None
        return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None

    @property
    def script(self) -> str:
        """What a shell runs: the value and the here-documents."""
        return "\n".join((self.value, *self.heredocs))


@dataclass
class BuildStage:
    """One `FROM` and what follows it; `base` with its arguments filled in."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def last(self, keyword: str) -> Instruction | None:
        """The instruction of that keyword that counts: the last."""
        return next((i for i in reversed(self.instructions) if i.keyword == keyword), None)


@dataclass(frozen=True)
class Dockerfile:
    """A parsed Dockerfile."""

    instructions: tuple[Instruction, ...]
    stages: tuple[BuildStage, ...]

    @property
    def final(self) -> tuple[BuildStage, ...]:
        """The stage that becomes the image, and before it those it is built `FROM`, oldest first."""
        by_name = {stage.name.lower(): stage for stage in self.stages if stage.name}
        chain: list[BuildStage] = []
        stage = self.stages[-1] if self.stages else None
        while stage is not None and stage not in chain:
            chain.insert(0, stage)
            stage = by_name.get(stage.base.lower())
        return tuple(chain)

    @property
    def contributing(self) -> tuple[BuildStage, ...]:
        """The stages that something of ends up in the image: the final ones, and those that they copy from."""
        found = list(self.final)
        for stage in found:
            for instruction in stage.instructions:
                for flag in instruction.flags:
                    name = flag.removeprefix("--from=").lower()
                    by_name = (s for n, s in enumerate(self.stages) if name in (s.name.lower(), str(n)))
                    source = next(by_name, None) if flag.startswith("--from=") and name else None
                    if source is not None and source not in found:
                        found.append(source)
        return tuple(found)

    def foreign_images(self) -> dict[str, int]:
        """Images that the build takes from elsewhere, with the line of the `FROM` or `COPY --from` that names them."""
        own = {stage.name.lower() for stage in self.stages} | {"scratch", ""}
        found: dict[str, int] = {}
        stages = iter(self.stages)
        for instruction in self.instructions:
            if instruction.keyword == "FROM":
                image = next(stages).base
            elif instruction.keyword == "COPY":
                image = next((f.removeprefix("--from=") for f in instruction.flags if f.startswith("--from=")), "")
            else:
                continue
            if image.lower() not in own and not image.isdigit():
                found.setdefault(image, instruction.line)
        return found


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile. Never raises: what makes no sense is passed over."""
    instructions = tuple(_instructions(text))
    arguments: dict[str, str] = {}
    stages: list[BuildStage] = []
    for instruction in instructions:
        if instruction.keyword == "FROM":
            words = instruction.value.split()
            name = words[2] if len(words) > 2 and words[1].upper() == "AS" else ""
            stages.append(BuildStage(expand(words[0], arguments) if words else "", name))
        elif stages:
            stages[-1].instructions.append(instruction)
        elif instruction.keyword == "ARG":
            for name, _, value in (word.partition("=") for word in instruction.value.split()):
                arguments[name] = expand(value.strip("'\""), arguments)
    return Dockerfile(instructions, tuple(stages))


def expand(text: str, values: Mapping[str, str]) -> str:
    """Fill in `$NAME`, `${NAME}` and `${NAME:-default}`; a name without a value becomes empty."""

    def value(match: re.Match[str]) -> str:
        given = values.get(match["name"] or match["braced"], "")
        return given or match["default"] or ""

    return re.sub(r"\$(?:(?P<name>\w+)|\{(?P<braced>\w+)(?::?-(?P<default>[^}]*))?\})", value, text)


def _instructions(text: str) -> Iterator[Instruction]:
    lines = text.splitlines()
    escape = re.escape(_escape(lines))
    n = 0
    while n < len(lines):
        start = n
        logical, n = _logical_line(lines, n, escape)
        found = re.match(r"\s*([A-Za-z]+)(?:\s+(.*))?$", logical, re.DOTALL)
        if not found:
            continue
        keyword, rest = found[1].upper(), (found[2] or "").strip()
        bodies, n = _heredocs(lines, n, rest) if keyword in TAKES_HEREDOC else ((), n)
        flags = []
        while flag := re.match(r"--[a-z][a-z-]*(?:=\S*)?(?:\s+|$)", rest):
            flags.append(flag[0].strip())
            rest = rest[flag.end() :]
        yield Instruction(keyword, rest, tuple(flags), bodies, start + 1)


def _escape(lines: list[str]) -> str:
    for line in lines:
        directive = re.match(r"\s*#\s*([A-Za-z]+)\s*=\s*(\S+)\s*$", line)
        if not directive:
            break
        if directive[1].lower() == "escape" and directive[2] in "\\`":
            return directive[2]
    return "\\"


def _logical_line(lines: list[str], n: int, escape: str) -> tuple[str, int]:
    """The line that starts at `n` with its continuations, and the number of the line after it."""
    if not lines[n].strip() or lines[n].lstrip().startswith("#"):
        return "", n + 1
    parts: list[str] = []
    while n < len(lines):
        line = lines[n]
        n += 1
        # Comments and empty lines between continuation lines are no part of the instruction.
        if parts and (not line.strip() or line.lstrip().startswith("#")):
            continue
        continued = re.search(rf"{escape}[ \t]*$", line)
        parts.append(line[: continued.start()] if continued else line)
        if not continued:
            break
    return "".join(parts), n


def _heredocs(lines: list[str], n: int, rest: str) -> tuple[tuple[str, ...], int]:
    bodies = []
    for dash, _, name in HEREDOC.findall(rest):
        body = []
        while n < len(lines):
            line = lines[n]
            n += 1
            if (line.lstrip("\t") if dash else line) == name:
                break
            body.append(line)
        bodies.append("\n".join(body))
    return tuple(bodies), n
