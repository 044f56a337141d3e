"""Cpu time that one request costs each golden submission, by its rows: the figures of their DECISIONS.md.

.venv/bin/python bench/request_cost.py                 # all of them, in turns
.venv/bin/python bench/request_cost.py flask_gunicorn

Read from the container's cgroup, as the load stage does; /livez, which does no work, is what server and framework take.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from harness import challenge, pipeline, seeds
from harness.calibration import known, making
from harness.client import Client
from harness.load.clocks import cpu_seconds
from harness.readiness import wait_ready
from harness.sandbox import Launch, Service
from harness.sandbox.docker import DockerSandbox
from harness.submission import export

REQUESTS = {0: 300, 1: 200, 100: 150, 2000: 50}
"""How many of each size make one reading; 0 rows: /livez."""
READINGS = 5


def cost(service: Service, client: Client, bodies: list[bytes]) -> float:
    """Milliseconds of cpu that one request took, over a number of them."""
    path = service.cpu_file() or Path()
    before = cpu_seconds(path)
    for body in bodies:
        if body:
            client.request("POST", "/invocations", body=body, headers={"content-type": "application/json"})
        else:
            client.get("/livez")
    return (cpu_seconds(path) - before) * 1e3 / len(bodies)


def main() -> None:
    """Print a line for each golden submission and size: the median, and the lowest and highest reading."""
    found = challenge.named("fraud_detection")
    there = known.read(found)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*there.goldens, []], help="all of them unless named")
    names = parser.parse_args().names or list(there.goldens)
    traffic = challenge.load_module(found.folder, "load", "Traffic").Traffic(
        found.folder / "public" / "model", found.data.sample
    )
    root = seeds.published()
    bodies = {
        rows: [body for body, _ in traffic.requests(count, root.child(f"cost/{rows}"), rows)] if rows else [b""] * count
        for rows, count in REQUESTS.items()
    }
    with tempfile.TemporaryDirectory() as scratch, pipeline.machine_to_ourselves(lambda *_: None), ExitStack() as stack:
        home, limits, ready = Path(scratch), found.spec.limits, found.spec.contract
        sandbox = stack.enter_context(DockerSandbox("request-cost"))
        running = {}
        for name in names:
            submission = export(making.make(there, name, home / "made"), home / "exported" / name)
            image = sandbox.build(submission, limits, home / "log")
            service = stack.enter_context(sandbox.start(image, limits, Launch(name, {"PORT": str(ready.port)})))
            wait_ready(service, ready.ready_paths, ready.ready_seconds)
            running[name] = service, stack.enter_context(Client(service.url))
        print(f"{'submission':<18} {'rows':>6} {'cpu, ms a request':>18}   readings")
        for rows, sent in bodies.items():
            readings: dict[str, list[float]] = {name: [] for name in names}
            # In turns, so that a machine that slows down slows all of them.
            for name in [name for _ in range(READINGS + 1) for name in names]:
                readings[name].append(cost(*running[name], sent))
            for name in names:
                kept = readings[name][1:]
                print(f"{name:<18} {rows:>6} {statistics.median(kept):>18.2f}   {min(kept):.2f} to {max(kept):.2f}")


if __name__ == "__main__":
    main()
