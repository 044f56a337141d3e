from fastapi.testclient import TestClient

from service.app import app


def test_the_process_is_alive():
    assert TestClient(app).get("/livez").status_code == 200


def test_without_a_model_it_is_not_ready():
    assert TestClient(app).get("/readyz").status_code == 503
