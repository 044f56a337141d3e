from __future__ import annotations

from pathlib import Path

import pandas as pd
from httpx import Client
from prometheus_client.parser import text_string_to_metric_families

from service.engine import Engine
from service.settings import Settings
from tests.conftest import MODEL, split, until
from tests.serving import serve


def metrics(client: Client) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def test_without_a_model_the_service_is_alive_and_not_ready(tmp_path: Path, rows: pd.DataFrame) -> None:
    with serve(Settings(model=tmp_path / "nothing")) as client:
        assert client.get("/livez").status_code == 200
        for path in ("/readyz", "/ping", "/version", "/monitoring/drift"):
            assert client.get(path).status_code == 503, path
        until(lambda: f"no MLmodel file in {tmp_path}" in client.get("/readyz").json()["detail"])
        assert client.post("/invocations", json=split(rows.head(1))).status_code == 503
        assert client.get("/metrics").status_code == 200


def test_a_model_of_another_scikit_learn_is_not_served(tmp_path: Path) -> None:
    for file in MODEL.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    text = (MODEL / "MLmodel").read_text()
    (tmp_path / "MLmodel").write_text(text.replace("sklearn_version: 1.", "sklearn_version: 0."))
    engine = Engine()
    assert not engine.load(tmp_path)
    assert (engine.loaded, "trained with scikit-learn 0." in engine.reason) == (None, True)


def test_a_ready_service_says_so_everywhere(client: Client) -> None:
    assert [client.get(path).status_code for path in ("/livez", "/readyz", "/ping")] == [200, 200, 200]
    assert client.get("/version").json() == {"name": "fraud_detection", "version": "1"}
    assert metrics(client)["model_info", (("name", "fraud_detection"), ("version", "1"))] == 1


def test_metrics_count_rows_and_requests_exactly(client: Client, rows: pd.DataFrame) -> None:
    for count in (1, 7, 50):
        client.post("/invocations", json=split(rows.head(count)))
    client.post("/invocations", content=b"{", headers={"content-type": "application/json"})
    client.get("/nope")
    seen = metrics(client)

    def requests(path: str, method: str, status: str) -> float:
        return seen["http_requests_total", (("method", method), ("path", path), ("status", status))]

    assert seen["model_predictions_total", ()] == 58
    assert requests("/invocations", "POST", "200") == 3
    assert requests("/invocations", "POST", "400") == 1
    assert requests("unmatched", "GET", "404") == 1
    count = seen["http_request_duration_seconds_count", (("method", "POST"), ("path", "/invocations"))]
    assert count == 4


def test_drift_gauges_agree_with_the_report(client: Client, rows: pd.DataFrame) -> None:
    assert metrics(client)["model_drift_detected", ()] == 0
    client.post("/invocations", json=split(rows.head(600).assign(country="XX")))
    report, seen = client.get("/monitoring/drift").json(), metrics(client)
    assert (report["status"], report["drift_detected"], report["n_observed"]) == ("ok", True, 600)
    assert seen["model_drift_detected", ()] == 1
    for name, feature in report["features"].items():
        assert seen["model_feature_drift_score", (("feature", name),)] == feature["score"]


def test_the_openapi_document_names_every_route(client: Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {
        "/livez", "/readyz", "/ping", "/version", "/invocations", "/metrics", "/monitoring/drift",
    }  # fmt: skip
