"""One error class for each person who can fix it.

    HarnessError
    ├── UsageError            the person at the keyboard    exit 2, before anything runs
    ├── ChallengeError        the author of the challenge   exit 2, before anything runs
    ├── SubmissionError       the candidate                 a failed check; never a crash
    └── InfrastructureError   us, or the machine            outcome `error`; the run is void, exit 3

Any other exception that reaches the pipeline is a bug of ours and is treated like an `InfrastructureError`.
"""

from __future__ import annotations


class HarnessError(Exception):
    """What happened and why; `remedy` says what to do next."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n  {self.remedy}" if self.remedy else message


class UsageError(HarnessError):
    """The command was asked for something that it cannot do."""


class ChallengeError(HarnessError):
    """A challenge is broken; only its author can mend it."""


class SubmissionError(HarnessError):
    """A submission misbehaves; it costs a check, never the run."""


class InfrastructureError(HarnessError):
    """The engine, the machine or the harness failed; it never costs the candidate anything."""
