"""Matplotlib figures as SVG that lives inside a page: its fonts and colours are the page's, its ids are its own.

Figures are drawn with stand-in colours (`INK`), which become CSS custom properties, so that one drawing serves light
and dark. No words are drawn, only numbers: names come from evidence and are the page's to escape.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = {
    "paper": "#0101f1",
    "text": "#0101f2",
    "muted": "#0101f3",
    "line": "#0101f4",
    "band": "#0101f5",
    "series-1": "#0101f6",
    "series-2": "#0101f7",
    "series-3": "#0101f8",
    "series-4": "#0101f9",
}
"""Names of the page's custom properties, and the colour that stands for each while matplotlib draws."""
_REFERENCE = re.compile(r"url\(#([^)]+)\)|^#(.+)$")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_SETTINGS_LOCK = threading.Lock()


def prepare() -> None:
    """Import matplotlib: it takes a second, which only a page with charts should cost."""
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401


@contextmanager
def settings() -> Iterator[None]:
    """Matplotlib's own defaults, whatever the user's configuration says, with text left as text.

    The SVG settings exist only as process-wide ones; they are put back at the end, and held by one thread at a time.
    """
    import matplotlib  # here and not above: see `prepare`

    with _SETTINGS_LOCK, matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "report", "text.parse_math": False})
        yield


def inline(figure: Figure, prefix: str) -> str:
    """A figure as an `svg` element without a namespace, hidden from screen readers, which get words instead.

    `prefix` must be unique in the page; every id that is kept starts with it.
    """
    drawn = io.BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(drawn, format="svg", transparent=True, metadata=nothing)
    root = ET.fromstring(drawn.getvalue())  # noqa: S314 -- matplotlib wrote it a line ago
    _, _, width, height = root.get("viewBox", "0 0 1 1").split()
    for parent in list(root.iter()):
        for child in [c for c in parent if c.tag.endswith(("}style", "}metadata"))]:
            parent.remove(child)
    used = {a or b for e in root.iter() for value in e.attrib.values() for a, b in _REFERENCE.findall(value)}
    for element in root.iter():
        _adopt(element, used, prefix)
    root.attrib = {"viewBox": f"0 0 {width} {height}", "width": width, "height": height, "aria-hidden": "true"}
    return _themed(ET.tostring(root, encoding="unicode"))


def _adopt(element: ET.Element, used: set[str], prefix: str) -> None:
    """Make an element the page's: no namespaces, unique ids, no fonts of its own."""
    element.tag = element.tag.rpartition("}")[2]
    element.text = (element.text or "").strip()
    element.tail = ""
    kept: dict[str, str] = {}
    for name, value in element.attrib.items():
        plain = name.rpartition("}")[2]
        if plain == "id":
            if value in used:
                kept["id"] = f"{prefix}-{value}"
        elif plain == "style":
            kept["style"] = re.sub(r"font-family: [^;]*;? ?", "", value)
        elif not value.startswith("rotate(-0 "):
            linked = _REFERENCE.sub(lambda m: m.group().replace("#", f"#{prefix}-"), value)
            kept[plain] = " ".join(_LONG_NUMBER.sub(lambda m: f"{float(m.group()):.2f}", linked).split())
    element.attrib = kept


def _themed(svg: str) -> str:
    for name, colour in INK.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg
