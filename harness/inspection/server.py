"""Whether what an image starts is a development server."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence

from harness.inspection.checkout import Checkout
from harness.inspection.python import last_name, parse

COMMAND = re.compile(
    r"--reload\b|\bflask\b.*\brun\b|\bfastapi dev\b|\bmanage\.py runserver\b|\bnodemon\b|\bnpm run dev\b"
    r"|\bflask\b.*--debug\b|\buvicorn\b.*--debug\b"
)
ENVIRONMENT = re.compile(r"FLASK_DEBUG=(?:1|true|on)|FLASK_ENV=development|DJANGO_DEBUG=(?:1|true)", re.IGNORECASE)


def development(argv: Sequence[str], env: Iterable[str], checkout: Checkout) -> str:
    """What makes a server that is started so one for development, or an empty string."""
    command = " ".join(argv)
    if found := COMMAND.search(command):
        return f"the image runs `{command[:100]}`, with `{found[0]}`"
    if setting := next((one for one in env if ENVIRONMENT.fullmatch(one)), ""):
        return f"the image sets {setting}"
    for name in _programs(command, checkout):
        if reason := _in_source(checkout.text(name)):
            return f"{name} {reason}"
    return ""


def _programs(command: str, checkout: Checkout) -> Iterable[str]:
    """The submission's own files that a command starts, by path or as modules."""
    for module in re.findall(r"\bpython[0-9.]*\s+(?:-[A-Za-z]\s+)*-m\s+([\w.]+)", command):
        path = module.replace(".", "/")
        yield from filter(None, (checkout.named(f"{path}/__main__.py"), checkout.named(f"{path}.py")))
    for path in re.findall(r"[\w./-]+\.py\b", command):
        if name := checkout.named(path):
            yield name


def _in_source(text: str) -> str:
    tree = parse(text)
    if tree is None:
        return ""
    flask = bool(re.search(r"^\s*(?:from flask\b|import flask\b)", text, re.MULTILINE))
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and last_name(node.func) == "run"):
            continue
        given = {k.arg for k in node.keywords if isinstance(k.value, ast.Constant) and k.value.value is True}
        if on := [f"{name}=True" for name in ("debug", "reload") if name in given]:
            return f"starts the server with {' and '.join(on)}"
        owner = last_name(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if flask and owner in ("app", "application", "server"):
            return "starts Flask's own server, which is for development"
    return ""
