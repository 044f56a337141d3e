"""The targets of a Makefile, read line by line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.inspection.checkout import Checkout

NAMES = ("GNUmakefile", "makefile", "Makefile", "justfile", "Justfile")
LINE_CAP = 1000


@dataclass
class Rule:
    """What one target needs and runs."""

    needs: list[str] = field(default_factory=list)
    recipe: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Makefile:
    """The rules by target."""

    name: str
    rules: dict[str, Rule]
    open_ended: bool
    """It may have targets that are not written out: patterns, variables, included files."""

    def script(self, target: str) -> str:
        """The commands of a target; those of the targets it needs come first, as `make` commands."""
        rule = self.rules.get(target, Rule())
        return "\n".join([*(f"make {name}" for name in rule.needs), *rule.recipe])


def read(checkout: Checkout) -> Makefile | None:
    """The Makefile at the top, or None."""
    name = next((name for name in NAMES if name in checkout.names), None)
    if name is None:
        return None
    text = re.sub(r"\\\r?\n", " ", checkout.text(name))
    rules: dict[str, Rule] = {}
    current: list[Rule] = []
    open_ended = False
    for line in _with_variables(text).splitlines():
        head, colon, rest = line[:LINE_CAP].partition(":")
        if line[:1] in "\t ":
            for rule in current:
                rule.recipe.append(line.strip().lstrip("@-+"))
        elif colon and not rest.startswith("=") and "=" not in head and not head.startswith("#"):
            body, _, inline = rest.partition(";")
            current = [rules.setdefault(target, Rule()) for target in head.split()]
            for rule in current:
                rule.needs += re.findall(r"[\w.-]+", body.partition("#")[0])
                rule.recipe += [inline.strip()] if inline.strip() else []
            open_ended = open_ended or "%" in head or "$" in head
        elif line.startswith(("include", "-include", "import", "mod ")):
            open_ended = True
    return Makefile(name, rules, open_ended)


def _with_variables(text: str) -> str:
    """The text with `$(NAME)` replaced by what is assigned to it, where that is plain."""
    values = dict(re.findall(r"^([A-Za-z]\w*)[ \t]*[:?]?=[ \t]*([^\n$]{0,200})$", text, re.MULTILINE))
    return re.sub(r"\$[({](\w+)[)}]", lambda match: values.get(match[1], match[0]), text)
