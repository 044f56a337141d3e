"""The routes beside /invocations: health, version, the API's own description."""

from __future__ import annotations

from harness import kit


def test_livez(service: kit.Service):
    """GET /livez answers 200 while the process serves."""
    kit.ok(service.get("/livez"), "GET /livez")


def test_readyz(service: kit.Service):
    """GET /readyz answers 200 once the model is loaded."""
    kit.ok(service.get("/readyz"), "GET /readyz")


def test_ping(service: kit.Service):
    """GET /ping answers 200 once the model is loaded."""
    kit.ok(service.get("/ping"), "GET /ping")


def test_version_names_the_model(service: kit.Service, model: kit.Model):
    """GET /version answers 200 and JSON with the name and version in the metadata of the model's MLmodel file."""
    names(service, model)


@kit.needs("version_names_the_model")
def test_version_follows_the_mounted_model(mounted_service: kit.Service, mounted_model: kit.Model):
    """With another model mounted, GET /version names that model's version."""
    names(mounted_service, mounted_model)


def test_openapi_document(service: kit.Service):
    """GET /openapi.json answers 200 with an OpenAPI document that describes POST /invocations."""
    document = kit.ok(service.get("/openapi.json"), "GET /openapi.json").json()
    is_one = isinstance(document, dict) and str(document.get("openapi", "")).startswith("3.")
    kit.expect(is_one, "GET /openapi.json is not an OpenAPI 3 document")
    paths = document.get("paths")
    described = isinstance(paths, dict) and "post" in (paths.get("/invocations") or {})
    kit.expect(described, "The OpenAPI document does not describe POST /invocations", observed=list(paths or ()))


def names(service: kit.Service, model: kit.Model) -> None:
    """Whether the answer of GET /version holds the model's name and version as values, under whatever keys."""
    answer = kit.ok(service.get("/version"), "GET /version").json()
    for what in ("name", "version"):
        wanted = str(model.metadata[what])
        kit.expect(
            wanted in values(answer),
            f"GET /version does not give the model's {what}; take it from the metadata in its MLmodel file",
            expected=wanted,
            observed=answer,
        )


def values(answer: object) -> set[str]:
    """All values of a JSON answer, however deep, as text."""
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, list):
        return {value for part in answer for value in values(part)}
    return {str(answer)}
