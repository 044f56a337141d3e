"""What a submission says in words: its README and its decisions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import PurePosixPath

from harness.inspection import makefile
from harness.inspection.checkout import Checkout
from harness.inspection.shell import commands

READS = {"pip": ("-r", "-c"), "pip3": ("-r", "-c"), "uv": ("-r", "-c"), "docker": ("-f", "--file")}
"""Options that name a file, by program."""
LOCAL = re.compile(r"\b(?:localhost|127\.0\.0\.1|0\.0\.0\.0):(\d{2,5})\b")
"""A port of the reader's own machine."""
SPEAKS_OF_PORTS = (
    "Dockerfile", "*akefile", "[Jj]ustfile", "*.y*ml", "*.py", "*.sh", "*.toml", "*.md", "*.env*", "*.conf",
)  # fmt: skip
USUAL = {
    "8000": r"uvicorn|gunicorn|fastapi|granian|litestar|hypercorn|http\.server", "5000": "flask|mlflow", "3000": ".",
}  # fmt: skip
"""Ports that nobody has to name who starts one of these."""
FILES_CAP, TEXT_CAP = 500, 65_536
COMPOSE = ("compose*.y*ml", "*/compose*.y*ml", "docker-compose*.y*ml", "*/docker-compose*.y*ml")


def readme(checkout: Checkout) -> str | None:
    """The name of the README at the top, or None."""
    tops = (n for n in checkout.names if re.fullmatch(r"readme(?:\.(?:md|rst|txt|adoc))?", n, re.IGNORECASE))
    return next(tops, None)


def own_words(text: str, template: str = "") -> int:
    """Words of prose: headings, quotes, comments and lines of the template are none."""
    given = {_plain(line) for line in template.splitlines()}
    prose = re.sub(r"<!--.*?(?:-->|\Z)", "", text, flags=re.DOTALL)
    lines = (line for line in prose.splitlines() if not re.match(r"\s*(?:#|>|\||```|---|===|\.\.\s)", line))
    return sum(len(re.findall(r"\w+", line)) for line in lines if _plain(line) not in given)


def broken_commands(checkout: Checkout, name: str) -> Iterator[str]:
    """Commands in a document's code blocks that cannot work: they name a file, target or port that is nowhere here."""
    blocks = list(_code_blocks(checkout.text(name)))
    ports = _ports(checkout, "\n".join(blocks)) if any(map(LOCAL.search, blocks)) else set()
    for block in blocks:
        for words in commands(re.sub(r"^[ \t]*\$ ", "", block, flags=re.MULTILINE)):
            if reason := _broken(checkout, words) or _deaf(words, ports):
                yield f"`{' '.join(words)[:80]}`: {reason}"


def _plain(line: str) -> str:
    return re.sub(r"\W+", " ", line).strip().lower()


def _code_blocks(text: str) -> Iterator[str]:
    """The fenced code blocks of a Markdown text that a shell is meant to run."""
    block: list[str] | None = None
    runs = False
    for line in text.splitlines():
        fence = re.match(r"\s*(?:```|~~~)\s*(\w*)", line)
        if fence and block is None:
            block, runs = [], fence[1] in ("", "sh", "bash", "shell", "console", "zsh")
        elif fence:
            if block and runs:
                yield "\n".join(block)
            block = None
        elif block is not None:
            block.append(line)


def _broken(checkout: Checkout, words: list[str]) -> str:
    program = PurePosixPath(words[0]).name
    if program == "make" and not {"-C", "-f"} & set(words):
        rules = makefile.read(checkout)
        if rules is None:
            return "there is no Makefile"
        lost = [w for w in words[1:] if re.fullmatch(r"[a-z][\w-]*", w) and w not in rules.rules]
        return f"the Makefile has no target {lost[0]}" if lost and not rules.open_ended else ""
    if (program == "docker-compose" or words[:2] == ["docker", "compose"]) and "-f" not in words:
        return "" if checkout.matching(*COMPOSE) else "there is no compose file"
    wanted = [path for path in _files(program, words) if not re.search(r"[$<>{*]|://|^/|^~", path)]
    return next((f"there is no {path}" for path in wanted if checkout.named(path) is None), "")


def _deaf(words: list[str], ports: set[str]) -> str:
    asked = next((found[1] for word in words[1:] if (found := LOCAL.search(word))), "")
    asks = PurePosixPath(words[0]).name in ("curl", "wget", "http", "hey", "ab", "wrk")
    return f"nothing here says that it listens on port {asked}" if asks and asked and asked not in ports else ""


def _ports(checkout: Checkout, shown: str) -> set[str]:
    """Every number in the submission that may be a port, but those that only somebody who asks names.

    `shown` is what its README runs.
    """
    texts = (checkout.text(name, TEXT_CAP) for name in checkout.matching(*SPEAKS_OF_PORTS)[:FILES_CAP])
    named = {number for text in texts for number in re.findall(r"(?<![\d.])\d{2,5}(?![\d.]\d)", LOCAL.sub("", text))}
    return named | {port for port, servers in USUAL.items() if re.search(rf"\b(?:{servers})", shown)}


def _files(program: str, words: list[str]) -> Iterator[str]:
    """Files of the repository that a command reads."""
    if program != "docker" or "build" in words:
        yield from (value for option, value in pairwise(words) if option in READS.get(program, ()))
    if program == "curl":
        yield from (word.lstrip("@") for word in words if re.fullmatch(r"@[\w./-]+", word))
    if re.fullmatch(r"python[0-9.]*|bash|sh", program):
        yield from (word for word in words[1:2] if re.fullmatch(r"[\w./-]+\.(?:py|sh)", word))
    if words[0].startswith("./") and words[0].endswith((".sh", ".py")):
        yield words[0]
