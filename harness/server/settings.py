"""Where an intake keeps its things, and what it allows."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from harness import receipts

# `-P`: never a module that lies in the working folder.
GRADER = (
    *(sys.executable, "-P", "-m", "harness", "grade", "{submission}", "--challenge", "{challenge}"),
    *("--profile", "review", "--runs", "{runs}", "--json"),
)


@dataclass(frozen=True)
class Settings:
    """How an intake is set up."""

    home: Path
    """Holds the signing key, the bundles, the run folders and, unless `database` says otherwise, the database."""
    database: str = ""
    """An SQLAlchemy URL; empty for an SQLite file in `home`."""
    issuer: str = "the company"
    """Who signs receipts, as candidates know them."""
    cap_mb: int = 64
    """The largest bundle that is taken."""
    upload_seconds: float = 900
    """How long one upload may take."""
    address_rate: str = "600/minute"
    token_rate: str = "120/minute"  # noqa: S105  # no token
    grader: tuple[str, ...] = GRADER
    """Grades the folder {submission} for {challenge}, leaves a run folder in {runs}, and prints the report as JSON."""
    grading_seconds: float = 7200
    """After which a grading counts as hung."""
    lease_seconds: float = 60
    """For how long a job is a worker's own without a sign of life; what a dead server was grading starts again then."""
    failures: int = 3
    """How often a grading may break off through our own fault before a person has to look."""
    pause_seconds: float = 30
    """Before such a grading is tried again; four times as long before each further try."""

    @property
    def url(self) -> str:
        """The database's URL."""
        return self.database or f"sqlite:///{self.home.resolve() / 'intake.db'}"

    @property
    def incoming(self) -> Path:
        """Uploads that have not ended; worthless once the server has."""
        return self.home / "incoming"

    @property
    def bundles(self) -> Path:
        """Bundles that were acknowledged."""
        return self.home / "bundles"

    @property
    def work(self) -> Path:
        """Gradings in progress, a folder each."""
        return self.home / "work"

    @property
    def runs(self) -> Path:
        """Run folders, as `harness grade` writes them."""
        return self.home / "runs"

    @property
    def key_file(self) -> Path:
        """Where the key that signs receipts lies."""
        return self.home / "signing.key"

    @cached_property
    def key(self) -> Ed25519PrivateKey:
        """The key that signs receipts, made when it is first asked for."""
        try:
            return receipts.new_key(self.key_file)
        except FileExistsError:
            return receipts.read_key(self.key_file)

    @property
    def public_key(self) -> str:
        """The public half of the key."""
        return receipts.public(self.key)

    def prepare(self) -> None:
        """Make the folders; nobody else on the machine may look into them."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.incoming, self.bundles, self.work, self.runs):
            folder.mkdir(exist_ok=True)

    def bundle(self, invitation: str, digest: str) -> Path:
        """Where the bundle of an acknowledged submission lies."""
        return self.bundles / invitation / f"{digest}.tar"
