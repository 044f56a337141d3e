"""How every format writes names, numbers and other people's strings."""

from __future__ import annotations

import math
import re
import shlex
import unicodedata

from grading.evidence import Measurement
from grading.report import Report

INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories of characters that act on a page without showing: controls, direction marks, line separators."""
PLAIN = re.compile(r"[\x20-\x7e\n]*")
SPACE = re.compile(r"\s+")
NO_BREAK = "\N{NO-BREAK SPACE}"
UNITS = {"1": "", "1/s": "/s"}
"""UCUM units whose own spelling reads badly beside a number."""


def clean(text: str) -> str:
    """Text with every invisible character spelled out (`\\x1b`, `\\u202e`), so that none can act on a reader's page.

    Newlines stay, tabs become spaces. The result is legal in XML 1.0.
    """
    return text if PLAIN.fullmatch(text) else "".join(map(_visible, text.replace("\r\n", "\n").replace("\t", "    ")))


def _visible(character: str) -> str:
    code = ord(character)
    noncharacter = code & 0xFFFE == 0xFFFE
    if character == "\n" or not (unicodedata.category(character) in INVISIBLE or noncharacter):
        return character
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str, limit: int = 0) -> str:
    """Clean text on one line; cut, and said so, where it is longer than `limit` characters (0: never)."""
    line = SPACE.sub(" ", clean(text)).strip()
    return cut(line, limit)


def cut(text: str, limit: int) -> str:
    """Text of at most `limit` characters (0: any number), and how many there were if some had to go."""
    return f"{text[:limit]}… ({len(text)} characters)" if limit and len(text) > limit else text


def points(value: float) -> str:
    """Points as the rubric rounds them: at most two decimals, none that say nothing."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def number(value: float) -> str:
    """A number to three significant digits, whole from 100 on, thousands apart."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    size = abs(value)
    if size and not 1e-4 <= size < 1e12:
        return f"{value:.2e}"
    decimals = max(0, 2 - math.floor(math.log10(size))) if size else 0
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def unit(name: str) -> str:
    """A unit as it stands beside a number; empty for ratios and counts."""
    return UNITS.get(name, name)


def quantity(value: float, of_unit: str) -> str:
    """A number and its unit, kept on one line."""
    return f"{number(value)}{NO_BREAK}{unit(of_unit)}".rstrip(NO_BREAK)


def figure(value: float | None, of_unit: str) -> str:
    """A key figure: as `quantity`, but a ratio as a percentage, and absent ones named."""
    if value is None:
        return "not measured"
    return quantity(value * 100, "%") if of_unit == "1" else quantity(value, of_unit)


def spread(measurement: Measurement) -> str:
    """The confidence interval of a measurement, empty if it has none."""
    if (interval := measurement.interval) is None:
        return ""
    return f"{interval.level * 100:g}{NO_BREAK}%: {number(interval.low)} to {number(interval.high)}"


def command(report: Report, stage: str) -> str:
    """The shell command that repeats what a stage found."""
    arguments = ["harness", "grade", report.submission, "--challenge", report.challenge, "--stage", stage]
    trusted = ["--sandbox", "local", "--trusted"] if report.run.sandbox == "local" else []
    return shlex.join([*arguments, "--profile", report.run.profile, *trusted])


def verdicts(report: Report) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What a reader must know before any number: why the grade is void, why it is not final."""
    found: list[tuple[str, tuple[str, ...]]] = []
    if report.void:
        found.append(("VOID", report.void_because))
    if not report.run.final:
        found.append(("NOT FINAL", (report.run.not_final_because or "the run cannot support a final grade",)))
    return tuple(found)
