"""`python -m service` serves on $PORT (8080)."""

import os

import uvicorn

from service.app import app

if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=int(os.environ.get("PORT") or 8080))
