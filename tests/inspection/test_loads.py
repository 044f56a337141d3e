"""Where a client could have something unpickled."""

from __future__ import annotations

import pytest

from harness.inspection.checkout import Checkout
from harness.inspection.loads import unsafe_loads

UNSAFE = {
    "a path in the body": """
@app.post("/reload")
def reload(path: str):
    app.state.model = joblib.load(path)
""",
    "a field of the body": """
@app.post("/admin/model")
async def swap(request: Request):
    body = await request.json()
    uri = body["model_uri"]
    state.model = mlflow.pyfunc.load_model(uri)
""",
    "Flask's request": """
@app.route("/reload", methods=["POST"])
def reload():
    model = pickle.loads(request.data)
""",
    "by way of a function": """
def load_model(uri):
    return mlflow.pyfunc.load_model(uri)

@router.put("/model")
def change(change: Change):
    load_model(change.uri)
""",
    "by way of a method": """
class Registry:
    def swap(self, where):
        self.model = torch.load(where)

@app.post("/swap")
def swap_model(body: dict):
    registry.swap(body["where"])
""",
    "a file opened by `with`": """
@app.post("/reload")
def reload(path: str):
    with open(path, "rb") as file:
        app.state.model = pickle.load(file)
""",
    "by way of a class": """
class Model:
    def __init__(self, folder):
        with (folder / "model.pkl").open("rb") as file:
            self.pipeline = cloudpickle.load(file)

@app.post("/reload")
def reload(uri: str):
    app.state.model = Model(Path(uri))
""",
    "by way of a class that keeps it for later": """
class Model:
    def __init__(self, folder):
        with (folder / "model.pkl").open("rb") as file:
            self.pipeline = cloudpickle.load(file)

class Engine:
    def __init__(self, folder):
        self._folder = folder
    def load(self):
        self.model = Model(self._folder)

@app.post("/reload")
def reload(uri: str):
    app.state.engine = Engine(Path(uri))
    app.state.engine.load()
""",
    "eval": '@app.get("/filter")\ndef rows(expression: str):\n    return eval(expression)\n',
}
SAFE = {
    "a path of the settings": """
@app.on_event("startup")
def start():
    app.state.model = joblib.load(settings.model_path)
""",
    "loading as such": """
def load(path):
    return mlflow.pyfunc.load_model(path)

model = load(os.environ["MODEL_URI"])
""",
    "the application's own state": """
@app.post("/reload")
def reload(request: Request):
    request.app.state.model = mlflow.pyfunc.load_model(request.app.state.settings.model_uri)
""",
    "an injected dependency": """
@app.post("/reload")
def reload(settings: Settings = Depends(get_settings)):
    return mlflow.pyfunc.load_model(settings.model_uri)
""",
    "an annotated dependency": """
@app.post("/reload")
def reload(settings: Annotated[Settings, Depends(get_settings)]):
    return mlflow.pyfunc.load_model(settings.model_uri)
""",
    "a class that is given what is the server's": """
class Engine:
    def __init__(self, folder):
        self._folder = folder
    def load(self):
        self.model = joblib.load(self._folder)

@app.post("/reload")
def reload(request: Request, why: str):
    request.app.state.engine = Engine(request.app.state.settings.folder)
    return why
""",
    "a client's rows beside a path of the server's": """
def score(rows, folder):
    return joblib.load(folder).predict(frame(rows))

@app.post("/invocations")
def invocations(body: Body):
    return score(body.rows, SETTINGS.folder)
""",
    "JSON beside a loader of one name with it": """
class Engine:
    def load(self, folder):
        self.model = joblib.load(folder)

@app.post("/invocations")
def invocations(body: Body):
    return json.load(body.file)
""",
    "JSON": '@app.post("/invocations")\nasync def score(request):\n    return json.loads(await request.body())\n',
    "a prediction": '@app.post("/invocations")\ndef score(body: Body):\n    return model.predict(frame(body))\n',
}


@pytest.mark.parametrize("case", UNSAFE)
def test_a_load_that_a_client_steers_is_found(tmp_path, case):
    (tmp_path / "app.py").write_text(UNSAFE[case])
    assert list(unsafe_loads(Checkout(tmp_path)))


@pytest.mark.parametrize("case", SAFE)
def test_loads_of_the_servers_own_choice_are_left_alone(tmp_path, case):
    (tmp_path / "app.py").write_text(SAFE[case])
    assert list(unsafe_loads(Checkout(tmp_path))) == []
