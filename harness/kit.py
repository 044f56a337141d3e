"""What functional tests are written with: the only module of ours that challenge code may import.

A functional test is an ordinary pytest function in a challenge's folder `functional/`. Its name without `test_` is the
name of the check; the first paragraph of its docstring is the claim, which the candidate reads. These fixtures exist:

    service          the submission with the model that its image brought: a `Service`
    model            that model, the published one, loaded by us: a `Model`, which says what is expected
    mounted_service  the submission in a second container, where a model that no candidate has seen is mounted
    mounted_model    that hidden model
    rows             `rows(n)` gives n hidden rows, `challenge.data.sample`'s; each call gives new ones

Tests share the two services and run in the order of their files, so a test of a counter compares two readings.

What becomes of a test: nothing raised, it passed. An `AssertionError`, or an error that the service brought about (no
answer, no JSON): it failed, and the candidate gets the message, without a traceback. `pytest.skip`: not assessed. Any
other exception is a bug of ours: the check is undecided and the run is void.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import pytest

from harness.client import Client, NoAnswer, Reply
from harness.errors import SubmissionError
from harness.payloads import INVOCATIONS, predictions, records, split

if TYPE_CHECKING:
    import pandas as pd
    from prometheus_client.samples import Sample

__all__ = [
    "Broken", "Model", "NoAnswer", "Reply", "Rows", "Service", "eventually", "expect", "expect_equal", "metrics",
    "needs", "ok", "predict", "predictions", "read", "readings", "records", "split",
]  # fmt: skip

T = TypeVar("T")
Payload = Callable[["pd.DataFrame"], dict[str, Any]]
"""Makes rows into a request's body: `split` or `records`."""


def needs(*checks: str) -> pytest.MarkDecorator:
    """Marks a test that means nothing where these checks, which must stand before it, did not pass.

    It is then not run, and fails as "not reached": one broken route gives one diagnosis, and still costs every check
    that rests on it.
    """
    return pytest.mark.needs(*checks)


class Broken(AssertionError):
    """A claim that does not hold, with what was expected and what was observed."""

    def __init__(self, message: str, expected: object = "", observed: object = "") -> None:
        super().__init__(message)
        self.expected = expected
        self.observed = observed


def expect(holds: bool, message: str, expected: object = "", observed: object = "") -> None:
    """Fail with `message` (what is wrong and what to do about it) unless `holds`. Raises `Broken`."""
    if not holds:
        raise Broken(message, expected, observed)


def expect_equal(observed: Any, expected: Any, message: str, *, tolerance: float = 0.0) -> None:
    """Fail with `message` and the first difference unless both are equal.

    With a tolerance both are numbers, or lists of them nested in the same shape, and each pair may differ by
    `tolerance * (1 + |expected|)`, as in `numpy.allclose`. Raises `Broken`.
    """
    if not tolerance:
        expect(observed == expected, message, expected, observed)
        return
    wanted = np.atleast_1d(np.asarray(expected, dtype=np.float64))
    try:
        given = np.atleast_1d(np.asarray(observed))
    except ValueError:
        raise Broken(f"{message}: the lists are not all of one length", wanted[:1].tolist(), observed) from None
    if given.dtype.kind not in "iuf":
        raise Broken(f"{message}: these are not numbers throughout", wanted[:1].tolist(), given[:1].tolist())
    if given.shape != wanted.shape:
        shapes = f"the shape is {given.shape}, not {wanted.shape}"
        raise Broken(f"{message}: {shapes}", wanted[:1].tolist(), given[:1].tolist())
    apart = ~np.isclose(given, wanted, rtol=tolerance, atol=tolerance)
    if apart.any():
        wrong = apart.reshape(len(wanted), -1).any(axis=1)
        first = int(wrong.argmax())
        where = f"{int(wrong.sum())} of {len(wanted)} differ, the first is number {first + 1}"
        raise Broken(f"{message}: {where}", wanted[first].tolist(), given[first].tolist())


