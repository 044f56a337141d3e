"""What the functional tests are told once the services run.

It comes as JSON on their standard input, so that the hidden seed is nowhere on disk.
"""

from __future__ import annotations

from pathlib import Path

from grading.evidence import Record


class Served(Record):
    """A service, or why there is none."""

    url: str = ""
    problem: str = ""


class Brief(Record):
    """Where the services are, and what is hidden from the candidate."""

    seed: int
    """What the hidden rows are drawn from."""
    seconds: float
    """The time that all checks share."""
    hidden_model: Path
    """The folder of our own copy of the model that is mounted."""
    own: Served
    """The service with the model that its image brought."""
    mounted: Served
    """The service with the hidden model mounted."""
