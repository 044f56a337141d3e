"""The monitor behind a service's routes, over real HTTP, whatever it answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sitting import SETTINGS

from harness.client import Client, NoAnswer
from harness.drift.monitor import HttpMonitor, NoReport, Refused
from harness.sandbox import State

REPORT = {
    "status": "ok",
    "drift_detected": True,
    "n_observed": 1000,
    "window_size": 1000,
    "reference_size": 6000,
    "features": {"amount": {"drifted": True, "score": 1, "threshold": 0.2, "method": "psi", "p_value": 0.1}},
    "extra": "is fine",
}
METRICS = 'model_predictions_total{model="a"} 700\nmodel_predictions_total{model="b"} 300.0\nother_total 5\n'


class Service:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, bytes]]] = {}
        self.asked: list[tuple[str, str, bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                outer.asked.append((self.path, self.headers.get("connection", ""), body))
                answers = outer.answers[self.path]
                status, content = answers.pop(0) if len(answers) > 1 else answers[0]
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815  # the name that http.server looks for

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def says(self, route: str, *answers: tuple[int, object]) -> None:
        self.answers[route] = [(s, a if isinstance(a, bytes) else json.dumps(a).encode()) for s, a in answers]


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.server.shutdown()
    service.server.server_close()


@pytest.fixture
def monitor(service: Service) -> Iterator[HttpMonitor]:
    with Client(f"http://127.0.0.1:{service.server.server_port}", seconds=5) as client:
        yield HttpMonitor(client, SETTINGS, lambda: State(running=True))


def test_a_report_is_read_and_keys_of_the_services_own_are_let_be(service: Service, monitor: HttpMonitor):
    service.says(SETTINGS.route, (200, REPORT))
    report = monitor.poll()
    assert report.alarm
    assert report.features["amount"].score == 1


def test_too_little_data_is_no_alarm(service: Service, monitor: HttpMonitor):
    service.says(SETTINGS.route, (200, {**REPORT, "status": "insufficient_data", "features": {}}))
    assert not monitor.poll().alarm


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (500, b"oops", "answers 500"),
        (404, {"detail": "Not Found"}, "answers 404"),
        (204, b"", "answers 204"),
        (200, b"<html>", "not JSON"),
        (200, b"[" * 100_000, "not JSON"),
        (200, b"\xff\xfe", "not JSON"),
        (200, [], "the whole answer"),
        (200, {**REPORT, "status": "fine"}, "status"),
        (200, {**REPORT, "drift_detected": "true"}, "drift_detected"),
        (200, {**REPORT, "drift_detected": 1}, "drift_detected"),
        (200, {**REPORT, "n_observed": -1}, "n_observed"),
        (200, {**REPORT, "n_observed": 1e3}, "n_observed"),
        (200, {**REPORT, "features": ["amount"]}, "features"),
        (200, {**REPORT, "features": {"amount": {"drifted": True}}}, "features.amount.score"),
        (200, {key: value for key, value in REPORT.items() if key != "window_size"}, "window_size: field required"),
        (200, b" " * (9 * 2**20), "cut off"),
    ],
)
def test_an_answer_that_is_no_report_is_named_for_what_it_is(
    service: Service, monitor: HttpMonitor, status: int, answer: object, said: str
):
    service.says(SETTINGS.route, (status, answer))
    with pytest.raises(NoReport, match=said):
        monitor.poll()


def test_the_counter_is_summed_over_its_labels(service: Service, monitor: HttpMonitor):
    service.says(SETTINGS.metrics, (200, METRICS.encode()))
    assert monitor.predictions() == 1000


@pytest.mark.parametrize("text", [b"", b"other 1\n", b"a{b 1\n", b"\x00\xff{}{}", b"model_predictions_total many\n"])
def test_metrics_without_the_counter_are_named_for_what_they_are(service: Service, monitor: HttpMonitor, text: bytes):
    service.says(SETTINGS.metrics, (200, text))
    with pytest.raises(NoReport, match="/metrics"):
        monitor.predictions()


def test_rows_are_sent_by_mlflows_protocol(service: Service, monitor: HttpMonitor):
    service.says(SETTINGS.invocations, (200, {"predictions": [0]}))
    monitor.send(["a", "b"], [[1.5, None]])
    assert json.loads(service.asked[0][2]) == {"dataframe_split": {"columns": ["a", "b"], "data": [[1.5, None]]}}


def test_a_busy_service_is_asked_again(service: Service, monitor: HttpMonitor):
    service.says(SETTINGS.invocations, (503, {}), (429, {}), (200, {"predictions": [0]}))
    monitor.send(["a"], [[1.0]])
    assert len(service.asked) == 3


def test_refused_rows_say_what_was_answered(service: Service, monitor: HttpMonitor):
    service.says(SETTINGS.invocations, (422, {"detail": "hour must be below 24"}))
    with pytest.raises(Refused, match=r"1 valid rows were answered 422 .*below 24"):
        monitor.send(["a"], [[1.0]])


def test_what_a_malformed_request_is_answered_does_not_matter_here(service: Service, monitor: HttpMonitor):
    service.says(SETTINGS.invocations, (500, b""))
    monitor.provoke(["a", "b"], [[1.0, 2.0]], "ragged rows")
    assert json.loads(service.asked[0][2])["dataframe_split"]["data"] == [[1.0]]


def test_every_read_takes_a_connection_of_its_own(service: Service, monitor: HttpMonitor):
    service.says(SETTINGS.route, (200, REPORT))
    service.says(SETTINGS.metrics, (200, METRICS.encode()))
    monitor.poll()
    monitor.predictions()
    assert [connection for _, connection, _ in service.asked] == ["close", "close"]


def test_a_service_that_ended_is_told_apart_from_one_that_is_silent(service: Service):
    service.says(SETTINGS.route, (0, b""))
    with Client(f"http://127.0.0.1:{service.server.server_port}", seconds=5) as client:
        with pytest.raises(NoAnswer, match="/monitoring/drift"):
            HttpMonitor(client, SETTINGS, lambda: State(running=True)).poll()
        ended = State(running=False, exit_code=137, killed_for_memory=True)
        with pytest.raises(NoAnswer, match=r"ended while it was in use .killed for memory"):
            HttpMonitor(client, SETTINGS, lambda: ended).poll()
