"""Which tests would notice a broken model."""

from __future__ import annotations

import pytest

from harness.inspection.checkout import Checkout
from harness.inspection.suite import read

CONFTEST = """
import pytest
from fastapi.testclient import TestClient
from app.main import create_app

@pytest.fixture
def client():
    with TestClient(create_app()) as client:
        yield client
"""
REAL = {
    "a request": 'def test_p(client):\n    assert client.post("/invocations", json={}).json()["predictions"]\n',
    "a status and the answer": """
def test_p(client):
    answer = client.post("/invocations", json={})
    assert (answer.status_code, len(answer.json()["predictions"])) == (200, 1)
""",
    "a route in a constant": 'URL = "/invocations"\ndef test_p(client):\n    assert client.post(URL).json() == {}\n',
    "a helper that asks": """
from tests.asking import ask
def test_p(client):
    assert ask(client) == [1]
""",
    "a helper that asserts": """
def check(answer):
    assert answer == [1]
def test_p(model):
    check(model.predict([[1]]))
""",
    "pytest.approx through numpy": "def test_p(model):\n    np.testing.assert_allclose(model.predict(x), y)\n",
    "unittest": """
class TestModel(unittest.TestCase):
    def setUp(self):
        self.model = load()
    def test_p(self):
        self.assertEqual(self.model.predict([1]), 2)
""",
    "one stubbed among real ones": """
def test_not_ready(client, monkeypatch):
    monkeypatch.setattr("app.main.load_model", explode)
    assert client.get("/readyz").status_code == 503
def test_p(client):
    assert client.post("/invocations", json={}).json()["predictions"] == [1]
""",
    "something else patched": """
def test_p(client, monkeypatch):
    monkeypatch.setenv("MODEL_URI", "/opt/ml/model")
    monkeypatch.setattr("app.clock.now", lambda: 0)
    assert client.post("/invocations").json()["predictions"] == [1]
""",
}
HOLLOW = {
    "predict patched": """
from unittest.mock import patch
@patch("app.main.model.predict", return_value=[1])
def test_p(predict, client):
    assert client.post("/invocations").json()["predictions"] == [1]
""",
    "predict replaced in the test": """
def test_p(client, monkeypatch):
    monkeypatch.setattr(app.main, "predict", lambda rows: [1])
    assert client.post("/invocations").json()["predictions"] == [1]
""",
    "a fixture that stubs": """
@pytest.fixture
def client(mocker):
    mocker.patch("mlflow.pyfunc.load_model", return_value=FakeModel())
    return TestClient(app)
def test_p(client):
    assert client.post("/invocations").json()["predictions"] == [1]
""",
    "a fixture that every test gets": """
@pytest.fixture(autouse=True)
def no_model(monkeypatch):
    monkeypatch.setattr("app.main.model", None)
def test_p(client):
    assert client.post("/invocations").json()["predictions"] == [1]
""",
    "a mock assigned": """
def test_p(client):
    app.state.model = MagicMock()
    assert client.post("/invocations").status_code == 200
""",
    "a fake handed over": """
def test_p():
    client = TestClient(create_app(model=FakeModel()))
    assert client.post("/invocations").status_code == 200
""",
    "a dependency overridden": """
def test_p(client):
    app.dependency_overrides[get_model] = lambda: None
    assert client.post("/invocations").status_code == 200
""",
    "a status alone": 'def test_p(client):\n    assert client.post("/invocations", json={}).status_code == 200\n',
    "a status among several": """
def test_p(client):
    answer = client.post("/invocations", json={})
    assert answer.ok and answer.status_code in (200, 201), answer.text
""",
    "a status, and a fixture that waits": """
def wait(client):
    assert client.get("/readyz").json() == {"status": "ready"}
@pytest.fixture
def ready(client):
    wait(client)
    return client
def test_p(ready):
    assert ready.post("/invocations", json={}).status_code == 200
""",
    "a status by unittest": """
class TestService(unittest.TestCase):
    def test_p(self):
        answer = self.client.post("/invocations", json={})
        self.assertEqual(answer.status_code, 200)
""",
    "no assertion": 'def test_p(client):\n    client.post("/invocations")\n',
    "an assertion that always holds": 'def test_p(client):\n    client.post("/invocations")\n    assert True\n',
    "health only": 'def test_h(client):\n    assert client.get("/livez").status_code == 200\n',
}


def stubbed(tmp_path, source: str) -> str:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "conftest.py").write_text(CONFTEST)
    (tmp_path / "tests" / "asking.py").write_text(
        'def ask(c):\n    return c.post("/invocations").json()["predictions"]\n'
    )
    (tmp_path / "tests" / "test_service.py").write_text(source)
    suite = read(Checkout(tmp_path))
    assert suite.files == ("tests/test_service.py",)
    return suite.stubbed


@pytest.mark.parametrize("case", REAL)
def test_a_suite_that_would_notice_is_taken_for_one(tmp_path, case):
    assert stubbed(tmp_path, REAL[case]) == ""


@pytest.mark.parametrize("case", HOLLOW)
def test_a_suite_that_would_pass_with_a_broken_model_is_noticed(tmp_path, case):
    assert stubbed(tmp_path, HOLLOW[case]) != ""


def test_tests_in_another_language_count_if_they_ask_for_predictions(tmp_path):
    (tmp_path / "main_test.go").write_text('func TestIt(t *testing.T) { post("/invocations") }')
    assert read(Checkout(tmp_path)).stubbed == ""


def test_tests_of_installed_packages_are_not_the_candidates(tmp_path):
    folder = tmp_path / ".venv" / "lib" / "site-packages" / "numpy" / "tests"
    folder.mkdir(parents=True)
    (folder / "test_predict.py").write_text("def test_predict():\n    assert predict()\n")
    assert read(Checkout(tmp_path)).files == ()
