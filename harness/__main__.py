"""`python -m harness`, and the `harness` command."""

from __future__ import annotations

import signal
from types import FrameType


def main() -> None:
    """Run the command line; errors become one message and an exit code (see `harness.errors`)."""
    from harness import cli_hooks, cli_journey, cli_server
    from harness.cli import cli

    for part in (cli_journey, cli_server, cli_hooks):
        part.register(cli)
    signal.signal(signal.SIGTERM, _as_interrupt)
    cli.main(prog_name="harness")


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
