"""Whether the image's main process gets the signals that are sent to the container."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from harness.inspection.checkout import Checkout
from harness.inspection.dockerfile import Dockerfile, Instruction
from harness.inspection.shell import simple_commands

SHELLS = frozenset(("sh", "bash", "ash", "dash", "zsh"))
INITS = frozenset(("tini", "dumb-init", "catatonit", "s6-svscan"))


def swallows_signals(checkout: Checkout, dockerfile: Dockerfile) -> str:
    """Why SIGTERM would not reach the service, judged by how the Dockerfile starts it, or an empty string."""
    entry, command = _declared(dockerfile)
    first = entry or command
    if first is None:
        return "the Dockerfile has neither ENTRYPOINT nor CMD"
    if first.argv is None:
        return "" if _execs(first.value) else f"`{first.keyword} {first.value[:60]}` is in shell form"
    argv = list(first.argv)
    if entry is not None and command is not None:
        if command.argv is None:
            return f"`CMD {command.value[:60]}` is in shell form, so the entry point gets `/bin/sh -c ...` as arguments"
        argv += command.argv
    return _swallowed_by(argv, checkout) if argv else f"{first.keyword} is empty"


def _declared(dockerfile: Dockerfile) -> tuple[Instruction | None, Instruction | None]:
    """The ENTRYPOINT and CMD that count. An ENTRYPOINT resets the CMD of the stages below it."""
    entry = command = None
    for stage in dockerfile.final:
        if own := stage.last("ENTRYPOINT"):
            entry, command = own, None
        command = stage.last("CMD") or command
    return (None if entry is not None and entry.argv == [] else entry), command


def _swallowed_by(argv: list[str], checkout: Checkout) -> str:
    program = PurePosixPath(argv[0]).name
    if program in INITS:
        rest = argv[1:]
        while rest and rest[0].startswith("-"):
            rest = rest[1:]
        return _swallowed_by(rest, checkout) if rest else f"{program} starts nothing"
    if program in SHELLS:
        options = [w for w in argv[1:] if w.startswith("-")]
        plain = [w for w in argv[1:] if not w.startswith("-")]
        if any(re.fullmatch(r"-[a-z]*c", option) for option in options):
            return "" if plain and _execs(plain[0]) else f"`{program} -c` runs the service without `exec`"
        return _script(plain[0], checkout) if plain else f"{program} starts nothing"
    return _script(argv[0], checkout)


def _script(path: str, checkout: Checkout) -> str:
    """The same for a program that may be a shell script of the submission's own."""
    name = checkout.named(path)
    text = checkout.text(name) if name else ""
    interpreter = re.match(r"#!\s*\S*/(?:env(?:\s+-S)?\s+)?(\w+)", text)
    in_shell = interpreter[1] in SHELLS if interpreter else path.endswith(".sh")
    return f"{name} starts the service without `exec`" if text and in_shell and not _execs(text) else ""


def _execs(script: str) -> bool:
    """Whether a script becomes another program: some command of it is `exec PROGRAM`, not a mere redirection."""
    return any(words[0] == "exec" and re.match(r"[^<>&\d]", "".join(words[1:2])) for words in simple_commands(script))
