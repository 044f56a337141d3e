"""A start: it is alive, and truthfully never ready. The rest of the contract is yours."""

from fastapi import FastAPI
from fastapi.responses import JSONResponse

app = FastAPI(title="Fraud detection")


@app.get("/livez")
def livez() -> dict[str, str]:
    """The process serves."""
    return {"status": "alive"}


@app.get("/readyz")
@app.get("/ping")
def readyz() -> JSONResponse:
    """The model and its reference sample are loaded, which nothing does yet."""
    return JSONResponse({"status": "not ready", "detail": "nothing loads the model yet"}, 503)
