"""What BuildKit says while it builds (`--progress=rawjson`), as steps and as a log that people can read.

The stream is structured: what a step prints arrives encoded in its own field, so no output of a submission can pass for
the builder's own word. buildx 0.13 writes each value over many lines, later ones on one.
"""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.sandbox import Step

LOG_CAP = 2 * 1024 * 1024
"""Bytes of a build log that are kept: its beginning. The end is in the failure's message."""
TAIL = 30
"""Lines that are kept of each step's own output, for the message of a failure."""
CANCELLED = "context canceled"
VALUE_CAP = 8 * 1024 * 1024
NUMBERED = re.compile(r"^\[(?:\S+ +)?\d+/\d+\] +")


@dataclass
class Vertex:
    """One node of the build's graph."""

    name: str
    started: str = ""
    completed: str = ""
    cached: bool = False
    error: str = ""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL))

    @property
    def is_instruction(self) -> bool:
        """Whether it is an instruction of the Dockerfile rather than the builder's own work."""
        return bool(NUMBERED.match(self.name))

    @property
    def instruction(self) -> str:
        """The instruction without its number, or the builder's name for its own work."""
        return NUMBERED.sub("", self.name)

    @property
    def seconds(self) -> float:
        """How long it ran."""
        if not (self.started and self.completed):
            return 0.0
        return max(0.0, (_time(self.completed) - _time(self.started)).total_seconds())


class Progress:
    """Reads the stream and writes the log as it comes; use as a context manager."""

    def __init__(self, log: Path) -> None:
        self._path = log
        self._left = LOG_CAP
        self._last = ""
        self.vertices: dict[str, Vertex] = {}
        self.said: deque[str] = deque(maxlen=60)
        """The client's own last lines: what is not part of the stream, such as why it failed."""

    def __enter__(self) -> Progress:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("w", encoding="utf-8")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._file.close()

    def read(self, lines: Iterable[str]) -> None:
        """Take in the stream until it ends."""
        for value in _values(lines, self._say):
            for raw in value.get("vertexes") or ():
                self._vertex(raw)
            for raw in value.get("logs") or ():
                self._output(raw)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The Dockerfile's instructions in the order in which they ran."""
        ran = [v for v in self.vertices.values() if v.is_instruction and v.started]
        return tuple(Step(v.instruction, v.cached, round(v.seconds, 3)) for v in sorted(ran, key=lambda v: v.started))

    @property
    def failed(self) -> Vertex | None:
        """The step that failed, if one did; steps that were cancelled because of it don't count."""
        broken = [v for v in self.vertices.values() if v.error]
        return next((v for v in broken if CANCELLED not in v.error), None)

    @property
    def running(self) -> Vertex | None:
        """The instruction that was at work when the build was stopped, if one was."""
        stopped = [v for v in self.vertices.values() if not v.completed or CANCELLED in v.error]
        begun = [v for v in stopped if v.is_instruction and v.started]
        return max(begun, key=lambda v: v.started, default=None)

    @property
    def last_words(self) -> str:
        """The error with which the client ended."""
        errors = [line.removeprefix("ERROR: ") for line in self.said if line.startswith("ERROR: ")]
        return errors[-1] if errors else "\n".join(self.said) or "it said nothing"

    def restart(self, why: str) -> None:
        """Forget the steps of an attempt that is given up; the log goes on."""
        self.vertices.clear()
        self.said.clear()
        self._write(f"== {why}\n")

    def _vertex(self, raw: dict[str, Any]) -> None:
        vertex = self.vertices.setdefault(raw["digest"], Vertex(raw.get("name", "")))
        vertex.started = raw.get("started") or vertex.started
        vertex.completed = raw.get("completed") or vertex.completed
        if raw.get("cached") and not vertex.cached:
            self._write(f"== {vertex.name}: cached\n")
        vertex.cached = vertex.cached or bool(raw.get("cached"))
        if raw.get("error") and not vertex.error:
            self._write(f"== {vertex.name}: failed: {raw['error']}\n")
        vertex.error = raw.get("error") or vertex.error

    def _output(self, raw: dict[str, Any]) -> None:
        text = base64.b64decode(raw.get("data", "")).decode("utf-8", "replace")
        vertex = self.vertices.get(raw.get("vertex", ""))
        if vertex is None:
            return
        vertex.tail.extend(line[:500] for line in text.splitlines() if line.strip())
        if self._last != raw["vertex"]:
            self._write(f"== {vertex.name}\n")
            self._last = raw["vertex"]
        self._write(text)

    def _say(self, line: str) -> None:
        self.said.append(line.rstrip()[:2000])
        self._write(line)

    def _write(self, text: str) -> None:
        if self._left <= 0:
            return
        content = text.encode("utf-8", "replace")
        self._file.write(content[: self._left].decode("utf-8", "ignore"))
        self._left -= len(content)
        if self._left <= 0:
            self._file.write(f"\n== the log was cut here, at {LOG_CAP // 2**20} MB\n")
        self._file.flush()


def _values(lines: Iterable[str], say: Any) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream, one a line or indented; any other line goes to `say`."""
    pending: list[str] = []
    size = 0
    for line in lines:
        if not pending and not line.startswith("{"):
            say(line)
            continue
        pending.append(line)
        size += len(line)
        if not line.rstrip("\n").endswith("}") or line.startswith(" "):
            if size > VALUE_CAP:
                pending, size = [], 0
            continue
        try:
            yield json.loads("".join(pending))
        except ValueError:
            say(line)
        pending, size = [], 0


def _time(stamp: str) -> datetime:
    # Go prints nanoseconds, of which Python reads six digits only.
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", stamp))
