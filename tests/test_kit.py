"""What functional tests are written with: comparing, waiting, reading metrics."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from harness import kit
from harness.errors import SubmissionError


class Talker(BaseHTTPRequestHandler):
    """Answers each path with what the test put there: a content type and a body."""

    pages: dict[str, tuple[str, str]] = {}  # noqa: RUF012  # one server at a time

    def do_GET(self) -> None:
        kind, body = self.pages[self.path]
        self.send_response(200)
        self.send_header("content-type", kind)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def talker() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Talker)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (["0.5"], [0.5]),
        ([True], [1.0]),
        ([None], [0.5]),
        ([{"p": 0.5}], [0.5]),
        ([], [0.5]),
        ([[0.5]], [0.5]),
        ([[0.1, 0.2], [0.3]], [[0.1, 0.2], [0.3, 0.4]]),
        ([float("nan")], [0.5]),
        ([0.5, 0.500002], [0.5, 0.5]),
        ("0.5", [0.5]),
    ],
)
def test_predictions_that_differ_in_kind_shape_or_value_are_told_apart(observed, expected):
    with pytest.raises(kit.Broken, match="wrong: "):
        kit.expect_equal(observed, expected, "wrong", tolerance=1e-6)


@pytest.mark.parametrize(
    ("observed", "expected"),
    [([0.5000004], [0.5]), ([1], [1.0]), (0.5, 0.5), ([[1e9 + 100]], [[1e9]]), ([], [])],
)
def test_predictions_may_differ_within_the_tolerance(observed, expected):
    kit.expect_equal(observed, expected, "wrong", tolerance=1e-6)


def test_without_a_tolerance_any_two_values_are_compared():
    kit.expect_equal({"a": ["x"]}, {"a": ["x"]}, "wrong")
    with pytest.raises(kit.Broken, match="wrong"):
        kit.expect_equal({"a": ["x"]}, {"a": ["y"]}, "wrong")


def test_a_lagging_counter_is_waited_for_and_a_wrong_one_is_given_back():
    values = iter([1, 2, 3, 4])
    assert kit.eventually(lambda: next(values), lambda value: value == 3) == 3
    assert kit.eventually(lambda: 7, lambda value: value == 3, seconds=0.1) == 7


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/plain; version=0.0.4", "# TYPE a_total counter\na_total 3\n"),
        ("text/plain; version=1.0.0; escaping=underscores", "a_total 3\n"),
        ("application/openmetrics-text; version=1.0.0", '# TYPE a counter\na_total 3 # {id="7"} 1\n# EOF\n'),
    ],
)
def test_metrics_are_read_in_both_of_prometheus_formats(talker, kind, body):
    Talker.pages = {"/metrics": (kind, body)}
    with kit.Service(talker, lambda: 10.0) as service:
        assert [(sample.name, sample.value) for sample in kit.metrics(service)] == [("a_total", 3.0)]


@pytest.mark.parametrize("body", ["<html>it works</html>", '{"a_total": 3}', "a_total three\n"])
def test_metrics_that_are_nonsense_are_the_candidates_fault(talker, body):
    Talker.pages = {"/metrics": ("text/plain", body)}
    with kit.Service(talker, lambda: 10.0) as service, pytest.raises(SubmissionError, match="not in Prometheus's text"):
        kit.metrics(service)