def eventually(read: Callable[[], T], holds: Callable[[T], bool], *, seconds: float = 2.0) -> T:
    """What `read` gives as soon as `holds` is true of it, or the last it gave: a counter may lag behind an answer."""
    end = time.monotonic() + seconds
    while not holds(value := read()) and time.monotonic() < end:
        time.sleep(0.05)
    return value


class Service(Client):
    """A client of one running service. All checks share one budget of time; each deadline is cut to what is left."""

    def __init__(self, url: str, left: Callable[[], float]) -> None:
        """`left` gives the seconds that are left of the budget."""
        super().__init__(url)
        self._left = left

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Reply:
        """See `Client.request`. Raises `NoAnswer`."""
        left = self._left()
        if left <= 0:
            raise NoAnswer(f"{method} {path} was not sent: the service had used up the time that all checks share")
        return super().request(method, path, body=body, headers=headers, seconds=min(seconds or self.seconds, left))


class Model:
    """An MLflow model of ours: what is expected. It is loaded when it is first asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self) -> None:
        """Load it now, which takes seconds where it is the first."""
        self._loaded  # noqa: B018  # reading the property is what loads

    @cached_property
    def _loaded(self) -> Any:
        import mlflow.pyfunc

        return mlflow.pyfunc.load_model(str(self.folder))

    @property
    def metadata(self) -> dict[str, Any]:
        """What its author wrote into MLmodel's `metadata`, e.g. its name and version."""
        return dict(self._loaded.metadata.metadata or {})

    @property
    def columns(self) -> list[str]:
        """The names of its inputs."""
        return list(self._loaded.metadata.get_input_schema().input_names())

    def predict(self, frame: pd.DataFrame) -> list[Any]:
        """Its predictions, one a row, as JSON has them."""
        return list(np.asarray(self._loaded.predict(frame)).tolist())


class Rows(Protocol):
    """The fixture `rows`."""

    def __call__(self, n: int) -> pd.DataFrame:
        """Hidden rows: n independent ones, new at each call, the same for the same seed and test."""


def predict(service: Service, frame: pd.DataFrame, form: Payload = split, *, seconds: float | None = None) -> list[Any]:
    """Send rows by MLflow's scoring protocol, in the given form; returns the predictions, one a row.

    Raises:
        SubmissionError: they were not answered with 200 and one prediction a row.
        NoAnswer: they were not answered.
    """
    return predictions(service.post(INVOCATIONS, form(frame), seconds=seconds), len(frame))


def ok(reply: Reply, what: str) -> Reply:
    """The reply, if its status is 200. `what` was asked for, e.g. `GET /livez`. Raises `Broken`."""
    message = f"{what} answered {reply.status} instead of 200"
    expect(reply.status == 200, message, expected=200, observed=f"{reply.status} {reply.text[:200]}")
    return reply


def read(service: Client, path: str) -> Reply:
    """GET a path and close the connection: one that is kept would always meet the same worker of several."""
    return service.request("GET", path, headers={"connection": "close"})


def readings(once: Callable[[], T], count: int = 20) -> list[T]:
    """What many readings give, several at a time: workers that share nothing disagree."""
    with ThreadPoolExecutor(5) as callers:
        return list(callers.map(lambda _: once(), range(count)))


def metrics(service: Client, path: str = "/metrics") -> list[Sample]:
    """Everything that the service shows to Prometheus.

    Raises:
        SubmissionError: it is not in Prometheus's text format, or OpenMetrics where its type says so.
    """
    from prometheus_client import parser
    from prometheus_client.openmetrics import parser as openmetrics

    reply = ok(read(service, path), f"GET {path}")
    newer = "openmetrics" in reply.headers.get("content-type", "")
    parse = openmetrics.text_string_to_metric_families if newer else parser.text_string_to_metric_families
    try:
        return [sample for family in parse(reply.text) for sample in family.samples]
    except Exception as error:  # what the parsers raise on nonsense depends on the nonsense
        raise SubmissionError(f"GET {path} is not in Prometheus's text format: {error}") from error
